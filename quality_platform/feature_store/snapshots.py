"""The rows of a feature view at a pinned snapshot of the lake, open to DuckDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from quality_platform.errors import EngineError, MaterializationError, TableNotFoundError
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.pruning import tasks_between
from quality_platform.lake.query import (
    EngineSettings,
    duckdb_session,
    quote_identifier,
    quote_literal,
)
from quality_platform.lake.reading import (
    batches_of_tasks,
    files_of_tasks,
    snapshot_of,
    tasks_of,
)
from quality_platform.lake.table_files import read_parquet
from quality_platform.lake.time_travel import first_moment, moment_of, snapshot_seen_at

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS = "feature_rows"
"""The name under which a session sees the rows."""


@dataclass(frozen=True)
class FeatureRows:
    """The columns of a table that holds the values of features over time.

    No join keys: the values are those of one thing only. `sources` has the table's column for each
    name that differs from it (Feast's field mapping, the other way round).
    """

    table: str
    join_keys: tuple[str, ...]
    features: tuple[str, ...]
    event_timestamp: str
    created_timestamp: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)

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

    def source(self, name: str) -> str:
        """The table's column that a name stands for."""
        return self.sources.get(name, name)


@dataclass(frozen=True)
class Snapshot:
    """Feature rows at one snapshot of their table; an id of None is a table without rows.

    `since` is another snapshot of the table: data files that it has too, with the same rows of them
    deleted, are left out. The rows are read with the table's columns of today.
    """

    lake: Lake
    rows: FeatureRows
    snapshot_id: int | None
    settings: EngineSettings = field(default_factory=EngineSettings)
    since: int | None = None


@dataclass(frozen=True)
class Period:
    """Event times from `first` to `last`, both included; None is without bound.

    A period with a bound has no rows without an event time.
    """

    first: datetime | None = None
    last: datetime | None = None


ALWAYS = Period()
"""All rows, also those without an event time."""


def pinned(
    lake: Lake, rows: FeatureRows, ref: str = "main", settings: EngineSettings | None = None
) -> Snapshot:
    """The rows at the snapshot that a branch, a tag, a snapshot id or a time means now.

    A time is one of ISO 8601, in UTC where it names no zone: it means what readers of `main` saw
    then. Names come first: a tag may be called like a time.

    Raises:
        TableNotFoundError: there is no such table, no such branch, tag or snapshot, or what was
            seen at the time is gone.
    """
    snapshot_id = snapshot_id_of(lake.table(rows.table), ref)
    return Snapshot(lake, rows, snapshot_id, settings or EngineSettings())


def snapshot_id_of(table: Table, ref: str) -> int | None:
    """The id of the snapshot that a ref of `pinned` means; None for `main` without any snapshot.

    Raises:
        TableNotFoundError: there is no such branch, tag or snapshot, or what was seen at the time
            is gone.
    """
    if ref not in table.refs() and ref.isdecimal():
        if table.snapshot_by_id(int(ref)) is None:
            raise TableNotFoundError(
                f"{'.'.join(table.name())} has no snapshot {ref}",
                action="pin a snapshot that has not expired, or a tag",
            )
        return int(ref)
    moment = None if ref in table.refs() else moment_of(ref)
    if moment is not None:
        return _seen_at(table, moment)
    head = snapshot_of(table, ref)
    return None if head is None else int(head.snapshot_id)


def _seen_at(table: Table, moment: datetime) -> int:
    # What will be seen at a time to come changes until then.
    found = snapshot_seen_at(table, moment) if moment <= datetime.now(UTC) else None
    if found is None:
        first = first_moment(table)
        raise TableNotFoundError(
            f"it cannot be told what {'.'.join(table.name())} held at that time",
            received=moment.isoformat(),
            allowed=f"a time from {first.isoformat()} until now" if first else "",
            action="pin a time of which the snapshot has not expired, or a tag",
        )
    return found


@contextmanager
def session(snapshot: Snapshot, period: Period = ALWAYS) -> Iterator[DuckDBPyConnection]:
    """A DuckDB in which the rows of the snapshot are the table `ROWS`: those of the period only.

    Data files that hold no row of the period are not opened, and no other columns than the rows'.

    Raises:
        MaterializationError: the table lacks a column, or reading or a statement failed.
    """
    rows = snapshot.rows
    try:
        with duckdb_session(replace(snapshot.settings, files=snapshot.lake.files)) as connection:
            show(connection, snapshot, ROWS, period)
            yield connection
    except (EngineError, pa.ArrowException, OSError) as error:
        # What fails while rows are streaming arrives as OSError with DuckDB's message.
        text = error.problems[0].message if isinstance(error, EngineError) else str(error)
        raise MaterializationError(
            f"the rows of {rows.table} cannot be read: {text}", field=rows.table
        ) from error


def show(
    connection: DuckDBPyConnection, snapshot: Snapshot, name: str, period: Period = ALWAYS
) -> None:
    """Makes rows of the snapshot a table of a session that was opened for the same lake.

    Raises:
        MaterializationError: the table lacks a column.
        EngineError, OSError: reading failed; `session` tells of it.
    """
    rows, table = snapshot.rows, snapshot.lake.table(snapshot.rows.table)
    schema = table.schema().as_arrow()
    _require_columns(rows, schema)
    where = _within(rows, period)
    columns = ", ".join(_named(rows, name, schema) for name in rows.columns)
    tasks = _tasks(table, snapshot, period)
    # Only Iceberg's own reader applies delete files; DuckDB reads the other files itself.
    if tasks and not any(task.delete_files for task in tasks):
        files = read_parquet(files_of_tasks(table, tasks))
        connection.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM {files} WHERE {where}")
        return
    connection.register("batch", schema.empty_table())
    connection.execute(f"CREATE TABLE {name} AS SELECT {columns} FROM batch")
    sources = list(dict.fromkeys(map(rows.source, rows.columns)))
    for batch in batches_of_tasks(table, tasks, columns=sources):
        connection.register("batch", pa.Table.from_batches([batch]))
        connection.execute(f"INSERT INTO {name} SELECT {columns} FROM batch WHERE {where}")


def _tasks(table: Table, snapshot: Snapshot, period: Period) -> list[Any]:
    if snapshot.snapshot_id is None:
        return []
    event = snapshot.rows.source(snapshot.rows.event_timestamp)
    since, known = snapshot.since, set()
    try:
        if since is not None:
            known = {_identity(task) for task in tasks_of(table, since)}
        tasks = tasks_between(table, snapshot.snapshot_id, event, period.first, period.last)
    except ValueError as error:
        raise MaterializationError(
            f"the rows of {snapshot.rows.table} cannot be read exactly: {error}",
            field=snapshot.rows.table,
            action="have its writer rewrite its data files (compaction)",
        ) from error
    return [task for task in tasks if _identity(task) not in known]


def _identity(task: Any) -> tuple[str, frozenset[str]]:
    """A data file, and the files that say which of its rows are deleted."""
    return task.file.file_path, frozenset(file.file_path for file in task.delete_files)


def _named(rows: FeatureRows, name: str, schema: pa.Schema) -> str:
    """A column by its name; a date that tells a time is its first moment, in UTC."""
    column = quote_identifier(rows.source(name))
    is_date = pa.types.is_date(schema.field(rows.source(name)).type)
    moment = "::TIMESTAMPTZ" if is_date and name in rows.timestamps else ""
    return f"{column}{moment} AS {quote_identifier(name)}"


def _within(rows: FeatureRows, period: Period) -> str:
    event = quote_identifier(rows.source(rows.event_timestamp))
    bounds = [
        f"{event}::TIMESTAMPTZ {sign} {quote_literal(bound.isoformat())}::TIMESTAMPTZ"
        for sign, bound in ((">=", period.first), ("<=", period.last))
        if bound is not None
    ]
    return " AND ".join(bounds) or "true"


def _require_columns(rows: FeatureRows, schema: pa.Schema) -> None:
    for name in map(rows.source, rows.columns):
        if name not in schema.names:
            raise MaterializationError(
                f"{rows.table} has no column {name!r}",
                field=rows.table,
                allowed=schema.names,
                action="compute the view again, or mend its definition",
            )
    for name in map(rows.source, rows.timestamps):
        if not (pa.types.is_timestamp(kind := schema.field(name).type) or pa.types.is_date(kind)):
            raise MaterializationError(
                f"{name!r} of {rows.table} tells no time",
                field=name,
                received=kind,
                allowed="a timestamp or a date",
            )
