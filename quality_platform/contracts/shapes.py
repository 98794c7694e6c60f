"""A contract of many alike parts, cut down to one of each for validation.

A contract of a thousand rules has a few kinds of them: with the same keys and the same values
wherever the standard limits a value. The JSON schema judges all of one kind alike, so one of each
is enough to know that a contract is valid. (Measured: 4000 rules in 0.1 s in place of 2.5 s.)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_ANNOTATIONS = {"type", "description", "examples", "title", "default", "deprecated"}
_OF_MANY = ("properties", "items", "required", "additionalProperties", "unevaluatedProperties")
"""Limits on objects and lists, of no meaning for a scalar."""
_LISTS = ("quality", "properties", "relationships", "customProperties", "slaProperties", "schema")
"""Lists whose entries the standard judges each for itself, and whose length it does not limit."""


Place = tuple[str, ...]


@dataclass(frozen=True)
class Reduction:
    """A document on its way to being cut down.

    Attributes:
        passed: The shapes of entries that the schema let pass in other documents: left out.
        asked: The shapes of the entries that are left in.
    """

    passed: Collection[Hashable] = ()
    asked: set[Hashable] = field(default_factory=set)

    def takes(self, shape: Hashable) -> bool:
        """Whether the entry of a shape is left in."""
        if shape in self.passed:
            return False
        self.asked.add(shape)
        return True


class Shapes:
    """Tells which parts of a document one JSON schema judges alike."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        limits: dict[str, list[Any]] = {}
        for name, written in _named_parts(schema):
            part = _resolved(written, schema)
            limits.setdefault(name, []).append(part)
            if isinstance(part, dict) and "items" in part:
                limits.setdefault(f"{name}[]", []).append(_resolved(part["items"], schema))
        self._free = {name for name, parts in limits.items() if all(map(_is_free, parts))}
        self._free_scalars = {
            name for name, parts in limits.items() if all(_is_free(p, *_OF_MANY) for p in parts)
        }
        self._unique = {name for name, parts in limits.items() if any(map(_is_set, parts))}
        self._patterns = {
            name: tuple(sorted({part["pattern"] for part in parts if "pattern" in part}))
            for name, parts in limits.items()
            if all(_is_free(part, *_OF_MANY, "pattern") for part in parts)
        }

    def reduced(self, value: Any, reduction: Reduction | None = None) -> Any:
        """The document with one entry of each shape in its long lists."""
        return self._reduced(value, reduction or Reduction(), ())

    def _reduced(self, value: Any, reduction: Reduction, place: Place) -> Any:
        if isinstance(value, list):
            return [self._reduced(item, reduction, place) for item in value]
        if not isinstance(value, dict):
            return value
        # Some conditions of the schema are about what an entry says it is.
        kinds = (str(value.get("type")), str(value.get("logicalType")))
        return {
            key: self._distinct(item, reduction, (*place, *kinds, key))
            if key in _LISTS and isinstance(item, list)
            else self._reduced(item, reduction, (*place, key))
            for key, item in value.items()
        }

    def _distinct(self, entries: list[Any], reduction: Reduction, place: Place) -> list[Any]:
        found: dict[Hashable, Any] = {}
        for entry in entries:
            small = self._reduced(entry, reduction, place)
            found.setdefault((place, self._shape("", small)), small)
        return [small for shape, small in found.items() if reduction.takes(shape)]

    def _shape(self, key: str, value: Any) -> Hashable:
        if key in self._free:
            return type(value).__name__
        if isinstance(value, dict):
            return tuple((name, self._shape(name, item)) for name, item in value.items())
        if isinstance(value, list):
            return self._list_shape(key, value)
        if key in self._free_scalars:
            return type(value).__name__
        if key in self._patterns and isinstance(value, str):
            return tuple(re.search(pattern, value) is None for pattern in self._patterns[key])
        return (type(value).__name__, value)

    def _list_shape(self, key: str, value: list[Any]) -> Hashable:
        if key in self._unique:
            return repr(value)
        return (list, *(self._shape(f"{key}[]", item) for item in value))


def _named_parts(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every schema of a property, wherever it stands, by the property's name."""
    if isinstance(schema, list):
        for part in schema:
            yield from _named_parts(part)
    elif isinstance(schema, dict):
        properties = schema.get("properties", {})
        yield from properties.items()
        others = [part for word, part in schema.items() if word != "properties"]
        yield from _named_parts([*properties.values(), *others])


def _resolved(part: Any, root: Mapping[str, Any]) -> Any:
    while isinstance(part, dict) and set(part) - _ANNOTATIONS == {"$ref"}:
        target: Any = root
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        part = target
    return part


def _is_free(part: Any, *more: str) -> bool:
    """Whether a schema limits nothing but the value's type, or one of `more`."""
    if not isinstance(part, dict):
        return False
    limits = set(part) - _ANNOTATIONS - {*more}
    return not limits or (limits == {"anyOf"} and all(map(_is_free, part["anyOf"])))


def _is_set(part: Any) -> bool:
    return isinstance(part, dict) and part.get("uniqueItems") is True
