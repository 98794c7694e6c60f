"""Words of older versions of the standard, read as what they are called now.

v3.0 names a rule with `rule:`, has no fixed list of names and often no threshold. v3.1 calls it
`metric:`, with five names and exactly one operator. Source: the standard's CHANGELOG and its
examples of v3.0.0 to v3.0.2.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from quality_platform.contracts.physical_types import told_logical_type
from quality_platform.contracts.walking import holders
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import Problem

_METRICS = {
    "nullcheck": "nullValues",
    "nullvalues": "nullValues",
    "missingvalues": "missingValues",
    "validvalues": "invalidValues",
    "invalidvalues": "invalidValues",
    "duplicatecheck": "duplicateValues",
    "duplicatecount": "duplicateValues",
    "duplicatevalues": "duplicateValues",
    "countcheck": "rowCount",
    "rowcount": "rowCount",
}
"""The names of rules that v3.0 and its examples use, by their metric of v3.1."""

_FLAGS = (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum"))
"""Truth values in v3.0, which say that the bound beside them is exclusive."""

_NOT_OF_TEXT = ("rule", "metric", "arguments", "validValues", "query", "engine", "implementation")


def modernized(document: YamlDocument) -> tuple[YamlDocument, list[Problem]]:
    """The document in the words of v3.2, and a hint for every word that was replaced.

    The document itself is not changed. What is not of the expected form is left as it is: the JSON
    schema tells it.
    """
    old = _old_parts(document.data)
    hints = list(_other_hints(document))
    if not old:
        return document, hints
    data = copy.deepcopy(document.data)
    moved: Moved = {}
    for path, modernize in old:
        hints.append(modernize(document, _at(data, path), path, moved))
    return document.with_data(data, moved), hints


Moved = dict[PathInDocument, PathInDocument]
"""For paths of the new data, where they were written."""
Modernize = Callable[[YamlDocument, dict[str, Any], PathInDocument, Moved], Problem]
"""Rewrites a part in place, and tells what it was read as."""


def _old_parts(data: Mapping[str, Any]) -> list[tuple[PathInDocument, Modernize]]:
    """The parts that are in old words, and what renews each."""
    found: list[tuple[PathInDocument, Modernize]] = []
    found += [(path, _modernize_rule) for path, entry in _rules(data) if "rule" in entry]
    for path, holder in holders(data):
        if holder.get("logicalType") == "date" and _told(holder) in ("timestamp", "time"):
            found.append((path, _retype))
    if not is_first_minor(data):
        return found
    found += [(("team", n), _renamed("comment", "description")) for n in _comments(data)]
    for path, holder in holders(data):
        if "tag" in holder and "tags" not in holder:
            found.append((path, _renamed("tag", "tags")))
        options = holder.get("logicalTypeOptions")
        for flag, bound in _FLAGS:
            if isinstance(options, dict) and isinstance(options.get(flag), bool):
                found.append(((*path, "logicalTypeOptions"), _made_exclusive(flag, bound)))
    for path, entry in _rules(data):
        if entry.get("type") == "sql" and not _has_operator(entry):
            found.append((path, _unmeasured))
    return found


def _told(holder: Mapping[str, Any]) -> str:
    written = holder.get("physicalType")
    return told_logical_type(written) if isinstance(written, str) else ""


def _rules(data: Mapping[str, Any]) -> Iterator[tuple[PathInDocument, Mapping[str, Any]]]:
    for path, holder in holders(data):
        rules = holder.get("quality")
        for n, entry in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(entry, dict):
                yield (*path, "quality", n), entry


def _comments(data: Mapping[str, Any]) -> Iterator[int]:
    """The members of a team that have a comment, as in the first example of v3.0."""
    team = data.get("team")
    for n, member in enumerate(team if isinstance(team, list) else ()):
        if isinstance(member, dict) and "comment" in member and "description" not in member:
            yield n


def is_first_minor(data: Mapping[str, Any]) -> bool:
    """Whether a contract is of v3.0.x."""
    return str(data.get("apiVersion")).startswith("v3.0.")


def _at(data: Any, path: PathInDocument) -> Any:
    for step in path:
        data = data[step]
    return data


def _renamed(old: str, new: str) -> Modernize:
    def rename(
        document: YamlDocument, entry: dict[str, Any], path: PathInDocument, moved: Moved
    ) -> Problem:
        entry[new] = entry.pop(old)
        moved[*path, new] = (*path, old)
        return _hint(document, (*path, old), old, new)

    return rename


def _retype(
    document: YamlDocument, entry: dict[str, Any], path: PathInDocument, _: Moved
) -> Problem:
    """v3.0 has no logical type for times but `date`, and examples of v3.2 still write it."""
    entry["logicalType"] = _told(entry)
    is_first = is_first_minor(document.data)
    why = "which v3.0 had no word for" if is_first else "as its physicalType says"
    return Problem(
        f"`date` is read as `{entry['logicalType']}`, {why}",
        document.location((*path, "logicalType")),
        "logicalType",
        received="date",
        action=f"write `{entry['logicalType']}`"
        + (" and `apiVersion: v3.1.0` or later" if is_first else ""),
    )


def _made_exclusive(flag: str, bound: str) -> Modernize:
    """v3.0 says by a flag that a bound is exclusive, v3.1 by the name of the bound."""

    def rewrite(
        document: YamlDocument, options: dict[str, Any], path: PathInDocument, moved: Moved
    ) -> Problem:
        is_exclusive = options.pop(flag) and bound in options
        if is_exclusive:
            options[flag] = options.pop(bound)
            moved[*path, flag] = (*path, bound)
        meant = f"`{flag}: {options[flag]}`" if is_exclusive else "nothing"
        return Problem(
            f"`{flag}` is the bound itself since v3.1, and no flag: it is read as {meant}",
            document.location((*path, flag)),
            flag,
            action=f"write {meant}, without `{bound}`" if is_exclusive else "remove it",
        )

    return rewrite


def _unmeasured(
    document: YamlDocument, entry: dict[str, Any], path: PathInDocument, _: Moved
) -> Problem:
    """v3.0 allows a query with nothing to compare its number with."""
    entry["type"] = "text"
    entry.setdefault("description", f"query: {entry.get('query')}")
    for key in [key for key in entry if key in _NOT_OF_TEXT]:
        del entry[key]
    return Problem(
        "this query is shown and never run: it has no operator to compare its number with",
        document.location((*path, "query")),
        "query",
        action="write an operator such as `mustBe`",
    )


def _has_operator(entry: Mapping[str, Any]) -> bool:
    return any(key.startswith("must") for key in entry)


def _modernize_rule(
    document: YamlDocument,
    entry: dict[str, Any],
    path: PathInDocument,
    moved: Moved,
) -> Problem:
    """Rewrites the rule in place, and tells what it was read as."""
    written = entry.pop("rule")
    here = (*path, "rule")
    if "metric" in entry or entry.get("type", "library") != "library":
        return _hint(document, here, "rule", "metric", "remove it: it says nothing here")
    first = is_first_minor(document.data)
    metric = _METRICS.get(str(written).casefold()) if first else written
    has_operator = _has_operator(entry)
    if first and (metric is None or (metric == "rowCount" and not has_operator)):
        return _as_text(document, entry, here, written)
    entry["metric"] = metric
    moved[*path, "metric"] = here
    if first and not has_operator:
        entry["mustBe"] = 0
        moved[*path, "mustBe"] = here
    arguments = entry.get("arguments", {})
    if first and "validValues" in entry and isinstance(arguments, dict):
        entry["arguments"] = {**arguments, "validValues": entry.pop("validValues")}
        moved[*path, "arguments"] = (*path, "validValues")
    meant = f"metric: {metric}" + (", mustBe: 0" if first and not has_operator else "")
    return _hint(document, here, "rule", "metric", f"it is read as `{meant}`: write that")


def _as_text(
    document: YamlDocument, entry: dict[str, Any], here: PathInDocument, written: object
) -> Problem:
    entry["type"] = "text"
    entry.setdefault("description", f"rule: {written}")
    for key in [key for key in entry if key in _NOT_OF_TEXT or key.startswith("must")]:
        del entry[key]
    return Problem(
        "this rule is shown and never run: the standard does not say what it means",
        document.location(here),
        "rule",
        received=str(written),
        allowed=", ".join(dict.fromkeys(_METRICS.values())),
        action="write a `metric` and an operator such as `mustBeGreaterThan`",
    )


def _other_hints(document: YamlDocument) -> Iterator[Problem]:
    data = document.data
    if isinstance(data.get("team"), list) and not is_first_minor(data):
        yield Problem(
            "a list of members as `team` is deprecated since v3.1",
            document.location(("team",)),
            "team",
            action="write `team: {members: [...]}`",
        )
    if "slaDefaultElement" in data and not is_first_minor(data):
        yield Problem(
            "`slaDefaultElement` is deprecated since v3.1",
            document.location(("slaDefaultElement",)),
            "slaDefaultElement",
            action="give each entry of `slaProperties` its `element`",
        )


def _hint(
    document: YamlDocument, path: PathInDocument, old: str, new: str, action: str = ""
) -> Problem:
    return Problem(
        f"`{old}` is deprecated: it is called `{new}` now",
        document.location(path),
        old,
        action=action or f"write `{new}`",
    )
