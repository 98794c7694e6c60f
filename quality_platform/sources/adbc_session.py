"""One session on a database through any ADBC driver: Arrow from end to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib import import_module
from typing import Any

import pyarrow as pa

from quality_platform.config.source_models import ConnectionConfig, SqlSourceConfig
from quality_platform.errors import (
    QualityPlatformError,
    RunnerFileError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from quality_platform.sources.incremental import CursorRange
from quality_platform.sources.postgres_errors import of_connecting, of_sqlstate
from quality_platform.sources.protocol import RejectedRecord
from quality_platform.sources.raw_rows import json_rows
from quality_platform.sources.sql_errors import DatabasePlace, Failure
from quality_platform.sources.sql_text import Dialect, literal, quote_identifier, split_name

PREFIX = "adbc+"

_NO_SUCH = Failure(
    SourceNotFoundError,
    "the table or query cannot be read",
    "correct `table` or `query`, and the rights of the connection's user",
)
_STOPPED = Failure(
    SourceError,
    "the driver stopped the reading; nothing of what was read is published",
    "cast what may be of several types to text in a `query`, or run it again",
)
_UNREACHABLE = Failure(
    SourceUnreachableError,
    "the database cannot be opened",
    "run it again once it is up, or correct the connection's url",
)
_DENIED = Failure(
    SourceAccessError,
    "the database refuses the user",
    "correct user, password and rights of the connection",
)
_LOST = Failure(
    SourceUnreachableError,
    "the connection was lost; nothing of what was read is published",
    "run it again once the database is up",
)
_BY_STATUS = {
    "UNAUTHENTICATED": _DENIED,
    "UNAUTHORIZED": _DENIED,
    "TIMEOUT": Failure(SourceTimeoutError, "the driver's time was over", "run it again later"),
    "IO": _LOST,
}
"""By the names of ADBC's status codes (AdbcStatusCode)."""
_BACKTICKS = ("mysql", "mariadb", "bigquery", "databricks", "spark")
"""Words in the names of vendors that quote names with backticks."""


@dataclass
class AdbcSession:
    """A connection, and the table or query that is read."""

    connection: Any
    config: SqlSourceConfig
    place: DatabasePlace
    orders_texts = False

    def names(self) -> list[str]:
        """The names of the relation's columns."""
        with telling(self.place, _NO_SUCH, shown=True):
            return list(self._table(f"SELECT * FROM {self._relation} WHERE 1 = 0").schema.names)

    def greatest(self, column: str, *, is_text: bool) -> tuple[Any, bool]:
        """The column's greatest value, and whether there are rows without one."""
        assert not is_text
        name = self._quoted(column)
        with telling(self.place, _STOPPED):
            found = self._table(
                f"SELECT max({name}) AS greatest, count(*) AS n, count({name}) AS known "
                f"FROM {self._relation}"
            )
            # By position: some databases write all names in capitals.
            greatest, rows, known = (found.column(n)[0].as_py() for n in range(3))
        return greatest, rows > known

    def stream(
        self, schema: pa.Schema, within: CursorRange | None, missing: Sequence[str] = ()
    ) -> Iterator[tuple[pa.RecordBatch, tuple[RejectedRecord, ...]]]:
        """The columns of the schema, with the driver's types; NULL where `missing`.

        Raises:
            SourceError: the database stopped, also after rows were given.
        """
        columns = ", ".join(
            f"{'NULL AS ' if name in missing else ''}{self._quoted(name)}" for name in schema.names
        )
        sql = f"SELECT {columns} FROM {self._relation}"
        if within is not None:
            column = self._quoted(within.column)
            sql += f" WHERE {within.where(column, partial(literal, self._dialect))}"
        self.place.request()
        with telling(self.place, _STOPPED), self.connection.cursor() as cursor:
            cursor.execute(sql)
            for batch in cursor.fetch_record_batch():
                yield _readable(_without_guesses(batch, schema))

    def _table(self, sql: str) -> pa.Table:
        self.place.request()
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            found: pa.Table = cursor.fetch_arrow_table()
            return found

    @cached_property
    def _dialect(self) -> Dialect:
        vendor = ""
        with suppress(*_errors()):
            vendor = str(self.connection.adbc_get_info().get("vendor_name", "")).casefold()
        return "mysql" if any(word in vendor for word in _BACKTICKS) else "ansi"

    def _quoted(self, *parts: str) -> str:
        return quote_identifier(self._dialect, *parts)

    @property
    def _relation(self) -> str:
        if self.config.query is not None:
            # A comment at the end would take the bracket with it.
            return f"({self.config.query.rstrip().rstrip(';')}\n) AS source"
        assert self.config.table is not None
        return self._quoted(*split_name(self.config.table))


