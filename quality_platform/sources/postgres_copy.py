"""One read-only transaction on a PostgreSQL whose rows come by COPY: for what has many rows.

psycopg2 gives the rows as they come from the server, and `postgres_binary` makes Arrow of thousands
at once: docs/adr/0015-rows-of-postgresql-by-copy.md says why.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import pyarrow as pa

from quality_platform.config.source_models import ConnectionConfig
from quality_platform.errors import SourceError
from quality_platform.sources.postgres_binary import (
    Packed,
    UndecodableRowsError,
    can_decode,
    decoded,
    without_frame,
)
from quality_platform.sources.postgres_errors import connecting, running
from quality_platform.sources.postgres_session import PostgresSession, libpq_uri
from quality_platform.sources.sql_errors import DatabasePlace, Failure

_CHUNK_BYTES = 4 * 1024 * 1024
"""Rows that are decoded at once."""
_PACK_BYTES = 64 * 1024
"""Rows that are objects of Python at once: few enough to stay in the processor's cache."""
_ENDING_SECONDS = 10

_UNLIKE = Failure(
    SourceError,
    "the rows of the server have other types than it said",
    "run it again; if it stays so, set `parallel: 2`, which reads through another driver",
)


@contextmanager
def copy_session(connection: ConnectionConfig, place: DatabasePlace) -> Iterator[CopySession]:
    """A session in a read-only transaction, which sees the database as it is now.

    Raises:
        RunnerFileError: the connection's URL is none of PostgreSQL.
        SourceUnreachableError: the server cannot be reached.
        SourceAccessError: it refuses the user.
    """
    import psycopg2

    uri = libpq_uri(connection, place)
    place.request()
    with connecting(place):
        opened = psycopg2.connect(uri)
    try:
        opened.autocommit = True
        session = CopySession(opened, place)
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        session.settle(connection)
        yield session
        session.run("ROLLBACK")
    finally:
        opened.close()


class CopySession(PostgresSession):
    """A connection of psycopg2 within its transaction."""

    def columns(self, sql: str) -> list[str]:
        """The names of the columns of a result, without its rows."""
        self.place.request()
        return [name for name, _ in self._described(sql)]

    def stream(self, sql: str) -> Generator[pa.RecordBatch, None, None]:
        """The rows of a result, in batches of about `_CHUNK_BYTES`.

        Raises:
            SourceError: the statement failed, also after rows were given.
        """
        self.place.request()
        columns = self._described(f"SELECT * FROM ({sql}) AS s LIMIT 0")
        names, types = zip(*columns, strict=True)
        if not all(map(can_decode, types)):
            raise self.place.error(_UNLIKE)
        copied = _copied(self.connection, f"COPY ({sql}) TO STDOUT (FORMAT binary)")
        with running(self.place, self._answers), closing(copied) as chunks:
            try:
                for rows in chunks:
                    yield decoded(rows, names, types)
            except UndecodableRowsError:
                raise self.place.error(_UNLIKE) from None

    def run(self, sql: str) -> None:
        """Runs a statement without a result."""
        with running(self.place, self._answers), self.connection.cursor() as cursor:
            cursor.execute(sql)

    def _fetched(self, sql: str) -> list[dict[str, Any]]:
        with running(self.place, self._answers), self.connection.cursor() as cursor:
            cursor.execute(sql)
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _described(self, sql: str) -> list[tuple[str, int]]:
        """The columns of a result with the numbers of their types in pg_type."""
        with running(self.place, self._answers), self.connection.cursor() as cursor:
            cursor.execute(sql)
            return [(column.name, column.type_code) for column in cursor.description]

    def _answers(self) -> bool:
        import psycopg2

        if self.connection.closed:
            return False
        try:
            with self.connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
        except psycopg2.Error:
            return False
        return True


def _copied(connection: Any, sql: str) -> Generator[Packed, None, None]:
    """The rows of a COPY in chunks of about `_CHUNK_BYTES`; those of the last may be fewer.

    psycopg2 gives rows to a function until there are no more, so that it has a thread of its own.
    The two threads take turns: each row asks for Python's lock, for which nobody else must wait.
    """
    turns = _Turns()
    thread = threading.Thread(target=turns.copy, args=(connection, sql), daemon=True)
    thread.start()
    try:
        while (rows := turns.next_rows()) is not None:
            yield rows
    except BaseException:
        turns.stop()
        if not turns.ended:
            # Wakes the thread, also where the server says nothing.
            _shut(connection)
        thread.join(_ENDING_SECONDS)
        raise
    thread.join()


def _shut(connection: Any) -> None:
    import psycopg2

    with suppress(OSError, psycopg2.Error), socket.socket(fileno=connection.fileno()) as shared:
        try:
            shared.shutdown(socket.SHUT_RDWR)
        finally:
            # It belongs to libpq, which closes it.
            shared.detach()


class _StoppedError(Exception):
    """Nobody wants further rows."""


@dataclass(frozen=True)
class _Sink:
    """What psycopg2 takes for a file."""

    write: Callable[[bytes], None]


class _Turns:
    """Hands rows from the thread that copies to the one that decodes, of which one runs."""

    def __init__(self) -> None:
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._given: SimpleQueue[Packed | BaseException | None] = SimpleQueue()
        self._messages: list[bytes] = []
        self._packed: list[Packed] = []
        self._first = True
        self.ended = False

    def next_rows(self) -> Packed | None:
        """The next rows of the server; None behind the last.

        Raises:
            BaseException: what the copying thread raised.
        """
        self._wanted.put(True)
        found = self._given.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def stop(self) -> None:
        """Ends the copying thread at its next turn."""
        self._wanted.put(False)

    def copy(self, connection: Any, sql: str) -> None:
        """Runs the COPY: what the other thread does."""
        try:
            self._await_turn()
            collected = self._collected()
            next(collected)
            with connection.cursor() as cursor:
                cursor.copy_expert(sql, _Sink(collected.send))
            self._pack()
            self._hand_over()
            self.ended = True
            self._given.put(None)
        except _StoppedError:
            return
        except BaseException as error:  # noqa: BLE001 - whoever decodes the rows raises it
            self.ended = True
            self._given.put(error)

    def _collected(self) -> Generator[None, bytes, None]:
        """Takes messages one by one; faster than a function, of which there is a call for each."""
        while True:
            messages, missing = self._messages, _PACK_BYTES
            while missing > 0:
                message = yield
                messages.append(message)
                missing -= len(message)
            self._pack()
            if sum(len(packed.data) for packed in self._packed) >= _CHUNK_BYTES:
                self._hand_over()

    def _pack(self) -> None:
        if rows := without_frame(self._messages, first=self._first):
            self._packed.append(Packed.of(rows))
        self._messages, self._first = [], False

    def _hand_over(self) -> None:
        if self._packed:
            self._given.put(Packed.joined(self._packed))
            self._packed = []
            self._await_turn()

    def _await_turn(self) -> None:
        if not self._wanted.get():
            raise _StoppedError
