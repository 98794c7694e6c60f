"""Validation against the standard's own JSON schema, with file and line in every problem."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Hashable, Iterator
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from quality_platform.contracts.deprecated import is_first_minor
from quality_platform.contracts.shapes import Reduction, Shapes
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import YamlDocument
from quality_platform.errors import Problem

_ABOUT_KEYS = ("unevaluatedProperties", "additionalProperties")

_OPEN_IN_FIRST_MINOR = (
    "Server",
    "DataQuality",
    "SupportItem",
    "Pricing",
    "TeamMember",
    "Role",
    "ServiceLevelAgreementProperty",
    "CustomProperty",
)
"""Entries that may have any further keys in v3.0.x."""


@cache
def _validator(*, is_open: bool = False) -> Any:
    from jsonschema import Draft201909Validator

    # The package's own json_schema() uses a deprecated call, and imports all of its models.
    text = files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8")
    schema = json.loads(text)
    _ask_nothing_of_untyped_properties(schema["$defs"]["SchemaBaseProperty"])
    if is_open:
        _ask_no_more_than_first_minor(schema["$defs"])
    return Draft201909Validator(schema)


def _ask_nothing_of_untyped_properties(definition: dict[str, Any]) -> None:
    """Mends the schema of v3.2, which asks of a property without logicalType all that any has.

    Its conditions on the logicalType hold where there is none, so that such a property, which the
    standard allows, would need a `map` and the dimensions of a vector.
    """
    conditions = [part for part in definition["allOf"] if "if" in part]
    for part in conditions:
        part["if"] = {"allOf": [part["if"], {"required": ["logicalType"]}]}
    members = [part["then"]["properties"] for part in conditions]
    untyped = {key: schema for keys in members for key, schema in keys.items() if key in _MEMBERS}
    definition["allOf"].append(
        {"if": {"not": {"required": ["logicalType"]}}, "then": {"properties": untyped}}
    )


def _ask_no_more_than_first_minor(definitions: dict[str, Any]) -> None:
    """Takes back what v3.1 and v3.2 ask beyond v3.0.0 to v3.0.2.

    Source: the standard's odcs-json-schema-v3.0.0.json and -v3.0.2.json.
    """
    links = definitions["AuthoritativeDefinitions"]["items"]
    for definition in (*map(definitions.__getitem__, _OPEN_IN_FIRST_MINOR), links):
        for word in _ABOUT_KEYS:
            definition.pop(word, None)
    for name in ("TeamMember", "CustomProperty"):
        del definitions[name]["required"]
    definitions["ServerSource"]["DuckdbServer"]["properties"]["schema"]["type"] = [
        "string",
        "integer",
    ]


_MEMBERS = ("properties", "items", "map")


@cache
def _shapes() -> Shapes:
    return Shapes(_validator().schema)


_PASSED: dict[bool, set[Hashable]] = {False: set(), True: set()}
"""The shapes that a schema has let pass, by whether it is the open one.

A thousand contracts have few shapes of entries more than one. (Measured: 1000 contracts of 20 rules
in 0.6 s in place of 10 s.)
"""
_MOST_SHAPES = 20_000
"""So many are remembered; beyond, all are forgotten."""


def schema_problems(document: YamlDocument) -> tuple[list[Problem], list[Problem]]:
    """Everything in which the document is not a contract by the standard's JSON schema; and hints.

    v3.0 lets many entries have further keys: these are hints. In a rule, whose meaning depends on
    it, a key that is likely misspelt stays a problem.
    """
    found = _problems(document)
    if not found or not is_first_minor(document.data):
        return found, []
    open_problems = _problems(document, is_open=True)
    rest = [problem for problem in found if problem not in open_problems]
    misspelt = [p for p in rest if ".quality." in p.field and p.action.startswith("did you mean")]
    hints = [
        replace(problem, message=f"{problem.message}: v3.0 lets it pass, later versions do not")
        for problem in rest
        if problem not in misspelt
    ]
    return [*open_problems, *misspelt], hints


def _problems(document: YamlDocument, *, is_open: bool = False) -> list[Problem]:
    validator, passed = _validator(is_open=is_open), _PASSED[is_open]
    reduction = Reduction(passed)
    if validator.is_valid(_shapes().reduced(document.data, reduction)):
        if len(passed) > _MOST_SHAPES:
            passed.clear()
        passed |= reduction.asked
        return []
    errors = [leaf for error in validator.iter_errors(document.data) for leaf in _leaves(error)]
    # A value of another type has no keys that it could lack.
    mistyped = {tuple(e.absolute_path) for e in errors if e.validator == "type"}
    errors = [e for e in errors if e.validator == "type" or tuple(e.absolute_path) not in mistyped]
    # Keys count as unexpected, too, where their own value or the keys beside them have a problem.
    explained = {tuple(e.absolute_path) for e in errors if e.validator not in _ABOUT_KEYS}
    within = {tuple(e.absolute_path) for e in errors}
    problems = {
        problem
        for error in errors
        for problem in (
            _key_problems(error, document, explained, within)
            if error.validator in _ABOUT_KEYS
            else [_value_problem(error, document)]
        )
    }
    return sorted(problems, key=lambda p: (p.location.line if p.location else 0, p.message))


def _leaves(error: Any) -> Iterator[Any]:
    """The causes of an error: of several alternatives, those of the one that fits best."""
    if not error.context or _has_wrong_choice(error) or _types(error):
        yield error
        return
    by_branch: dict[Any, list[Any]] = {}
    for child in error.context:
        by_branch.setdefault(child.schema_path[0], []).append(child)
    nearest = max(by_branch.values(), key=lambda group: _nearness(group, error))
    for child in nearest:
        yield from _leaves(child)


def _nearness(group: list[Any], error: Any) -> tuple[bool, int]:
    """How well a branch fits: one of the value's own type better, one that fails deeper better."""
    has_type = all(c.validator != "type" or c.absolute_path != error.absolute_path for c in group)
    return has_type, max(len(c.absolute_path) for c in group)


