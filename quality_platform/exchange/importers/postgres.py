"""A table of PostgreSQL as a contract, by reading the database's own catalog."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, inspect
from sqlalchemy.dialects.postgresql import DOMAIN, ENUM
from sqlalchemy.engine import Engine, Inspector
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.types import NullType, TypeEngine

from quality_platform.errors import ConfigurationError, SourceError, SourceNotFoundError
from quality_platform.exchange.column_types import ColumnType, from_sql
from quality_platform.exchange.importers.predicates import add_predicate
from quality_platform.exchange.odcs import RuleNotes, TableDraft, document, library_rule
from quality_platform.exchange.results import Imported, Loss


def import_postgres(url: str, source: str, name: str = "") -> Imported:
    """The columns, keys, comments and constraints of `table` or `schema.table`.

    `url` is SQLAlchemy's; it can hold a password and never appears in a message.

    Raises:
        ConfigurationError: the URL cannot be used.
        SourceError: the database does not answer.
        SourceNotFoundError: there is no such table.
    """
    schema, _, table_name = source.rpartition(".")
    losses: list[Loss] = []
    with _inspector(url, source) as inspector:
        table = TableDraft(name or table_name, source, losses)
        _fill(table, inspector, table_name, schema or None)
    return document(table.name, [table], losses)


@contextmanager
def _inspector(url: str, source: str) -> Iterator[Inspector]:
    engine: Engine | None = None
    try:
        engine = create_engine(url, connect_args={"connect_timeout": 10})
        yield inspect(engine)
    except NoSuchTableError:
        raise SourceNotFoundError(
            "the database has no such table", received=source, action="write schema.table"
        ) from None
    except (ArgumentError, NoSuchModuleError, TypeError) as error:
        raise ConfigurationError(
            f"the URL of the database cannot be used ({type(error).__name__})",
            allowed="postgresql+psycopg2://...",
        ) from None
    except SQLAlchemyError as error:
        # The driver's text can hold the whole connection string; its class cannot.
        raise SourceError(
            f"the database does not answer ({type(error).__name__})",
            action="check the URL, and that the database is up",
        ) from None
    finally:
        if engine is not None:
            engine.dispose()


def _fill(table: TableDraft, inspector: Inspector, name: str, schema: str | None) -> None:
    for column in inspector.get_columns(name, schema):
        _add_column(table, dict(column), inspector)
    table.entry["description"] = inspector.get_table_comment(name, schema).get("text")
    _add_keys(table, inspector, name, schema)
    for link in inspector.get_foreign_keys(name, schema):
        _add_foreign_key(table, dict(link))
    for check in inspector.get_check_constraints(name, schema):
        where = f"{table.where}: constraint {check['name']}"
        add_predicate(table, check["sqltext"], RuleNotes(str(check["name"])), where, "postgres")


def _add_column(table: TableDraft, column: dict[str, Any], inspector: Inspector) -> None:
    name, kind = column["name"], column["type"]
    where = f"{table.where}: column {name}"
    if isinstance(kind, DOMAIN):
        table.lose(where, f"the domain {kind.name}", "taken as the type that it is made of")
        kind = kind.data_type
    table.set_type(name, _type_of(kind, inspector), where)
    if isinstance(kind, ENUM):
        rule = library_rule("invalidValues", {"validValues": list(kind.enums)})
        table.add_rule(rule, RuleNotes(), name)
    entry = table.column(name)
    entry["required"] = not column["nullable"]
    entry["description"] = column.get("comment")
    for key, why in (
        ("default", "a contract says what is there, not what is filled in"),
        ("computed", "a contract says what is there, not how it is computed"),
        ("identity", "a contract says what is there, not how it is numbered"),
    ):
        if column.get(key):
            table.lose(where, f"its {key}", why)


def _type_of(kind: TypeEngine[Any], inspector: Inspector) -> ColumnType:
    if isinstance(kind, ENUM):
        return from_sql("text")
    if isinstance(kind, NullType):
        return from_sql("a type that SQLAlchemy does not know")
    return from_sql(kind.compile(dialect=inspector.dialect), "postgres")


def _add_keys(table: TableDraft, inspector: Inspector, name: str, schema: str | None) -> None:
    key = inspector.get_pk_constraint(name, schema)["constrained_columns"]
    for position, column in enumerate(key, 1):
        table.column(column).update(primaryKey=True, primaryKeyPosition=position)
    constraints = inspector.get_unique_constraints(name, schema)
    for constraint in constraints:
        _add_unique(table, list(constraint["column_names"]), str(constraint["name"]))
    known = {constraint["name"] for constraint in constraints}
    for index in inspector.get_indexes(name, schema):
        if index["name"] in known:
            continue
        columns, more = index["column_names"], index.get("dialect_options") or {}
        if index["unique"] and None not in columns and not more.get("postgresql_where"):
            _add_unique(table, [str(column) for column in columns], str(index["name"]))
        else:
            where = f"{table.where}: index {index['name']}"
            table.lose(where, "the index", "a contract has no place for it")


def _add_unique(table: TableDraft, columns: list[str], name: str) -> None:
    if len(columns) == 1:
        table.column(columns[0])["unique"] = True
    else:
        rule = library_rule("duplicateValues", {"properties": columns})
        table.add_rule(rule, RuleNotes(name))


def _add_foreign_key(table: TableDraft, link: dict[str, Any]) -> None:
    columns, target = link["constrained_columns"], link["referred_table"]
    ends = [f"{target}.{column}" for column in link["referred_columns"]]
    named = {"customProperties": [{"property": "name", "value": link["name"]}]}
    if len(columns) == 1:
        one = {"type": "foreignKey", "to": ends[0], **named}
        table.column(columns[0]).setdefault("relationships", []).append(one)
    else:
        start = [f"{table.name}.{column}" for column in columns]
        several = {"type": "foreignKey", "from": start, "to": ends, **named}
        table.entry.setdefault("relationships", []).append(several)
    where = f"{table.where}: foreign key {link['name']}"
    for option, value in (link.get("options") or {}).items():
        table.lose(where, f"{option} {value}", "a contract says what is there, not what happens")
