"""The rows of a feature view at a pinned snapshot of the lake, open to DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from quality_platform.errors import EngineError, MaterializationError, TableNotFoundError
from quality_platform.lake.catalog import Lake
from quality_platform.lake.query import (
    EngineSettings,
    duckdb_session,
    quote_identifier,
)
from quality_platform.lake.reading import batches_of, files_of, snapshot_of, tasks_of
from quality_platform.lake.table_files import TableFiles, read_parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS = "feature_rows"
"""The name under which a session sees the rows."""


@dataclass(frozen=True)
class FeatureRows:
    """The columns of a table that holds the values of features over time."""

    table: str
    join_keys: tuple[str, ...]
    features: tuple[str, ...]
    event_timestamp: str
    created_timestamp: str | None = None

    @property
    def timestamps(self) -> tuple[str, ...]:
        """The event timestamp, and the created timestamp where there is one."""
        created = () if self.created_timestamp is None else (self.created_timestamp,)
        return (self.event_timestamp, *created)

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that tell which row is the newest of which entity."""
        return (*self.join_keys, *self.timestamps)

    @property
    def columns(self) -> tuple[str, ...]:
        """All the columns, each once."""
        return tuple(dict.fromkeys((*self.identity, *self.features)))


@dataclass(frozen=True)
class Snapshot:
    """Feature rows at one snapshot of their table; an id of None is a table without rows."""

    lake: Lake
    rows: FeatureRows
    snapshot_id: int | None
    settings: EngineSettings = field(default_factory=EngineSettings)


def pinned(
    lake: Lake, rows: FeatureRows, ref: str = "main", settings: EngineSettings | None = None
) -> Snapshot:
    """The rows at the snapshot that a branch, a tag or a snapshot id means now.

    Raises:
        TableNotFoundError: there is no such table, or no such branch, tag or snapshot.
    """
    table, chosen = lake.table(rows.table), settings or EngineSettings()
    if ref not in table.refs() and ref.isdecimal():
        if table.snapshot_by_id(int(ref)) is None:
            raise TableNotFoundError(
                f"{rows.table} has no snapshot {ref}",
                action="pin a snapshot that has not expired, or a tag",
            )
        return Snapshot(lake, rows, int(ref), chosen)
    head = snapshot_of(table, ref)
    return Snapshot(lake, rows, None if head is None else head.snapshot_id, chosen)


@contextmanager
def session(snapshot: Snapshot) -> Iterator[DuckDBPyConnection]:
    """A DuckDB in which the rows of the snapshot are the table `ROWS`.

    Raises:
        MaterializationError: the table lacks a column, or reading or a statement failed.
    """
    rows = snapshot.rows
    try:
        with duckdb_session(replace(snapshot.settings, files=snapshot.lake.files)) as connection:
            _show(connection, snapshot)
            yield connection
    except (EngineError, pa.ArrowException, OSError) as error:
        # What fails while rows are streaming arrives as OSError with DuckDB's message.
        text = error.problems[0].message if isinstance(error, EngineError) else str(error)
        raise MaterializationError(
            f"the rows of {rows.table} cannot be read: {text}", field=rows.table
        ) from error


def _show(connection: DuckDBPyConnection, snapshot: Snapshot) -> None:
    rows, table = snapshot.rows, snapshot.lake.table(snapshot.rows.table)
    _require_columns(rows, table.schema().as_arrow())
    columns = ", ".join(map(quote_identifier, rows.columns))
    files = _plain_files(table, snapshot.snapshot_id)
    if files:
        connection.execute(f"CREATE VIEW {ROWS} AS SELECT {columns} FROM {read_parquet(files)}")
        return
    connection.register("batch", table.schema().as_arrow().empty_table())
    connection.execute(f"CREATE TABLE {ROWS} AS SELECT {columns} FROM batch")
    for batch in batches_of(table, snapshot.snapshot_id, columns=rows.columns):
        connection.register("batch", pa.Table.from_batches([batch]))
        connection.execute(f"INSERT INTO {ROWS} SELECT {columns} FROM batch")


def _require_columns(rows: FeatureRows, schema: pa.Schema) -> None:
    for name in rows.columns:
        if name not in schema.names:
            raise MaterializationError(
                f"{rows.table} has no column {name!r}",
                field=rows.table,
                allowed=schema.names,
                action="compute the view again, or mend its definition",
            )
    for name in rows.timestamps:
        if not pa.types.is_timestamp(schema.field(name).type):
            raise MaterializationError(
                f"{name!r} of {rows.table} tells no time",
                field=name,
                received=schema.field(name).type,
                allowed="a timestamp",
            )


def _plain_files(table: Any, snapshot_id: int | None) -> TableFiles:
    """The snapshot's files where DuckDB may read them itself, otherwise none.

    Only Iceberg's own reader applies delete files.
    """
    if snapshot_id is None:
        return TableFiles()
    has_deletes = any(task.delete_files for task in tasks_of(table, snapshot_id))
    return TableFiles() if has_deletes else files_of(table, snapshot_id)
