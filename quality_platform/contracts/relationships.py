"""Foreign keys of a contract: what they refer to, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quality_platform.contracts.models import Relationship, custom_properties
from quality_platform.contracts.walking import dotted, inner
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import Problem

End = tuple[str, str] | None
"""Object and column at one end of a relationship; None where a reference leads nowhere."""

_Link = tuple[PathInDocument, str | None, Mapping[str, Any]]
"""Where a relationship stands, in which column (None: in the object itself), and what it says."""


def relationships(document: YamlDocument, n: int) -> tuple[Relationship, ...]:
    """The foreign keys of the n-th object; nested columns are named by their dotted path."""
    objects = document.data["schema"]
    found = []
    for path, column, link in _links(objects[n], n):
        start, targets = _ends(link, column, objects)
        ends = [(a, b) for a, b in zip(start, targets, strict=True) if a and b]
        found.append(
            Relationship(
                columns=tuple(name for (_, name), _ in ends),
                to_object=ends[0][1][0] or objects[n]["name"],
                to_columns=tuple(name for _, (_, name) in ends),
                location=document.location(path),
                custom=custom_properties(link),
            )
        )
    return tuple(found)


def relationship_problems(document: YamlDocument) -> Iterator[Problem]:
    """Relationships that cannot be foreign keys."""
    objects = document.data["schema"]
    for n, entry in enumerate(objects):
        for path, column, link in _links(entry, n):
            if message := _link_problem(link, entry["name"], column, objects):
                yield Problem(
                    message,
                    document.location(path),
                    "relationships",
                    received=f"from {link.get('from', column)} to {link['to']}",
                    allowed="object.column, or schema/ID/properties/ID within the file",
                )


def _links(entry: Mapping[str, Any], n: int) -> Iterator[_Link]:
    path: PathInDocument = ("schema", n)
    yield from _links_at(path, None, entry)
    yield from _nested_links(path, entry, "")


def _nested_links(path: PathInDocument, entry: Mapping[str, Any], above: str) -> Iterator[_Link]:
    for place, part in inner(path, entry):
        column = dotted(place, part, above)
        yield from _links_at(place, column, part)
        yield from _nested_links(place, part, column)


def _links_at(
    path: PathInDocument, column: str | None, holder: Mapping[str, Any]
) -> Iterator[_Link]:
    for k, link in enumerate(holder.get("relationships") or ()):
        yield (*path, "relationships", k), column, link


def _link_problem(
    link: Mapping[str, Any], object_name: str, column: str | None, objects: list[Any]
) -> str:
    """What is wrong with a relationship; "" where nothing is."""
    start, targets = _ends(link, column, objects)
    if None in start or None in targets:
        return "a reference leads nowhere"
    if {end[0] for end in start if end} - {"", object_name}:
        return "a foreign key starts at the object in which it stands"
    if len(start) != len(targets):
        return "a foreign key has as many columns on one side as on the other"
    if len({end[0] for end in targets if end}) > 1:
        return "a foreign key refers to one object"
    return ""


def _ends(
    link: Mapping[str, Any], column: str | None, objects: list[Any]
) -> tuple[list[End], list[End]]:
    """The ends of a relationship, of the columns themselves and of what they refer to."""
    targets = [_reference(part, objects) for part in _listed(link["to"])]
    if column is not None:
        return [("", column)], targets
    return [_reference(part, objects) for part in _listed(link["from"])], targets


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _reference(text: str, objects: list[Any]) -> End:
    """Object and column of `object.column`, or of `schema/ID/properties/ID/...`."""
    if "/" not in text:
        return _by_name(text, objects)
    match text.strip("/").split("/"):
        case ["schema", object_id, *steps] if steps:
            for entry in objects:
                if entry.get("id", entry["name"]) == object_id:
                    column = _column_by_id(entry, steps)
                    return (entry["name"], column) if column else None
    return None


def _by_name(text: str, objects: list[Any]) -> End:
    """A known object's name is cut off first: what follows may be the path of a nested column."""
    known = [entry["name"] for entry in objects if text.startswith(f"{entry['name']}.")]
    if known:
        name = max(known, key=len)
        return name, text[len(name) + 1 :]
    object_name, _, column = text.rpartition(".")
    return object_name, column


def _column_by_id(entry: Mapping[str, Any], steps: list[str]) -> str:
    """The dotted path of the column to which `properties/ID/properties/ID` leads; "" for none."""
    column = ""
    if len(steps) % 2:
        return ""
    for word, wanted in zip(steps[::2], steps[1::2], strict=True):
        parts = entry.get("properties") or () if word == "properties" else ()
        found = [part for part in parts if part.get("id", part["name"]) == wanted]
        if not found:
            return ""
        entry = found[0]
        column = f"{column}.{entry['name']}" if column else entry["name"]
    return column
