"""MySQL and MariaDB as a source: a table or query, as a whole or by a cursor.

docs/sources/mysql.md says what is consistent, and what becomes of each type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from quality_platform.config.source_models import ConnectionConfig, MySqlSourceConfig
from quality_platform.sources.incremental import cursor_name
from quality_platform.sources.mysql_catalog import Relation, found_relation
from quality_platform.sources.mysql_columns import readings
from quality_platform.sources.mysql_cursor import CLOCK, MySqlCursor
from quality_platform.sources.mysql_session import IdleSession, MySqlSession
from quality_platform.sources.mysql_types import Decoded, Reading
from quality_platform.sources.protocol import (
    Part,
    RejectedRecord,
    SourceBatch,
    SourceContext,
    Wanted,
)
from quality_platform.sources.raw_rows import json_rows
from quality_platform.sources.sql_errors import DatabasePlace

WHOLE = "table"
"""The name of the position's entry for what is read as a whole."""


@dataclass(frozen=True)
class MySqlSource:
    """A table or query of a database."""

    config: MySqlSourceConfig
    context: SourceContext
    connection: ConnectionConfig
    place: DatabasePlace
    idle: IdleSession = field(default_factory=IdleSession, compare=False, repr=False)

    def parts(self, wanted: Wanted) -> Sequence[Part]:
        """The range that is new, or everything.

        Raises:
            RunnerFileError: the table's name or a bound of the cursor cannot be used.
            SourceError: the source cannot be read, or its columns do not fit the contract.
        """
        with ExitStack() as stack:
            session = stack.enter_context(self._session())
            part = self._part(session, wanted)
            if part is None:
                return ()
            stack.pop_all()
            self.idle.keep(session)
        return (part,)

    def _part(self, session: MySqlSession, wanted: Wanted) -> Part | None:
        incremental = self.context.load.incremental
        relation = found_relation(session, self.config, self.place)
        readings(relation, self.context, self.config)
        if incremental is None:
            # Each reading is a version of its own: what is in a table has no checksum.
            version = f"read at {session.rows(f'SELECT {CLOCK} AS now')[0]['now']}"
            return Part(WHOLE, version, partial(self._batches, relation, ""), whole=True)
        cursor = MySqlCursor(self.context, relation)
        found = cursor.range_of(session, wanted)
        if found is None:
            return None
        condition = cursor.condition(found)
        if self.context.load.mode == "append":
            cursor.await_writers(session, condition)
        batches = partial(self._batches, relation, f" WHERE {condition}")
        return Part(cursor_name(incremental), found.version, batches)

    def _session(self) -> MySqlSession:
        return MySqlSession(self.connection, self.place, self.context.home)

    @contextmanager
    def _reading_session(self) -> Iterator[MySqlSession]:
        """The session that planned the reading; a new one where that was read from already."""
        kept = self.idle.taken()
        if kept is None:
            with self._session() as session:
                yield session
            return
        with ExitStack() as stack:
            stack.push(kept)
            yield kept

    def _batches(self, relation: Relation, where: str) -> Iterator[SourceBatch]:
        found = readings(relation, self.context, self.config)
        expressions = [e for reading in found for e in reading.expressions]
        selected = ", ".join(f"{e} AS c{n}" for n, e in enumerate(expressions))
        sql = f"SELECT {selected} FROM {relation.sql}{where}"
        with self._reading_session() as session:
            _, batches = session.stream(sql, relation.batch_rows)
            for batch in batches:
                if batch.num_rows:
                    yield source_batch(batch, found, self.context.columns.names)


def open_source(config: MySqlSourceConfig, context: SourceContext) -> MySqlSource:
    """The table or query that the configuration names; connects to nothing yet."""
    connection = context.connection
    assert connection is not None
    return MySqlSource(config, context, connection, DatabasePlace.of(config.connection, context))


def source_batch(
    batch: pa.RecordBatch, readings: Sequence[Reading], names: Sequence[str]
) -> SourceBatch:
    """A batch of the server as the platform's; rows with an impossible value are rejects of it."""
    found, first = [], 0
    for reading in readings:
        last = first + len(reading.expressions)
        found.append(reading.decode(batch.columns[first:last]))
        first = last
    columns = pa.record_batch([decoded.column for decoded in found], names=list(names))
    rejected = sorted({row for decoded in found for row in decoded.impossible})
    rejects = _rejects(columns, found, rejected)
    if rejected:
        kept = sorted({*range(columns.num_rows)} - {*rejected})
        columns = columns.take(pa.array(kept, pa.int64()))
    lines = pa.nulls(columns.num_rows, pa.int64())
    return SourceBatch(columns, lines, json_rows(columns), rejects, text=False)


def _rejects(
    columns: pa.RecordBatch, found: Sequence[Decoded], rows: Sequence[int]
) -> tuple[RejectedRecord, ...]:
    """Rows with a value that Arrow has none for; in their JSON it is the server's text."""
    if not rows:
        return ()
    shown = columns.take(pa.array(rows, pa.int64()))
    for n, decoded in enumerate(found):
        if decoded.impossible:
            texts = [decoded.impossible.get(row) for row in rows]
            known = shown.column(n).cast(pa.string()).to_pylist()
            merged = [k if text is None else text for k, text in zip(known, texts, strict=True)]
            shown = shown.set_column(n, columns.schema.names[n], pa.array(merged, pa.string()))
    raws = json_rows(shown)(range(len(rows)))
    return tuple(
        RejectedRecord(None, raw, _reason(found, columns.schema, row))
        for raw, row in zip(raws, rows, strict=True)
    )


def _reason(found: Sequence[Decoded], schema: pa.Schema, row: int) -> str:
    return "; ".join(
        f"{field.name}: {decoded.impossible[row]!r} is no {decoded.kind}"
        for field, decoded in zip(schema, found, strict=True)
        if row in decoded.impossible
    )
