"""DuckDB sessions over the lake's files, with bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quality_platform.errors import EngineError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class EngineSettings:
    """Limits of one session: megabytes of memory (the rest spills to disk), and threads."""

    memory_limit_mb: int = 512
    threads: int = 2


@contextmanager
def duckdb_session(settings: EngineSettings) -> Iterator[DuckDBPyConnection]:
    """An in-memory DuckDB that spills to a temporary folder and loads no extension from outside.

    Raises:
        EngineError: what ran in the session failed; the message is DuckDB's.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="quality-platform-") as spill:
        connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{settings.memory_limit_mb}MB",
                "threads": str(settings.threads),
                "temp_directory": spill,
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        try:
            with engine_errors():
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
        finally:
            connection.close()


@contextmanager
def engine_errors() -> Iterator[None]:
    """Turns DuckDB's exceptions into `EngineError`."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise EngineError(f"DuckDB: {error}") from error


def create_view(connection: DuckDBPyConnection, name: str, files: Sequence[str]) -> None:
    """A view called `name` over Parquet files of one schema.

    Columns `filename` and `file_row_number` (from 0) tell where a row stands.
    """
    listed = ", ".join(quote_literal(file) for file in files)
    connection.execute(
        f"CREATE OR REPLACE VIEW {quote_identifier(name)} AS "
        f"SELECT * FROM read_parquet([{listed}], filename = true, file_row_number = true)"
    )


def create_views(connection: DuckDBPyConnection, views: Mapping[str, Sequence[str]]) -> None:
    """A view for every name; see `create_view`."""
    for name, files in views.items():
        create_view(connection, name, files)


def quote_identifier(name: str) -> str:
    """The name as a SQL identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def quote_literal(value: str) -> str:
    """The text as a SQL string literal."""
    escaped = value.replace("'", "''")
    return f"'{escaped}'"
