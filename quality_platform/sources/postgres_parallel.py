"""Several connections that read one table at once, all in the snapshot of the first."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from quality_platform.config.source_models import ConnectionConfig
from quality_platform.sources.postgres_session import PostgresSession, postgres_session
from quality_platform.sources.sql_errors import DatabasePlace

_RANGES_EACH = 4
"""Ranges of pages for each connection: rows may lie unevenly, and who is done takes the next."""
_PUT_SECONDS = 0.1

Statement = Callable[[str], str]
"""The SELECT, given a further condition."""


def parallel_batches(
    leader: PostgresSession,
    statement: Statement,
    pages: int,
    connection: ConnectionConfig,
    workers: int,
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of a table of so many pages, in no order; memory is a few batches a connection.

    Raises:
        SourceError: one of the connections failed; the others are stopped.
    """
    # The leader's transaction stays open for as long as rows are read: the snapshot is its own.
    snapshot = leader.rows("SELECT pg_catalog.pg_export_snapshot() AS name")[0]["name"]
    ranges = page_ranges(pages, workers * _RANGES_EACH)
    pool = _Pool(connection, leader.place, snapshot, [statement(r) for r in ranges], workers)
    yield from pool.batches()


def page_ranges(pages: int, number: int) -> list[str]:
    """Conditions on ctid, each for as many pages; together they have every row once.

    The first begins and the last ends with the table, whatever its size has become.
    """
    size = max(1, -(-pages // number))
    starts = [*range(0, max(pages, 1), size), None]
    conditions = []
    for first, after in itertools.pairwise(starts):
        bounds = [f"ctid >= '({first},0)'::tid"] if first else []
        bounds += [f"ctid < '({after},0)'::tid"] if after is not None else []
        conditions.append(" AND ".join(bounds))
    return conditions


@dataclass
class _Pool:
    connection: ConnectionConfig
    place: DatabasePlace
    snapshot: str
    statements: list[str]
    workers: int
    stopped: threading.Event = field(default_factory=threading.Event)

    def batches(self) -> Iterator[pa.RecordBatch]:
        self._waiting: queue.Queue[str] = queue.Queue()
        for statement in self.statements:
            self._waiting.put(statement)
        self._read: queue.Queue[pa.RecordBatch | BaseException | None]
        self._read = queue.Queue(self.workers)
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.workers)]
        for thread in threads:
            thread.start()
        try:
            yield from self._received()
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()

    def _received(self) -> Iterator[pa.RecordBatch]:
        running = self.workers
        while running:
            found = self._read.get()
            if found is None:
                running -= 1
            elif isinstance(found, BaseException):
                raise found
            else:
                yield found

    def _work(self) -> None:
        try:
            with postgres_session(self.connection, self.place, snapshot=self.snapshot) as session:
                self._read_ranges(session)
        except BaseException as error:  # noqa: BLE001 - whoever reads the batches raises it
            self._give(error)
        else:
            self._give(None)

    def _read_ranges(self, session: PostgresSession) -> None:
        while not self.stopped.is_set():
            try:
                statement = self._waiting.get_nowait()
            except queue.Empty:
                return
            for batch in session.stream(statement):
                self._give(batch)
                if self.stopped.is_set():
                    return

    def _give(self, found: pa.RecordBatch | BaseException | None) -> None:
        while not self.stopped.is_set():
            try:
                self._read.put(found, timeout=_PUT_SECONDS)
            except queue.Full:
                continue
            return
