"""Walks over the objects of a contract as written, and all that is nested in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quality_platform.documents.yaml_documents import PathInDocument

Holder = tuple[PathInDocument, Mapping[str, Any]]
"""A part of a contract that can have rules and relationships, and where it is written."""


def holders(data: Mapping[str, Any]) -> Iterator[Holder]:
    """Every object, and every property at each depth, in the order in which they are written.

    Parts that are not of the form of the standard are passed over.
    """
    for n, entry in enumerate(_listed(data.get("schema"))):
        if isinstance(entry, dict):
            yield ("schema", n), entry
            yield from nested(("schema", n), entry)


def nested(path: PathInDocument, entry: Mapping[str, Any]) -> Iterator[Holder]:
    """Every property within an object or a property, at each depth."""
    for place, part in inner(path, entry):
        yield place, part
        yield from nested(place, part)


def inner(path: PathInDocument, entry: Mapping[str, Any]) -> Iterator[Holder]:
    """The properties one level down: of an object, of an array's items, of a map's two ends."""
    for n, part in enumerate(_listed(entry.get("properties"))):
        if isinstance(part, dict):
            yield (*path, "properties", n), part
    if isinstance(entry.get("items"), dict):
        yield (*path, "items"), entry["items"]
    ends: Any = entry.get("map")
    for end in ("key", "value") if isinstance(ends, dict) else ():
        if isinstance(ends.get(end), dict):
            yield (*path, "map", end), ends[end]


def part_name(path: PathInDocument, entry: Mapping[str, Any], holder: str) -> str:
    """What the part at `path` is called: `[]`, `{key}` and `{value}` follow their holder's name."""
    match path[-1]:
        case "items":
            return f"{holder}[]"
        case "key" | "value" as end:
            return f"{holder}{{{end}}}"
        case _:
            return str(entry["name"])


def dotted(path: PathInDocument, entry: Mapping[str, Any], above: str) -> str:
    """The path of a part within its object, `above` being that of its holder, "" for a column."""
    if path[-1] in ("items", "key", "value"):
        return part_name(path, entry, above)
    return f"{above}.{entry['name']}" if above else str(entry["name"])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
