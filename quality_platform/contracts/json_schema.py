"""Validation against the standard's own JSON schema, with file and line in every problem."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import YamlDocument
from quality_platform.errors import Problem

_ABOUT_KEYS = ("unevaluatedProperties", "additionalProperties")


@cache
def _validator() -> Any:
    from jsonschema import Draft201909Validator

    # The package's own json_schema() uses a deprecated call, and imports all of its models.
    text = files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8")
    return Draft201909Validator(json.loads(text))


def schema_problems(document: YamlDocument) -> list[Problem]:
    """Everything in which the document is not a contract by the standard's JSON schema."""
    errors = [leaf for error in _validator().iter_errors(document.data) for leaf in _leaves(error)]
    # Keys count as unexpected, too, where their own value or the keys beside them have a problem.
    explained = {tuple(e.absolute_path) for e in errors if e.validator not in _ABOUT_KEYS}
    problems = {
        problem
        for error in errors
        for problem in (
            _key_problems(error, document, explained)
            if error.validator in _ABOUT_KEYS
            else [_value_problem(error, document)]
        )
    }
    return sorted(problems, key=lambda p: (p.location.line if p.location else 0, p.message))


def _leaves(error: Any) -> Iterator[Any]:
    """The causes of an error: of several alternatives, those of the one that fits best."""
    if not error.context or _has_wrong_choice(error):
        yield error
        return
    by_branch: dict[Any, list[Any]] = {}
    for child in error.context:
        by_branch.setdefault(child.schema_path[0], []).append(child)
    nearest = max(by_branch.values(), key=lambda group: max(len(c.absolute_path) for c in group))
    for child in nearest:
        yield from _leaves(child)


def _choices(error: Any) -> list[str]:
    """The keys of which exactly one must be there, where the error is about such a choice."""
    branches = error.validator_value if error.validator == "oneOf" else ()
    required = [branch.get("required", ()) for branch in branches]
    return [keys[0] for keys in required] if all(len(keys) == 1 for keys in required) else []


def _has_wrong_choice(error: Any) -> bool:
    choices = _choices(error)
    return bool(choices) and sum(key in error.instance for key in choices) != 1


def _key_problems(
    error: Any, document: YamlDocument, explained: set[tuple[Any, ...]]
) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    allowed = sorted(_allowed_keys(error.schema))
    is_explained = any(other[: len(path)] == path for other in explained)
    for key in _unexpected(error):
        known = key in allowed
        if known and is_explained:
            continue
        yield Problem(
            message=f"the key {key!r} does not belong here" if known else f"unknown key {key!r}",
            location=document.location((*path, key)),
            field=_field(path),
            allowed="" if known else ", ".join(allowed),
            action="correct the `type` of the entry, or remove the key"
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
    if choices := _choices(error):
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
        case "required":
            return f"{_missing(error)!r} is missing"
        case "oneOf" if _choices(error):
            return "needs exactly one of these keys"
        case _:
            return str(error.message)


def _missing(error: Any) -> str:
    key = str(next(key for key in error.validator_value if key not in error.instance))
    # The schema asks for what belongs to a logical type also where there is none.
    is_of_a_type = key in ("items", "map") and "logicalType" not in error.instance
    return "logicalType" if is_of_a_type else key


def _allowed_keys(schema: Any) -> set[str]:
    keys = set(schema.get("properties", {}))
    parts = [*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    parts += [schema[word] for word in ("then", "else") if word in schema]
    if "$ref" in schema:
        parts.append(_validator().schema["$defs"][schema["$ref"].rpartition("/")[2]])
    return keys.union(*(_allowed_keys(part) for part in parts))
