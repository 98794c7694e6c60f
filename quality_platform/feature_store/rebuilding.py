"""Which entities an online store has that the table has not: for stores that are built anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from quality_platform.feature_store.wire_format import Column, objects_of
from quality_platform.lake.query import EngineSettings, duckdb_session

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_AT_ONCE = 10_000


class KeyComparison:
    """Encoded keys of two sides; what does not fit into the memory is on disk."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        for side in ("wanted", "stored"):
            connection.execute(f"CREATE TABLE {side} (key BLOB)")

    def wanted(self, keys: Column) -> None:
        """Adds keys of the table."""
        self._add("wanted", pa.table({"key": keys}))

    def stored(self, keys: Sequence[bytes]) -> None:
        """Adds keys of the store; one may come several times."""
        self._add("stored", pa.table({"key": pa.array(keys, pa.binary())}))

    def unwanted(self) -> Iterator[list[bytes]]:
        """The keys of the store that are none of the table, each once."""
        found = self._connection.sql(
            "SELECT DISTINCT s.key FROM stored AS s ANTI JOIN wanted AS w ON s.key = w.key"
        )
        for batch in found.to_arrow_reader(_AT_ONCE):
            yield objects_of(batch.column(0))

    def _add(self, side: str, keys: pa.Table) -> None:
        self._connection.register("more_keys", keys)
        self._connection.execute(f"INSERT INTO {side} SELECT key FROM more_keys")
        self._connection.unregister("more_keys")


@contextmanager
def key_comparison(settings: EngineSettings) -> Iterator[KeyComparison]:
    """A comparison in a DuckDB of its own, within the limits of the settings.

    Raises:
        EngineError: DuckDB failed.
    """
    with duckdb_session(settings) as connection:
        yield KeyComparison(connection)
