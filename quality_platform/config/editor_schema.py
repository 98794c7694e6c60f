"""The JSON schema of runner.yaml for editors, made from its models.

Editors complete keys by it and mark what cannot be. They see the file as it is written, so that a
`${VAR}` may stand wherever a value is more than any text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quality_platform.config.models import RunnerConfig

_DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that the editors' YAML language server knows best."""

_TEMPLATE = "Template"
_TEMPLATES = {
    "description": "A text with ${VAR}, ${VAR:-default}, ${secret:NAME} or {tenant} in it.",
    "type": "string",
    "pattern": r"\$\{[^}]+\}|\{tenant\}",
}
_SCALARS = ("string", "integer", "number", "boolean")
_ABOUT = ("description", "default", "examples")
_OPEN = "source"
"""The choice that other distributions add to: docs/plugins.md."""


def runner_schema() -> dict[str, Any]:
    """The schema, as plain data. It is that of included files, too: no section must be there."""
    written = RunnerConfig.model_json_schema()
    definitions = {name: _adapted(node) for name, node in sorted(written["$defs"].items())}
    root = _adapted({key: node for key, node in written.items() if key != "$defs"})
    root.pop("required")
    return {
        "$schema": _DRAFT,
        "title": "runner.yaml of quality-platform",
        **root,
        "$defs": {**definitions, _TEMPLATE: _TEMPLATES},
    }


def _adapted(node: Any, key: str = "") -> Any:
    """A part of pydantic's schema as an editor needs it; `key` is the key of which it is."""
    if not isinstance(node, dict):
        return node
    adapted = {word: _of_word(word, value) for word, value in node.items() if word != "title"}
    if "discriminator" in adapted:
        return _choice(adapted, is_open=key == _OPEN)
    if adapted.get("default", "") is None:
        del adapted["default"]
    if "description" in adapted:
        adapted["description"] = " ".join(adapted["description"].split())
    if "patternProperties" in adapted:
        adapted.setdefault("additionalProperties", False)
    if "$ref" in adapted and len(adapted) > 1:
        # In this draft nothing beside a reference counts.
        adapted["allOf"] = [{"$ref": adapted.pop("$ref")}]
    return _or_template(adapted) if _is_limited(adapted) else adapted


def _of_word(word: str, value: Any) -> Any:
    match word:
        case "properties" | "patternProperties":
            return {key: _adapted(node, key) for key, node in value.items()}
        case "anyOf" | "oneOf":
            return [_adapted(node) for node in value]
        case "items" | "additionalProperties":
            return _adapted(value)
        case _:
            return value


def _is_limited(node: Mapping[str, Any]) -> bool:
    """Whether a value must be more than just a text."""
    limits = set(node) - {"type", "format", "writeOnly", *_ABOUT}
    is_plain = node.get("type") == "string" and node.get("format") != "date" and not limits
    return node.get("type") in _SCALARS and not is_plain


def _or_template(node: dict[str, Any]) -> dict[str, Any]:
    about = {word: node.pop(word) for word in _ABOUT if word in node}
    return {**about, "anyOf": [node, {"$ref": f"#/$defs/{_TEMPLATE}"}]}


def _choice(node: dict[str, Any], *, is_open: bool) -> dict[str, Any]:
    """A choice by a key as conditions: an editor then tells what is wrong with the one chosen.

    Of a choice that is open, any other value may stand there, with any keys.
    """
    key = node["discriminator"]["propertyName"]
    mapping = node["discriminator"]["mapping"]
    about = {word: node[word] for word in _ABOUT if word in node}
    other = {"type": "string"} if is_open else {"$ref": f"#/$defs/{_TEMPLATE}"}
    return {
        **about,
        "type": "object",
        "required": [key],
        "properties": {key: {"anyOf": [{"enum": sorted(mapping)}, other]}},
        "allOf": [
            {
                "if": {"required": [key], "properties": {key: {"const": value}}},
                "then": {"$ref": target},
            }
            for value, target in sorted(mapping.items())
        ],
    }
