"""Entity rows of training sets: which entities, at which moments, from a file or a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from quality_platform.errors import TrainingSetError
from quality_platform.feature_store.snapshots import snapshot_id_of
from quality_platform.feature_store.training_rows import ROWS, session, sorted_rows
from quality_platform.lake.catalog import Lake
from quality_platform.lake.query import EngineSettings, quote_identifier, quote_literal
from quality_platform.lake.reading import batches_of
from quality_platform.lake.table_files import read_parquet
from quality_platform.lake.tags import as_it_was

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EVENT_TIMESTAMP = "event_timestamp"
"""What the column with the moments of the rows is called in every training set."""

_WIDER: dict[pa.DataType, pa.DataType] = {
    pa.int8(): pa.int32(),
    pa.int16(): pa.int32(),
    pa.uint8(): pa.int32(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.float16(): pa.float32(),
    pa.large_string(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.time32("s"): pa.time64("us"),
    pa.time32("ms"): pa.time64("us"),
    pa.time64("ns"): pa.time64("us"),
    pa.date64(): pa.date32(),
}
"""What stands in the lake for types that Iceberg does not have; a value that would change fails."""

_CSV_TYPES = {pa.string(): "VARCHAR", pa.int64(): "BIGINT", pa.int32(): "INTEGER"}


@dataclass(frozen=True)
class EntityColumns:
    """Which columns of a source are the entity rows'.

    `join_keys` has the source's column for each join key, `key_types` the type of each;
    `event_timestamp` is the source's column of moments. `labels` come along as they are.
    """

    join_keys: Mapping[str, str]
    key_types: Mapping[str, pa.DataType]
    event_timestamp: str
    labels: tuple[str, ...] = ()

    @property
    def sources(self) -> dict[str, str]:
        """The source's column for each column of the entity rows, in their order."""
        labels = {label: label for label in self.labels}
        return {**self.join_keys, EVENT_TIMESTAMP: self.event_timestamp, **labels}


@dataclass(frozen=True)
class EntityFile:
    """Entity rows in a Parquet or CSV file."""

    path: Path


@dataclass(frozen=True)
class EntityTable:
    """Entity rows in a table of the lake, at a tag, a snapshot id or a branch."""

    identifier: str
    ref: str


EntitySource = EntityFile | EntityTable


@dataclass(frozen=True)
class EntityRows:
    """Entity rows in canonical order, in batches that can be read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]

    def cast(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The batches with these types of the same columns.

        Raises:
            TrainingSetError: a conversion would change a value.
        """
        for batch in self.batches:
            try:
                yield batch.cast(schema)
            except pa.ArrowException:
                raise TrainingSetError(
                    "the entity rows do not have the types that the training set has",
                    field="entities",
                    received=str(self.schema).replace("\n", ", "),
                    allowed=str(schema).replace("\n", ", "),
                ) from None


@contextmanager
def entity_rows(
    lake: Lake, source: EntitySource, columns: EntityColumns, settings: EngineSettings
) -> Iterator[EntityRows]:
    """The entity rows of a source, in canonical order.

    The types are those that a table of the lake can hold: small and unsigned integers become wider
    ones, nanoseconds that are whole microseconds become these.

    Raises:
        TrainingSetError: the source lacks a column, has one of a type that the lake does not have,
            or cannot be read.
        TableNotFoundError: there is no such table, tag or snapshot.
    """
    with session(lake, settings) as connection:
        if isinstance(source, EntityFile):
            _show_file(connection, source.path, columns)
        else:
            _show_table(connection, lake, source, columns)
        found = connection.sql(f"SELECT * FROM {ROWS} LIMIT 0").to_arrow_table().schema
        schema = pa.schema([pa.field(f.name, _lake_type(f)) for f in found])
        if not pa.types.is_timestamp(schema.field(EVENT_TIMESTAMP).type):
            raise TrainingSetError(
                "the moments of the entity rows must be timestamps",
                field=columns.event_timestamp,
                received=schema.field(EVENT_TIMESTAMP).type,
                allowed="timestamps; without a time zone they are taken as UTC",
            )
        yield EntityRows(schema, sorted_rows(connection, schema, schema.names))


