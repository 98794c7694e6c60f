"""What a contract says that is allowed, and yet hardly what its writer meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from quality_platform.contracts.column_types import bracketed_length
from quality_platform.contracts.models import Contract, Property, QualityRule, Server
from quality_platform.contracts.physical_types import physical_type
from quality_platform.contracts.walking import holders
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import Problem

RULE_PROPERTIES = ("rowPredicate", "rowCondition", "dialect")
"""Custom properties of a rule that the platform acts on."""

RELATIONSHIP_PROPERTIES = ("name", "severity")
"""Custom properties of a relationship that the platform acts on."""

_OTHER_SQL = (
    "db2",
    "denodo",
    "hana",
    "impala",
    "informix",
    "ingres",
    "vectorwise",
    "vertica",
    "zen",
)
"""Types of servers with a SQL that sqlglot does not know."""

_SWITCHES = ("isenabled", "enabled", "isactive", "active", "disabled", "isdisabled", "skip")


def contract_hints(document: YamlDocument, contract: Contract) -> list[Problem]:
    """Custom properties that look misspelt, and physical types that nobody knows."""
    hints = [
        hint
        for path, holder in holders(document.data)
        for hint in [
            *_custom_hints(document, (*path, "quality"), holder, RULE_PROPERTIES),
            *_custom_hints(document, (*path, "relationships"), holder, RELATIONSHIP_PROPERTIES),
        ]
    ]
    unspoken = _unspoken(contract.servers)
    for table in contract.objects:
        for column in table.properties:
            hints += _physical_type_hints(column)
        hints += _dialect_hints(table.quality, unspoken)
    if not contract.objects:
        hints.append(
            Problem(
                "the contract has no schema, and so describes no table",
                document.location(),
                "schema",
            )
        )
    return hints


def _unspoken(servers: Sequence[Server]) -> str:
    """Why queries are not read as the servers' SQL; "" where they are, or there is none."""
    spoken = sorted({server.dialect for server in servers if server.dialect})
    unknown = sorted({server.type for server in servers if server.type in _OTHER_SQL})
    if len(spoken) > 1:
        return f"the servers speak different SQL ({', '.join(spoken)})"
    return f"the SQL of {', '.join(unknown)} is not known here" if unknown and not spoken else ""


def _dialect_hints(rules: Sequence[QualityRule], unspoken: str) -> Iterator[Problem]:
    """Queries that are read as DuckDB's SQL, though the data is on servers with another."""
    for rule in rules if unspoken else ():
        if rule.entry.get("type") == "sql" and "dialect" not in rule.custom:
            yield Problem(
                f"{unspoken}: this query is read as DuckDB's",
                rule.location,
                "query",
                action="name its SQL with the custom property `dialect` of the rule",
            )


def _custom_hints(
    document: YamlDocument,
    path: PathInDocument,
    holder: Mapping[str, Any],
    known: tuple[str, ...],
) -> Iterator[Problem]:
    for n, entry in enumerate(holder.get(str(path[-1])) or ()):
        for k, item in enumerate(entry.get("customProperties") or ()):
            name = item.get("property") or ""
            place = document.location((*path, n, "customProperties", k))
            if _plain(name) in _SWITCHES:
                yield Problem(
                    f"the custom property {name!r} switches nothing on or off",
                    place,
                    "customProperties",
                    action="remove the rule, or turn it into a `type: text`, which is never run",
                )
            elif name not in known and (meant := _nearest(name, known)):
                yield Problem(
                    f"nothing acts on the custom property {name!r}",
                    place,
                    "customProperties",
                    action=f"did you mean {meant!r}?",
                )


def _nearest(name: str, known: tuple[str, ...]) -> str:
    """The name that differs in a letter or two, or in how its words are joined; "" for none."""
    by_plain = {_plain(word): word for word in known}
    # 0.8 tells `row_predicat` and `rowCondtion` from `FIELD_NAME`; a short name must be the same.
    matches = get_close_matches(_plain(name), [w for w in by_plain if len(w) > 8], 1, 0.8)
    found = matches[0] if matches else _plain(name)
    return by_plain.get(found, "")


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


def _physical_type_hints(column: Property) -> Iterator[Problem]:
    written = column.physical_type
    if length := bracketed_length(column):
        yield Problem(
            f"the physicalType of the text {column.name!r} is written as an array; it is read as "
            f"a text of at most {length} characters",
            column.location,
            "physicalType",
            received=written or "",
            action=f"write varchar({length})",
        )
    elif written and physical_type(written, column.dialect) is None:
        yield Problem(
            f"the physicalType of {column.name!r} is not known; "
            "the type in the lake follows from the logicalType",
            column.location,
            "physicalType",
            received=written,
        )
    for part in column.parts:
        yield from _physical_type_hints(part)
