"""Columns that have Arrow types as a contract: Parquet files, tables of the lake, CSV files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from quality_platform.errors import MalformedSourceError, SourceNotFoundError
from quality_platform.exchange.column_types import from_arrow
from quality_platform.exchange.odcs import TableDraft, document
from quality_platform.exchange.results import Imported, Loss
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.query import (
    EngineSettings,
    duckdb_session,
    quote_identifier,
    quote_literal,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DESCRIPTIONS = (b"doc", b"description", b"comment")
_OF_THE_FORMAT = (b"PARQUET:field_id", b"ARROW:extension:name", b"ARROW:extension:metadata")
_OF_THE_PLATFORM = ("commit.", "write.", "quality-platform.", "quality_platform.")
_ROWS_LOOKED_AT = 20_480
_FORMS = (
    (pa.types.is_boolean, "(?i)true|false|1|0"),
    (pa.types.is_date, r"\d{4}-\d\d-\d\d"),
    (pa.types.is_timestamp, r"\d{4}-\d\d-\d\d([T ]\d.*)?"),
)
"""How a load reads a type: `ingest/conform.py`."""


def import_parquet(path: Path, name: str = "") -> Imported:
    """The columns of a Parquet file; a field that is not nullable is required.

    Raises:
        SourceNotFoundError: there is no such file.
        MalformedSourceError: it is no Parquet file.
    """
    import pyarrow.parquet as pq

    _require_file(path)
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise MalformedSourceError("not a Parquet file", received=str(path)) from error
    losses: list[Loss] = []
    table = table_of(schema, name or path.stem, losses)
    for key in schema.metadata or {}:
        what = f"the metadata {key.decode(errors='replace')}"
        table.lose(str(path), what, "written by a program for itself")
    return document(table.name, [table], losses)


def import_iceberg(lake: Lake, identifier: str, name: str = "") -> Imported:
    """The columns of a table of the lake, `namespace.table`, with its key and its partitions.

    Raises:
        TableNotFoundError: there is no such table.
        CatalogUnreachableError: the catalog does not answer.
    """
    found = lake.table(identifier)
    losses: list[Loss] = []
    schema = found.schema().as_arrow()
    table = table_of(schema, name or identifier.rpartition(".")[2], losses)
    _add_key(table, found)
    _add_partitions(table, found)
    for key, value in found.properties.items():
        if key == "comment":
            table.entry["description"] = value
        elif not key.startswith(_OF_THE_PLATFORM):
            table.lose(identifier, f"the property {key}", "a setting of the table, not a promise")
    if found.sort_order().fields:
        table.lose(identifier, "its sort order", "a data contract has no place for it")
    return document(table.name, [table], losses)


def import_csv(path: Path, name: str = "") -> Imported:
    """The columns of a CSV file, with the types that its first 20,480 rows suggest to DuckDB.

    Raises:
        SourceNotFoundError: there is no such file.
        MalformedSourceError: DuckDB finds no table in it.
    """
    import duckdb

    _require_file(path)
    with duckdb_session(EngineSettings()) as session:
        try:
            read = f"SELECT * FROM read_csv({quote_literal(str(path))}, header = true) LIMIT 0"
            schema = _as_loaded(session, path, session.sql(read).to_arrow_table().schema)
        except duckdb.Error as error:
            # The library's text shows rows of the file.
            raise MalformedSourceError("not a CSV file", received=str(path)) from error
    losses: list[Loss] = []
    table = table_of(schema, name or path.stem, losses)
    table.lose(
        str(path), "the types and which values are required", "guessed from rows: check them"
    )
    return document(table.name, [table], losses)


def _as_loaded(session: DuckDBPyConnection, path: Path, schema: pa.Schema) -> pa.Schema:
    """The schema with text for each column whose values a load would not take for the type.

    DuckDB takes `t` for a boolean and `13/02/2024` for a date; a load guesses no format.
    """
    source = f"read_csv({quote_literal(str(path))}, header = true, all_varchar = true)"
    fields = []
    for field in schema:
        form = next((form for is_type, form in _FORMS if is_type(field.type)), "")
        if form:
            name = quote_identifier(field.name)
            matches = f"bool_and(regexp_full_match({name}, {quote_literal(form)}))"
            some = f"(SELECT {name} FROM {source} LIMIT {_ROWS_LOOKED_AT})"
            ((fits,),) = session.execute(f"SELECT {matches} FROM {some}").fetchall()
            fields.append(field if fits else field.with_type(pa.string()))
        else:
            fields.append(field)
    return pa.schema(fields)


def table_of(schema: pa.Schema, name: str, losses: list[Loss]) -> TableDraft:
    """The table with these columns."""
    table = TableDraft(name, name, losses)
    for column in schema:
        where = f"{name}: column {column.name}"
        if pa.types.is_map(column.type):
            table.lose(where, "the column", "the platform's contracts have no maps")
            continue
        table.set_type(column.name, from_arrow(column.type), where)
        if not column.nullable:
            table.column(column.name)["required"] = True
        _add_notes(table, column.name, column.metadata or {}, where)
    return table


def _add_notes(table: TableDraft, column: str, metadata: Mapping[bytes, bytes], where: str) -> None:
    for key, value in metadata.items():
        if key in _DESCRIPTIONS:
            table.column(column)["description"] = value.decode(errors="replace")
        elif key not in _OF_THE_FORMAT:
            what = f"the metadata {key.decode(errors='replace')}"
            table.lose(where, what, "written by a program for itself")


def _add_key(table: TableDraft, found: Table) -> None:
    names = [field.name for field in found.schema().fields]
    key = found.schema().identifier_field_names()
    for position, name in enumerate((n for n in names if n in key), 1):
        table.column(name).update(primaryKey=True, primaryKeyPosition=position)


def _add_partitions(table: TableDraft, found: Table) -> None:
    for position, part in enumerate(found.spec().fields, 1):
        column = found.schema().find_column_name(part.source_id) or ""
        if str(part.transform) == "identity" and column in table.columns:
            table.column(column).update(partitioned=True, partitionKeyPosition=position)
        else:
            table.lose(
                f"{table.name}: partition {part.name}",
                f"{part.transform} of {column}",
                "a contract says which columns partition, not how",
            )


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise SourceNotFoundError("there is no such file", received=str(path))
