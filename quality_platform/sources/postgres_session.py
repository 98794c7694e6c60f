"""One read-only transaction on a PostgreSQL, through ADBC."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import pyarrow as pa

from quality_platform.config.base_models import seconds
from quality_platform.config.source_models import ConnectionConfig
from quality_platform.errors import RunnerFileError
from quality_platform.sources.postgres_errors import connecting, running
from quality_platform.sources.sql_errors import DatabasePlace
from quality_platform.sources.sql_text import text_literal

BATCH_BYTES = 8 * 1024 * 1024
"""Roughly what one batch holds."""

APPLICATION = "quality-platform"
"""What the platform calls itself at the server."""

_SETTINGS = {
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "timezone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
    "idle_in_transaction_session_timeout": "0",
}
"""What decides how PostgreSQL writes a value as text, and how it reads ours."""

_PARAMETERS = {
    "application_name": APPLICATION,
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
"""Parameters of libpq where the URL does not say otherwise: a server that is gone is noticed."""

Isolation = Literal["READ COMMITTED", "REPEATABLE READ"]


@dataclass
class PostgresSession:
    """A connection within its transaction."""

    connection: Any
    place: DatabasePlace

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a small result, by column name."""
        self.place.request()
        return self._fetched(sql)

    def settle(self, connection: ConnectionConfig) -> None:
        """Sets everything for this transaction: pools of connections mix sessions."""
        self._fetched(_settings(connection))

    def _fetched(self, sql: str) -> list[dict[str, Any]]:
        with running(self.place, self._answers), self.connection.cursor() as cursor:
            cursor.execute(sql)
            found: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
        return found

    def columns(self, sql: str) -> list[str]:
        """The names of the columns of a result, without its rows."""
        self.place.request()
        with running(self.place, self._answers), self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetch_arrow_table().column_names)

    def stream(self, sql: str) -> Generator[pa.RecordBatch, None, None]:
        """The rows of a result, in batches of about `BATCH_BYTES`.

        Raises:
            SourceError: the statement failed, also after rows were given.
        """
        self.place.request()
        with running(self.place, self._answers), self.connection.cursor() as cursor:
            cursor.adbc_statement.set_options(
                **{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)}
            )
            cursor.execute(sql)
            reader = cursor.fetch_record_batch()
            try:
                yield from reader
            finally:
                reader.close()

    def run(self, sql: str) -> None:
        """Runs a statement without a result."""
        with running(self.place, self._answers), self.connection.cursor() as cursor:
            cursor.execute(sql)

    def _answers(self) -> bool:
        from adbc_driver_manager import Error

        try:
            with self.connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
        except (Error, OSError, pa.ArrowException):
            return False
        return True


@contextmanager
def postgres_session(
    connection: ConnectionConfig,
    place: DatabasePlace,
    isolation: Isolation = "REPEATABLE READ",
    snapshot: str = "",
) -> Iterator[PostgresSession]:
    """A session in a read-only transaction; `snapshot` is one that another session exported.

    Raises:
        RunnerFileError: the connection's URL is none of PostgreSQL.
        SourceUnreachableError: the server cannot be reached.
        SourceAccessError: it refuses the user.
    """
    import adbc_driver_postgresql.dbapi  # type: ignore[import-untyped]

    uri = libpq_uri(connection, place)
    place.request()
    with connecting(place):
        opened = adbc_driver_postgresql.dbapi.connect(uri, autocommit=True)
    try:
        session = PostgresSession(opened, place)
        session.run(f"BEGIN ISOLATION LEVEL {isolation} READ ONLY")
        if snapshot:
            session.run(f"SET TRANSACTION SNAPSHOT {text_literal('postgres', snapshot)}")
        session.settle(connection)
        yield session
        session.run("ROLLBACK")
    finally:
        _close(opened)


def _close(opened: Any) -> None:
    from adbc_driver_manager import Error

    # A lost connection cannot be closed properly; what happened before is the error to tell.
    with suppress(Error, OSError):
        opened.close()


def _settings(connection: ConnectionConfig) -> str:
    """The statement that sets everything."""
    milliseconds = seconds(connection.statement_timeout) * 1000
    settings = {**_SETTINGS, "statement_timeout": str(milliseconds)}
    calls = ", ".join(
        f"pg_catalog.set_config({text_literal('postgres', name)}, "
        f"{text_literal('postgres', value)}, true) AS s{n}"
        for n, (name, value) in enumerate(settings.items())
    )
    return f"SELECT {calls}"


def libpq_uri(connection: ConnectionConfig, place: DatabasePlace) -> str:
    """The connection's URL as libpq reads it; drivers of SQLAlchemy (`postgresql+...`) are dropped.

    Raises:
        RunnerFileError: it is none of PostgreSQL.
    """
    url = connection.url.get_secret_value()
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise RunnerFileError(
            "a source of type postgres needs a URL of PostgreSQL",
            location=place.location,
            field=f"connections.{place.connection}.url",
            allowed="postgresql://user:password@host:port/database",
        )
    address, _, query = rest.partition("?")
    given = {part.partition("=")[0] for part in query.split("&")}
    wanted = {**_PARAMETERS, "connect_timeout": str(max(1, seconds(connection.connect_timeout)))}
    parts = [part for part in query.split("&") if part and not part.startswith("client_encoding=")]
    parts += [f"{name}={quote(value)}" for name, value in wanted.items() if name not in given]
    return f"postgresql://{address}?{'&'.join([*parts, 'client_encoding=UTF8'])}"
