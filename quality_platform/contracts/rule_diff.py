"""What changed in the quality rules of an object and of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quality_platform.contracts.changes import ContractChange
from quality_platform.contracts.diff_parts import Named, matched, prose_changes, shown, turned
from quality_platform.contracts.models import QualityRule, SchemaObject
from quality_platform.contracts.promises import (
    OPERATORS,
    Turn,
    threshold_text,
    turn_of_sets,
    turn_of_thresholds,
)

_PROSE = (
    "name", "description", "businessImpact", "tags", "authoritativeDefinitions", "schedule",
    "scheduler", "dimension", "method", "id",
)  # fmt: skip
_COMPARED = (*_PROSE, *OPERATORS, "severity", "unit", "arguments")


def rule_changes(
    path: str, old: SchemaObject, new: SchemaObject, renames: Mapping[str, str]
) -> Iterator[ContractChange]:
    """The changes of all rules; a rule is known by its id, its name, or what it measures.

    `renames` has the new names of the old object's columns.
    """
    for before, after in matched(_named(old.quality, renames), _named(new.quality, {})):
        rule = after or before
        assert rule is not None
        place = f"{path}.{_place(rule)}"
        if before is None or after is None:
            yield _one_sided(place, rule, is_new=before is None)
        else:
            yield from _rule(place, before.entry, after.entry)


def _named(rules: Sequence[QualityRule], renames: Mapping[str, str]) -> list[Named[QualityRule]]:
    named: list[Named[QualityRule]] = []
    seen: dict[str, int] = {}
    for rule in rules:
        column = renames.get(rule.column or "", rule.column or "")
        key = f"{column} {_title(rule)}"
        seen[key] = seen.get(key, 0) + 1
        rule_id = str(rule.entry.get("id") or "")
        named.append(Named(rule_id and f"{column} {rule_id}", f"{key} {seen[key]}", rule))
    return named


def _title(rule: QualityRule) -> str:
    """The rule's name, or what it measures."""
    entry = rule.entry
    return str(entry.get("name") or entry.get("metric") or entry.get("type") or "rule")


def _place(rule: QualityRule) -> str:
    column = f"properties.{rule.column}." if rule.column else ""
    return f"{column}quality.{_title(rule)}"


def _holds(entry: Mapping[str, Any]) -> bool:
    """Whether rows or batches are held back because of it: an error, and no prose."""
    is_prose = entry.get("type") == "text" and not entry.get("customProperties")
    return str(entry.get("severity") or "error") == "error" and not is_prose


def _one_sided(place: str, rule: QualityRule, *, is_new: bool) -> ContractChange:
    text = f"{_title(rule)} ({threshold_text(rule.entry)})"
    turn = Turn.TIGHTER if is_new else Turn.LOOSER
    texts = ("", text) if is_new else (text, "")
    return turned(place, "rule", *texts, turn, holds=_holds(rule.entry))


def _rule(place: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    if _holds(old) != _holds(new):
        turn = Turn.TIGHTER if _holds(new) else Turn.LOOSER
        was, now = (str(entry.get("severity") or "error") for entry in (old, new))
        yield turned(f"{place}.severity", "rule_severity", was, now, turn)
    holds = _holds(old) or _holds(new)
    threshold = turn_of_thresholds(old, new)
    if threshold is not None:
        texts = threshold_text(old), threshold_text(new)
        yield turned(f"{place}.threshold", "rule_threshold", *texts, threshold, holds=holds)
    yield from _arguments(place, old, new, holds=holds)
    yield from _rest(place, old, new, holds=holds)
    yield from prose_changes(
        place, {k: old.get(k) for k in _PROSE}, {k: new.get(k) for k in _PROSE}
    )


def _arguments(
    place: str, old: Mapping[str, Any], new: Mapping[str, Any], *, holds: bool
) -> Iterator[ContractChange]:
    before, after = old.get("arguments") or {}, new.get("arguments") or {}
    for key in dict.fromkeys((*before, *after)):
        was, now = before.get(key), after.get(key)
        if was == now:
            continue
        turn: Turn | None = Turn.OTHER
        if key == "validValues" and isinstance(was, list) and isinstance(now, list):
            turn = turn_of_sets(was, now)
        elif key == "missingValues" and isinstance(was, list) and isinstance(now, list):
            # More values that count as missing allow less.
            turn = turn_of_sets(now, was)
        if turn is not None:
            texts = shown(was), shown(now)
            yield turned(f"{place}.arguments.{key}", "rule_argument", *texts, turn, holds=holds)


def _rest(
    place: str, old: Mapping[str, Any], new: Mapping[str, Any], *, holds: bool
) -> Iterator[ContractChange]:
    """What the rule measures: of two queries or predicates nobody can say which allows more."""
    for key in dict.fromkeys((*old, *new)):
        if key not in _COMPARED and old.get(key) != new.get(key):
            texts = shown(old.get(key)) or "nothing", shown(new.get(key)) or "nothing"
            yield turned(f"{place}.{key}", "rule", *texts, Turn.OTHER, holds=holds)
