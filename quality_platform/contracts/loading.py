"""ODCS files -> `Contract`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from quality_platform.contracts import people
from quality_platform.contracts.dativo_asset import asset_contract, is_dativo_asset
from quality_platform.contracts.deprecated import modernized
from quality_platform.contracts.hints import contract_hints
from quality_platform.contracts.json_schema import schema_problems
from quality_platform.contracts.models import Contract, SchemaObject, Server, SlaProperty
from quality_platform.contracts.physical_types import told_logical_type
from quality_platform.contracts.properties import Properties, rules
from quality_platform.contracts.relationships import relationship_problems, relationships
from quality_platform.contracts.time_formats import time_format
from quality_platform.contracts.walking import Holder, inner, nested
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument, load_yaml
from quality_platform.errors import ContractError, Problem

SUPPORTED_VERSIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")


def load_contract(path: Path) -> Contract:
    """Loads a contract file, or an asset of Dativo as one.

    What is allowed, but deprecated, not understood or seemingly misspelt stands in its `hints`.

    Raises:
        ContractError: it is no valid ODCS v3 contract; every problem is listed with its line.
        ConfigurationError: it is no YAML file.
    """
    written = load_yaml(path)
    if not isinstance(written.data, dict):
        raise ContractError("the file must hold one data contract", location=written.location())
    of_asset: list[Problem] = []
    if is_dativo_asset(written.data):
        written, of_asset = _contract_of(written)
    version = written.data.get("apiVersion")
    if version not in SUPPORTED_VERSIONS:
        raise ContractError(
            "this version of the standard is not supported",
            location=written.location(("apiVersion",)),
            field="apiVersion",
            received=version,
            allowed=SUPPORTED_VERSIONS,
        )
    document, hints = modernized(written)
    problems, tolerated = schema_problems(document)
    if problems:
        raise ContractError.of(problems)
    hints += tolerated
    if not document.data.get("schema"):
        document = document.with_data({**document.data, "schema": []}, {})
    if problems := _own_problems(document):
        raise ContractError.of(problems)
    contract = _contract(document, written.data)
    hints += [*contract_hints(document, contract), *of_asset]
    return replace(contract, hints=tuple(sorted(hints, key=_line)))


def _contract_of(asset: YamlDocument) -> tuple[YamlDocument, list[Problem]]:
    """An asset of Dativo as a contract, with hints about what the contract does not say."""
    found = asset_contract(asset)
    if problems := (*found.problems, *found.unknown):
        raise ContractError.of(problems)
    hints = [
        Problem(f"this has no effect: {left.what}: {left.why}", asset.location(left.path))
        for left in found.left_out
        if left.is_hint
    ]
    return found.document, hints


def _line(problem: Problem) -> int:
    return problem.location.line if problem.location else 0


def _own_problems(document: YamlDocument) -> list[Problem]:
    """What the JSON schema lets pass but nobody could act on."""
    objects: list[Holder] = [(("schema", n), e) for n, e in enumerate(document.data["schema"])]
    problems = [
        Problem("an object needs a name", document.location(path), "schema")
        for path, entry in objects
        if not entry.get("name")
    ]
    columns = [holder for path, entry in objects for holder in nested(path, entry)]
    for path, entry in columns:
        if path[-2] == "properties" and not entry.get("name"):
            problems.append(
                Problem("a property needs a name", document.location(path), "properties")
            )
    if problems:
        return problems
    for path, entry in columns:
        problems += _time_problems(document, path, entry)
    return [*_name_problems(document, objects), *relationship_problems(document), *problems]


def _name_problems(document: YamlDocument, objects: list[Holder]) -> Iterator[Problem]:
    """Names that stand twice. Engines do not tell `id` from `ID`, so neither does this."""
    yield from _doubles(document, ("schema",), [entry["name"].casefold() for _, entry in objects])
    for path, entry in objects:
        yield from _double_columns(document, path, entry)


def _double_columns(
    document: YamlDocument, path: PathInDocument, entry: Mapping[str, Any]
) -> Iterator[Problem]:
    """Two columns of an object of one name, or from one column of the source; at each depth."""
    columns = entry.get("properties") or ()
    names = [column["name"].casefold() for column in columns]
    sources = [column.get("physicalName") or column["name"] for column in columns]
    doubled = names if len(set(names)) < len(names) else sources
    yield from _doubles(document, (*path, "properties"), doubled)
    for place, part in inner(path, entry):
        yield from _double_columns(document, place, part)


def _doubles(
    document: YamlDocument, path: PathInDocument, names: Sequence[str]
) -> Iterator[Problem]:
    seen: set[str] = set()
    for n, name in enumerate(names):
        if name in seen:
            yield Problem(
                "two entries have the same name",
                document.location((*path, n)),
                received=name,
                allowed="names that differ in more than upper and lower case, of different columns "
                "of the source",
            )
        seen.add(name)


def _time_problems(
    document: YamlDocument, path: PathInDocument, entry: Mapping[str, Any]
) -> Iterator[Problem]:
    """Formats and zones of dates and times that cannot be read."""
    options = entry.get("logicalTypeOptions") or {}
    logical_type = entry.get("logicalType") or told_logical_type(entry.get("physicalType") or "")
    if logical_type not in ("date", "timestamp", "time"):
        return
    place = (*path, "logicalTypeOptions")
    if "format" in options:
        try:
            time_format(options["format"], logical_type)
        except ContractError as error:
            location = document.location((*place, "format"))
            yield from (replace(problem, location=location) for problem in error.problems)
    zone = options.get("defaultTimezone")
    if zone is not None and not _is_zone(zone):
        yield Problem(
            "there is no such time zone",
            document.location((*place, "defaultTimezone")),
            "logicalTypeOptions.defaultTimezone",
            received=zone,
            allowed="names of the IANA database, such as Etc/UTC or Europe/Berlin",
        )


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _contract(document: YamlDocument, written: Mapping[str, Any]) -> Contract:
    data = document.data
    description = data.get("description")
    team = people.team(data)
    servers = _servers(document)
    dialects = {server.dialect for server in servers}
    properties = Properties(document, _only(dialects))
    spoken = _only(dialects - {""})
    return Contract(
        path=document.path,
        id=data["id"],
        version=data["version"],
        name=data.get("name") or data["id"],
        status=data.get("status", ""),
        domain=data.get("domain") or "",
        purpose=description.get("purpose", "") if isinstance(description, dict) else "",
        tags=tuple(data.get("tags") or ()),
        owners=tuple(m.username for m in team if m.is_owner and m.username),
        sla=_sla(document),
        servers=servers,
        team=team,
        roles=people.roles(data),
        support=people.support(data),
        price=people.price(data),
        entry=written,
        objects=tuple(_object(properties, n, spoken) for n in range(len(data["schema"]))),
    )


def _only(names: set[str]) -> str:
    return next(iter(names)) if len(names) == 1 else ""


def _sla(document: YamlDocument) -> tuple[SlaProperty, ...]:
    default = document.data.get("slaDefaultElement") or ""
    return tuple(
        SlaProperty(
            property=entry["property"],
            value=entry["value"],
            location=document.location(("slaProperties", n)),
            unit=entry.get("unit") or "",
            value_ext=entry.get("valueExt"),
            elements=tuple(
                name.strip()
                for name in (entry.get("element") or default).split(",")
                if name.strip()
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


def _object(properties: Properties, n: int, dialect: str) -> SchemaObject:
    document, path = properties.document, ("schema", n)
    entry = document.data["schema"][n]
    return SchemaObject(
        name=entry["name"],
        location=document.location(path),
        properties=tuple(
            properties.of(place, part, part["name"]) for place, part in inner(path, entry)
        ),
        quality=tuple(rules(document, path, entry, None)),
        relationships=relationships(document, n),
        description=entry.get("description") or "",
        tags=tuple(entry.get("tags") or ()),
        physical_name=entry.get("physicalName") or "",
        business_name=entry.get("businessName") or "",
        dialect=dialect,
        entry=entry,
    )
