"""ODCS files -> `Contract`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from quality_platform.contracts.json_schema import schema_problems
from quality_platform.contracts.models import (
    Contract,
    Property,
    QualityRule,
    Relationship,
    SchemaObject,
    custom_properties,
)
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument, load_yaml
from quality_platform.errors import ContractError, Problem

SUPPORTED_VERSIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")


def load_contract(path: Path) -> Contract:
    """Loads a contract file.

    Raises:
        ContractError: it is no valid ODCS v3 contract; every problem is listed with its line.
    """
    document = load_yaml(path)
    if not isinstance(document.data, dict):
        raise ContractError("the file must hold one data contract", location=document.location())
    version = document.data.get("apiVersion")
    if version not in SUPPORTED_VERSIONS:
        raise ContractError(
            "this version of the standard is not supported",
            location=document.location(("apiVersion",)),
            field="apiVersion",
            received=version,
            allowed=SUPPORTED_VERSIONS,
        )
    if problems := schema_problems(document) or _own_problems(document):
        raise ContractError.of(problems)
    return _contract(document)


def _own_problems(document: YamlDocument) -> list[Problem]:
    """What the JSON schema lets pass but nobody could act on."""
    objects = document.data.get("schema") or []
    problems = [
        Problem("an object needs a name", document.location(("schema", n)), "schema")
        for n, entry in enumerate(objects)
        if not entry.get("name")
    ]
    if not objects:
        problems.append(Problem("the contract has no schema", document.location(), "schema"))
    for path, entry in _columns(objects):
        if not entry.get("name"):
            problems.append(
                Problem("a property needs a name", document.location(path), "properties")
            )
        elif entry.get("logicalType") is None:
            problems.append(
                Problem(
                    f"the property {entry['name']!r} needs a logicalType", document.location(path)
                )
            )
    return problems


def _columns(objects: list[Any]) -> Iterator[tuple[PathInDocument, Mapping[str, Any]]]:
    for n, entry in enumerate(objects):
        for m, column in enumerate(entry.get("properties") or ()):
            yield ("schema", n, "properties", m), column


def _contract(document: YamlDocument) -> Contract:
    data = document.data
    description = data.get("description")
    return Contract(
        path=document.path,
        id=data["id"],
        version=data["version"],
        name=data.get("name") or data["id"],
        status=data.get("status", ""),
        domain=data.get("domain") or "",
        purpose=description.get("purpose", "") if isinstance(description, dict) else "",
        tags=tuple(data.get("tags") or ()),
        owners=_owners(data.get("team")),
        sla=tuple(data.get("slaProperties") or ()),
        objects=tuple(_object(document, n) for n in range(len(data["schema"]))),
    )


def _owners(team: Any) -> tuple[str, ...]:
    """User names of the team's owners; v3.0 has a list of members, v3.1 a team with members."""
    members = team.get("members", ()) if isinstance(team, dict) else team or ()
    owning = [m for m in members if "owner" in str(m.get("role", "")).casefold()]
    return tuple(m["username"] for m in owning if m.get("username"))


def _object(document: YamlDocument, n: int) -> SchemaObject:
    entry, path = document.data["schema"][n], ("schema", n)
    columns = list(enumerate(entry.get("properties") or ()))
    quality = list(_rules(document, path, None))
    relationships = list(_relationships(document, path, entry["name"], None))
    for m, column in columns:
        place = (*path, "properties", m)
        quality += _rules(document, place, column["name"])
        relationships += _relationships(document, place, entry["name"], column["name"])
    return SchemaObject(
        name=entry["name"],
        location=document.location(path),
        properties=tuple(
            _property(document, (*path, "properties", m), column) for m, column in columns
        ),
        quality=tuple(quality),
        relationships=tuple(relationships),
        description=entry.get("description") or "",
        tags=tuple(entry.get("tags") or ()),
    )


def _property(document: YamlDocument, path: PathInDocument, entry: Mapping[str, Any]) -> Property:
    position = entry.get("primaryKeyPosition")
    is_keyed = bool(entry.get("primaryKey"))
    return Property(
        name=entry["name"],
        logical_type=entry["logicalType"],
        location=document.location(path),
        physical_name=entry.get("physicalName") or "",
        physical_type=entry.get("physicalType") or "",
        description=(entry.get("description") or "").strip(),
        required=bool(entry.get("required")) or is_keyed,
        unique=bool(entry.get("unique")),
        primary_key_position=(position if position and position > 0 else 1) if is_keyed else None,
        classification=entry.get("classification") or "",
        tags=tuple(entry.get("tags") or ()),
        options=entry.get("logicalTypeOptions") or {},
    )


def _at(document: YamlDocument, path: PathInDocument) -> Mapping[str, Any]:
    node: Any = document.data
    for step in path:
        node = node[step]
    return dict(node)


def _rules(
    document: YamlDocument, path: PathInDocument, column: str | None
) -> Iterator[QualityRule]:
    for n, entry in enumerate(_at(document, path).get("quality") or ()):
        yield QualityRule(entry, document.location((*path, "quality", n)), column)


def _relationships(
    document: YamlDocument, path: PathInDocument, object_name: str, column: str | None
) -> Iterator[Relationship]:
    for n, entry in enumerate(_at(document, path).get("relationships") or ()):
        location = document.location((*path, "relationships", n))
        start = column if column is not None else entry["from"]
        columns = tuple(_reference(part)[1] for part in _listed(start))
        targets = [_reference(part) for part in _listed(entry["to"])]
        yield Relationship(
            columns=columns,
            to_object=targets[0][0] or object_name,
            to_columns=tuple(name for _, name in targets),
            location=location,
            custom=custom_properties(entry),
        )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _reference(text: str) -> tuple[str, str]:
    """Object and column of `object.column`, `column`, or `schema/object/properties/column`."""
    if "/" in text:
        parts = text.rpartition("#")[2].strip("/").split("/")
        return parts[1], parts[3]
    object_name, _, column = text.rpartition(".")
    return object_name, column