def _show_file(connection: DuckDBPyConnection, path: Path, columns: EntityColumns) -> None:
    if not path.is_file():
        raise TrainingSetError(
            "there is no such file of entity rows",
            field="entities",
            received=path.name,
            action="correct the path, or name a table",
        )
    readers = {".parquet": _parquet, ".csv": _csv}
    if path.suffix.lower() not in readers:
        raise TrainingSetError(
            "entity rows are not read from files of this kind",
            field="entities",
            received=path.suffix or path.name,
            allowed=sorted(readers),
        )
    reader = readers[path.suffix.lower()]
    there = connection.sql(f"SELECT * FROM {reader(path, {})} LIMIT 0").columns
    _require_columns(columns, there, path.name)
    types = {columns.join_keys[key]: kind for key, kind in columns.key_types.items()}
    types[columns.event_timestamp] = pa.timestamp("us", "UTC")
    selection = _selection(columns)
    connection.execute(f"CREATE VIEW {ROWS} AS SELECT {selection} FROM {reader(path, types)}")


def _parquet(path: Path, _: Mapping[str, pa.DataType]) -> str:
    return read_parquet([str(path)])


def _csv(path: Path, types: Mapping[str, pa.DataType]) -> str:
    """The keys and the moment have their types; of labels, the whole file is asked for theirs."""
    known = {
        name: "TIMESTAMP WITH TIME ZONE" if pa.types.is_timestamp(kind) else _CSV_TYPES[kind]
        for name, kind in types.items()
        if pa.types.is_timestamp(kind) or kind in _CSV_TYPES
    }
    told = ", ".join(f"{quote_literal(name)}: {quote_literal(t)}" for name, t in known.items())
    typed = f", types = {{{told}}}" if told else ""
    return f"read_csv({quote_literal(str(path))}, header = true, sample_size = -1{typed})"


def _show_table(
    connection: DuckDBPyConnection, lake: Lake, source: EntityTable, columns: EntityColumns
) -> None:
    table = lake.table(source.identifier)
    snapshot_id = snapshot_id_of(table, source.ref)
    snapshot = table.snapshot_by_id(snapshot_id) if snapshot_id is not None else None
    then = table if snapshot is None else as_it_was(table, snapshot)
    schema = then.schema().as_arrow()
    _require_columns(columns, schema.names, source.identifier)
    wanted = list(dict.fromkeys(columns.sources.values()))
    empty = pa.schema([schema.field(name) for name in wanted]).empty_table()
    connection.register("batch", empty)
    connection.execute(f"CREATE TABLE {ROWS} AS SELECT {_selection(columns)} FROM batch")
    # Iceberg's own reader applies delete files.
    for batch in batches_of(then, snapshot_id, columns=wanted):
        connection.register("batch", pa.Table.from_batches([batch]))
        connection.execute(f"INSERT INTO {ROWS} SELECT {_selection(columns)} FROM batch")


def _selection(columns: EntityColumns) -> str:
    return ", ".join(
        f"{quote_identifier(source)} AS {quote_identifier(name)}"
        for name, source in columns.sources.items()
    )


def _require_columns(columns: EntityColumns, there: Sequence[str], where: str) -> None:
    missing = [name for name in columns.sources.values() if name not in there]
    if missing:
        raise TrainingSetError(
            f"{where} has no column {missing[0]!r}",
            field="entities",
            received=", ".join(missing),
            allowed=there,
            action="say under `entities` which columns hold the keys, the moments and the labels",
        )


def _lake_type(column: pa.Field[Any]) -> pa.DataType:
    """The type that a column has in the lake.

    Raises:
        TrainingSetError: there is none for it.
    """
    kind: Any = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(pa.field("element", _lake_type(kind.value_field)))
    if pa.types.is_struct(kind):
        parts = [kind.field(n) for n in range(kind.num_fields)]
        return pa.struct([pa.field(part.name, _lake_type(part)) for part in parts])
    if pa.types.is_uint64(kind) or pa.types.is_null(kind) or pa.types.is_duration(kind):
        raise TrainingSetError(
            "a table of the lake has no such type",
            field=column.name,
            received=kind,
            allowed="booleans, numbers, texts, bytes, dates, times, timestamps, lists, structs",
            action="cast the column where the entity rows are made",
        )
    wider: pa.DataType = _WIDER.get(kind, kind)
    return wider
