"""The canonical order of the rows of training sets, and reading them in it.

The order is by all columns of the entity rows, in their order: NULL first, texts by bytes, NaN
last. Rows that it cannot tell apart are equal, and so are their features: whatever order the source
had, the rows of a training set are always the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from quality_platform.errors import EngineError, TrainingSetError
from quality_platform.feature_store.training_digest import BLOCK_ROWS
from quality_platform.lake.catalog import Lake
from quality_platform.lake.query import EngineSettings, duckdb_session, quote_identifier
from quality_platform.lake.reading import files_of
from quality_platform.lake.table_files import read_parquet
from quality_platform.lake.tags import as_it_was, tagged_snapshot

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS = "training_rows"
"""The name under which a session sees the rows."""


@contextmanager
def stored_rows(
    lake: Lake,
    table: str,
    tag: str,
    schema: pa.Schema,
    sorted_by: Sequence[str],
    settings: EngineSettings,
) -> Iterator[Iterator[pa.RecordBatch]]:
    """The rows of a training set, in canonical order: `sorted_by` are the entity rows' columns.

    Raises:
        TableNotFoundError: there is no such table or tag.
        TrainingSetError: the rows cannot be read.
    """
    found = lake.table(table)
    snapshot = tagged_snapshot(found, tag)
    files = files_of(as_it_was(found, snapshot), snapshot.snapshot_id)
    names = ", ".join(map(quote_identifier, schema.names))
    with session(lake, settings) as connection:
        connection.execute(f"CREATE VIEW {ROWS} AS SELECT {names} FROM {read_parquet(files)}")
        yield sorted_rows(connection, schema, sorted_by)


@contextmanager
def session(lake: Lake, settings: EngineSettings) -> Iterator[DuckDBPyConnection]:
    """A DuckDB that reads the lake's files.

    Raises:
        TrainingSetError: a statement failed.
    """
    with _readable(), duckdb_session(replace(settings, files=lake.files)) as connection:
        yield connection


@contextmanager
def _readable() -> Iterator[None]:
    """DuckDB's errors, of which only the kind and a line's number are told: not values of rows."""
    try:
        yield
    except EngineError as error:
        text = error.problems[0].message
        line = re.search(r"CSV Error on (Line: \d+)", text)
        kind = ", ".join([": ".join(text.split(": ")[:2]), *(line.groups() if line else ())])
        raise TrainingSetError(f"the rows cannot be read: {kind}") from None


def sorted_rows(
    connection: DuckDBPyConnection, schema: pa.Schema, by: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The rows that a session sees as `ROWS`, in canonical order by these columns.

    Raises:
        TrainingSetError: they cannot be read, or a conversion to the schema would change a value.
    """
    order = ", ".join(part for name in by for part in _order(schema.field(name)))
    reader = connection.sql(f"SELECT * FROM {ROWS} ORDER BY {order}").to_arrow_reader(BLOCK_ROWS)
    try:
        for batch in reader:
            yield batch.cast(schema)
    except (pa.ArrowException, OSError) as error:
        # What fails while rows are streaming; the text can hold values.
        text = str(error).splitlines()[0].partition(": ")[0]
        raise TrainingSetError(
            f"the rows cannot be read, or do not fit the lake's types ({text})",
            field="entities",
            action="timestamps have microseconds; look for values that a conversion would change",
        ) from None


def _order(column: pa.Field[Any]) -> Iterator[str]:
    name = quote_identifier(column.name)
    yield f"{name} ASC NULLS FIRST"
    if pa.types.is_floating(column.type):
        # -0.0 and 0.0 are equal, and not the same bytes.
        yield f"signbit({name}) ASC"
