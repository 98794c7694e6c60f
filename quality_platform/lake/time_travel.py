"""What readers of `main` saw at a moment, by the log that a table keeps of its snapshots."""

from __future__ import annotations

from datetime import UTC, datetime

from pyiceberg.table import Table
from pyiceberg.table.snapshots import SnapshotLogEntry


def moment_of(text: str) -> datetime | None:
    """The moment that a text of ISO 8601 tells, in UTC where it names no zone; None for no such."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def snapshot_seen_at(table: Table, moment: datetime) -> int | None:
    """The id of the snapshot that `main` showed at the moment; None where it cannot be told.

    Of snapshots that were removed, no entry remains: where one may have been between the moment and
    the entry before it, the answer is not known.
    """
    log, limit = table.metadata.snapshot_log, moment.timestamp() * 1000
    earlier = [entry for entry in log if entry.timestamp_ms <= limit]
    later = log[len(earlier) : len(earlier) + 1]
    if not earlier or any(not _follows(table, earlier[-1], entry) for entry in later):
        return None
    return earlier[-1].snapshot_id


def first_moment(table: Table) -> datetime | None:
    """From when on the log tells what `main` showed; None for a table without a log."""
    log = table.metadata.snapshot_log
    return datetime.fromtimestamp(log[0].timestamp_ms / 1000, UTC) if log else None


def _follows(table: Table, one: SnapshotLogEntry, other: SnapshotLogEntry) -> bool:
    """Whether a commit or a rollback led from one straight to the other."""
    before, after = (table.snapshot_by_id(entry.snapshot_id) for entry in (one, other))
    if before is None or after is None:
        return False
    went_back = (after.sequence_number or 0) < (before.sequence_number or 0)
    return went_back or after.parent_snapshot_id == before.snapshot_id
