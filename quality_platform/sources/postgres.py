"""PostgreSQL as a source: a table or query, as a whole or by a cursor, in a consistent snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from quality_platform.config.source_models import ConnectionConfig, PostgresSourceConfig
from quality_platform.sources.incremental import CursorRange, cursor_name
from quality_platform.sources.postgres_catalog import Relation, found_relation
from quality_platform.sources.postgres_columns import select_list
from quality_platform.sources.postgres_copy import copy_session
from quality_platform.sources.postgres_cursor import PostgresCursor
from quality_platform.sources.postgres_parallel import parallel_batches
from quality_platform.sources.postgres_session import PostgresSession, postgres_session
from quality_platform.sources.protocol import Part, SourceBatch, SourceContext, Wanted
from quality_platform.sources.raw_rows import json_rows
from quality_platform.sources.sql_errors import DatabasePlace

WHOLE = "table"
"""The name of the position's entry for what is read as a whole."""

_INFINITIES = {
    -9222425352054775809: "infinity",
    -9222425352054775808: "-infinity",
    -2147472692: "infinity",
    -2147472691: "-infinity",
}
"""What the driver makes of infinite timestamps (microseconds) and dates (days)."""
_FIRST_TIMESTAMP = -210_866_803_200_000_000
"""The first that PostgreSQL has, in 4714 BC: lesser numbers are later ones that did not fit."""


@dataclass(frozen=True)
class PostgresSource:
    """A table or query of a database."""

    config: PostgresSourceConfig
    context: SourceContext
    connection: ConnectionConfig
    place: DatabasePlace

    def parts(self, wanted: Wanted) -> Sequence[Part]:
        """The range that is new, or everything.

        Raises:
            RunnerFileError: `load.incremental` does not fit the table.
            SourceError: the source cannot be read, or its columns do not fit the contract.
        """
        if self.context.load.incremental is None:
            return (self._everything(),)
        return self._new(wanted)

    def _everything(self) -> Part:
        with copy_session(self.connection, self.place) as session:
            select_list(found_relation(session, self.config), self.context, self.config)
            now = session.rows(
                "SELECT pg_catalog.clock_timestamp()::text AS now, "
                "pg_catalog.pg_current_snapshot()::text AS snapshot"
            )[0]
        # Each reading is a version of its own: what is in a table has no checksum.
        version = f"snapshot {now['snapshot']} at {now['now']}"
        return Part(WHOLE, version, partial(self._batches, None), whole=True)

    def _new(self, wanted: Wanted) -> Sequence[Part]:
        cursor = PostgresCursor(self.context, self.connection, self.place)
        with postgres_session(self.connection, self.place, "READ COMMITTED") as session:
            relation = found_relation(session, self.config)
            select_list(relation, self.context, self.config)
            found, ids = cursor.range_of(session, relation, wanted)
        if found is None:
            return ()
        cursor.wait(ids)
        incremental = self.context.load.incremental
        assert incremental is not None
        name = cursor_name(incremental)
        return (Part(name, found.version, partial(self._batches, found)),)

    def _session(self) -> AbstractContextManager[PostgresSession]:
        # Several connections are read at once only by the driver that holds no lock of Python's.
        open_ = postgres_session if self.config.parallel > 1 else copy_session
        return open_(self.connection, self.place)

    def _batches(self, within: CursorRange | None) -> Iterator[SourceBatch]:
        with self._session() as session:
            relation = found_relation(session, self.config)
            condition = self._condition(session, relation, within)
            statement = self._statement(relation, condition)
            if self.config.parallel > 1 and _is_divisible(relation, within):
                batches = parallel_batches(
                    session, statement, relation.pages or 0, self.connection, self.config.parallel
                )
            else:
                batches = session.stream(statement(""))
            # A reading that is left early ends before its connection does.
            with closing(batches):
                for batch in batches:
                    yield source_batch(batch)

    def _condition(
        self, session: PostgresSession, relation: Relation, within: CursorRange | None
    ) -> str:
        if within is None:
            return ""
        cursor = PostgresCursor(self.context, self.connection, self.place)
        if self.context.load.mode == "append":
            cursor.require_no_unreachable(session, relation)
        return cursor.condition(relation, within)

    def _statement(self, relation: Relation, condition: str) -> Callable[[str], str]:
        """The SELECT of everything wanted, given a further condition ("" for none)."""
        columns = select_list(relation, self.context, self.config)

        def statement(further: str) -> str:
            conditions = " AND ".join(part for part in (condition, further) if part)
            where = f" WHERE {conditions}" if conditions else ""
            return f"SELECT {columns} FROM {relation.sql}{where}"

        return statement


def open_source(config: PostgresSourceConfig, context: SourceContext) -> PostgresSource:
    """The table or query that the configuration names; connects to nothing yet."""
    connection = context.connection
    assert connection is not None
    return PostgresSource(config, context, connection, DatabasePlace.of(config.connection, context))


def source_batch(batch: pa.RecordBatch) -> SourceBatch:
    """A batch of the driver as the platform's; its rows have no lines."""
    return SourceBatch(
        columns=batch,
        lines=pa.nulls(batch.num_rows, pa.int64()),
        raw=json_rows(batch, _words),
        text=False,
    )


def _words(number: int) -> str:
    """What a date or timestamp beyond Python's calendar was at the source, where Arrow lost it."""
    if number in _INFINITIES:
        return _INFINITIES[number]
    return "after the year 294246" if number < _FIRST_TIMESTAMP else ""


def _is_divisible(relation: Relation, within: CursorRange | None) -> bool:
    """Whether pages can be read apart; a range with a beginning is found faster by an index."""
    has_beginning = within is not None and (within.after, within.first) != (None, None)
    return relation.pages is not None and not has_beginning