@contextmanager
def adbc_session(
    connection: ConnectionConfig, config: SqlSourceConfig, place: DatabasePlace
) -> Iterator[AdbcSession]:
    """A session with the driver that the URL `adbc+DRIVER:URI` names.

    `DRIVER` is a Python package with an ADBC driver, such as `adbc_driver_sqlite`, or a driver that
    ADBC's driver manager finds by its name or path.

    Raises:
        RunnerFileError: there is no such driver, or the table's name is none.
        SourceUnreachableError: the database cannot be opened.
    """
    _require_name(config, place)
    driver, _, uri = connection.url.get_secret_value().removeprefix(PREFIX).partition(":")
    place.request()
    # What is secret is told by the driver's own URL.
    place = replace(place, url=uri)
    opened = _connect(driver, uri, place)
    try:
        yield AdbcSession(opened, config, place)
    finally:
        with suppress(*_errors()):
            opened.close()


def _connect(driver: str, uri: str, place: DatabasePlace) -> Any:
    try:
        connect = import_module(f"{driver}.dbapi").connect
        arguments: tuple[Any, ...] = (uri,)
        settings: dict[str, Any] = {}
    except (ImportError, ValueError, TypeError):
        from adbc_driver_manager import dbapi

        connect, arguments = dbapi.connect, ()
        settings = {"driver": driver, "db_kwargs": {"uri": uri}}
    try:
        return connect(*arguments, **settings)
    except _errors() as error:
        if "[Driver Manager]" in str(error):
            raise _no_driver(driver, place) from None
        found = of_connecting(str(error)) or _failure(error, _UNREACHABLE)
        raise place.error(_UNREACHABLE if found is _LOST else found) from None


def _no_driver(driver: str, place: DatabasePlace) -> RunnerFileError:
    return RunnerFileError(
        "there is no such ADBC driver",
        location=place.location,
        field=f"connections.{place.connection}.url",
        received=driver,
        allowed="a Python package such as adbc_driver_sqlite, or an installed driver",
        action="install it",
    )


def _errors() -> tuple[type[Exception], ...]:
    from adbc_driver_manager import Error

    return (Error, OSError, pa.ArrowException)


@contextmanager
def telling(place: DatabasePlace, otherwise: Failure, *, shown: bool = False) -> Iterator[None]:
    """Turns what a driver raises into errors that show neither the URL nor a value of a row.

    `otherwise` is told where nothing better is known. The driver's text is `shown` where the
    statement reads no row, so that it speaks of names alone.
    """
    try:
        yield
    except QualityPlatformError:
        raise
    except _errors() as error:
        raise place.error(_failure(error, otherwise), str(error) if shown else "") from None


def _failure(error: Exception, otherwise: Failure) -> Failure:
    status = getattr(getattr(error, "status_code", None), "name", "")
    state = getattr(error, "sqlstate", None) or ""
    return of_sqlstate(state) or _BY_STATUS.get(status) or otherwise


def _require_name(config: SqlSourceConfig, place: DatabasePlace) -> None:
    try:
        split_name(config.table or "query")
    except ValueError as error:
        raise RunnerFileError(
            str(error),
            location=place.location,
            field=f"{place.field}.table",
            received=config.table,
            allowed="table, schema.table, catalog.schema.table",
        ) from None


def _without_guesses(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch; whole numbers are texts where the contract has no numbers.

    SQLite's driver calls a column whole numbers where its first rows are NULL.
    """
    columns = [
        _written(column, field.type)
        if pa.types.is_integer(column.type) and not _is_number(field.type)
        else column
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.record_batch(columns, names=schema.names)


def _is_number(kind: pa.DataType) -> bool:
    kinds = (pa.types.is_integer, pa.types.is_decimal, pa.types.is_floating)
    return any(is_one(kind) for is_one in kinds)


def _written(numbers: pa.Array[Any], kind: pa.DataType) -> pa.Array[Any]:
    texts = numbers.cast(pa.string())
    return texts.cast(pa.binary()) if pa.types.is_binary(kind) else texts


def _readable(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, tuple[RejectedRecord, ...]]:
    """The batch without the rows that have a text which is no UTF-8, and those."""
    bad: dict[int, list[str]] = {}
    shown = batch
    for n, field in enumerate(batch.schema):
        if not (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
            continue
        try:
            batch.column(n).validate(full=True)
        except pa.ArrowInvalid:
            texts, rows = _escaped(batch.column(n))
            shown = shown.set_column(n, field.name, texts)
            for row in rows:
                bad.setdefault(row, []).append(f"{field.name}: bytes that are no UTF-8")
    if not bad:
        return batch, ()
    raw = json_rows(shown)(sorted(bad))
    rejects = tuple(
        RejectedRecord(None, text, "; ".join(bad[row]))
        for text, row in zip(raw, sorted(bad), strict=True)
    )
    good = [row for row in range(batch.num_rows) if row not in bad]
    return batch.take(pa.array(good, pa.int64())), rejects


def _escaped(column: pa.Array[Any]) -> tuple[pa.Array[Any], list[int]]:
    """The texts with backslash escapes for what is no UTF-8, and the rows of those."""
    stored = column.cast(pa.binary()).to_pylist()
    texts = [None if s is None else s.decode("utf-8", "backslashreplace") for s in stored]
    bad = [n for n, s in enumerate(stored) if s is not None and texts[n].encode() != s]  # type: ignore[union-attr]
    return pa.array(texts, pa.string()), bad
