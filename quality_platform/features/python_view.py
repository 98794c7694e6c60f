"""A feature view's Python function, run over streams of its inputs' rows in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from quality_platform.errors import FeatureViewError
from quality_platform.features.functions import FeatureFunction, told_without_values
from quality_platform.features.sql_view import FeatureInput, show
from quality_platform.lake.query import EngineSettings, duckdb_session, quote_identifier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH_ROWS = 65536
"""Rows of a batch at most."""


@dataclass(frozen=True)
class TimeRange:
    """A stretch of time in UTC: from a moment on, up to another that is not part of it."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class FeatureContext:
    """What a function is told of the rows that it is to give.

    Attributes:
        view: The feature view.
        columns: The contract's columns with their types: what each batch must have.
        snapshots: The snapshot that is read of each input.
        windows: The stretches of event time that are computed; () for all time. Rows of other
            times may be given: they are left out.
    """

    view: str
    columns: pa.Schema
    snapshots: Mapping[str, int] = field(default_factory=dict, hash=False)
    windows: tuple[TimeRange, ...] = ()


class FeatureInputs(Mapping[str, pa.RecordBatchReader]):
    """The inputs of a feature view by name, each as a new stream of its rows when it is asked for.

    Of the input `orders`, `inputs["orders"]` has all columns, with the types of its contract. A
    stream that is read holds a few batches in memory. The streams end with the function.
    """

    def __init__(self, connection: DuckDBPyConnection, inputs: Mapping[str, FeatureInput]) -> None:
        self._connection = connection
        self._inputs = inputs
        self._cursors: list[DuckDBPyConnection] = []

    def __getitem__(self, name: str) -> pa.RecordBatchReader:
        """All rows and columns of an input."""
        return self.read(name)

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._inputs)

    def __len__(self) -> int:
        """Their number."""
        return len(self._inputs)

    def read(
        self, name: str, columns: Sequence[str] | None = None, where: str = ""
    ) -> pa.RecordBatchReader:
        """Some columns and rows of an input.

        Args:
            name: The input.
            columns: Its columns that are wanted, in this order; None for all.
            where: SQL (DuckDB) that is true for the rows that are wanted; "" for all.

        Raises:
            KeyError: there is no such input, or no such column.
        """
        known = self._inputs[name].schema
        fields = [known.field(column) for column in (known.names if columns is None else columns)]
        names = ", ".join(quote_identifier(found.name) for found in fields)
        condition = f" WHERE {where}" if where else ""
        rows = self.sql(f"SELECT {names} FROM {quote_identifier(name)}{condition}")
        schema = pa.schema([found.with_nullable(True).remove_metadata() for found in fields])
        return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in rows))

    def sql(self, query: str) -> pa.RecordBatchReader:
        """The result of a SELECT in DuckDB SQL over the inputs, with DuckDB's types."""
        # Of its own: a connection has one stream at a time.
        own = self._connection.cursor()
        self._cursors.append(own)
        own.execute("SET TimeZone = 'UTC'")
        for name, rows in self._inputs.items():
            show(own, name, rows)
        reader: pa.RecordBatchReader = own.sql(query).to_arrow_reader(BATCH_ROWS)
        return reader

    def close(self) -> None:
        """Ends all streams."""
        for cursor in self._cursors:
            cursor.close()


def computed(
    function: FeatureFunction,
    inputs: Mapping[str, FeatureInput],
    context: FeatureContext,
    engine: EngineSettings,
) -> Iterator[pa.RecordBatch]:
    """The rows that the function gives, as they come, in batches of at most `BATCH_ROWS` rows.

    Raises:
        FeatureViewError: the function raises something, or gives something else than rows.
        StorageError: a file of an input cannot be read.
    """
    name, file, location = function.name, function.file, function.location
    with (
        duckdb_session(engine) as connection,
        told_without_values(name, file, location),
        closing(FeatureInputs(connection, inputs)) as given,
    ):
        for item in _items(function, function.call(given, context)):
            for batch in _batches(function, item):
                for first in range(0, batch.num_rows, BATCH_ROWS):
                    yield batch.slice(first, BATCH_ROWS)


def _items(function: FeatureFunction, found: Any) -> Iterable[Any]:
    if isinstance(found, pa.Table | pa.RecordBatch):
        return (found,)
    if isinstance(found, Iterable):
        return found
    raise _no_rows(function, found)


def _batches(function: FeatureFunction, item: Any) -> list[pa.RecordBatch]:
    if isinstance(item, pa.Table):
        return item.to_batches()
    if not isinstance(item, pa.RecordBatch):
        raise _no_rows(function, item)
    try:
        # Arrow of another library may point anywhere; whoever reads it then would crash.
        item.validate(full=True)
    except pa.ArrowInvalid:
        raise FeatureViewError(
            f"the function {function.name} gave a batch that is no valid Arrow",
            location=function.location,
            action="offsets are out of range, or a text is no UTF-8",
        ) from None
    return [item]


def _no_rows(function: FeatureFunction, found: Any) -> FeatureViewError:
    return FeatureViewError(
        f"the function {function.name} gave something else than rows",
        location=function.location,
        received=type(found).__name__,
        allowed="pyarrow record batches, one after another, a reader of them, or a table",
    )
