"""Transactions that write to a table and have not ended: what they add may lie before a bound.

A transaction takes its ids and times before it commits. A load that reads up to the greatest value
it can see would never find a lower one that is committed later. Hence the order of things:

1. the greatest value, in a snapshot of its own;
2. which transactions hold a lock for writing to what was read: an INSERT takes it before it asks a
   sequence, so whoever has a lower id and has not committed is among them;
3. wait until all of those have ended, not for any that begin later;
4. only then the snapshot from which rows are read.

For times this is not enough: now() is when the transaction began, which may be long before its
first INSERT. There the range ends before the oldest transaction that still runs began. The server
shows that of other users only to roles with pg_read_all_stats; docs/sources/postgres.md has what
else cannot be seen (sequences with a cache, standbys, values that applications make).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from quality_platform.config.source_models import ConnectionConfig
from quality_platform.errors import SourceTimeoutError
from quality_platform.sources.postgres_session import (
    APPLICATION,
    PostgresSession,
    postgres_session,
)
from quality_platform.sources.sql_errors import DatabasePlace, Failure
from quality_platform.sources.sql_text import text_literal

WAIT_SECONDS = 30.0
"""How long transactions may go on that began to write before the end of the range was taken."""
_POLL_SECONDS = 0.05
_FIRST_USER_OID = 16384

_WRITING = "('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"


def oldest_start(session: PostgresSession) -> datetime | None:
    """When the oldest other transaction of the database that still runs began, as far as shown.

    The platform's own never write.
    """
    rows = session.rows(
        "SELECT min(coalesce(xact_start, CASE WHEN state = 'active' THEN query_start END)) "
        "AS oldest FROM pg_catalog.pg_stat_activity WHERE pid <> pg_catalog.pg_backend_pid() "
        "AND datname = pg_catalog.current_database() AND backend_type <> 'autovacuum worker' "
        f"AND application_name <> {text_literal('postgres', APPLICATION)}"
    )
    oldest: datetime | None = rows[0]["oldest"]
    return oldest


def writers(session: PostgresSession, *, only_hidden: bool) -> list[str]:
    """The transactions that may be writing to what this transaction has read so far.

    `only_hidden` leaves out those whose beginning `oldest_start` has seen.
    """
    hidden = (
        "AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity a "
        "WHERE a.pid = o.pid AND a.xact_start IS NOT NULL)"
    )
    rows = session.rows(
        "SELECT DISTINCT o.virtualtransaction AS id FROM pg_catalog.pg_locks o "
        "WHERE o.locktype = 'relation' AND o.granted "
        f"AND o.mode IN {_WRITING} AND o.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() "
        "AND o.database = (SELECT oid FROM pg_catalog.pg_database "
        "WHERE datname = pg_catalog.current_database()) "
        "AND o.relation IN (SELECT m.relation FROM pg_catalog.pg_locks m "
        "WHERE m.pid = pg_catalog.pg_backend_pid() AND m.locktype = 'relation' "
        f"AND m.relation >= {_FIRST_USER_OID}) "
        f"{hidden if only_hidden else ''}"
    )
    return [row["id"] for row in rows]


def wait_for(ids: Sequence[str], connection: ConnectionConfig, place: DatabasePlace) -> None:
    """Waits until these transactions have ended, without a lock on any table.

    Raises:
        SourceTimeoutError: they take longer than `WAIT_SECONDS`.
    """
    if not ids:
        return
    deadline = time.monotonic() + WAIT_SECONDS
    with postgres_session(connection, place, "READ COMMITTED") as session:
        while _running(session, ids):
            if time.monotonic() > deadline:
                raise place.error(
                    Failure(
                        SourceTimeoutError,
                        f"{len(ids)} transactions that write to the table have not ended after "
                        f"{WAIT_SECONDS:g} s, and rows of theirs would be lost",
                        "end them (pg_stat_activity shows them), or use load.mode: merge with a "
                        "lookback",
                    )
                )
            time.sleep(_POLL_SECONDS)


def _running(session: PostgresSession, ids: Sequence[str]) -> bool:
    held = {
        row["id"]
        for row in session.rows(
            "SELECT DISTINCT virtualtransaction AS id FROM pg_catalog.pg_locks "
            f"WHERE locktype = 'relation' AND granted AND mode IN {_WRITING}"
        )
    }
    return bool(held & set(ids))
