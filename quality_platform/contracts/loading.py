"""ODCS files -> `Contract`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from quality_platform.contracts.json_schema import schema_problems
from quality_platform.contracts.models import (
    Contract,
    Property,
    QualityRule,
    Relationship,
    SchemaObject,
    Server,
    SlaProperty,
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
    return problems or [*_name_problems(document), *_relationship_problems(document)]


def _name_problems(document: YamlDocument) -> Iterator[Problem]:
    """Names that stand twice. Engines do not tell `id` from `ID`, so neither does this."""
    objects = document.data["schema"]
    yield from _doubles(document, ("schema",), [entry["name"].casefold() for entry in objects])
    for n, entry in enumerate(objects):
        columns, path = entry.get("properties") or (), ("schema", n, "properties")
        if not columns:
            yield Problem("an object needs properties", document.location(("schema", n)), "schema")
        names = [column["name"].casefold() for column in columns]
        sources = [column.get("physicalName") or column["name"] for column in columns]
        yield from _doubles(document, path, names if len(set(names)) < len(names) else sources)


def _doubles(
    document: YamlDocument, path: PathInDocument, names: Sequence[str]
) -> Iterator[Problem]:
    for n, name in enumerate(names):
        if name in names[:n]:
            yield Problem(
                "two entries have the same name",
                document.location((*path, n)),
                received=name,
                allowed="names that differ in more than upper and lower case, of different columns "
                "of the source",
            )


def _relationship_problems(document: YamlDocument) -> Iterator[Problem]:
    for path, object_name, column, link in _links(document):
        if message := _link_problem(link, object_name, column, document.data["schema"]):
            yield Problem(
                message,
                document.location(path),
                "relationships",
                received=f"from {link.get('from', column)} to {link['to']}",
                allowed="object.column, or schema/ID/properties/ID within the file",
            )


def _links(
    document: YamlDocument,
) -> Iterator[tuple[PathInDocument, str, str | None, Mapping[str, Any]]]:
    """Every relationship: where it stands, in which object and column, and what it says."""
    for n, entry in enumerate(document.data["schema"]):
        places: list[tuple[PathInDocument, str | None, Mapping[str, Any]]]
        places = [(("schema", n), None, entry)]
        for m, column in enumerate(entry.get("properties") or ()):
            places.append((("schema", n, "properties", m), column["name"], column))
        for path, name, holder in places:
            for k, link in enumerate(holder.get("relationships") or ()):
                yield (*path, "relationships", k), entry["name"], name, link


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
        sla=_sla(document),
        servers=_servers(document),
        entry=data,
        objects=tuple(_object(document, n) for n in range(len(data["schema"]))),
    )


def _sla(document: YamlDocument) -> tuple[SlaProperty, ...]:
    return tuple(
        SlaProperty(
            property=entry["property"],
            value=entry["value"],
            location=document.location(("slaProperties", n)),
            unit=entry.get("unit") or "",
            value_ext=entry.get("valueExt"),
            elements=tuple(
                name.strip() for name in (entry.get("element") or "").split(",") if name.strip()
            ),
            driver=entry.get("driver") or "",
            description=entry.get("description") or "",
        )
        for n, entry in enumerate(document.data.get("slaProperties") or ())
    )


def _servers(document: YamlDocument) -> tuple[Server, ...]:
    return tuple(
        Server(entry["server"], entry["type"], entry, document.location(("servers", n)))
        for n, entry in enumerate(document.data.get("servers") or ())
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
        start, targets = _ends(entry, column, document.data["schema"])
        ends = [(a, b) for a, b in zip(start, targets, strict=True) if a and b]
        yield Relationship(
            columns=tuple(name for (_, name), _ in ends),
            to_object=ends[0][1][0] or object_name,
            to_columns=tuple(name for _, (_, name) in ends),
            location=document.location((*path, "relationships", n)),
            custom=custom_properties(entry),
        )


End = tuple[str, str] | None
"""Object and column at one end of a relationship; None where a reference leads nowhere."""


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
    """Object and column of `object.column`, or of `schema/ID/properties/ID`."""
    if "/" not in text:
        object_name, _, column = text.rpartition(".")
        return object_name, column
    match text.strip("/").split("/"):
        case ["schema", object_id, "properties", column_id]:
            found = [
                (entry["name"], column["name"])
                for entry in objects
                if entry.get("id", entry["name"]) == object_id
                for column in entry.get("properties") or ()
                if column.get("id", column["name"]) == column_id
            ]
            return found[0] if found else None
        case _:
            return None
