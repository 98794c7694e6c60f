"""The entity rows of a historical read: what is asked for, at which moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal, cast

import pyarrow as pa

from quality_platform.checks.table_query import TableQuery, checked_table_query
from quality_platform.errors import EngineError, MaterializationError
from quality_platform.feature_store.entity_columns import bounds_of, moment_at, moments_of_column
from quality_platform.feature_store.point_in_time import entity_moments
from quality_platform.feature_store.snapshots import Period, Snapshot, snapshot_id_of
from quality_platform.lake.catalog import Lake
from quality_platform.lake.query import (
    EngineSettings,
    duckdb_session,
    quote_identifier,
    shut,
)
from quality_platform.lake.reading import batches_of_tasks, files_of_tasks, tasks_of
from quality_platform.lake.table_files import column_sql, read_parquet

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

MOMENT = "event_timestamp"
"""The column of the moments, where there is one of this name."""


@dataclass(frozen=True)
class EntityRows:
    """One row for each wanted result: join keys, a moment, and whatever else passes through."""

    table: pa.Table
    moment: str

    @property
    def others(self) -> list[str]:
        """The columns beside the moment: join keys, labels, request data."""
        return [name for name in self.table.schema.names if name != self.moment]

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """The first and the last moment; None where there is none, or Python cannot tell it.

        Raises:
            MaterializationError: the moments are no timestamps.
        """
        found = bounds_of(moments_of_column(self.table, self.moment))
        return (None, None) if found is None else (moment_at(found[0]), moment_at(found[1]))


def of_frame(frame: pd.DataFrame) -> EntityRows:
    """The rows of a data frame; its index does not count.

    Raises:
        MaterializationError: a column holds values of several types, or it cannot be told which
            column holds the moments.
    """
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError):
        raise MaterializationError(
            "the entity rows cannot be read",
            field="entity_df",
            received=", ".join(f"{name} ({kind})" for name, kind in frame.dtypes.items()),
            action="give each column values of one type",
        ) from None
    return EntityRows(table, moment_in(table.schema))


def of_query(
    text: str, lake: Lake, refs: Mapping[str, str], settings: EngineSettings
) -> EntityRows:
    """The rows that a SELECT (DuckDB's SQL) over tables of the lake gives, each at its ref.

    Their order is that of the query's ORDER BY.

    Raises:
        PredicateError: it is not one SELECT, or reads something else.
        TableNotFoundError: a table, branch, tag or snapshot is not there.
        MaterializationError: DuckDB cannot run it, or the moments cannot be told.
    """
    query = checked_table_query(text)
    try:
        with duckdb_session(replace(settings, files=lake.files)) as connection:
            _show_tables(connection, query, lake, refs)
            table = cast("pa.Table", connection.sql(query.sql).to_arrow_table())
    except EngineError as error:
        raise _failure(error) from None
    return EntityRows(table, moment_in(table.schema))


def of_period(views: Sequence[tuple[Snapshot, Mapping[str, str]]], period: Period) -> EntityRows:
    """A row for each entity and event time that the views have rows of in the period.

    Args:
        views: each with the names that its join keys get in the result.
        period: the event times that count.

    Raises:
        MaterializationError: the views are not of the same entities, or their rows cannot be read.
    """
    wanted = {tuple(names.values()) for _, names in views if names}
    if len(wanted) > 1:
        raise MaterializationError(
            "without entity rows, all feature views must have the same join keys",
            field="entity_df",
            received="; ".join(", ".join(names) for names in sorted(wanted)),
            action="ask for the views one by one, or give entity rows",
        )
    keyed = [(one, names) for one, names in views if names or not wanted]
    tables = [
        entity_moments(one, period, MOMENT).rename_columns([*names.values(), MOMENT])
        for one, names in keyed
    ]
    if len(tables) == 1:
        return EntityRows(tables[0], MOMENT)
    every = pa.concat_tables(tables, promote_options="permissive")
    columns = every.schema.names
    order: list[tuple[str, Literal["ascending", "descending"]]] = [
        (name, "ascending") for name in (MOMENT, *columns[:-1])
    ]
    distinct = every.group_by(columns).aggregate([]).select(columns)
    return EntityRows(distinct.sort_by(order), MOMENT)


def moment_in(schema: pa.Schema) -> str:
    """The column that holds the moments: `event_timestamp`, or the only one of timestamps.

    Raises:
        MaterializationError: there is no such column, or there are several.
    """
    if MOMENT in schema.names:
        return MOMENT
    found = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    if len(found) != 1:
        raise MaterializationError(
            "it cannot be told which column holds the moments of the entity rows",
            field="entity_df",
            received=f"columns of timestamps: {', '.join(found) or 'none'}",
            action="call the column event_timestamp",
        )
    return found[0]


def _show_tables(
    connection: DuckDBPyConnection, query: TableQuery, lake: Lake, refs: Mapping[str, str]
) -> None:
    """Makes the query's tables visible under their names, and nothing else."""
    files: list[str] = []
    for identifier in query.tables:
        files += _show(connection, lake, identifier, refs.get(identifier, "main"))
    shut(connection, files)


def _show(connection: DuckDBPyConnection, lake: Lake, identifier: str, ref: str) -> Sequence[str]:
    """Shows one table; returns the files that will be read when it is asked."""
    table = lake.table(identifier)
    snapshot_id = snapshot_id_of(table, ref)
    tasks = [] if snapshot_id is None else tasks_of(table, snapshot_id)
    namespace, _, name = identifier.rpartition(".")
    shown = f"{quote_identifier(namespace)}.{quote_identifier(name)}"
    schema = table.schema().as_arrow()
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(namespace)}")
    if tasks and not any(task.delete_files for task in tasks):
        files = files_of_tasks(table, tasks)
        columns = ", ".join(map(column_sql, schema))
        connection.execute(f"CREATE VIEW {shown} AS SELECT {columns} FROM {read_parquet(files)}")
        return files
    connection.register("batch", schema.empty_table())
    connection.execute(f"CREATE TABLE {shown} AS SELECT * FROM batch")
    for batch in batches_of_tasks(table, tasks):
        connection.register("batch", pa.Table.from_batches([batch]))
        connection.execute(f"INSERT INTO {shown} SELECT * FROM batch")
    connection.unregister("batch")
    return ()


def _failure(error: EngineError) -> MaterializationError:
    """What DuckDB says of the query; what it says of values stays unsaid."""
    import duckdb

    of_the_query = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
    cause = error.__cause__
    text = str(cause) if isinstance(cause, of_the_query) else type(cause).__name__
    return MaterializationError(
        f"DuckDB could not run the query of the entity rows: {text}",
        field="entity_df",
        action="mend the query, and give the tables their namespaces",
    )
