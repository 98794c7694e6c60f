"""A dbt properties file (schema.yml) as a contract: its models, seeds, snapshots and sources.

Format: https://docs.getdbt.com/reference/configs-and-properties, of dbt 1.x; tests are read in all
spellings (`tests` and `data_tests`, arguments within or beside `arguments`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quality_platform.errors import ConfigurationError, Location
from quality_platform.exchange.column_types import from_sql
from quality_platform.exchange.entries import Entry
from quality_platform.exchange.importers.dbt_tests import DbtTest, add_test, referenced_table
from quality_platform.exchange.importers.predicates import add_predicate
from quality_platform.exchange.importers.sources import yaml_entry
from quality_platform.exchange.odcs import (
    RuleNotes,
    TableDraft,
    custom_properties,
    document,
    library_rule,
)
from quality_platform.exchange.results import Imported, Loss

_TABLES = ("models", "seeds", "snapshots")
_SETTING = "a setting of dbt, not a promise about the data"
_UNITS = {"minute": "m", "hour": "h", "day": "d"}


def import_dbt(path: Path, dialect: str = "", name: str = "") -> Imported:
    """All tables of the file, or the one called `name`.

    `dialect` is sqlglot's name of the warehouse's SQL, in which types and conditions are written.

    Raises:
        ConfigurationError: the file is no properties file of dbt, or has no such table.
    """
    losses: list[Loss] = []
    top = yaml_entry(path, losses)
    top.take("version")
    promises: list[dict[str, Any]] = []
    tables = [
        _table(entry, dialect, promises)
        for entry in _table_entries(top)
        if not name or entry.take_text("name") == name
    ]
    if not tables:
        raise ConfigurationError(
            f"the file describes no table {name}".rstrip(),
            location=Location(str(path)),
            allowed="models, seeds, snapshots, or sources with tables",
        )
    top.close("only models, seeds, snapshots and sources are tables")
    return document(name or path.stem, tables, losses, slaProperties=promises)


def _table_entries(top: Entry) -> Iterator[Entry]:
    for kind in _TABLES:
        yield from top.entries(kind)
    for source in top.entries("sources"):
        source.take("name")
        yield from source.entries("tables")
        source.close("it is about the source as a whole; the contract is about its tables")


def _table(entry: Entry, dialect: str, promises: list[dict[str, Any]]) -> TableDraft:
    table = TableDraft(entry.take_text("name"), entry.where, entry.losses)
    table.entry["description"] = entry.take_text("description")
    _add_meta(table.entry, entry)
    columns = list(entry.entries("columns"))
    for column in columns:
        _add_column(table, column, dialect)
    for column in columns:
        _add_tests(table, column, column.take_text("name"), dialect)
        for constraint in column.entries("constraints"):
            _add_constraint(table, constraint, [column.take_text("name")], dialect)
        column.close()
    _add_tests(table, entry, "", dialect)
    for constraint in entry.entries("constraints"):
        _add_constraint(table, constraint, constraint.take_texts("columns"), dialect)
    _add_freshness(table, entry, promises)
    entry.close(_SETTING)
    return table


def _add_column(table: TableDraft, entry: Entry, dialect: str) -> None:
    name = entry.take_text("name")
    column = table.column(name)
    column["description"] = entry.take_text("description")
    if written := entry.take_text("data_type"):
        table.set_type(name, from_sql(written, dialect), entry.place("data_type"))
    _add_meta(column, entry)
    entry.take("quote")


def _add_meta(holder: dict[str, Any], entry: Entry) -> None:
    """Tags and meta stand on the entry itself, or in its `config`."""
    config = entry.entry("config")
    tags = [*entry.take_texts("tags"), *config.take_texts("tags")]
    meta = {**entry.take_mapping("meta"), **config.take_mapping("meta")}
    # An enforced contract promises the types, which a contract does anyway.
    contract = config.entry("contract")
    contract.take("enforced")
    contract.close(_SETTING)
    config.close(_SETTING)
    holder["tags"] = list(dict.fromkeys(tags))
    holder["customProperties"] = custom_properties(meta)


def _add_tests(table: TableDraft, entry: Entry, column: str, dialect: str) -> None:
    for key in ("data_tests", "tests"):
        for n, test in enumerate(entry.take_list(key)):
            below = entry.below({test: {}} if isinstance(test, str) else test, key, n)
            name = below.take_text("test_name") or next(iter(below.names), "")
            arguments = below if "test_name" in below else below.below(below.take(name, {}), name)
            add_test(DbtTest(table, name, arguments, column, dialect))
            below.close("dbt reads nothing beside the test")


def _add_constraint(table: TableDraft, entry: Entry, columns: list[str], dialect: str) -> None:
    kind, name = entry.take_text("type"), entry.take_text("name")
    notes = RuleNotes(name)
    match kind, columns:
        case "not_null", _:
            for column in columns:
                table.column(column)["required"] = True
        case "unique", [column]:
            table.column(column)["unique"] = True
        case "unique", _:
            table.add_rule(library_rule("duplicateValues", {"properties": columns}), notes)
        case "primary_key", _:
            for position, column in enumerate(columns, 1):
                table.column(column).update(primaryKey=True, primaryKeyPosition=position)
        case "foreign_key", _ if "to" in entry:
            _add_foreign_key(table, entry, columns)
        case "check", _ if "expression" in entry:
            sql = entry.take_text("expression")
            add_predicate(table, sql, notes, entry.where, dialect)
        case _:
            table.lose(entry.where, f"the constraint {kind}", "a contract has none like it")
            entry.take("expression")
    entry.close("how the warehouse enforces a constraint is not part of a contract")


def _add_foreign_key(table: TableDraft, entry: Entry, columns: list[str]) -> None:
    target = referenced_table(entry.take_text("to"))
    to_columns = entry.take_texts("to_columns")
    if not target or len(to_columns) != len(columns):
        table.lose(entry.where, "the foreign key", "what it refers to cannot be told")
        return
    if len(columns) == 1:
        link = {"type": "foreignKey", "to": f"{target}.{to_columns[0]}"}
        table.column(columns[0]).setdefault("relationships", []).append(link)
        return
    link_of_table = {
        "type": "foreignKey",
        "from": [f"{table.name}.{column}" for column in columns],
        "to": [f"{target}.{column}" for column in to_columns],
    }
    table.entry.setdefault("relationships", []).append(link_of_table)


def _add_freshness(table: TableDraft, entry: Entry, promises: list[dict[str, Any]]) -> None:
    """How old a source may be is a promise about its latency."""
    freshness, loaded_at = entry.entry("freshness"), entry.take_text("loaded_at_field")
    limit = freshness.entry("error_after") if "error_after" in freshness else None
    if limit is not None:
        promise = {
            "property": "latency",
            "value": limit.take("count"),
            "unit": _UNITS.get(limit.take_text("period"), ""),
            "element": f"{table.name}.{loaded_at}" if loaded_at else table.name,
        }
        promises.append(promise)
        limit.close()
    freshness.close("a contract has one limit, without a filter")
