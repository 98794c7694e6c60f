"""Validation against the standard's own JSON schema, with file and line in every problem."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import YamlDocument
from quality_platform.errors import Problem

_UNEXPECTED = re.compile(r"'([^']+)'")
_ABOUT_KEYS = ("unevaluatedProperties", "additionalProperties")


@cache
def _validator() -> Any:
    from jsonschema import Draft201909Validator
    from open_data_contract_standard.model import OpenDataContractStandard

    schema = json.loads(OpenDataContractStandard.json_schema())  # type: ignore[no-untyped-call]
    return Draft201909Validator(schema)


def schema_problems(document: YamlDocument) -> list[Problem]:
    """Everything in which the document is not a contract by the standard's JSON schema."""
    errors = [leaf for error in _validator().iter_errors(document.data) for leaf in _leaves(error)]
    explained = {tuple(e.absolute_path)[: len(tuple(e.absolute_path))] for e in errors}
    problems = {
        problem
        for error in errors
        for problem in _problems(error, document)
        if not _is_consequence(error, explained)
    }
    return sorted(problems, key=lambda p: (p.location.line if p.location else 0, p.message))


def _leaves(error: Any) -> Iterator[Any]:
    """The causes of an error: of several alternatives, those of the one that fits best."""
    if not error.context:
        yield error
        return
    by_branch: dict[Any, list[Any]] = {}
    for child in error.context:
        by_branch.setdefault(child.schema_path[0], []).append(child)
    nearest = max(by_branch.values(), key=lambda group: max(len(c.absolute_path) for c in group))
    for child in nearest:
        yield from _leaves(child)


def _is_consequence(error: Any, explained: set[tuple[Any, ...]]) -> bool:
    """Keys are reported as unexpected, too, when a value below them has a problem of its own."""
    if error.validator not in _ABOUT_KEYS:
        return False
    path = tuple(error.absolute_path)
    unexpected = set(_UNEXPECTED.findall(error.message))
    deeper = {
        other[len(path)]
        for other in explained
        if len(other) > len(path) and other[: len(path)] == path
    }
    return bool(unexpected & deeper)


def _problems(error: Any, document: YamlDocument) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    name = ".".join(str(step) for step in path)
    if error.validator in _ABOUT_KEYS:
        allowed = sorted(_allowed_keys(error.schema))
        for key in _UNEXPECTED.findall(error.message.partition("(")[2]):
            yield Problem(
                message=f"unknown key {key!r}",
                location=document.location((*path, key)),
                field=name,
                allowed=", ".join(allowed),
                action=did_you_mean(key, allowed),
            )
        return
    allowed_values = (
        [str(v) for v in error.schema.get("enum", ())] if error.validator == "enum" else []
    )
    received = error.instance if not isinstance(error.instance, dict | list) else ""
    yield Problem(
        message=_message(error),
        location=document.location(path),
        field=name,
        received=str(received),
        allowed=", ".join(allowed_values),
        action=did_you_mean(str(error.instance), allowed_values) if allowed_values else "",
    )


def _message(error: Any) -> str:
    match error.validator:
        case "enum":
            return "not one of the values that the standard allows"
        case "type":
            return f"must be of type {error.validator_value}"
        case "required":
            return str(error.message).replace("is a required property", "is missing")
        case _:
            return str(error.message)


def _allowed_keys(schema: Any) -> set[str]:
    keys = set(schema.get("properties", {}))
    parts = [*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    parts += [schema[word] for word in ("then", "else") if word in schema]
    if "$ref" in schema:
        parts.append(_validator().schema["$defs"][schema["$ref"].rpartition("/")[2]])
    return keys.union(*(_allowed_keys(part) for part in parts))