def _types(error: Any) -> list[str]:
    """The types that a value may have, where it has none of several."""
    children = error.context or ()
    if all(c.validator == "type" and c.absolute_path == error.absolute_path for c in children):
        return [str(c.validator_value) for c in children]
    return []


def _choices(error: Any) -> list[str]:
    """The keys of which exactly one must be there, where the error is about such a choice."""
    branches = error.validator_value if error.validator == "oneOf" else ()
    required = [branch.get("required", ()) for branch in branches]
    return [keys[0] for keys in required] if all(len(keys) == 1 for keys in required) else []


def _has_wrong_choice(error: Any) -> bool:
    choices = _choices(error) if isinstance(error.instance, dict) else []
    return bool(choices) and sum(key in error.instance for key in choices) != 1


def _key_problems(
    error: Any,
    document: YamlDocument,
    explained: set[tuple[Any, ...]],
    within: set[tuple[Any, ...]],
) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    allowed = sorted(_allowed_keys(error.schema))
    is_explained = any(other[: len(path)] == path for other in explained)
    for key in _unexpected(error):
        known = key in allowed
        inside = (*path, key)
        if known and (is_explained or any(o[: len(inside)] == inside for o in within)):
            continue
        yield Problem(
            message=f"the key {key!r} does not belong here" if known else f"unknown key {key!r}",
            location=document.location((*path, key)),
            field=_field(path),
            allowed="" if known else ", ".join(allowed),
            action="correct the `type` or `logicalType` of the entry, or remove the key"
            if known
            else did_you_mean(key, allowed),
        )


def _unexpected(error: Any) -> list[str]:
    """The keys that an error names: "... ('a', 'b' were unexpected)"."""
    listed = re.sub(r" (was|were) unexpected\)$", ",)", error.message.partition(" (")[2])
    return list(ast.literal_eval(f"({listed}"))


def _value_problem(error: Any, document: YamlDocument) -> Problem:
    path = tuple(error.absolute_path)
    allowed = [str(v) for v in error.validator_value] if error.validator == "enum" else []
    received = error.instance if not isinstance(error.instance, dict | list) else ""
    choices = _choices(error) if isinstance(error.instance, dict) else []
    if choices:
        received = ", ".join(key for key in choices if key in error.instance) or "none"
    return Problem(
        message=_message(error),
        location=document.location(path),
        field=_field(path),
        received=str(received),
        allowed=", ".join(allowed or choices),
        action=did_you_mean(str(error.instance), allowed),
    )


def _field(path: tuple[Any, ...]) -> str:
    return ".".join(str(step) for step in path)


def _message(error: Any) -> str:
    match error.validator:
        case "enum":
            return "not one of the values that the standard allows"
        case "type":
            return f"must be of type {error.validator_value}"
        case _ if types := _types(error):
            return f"must be of type {', '.join(dict.fromkeys(types))}"
        case "required":
            return f"{_missing(error)!r} is missing"
        case "oneOf" if _choices(error):
            return "needs exactly one of these keys"
        case _:
            return str(error.message)


def _missing(error: Any) -> str:
    return str(next(key for key in error.validator_value if key not in error.instance))


def _allowed_keys(schema: Any) -> set[str]:
    keys = set(schema.get("properties", {}))
    parts = [*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    parts += [schema[word] for word in ("then", "else") if word in schema]
    if "$ref" in schema:
        target = _validator().schema
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        parts.append(target)
    return keys.union(*(_allowed_keys(part) for part in parts))
