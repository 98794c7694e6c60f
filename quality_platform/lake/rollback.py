"""The states that a table had, and going back to one of them, with its position."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import (
    AssertRefSnapshotId,
    AssertTableUUID,
    RemovePropertiesUpdate,
    SetPropertiesUpdate,
    SetSnapshotRefUpdate,
    TableUpdate,
)

from quality_platform.errors import RollbackError
from quality_platform.lake.catalog import Lake, Table, translated
from quality_platform.lake.commits import LOAD_ID, MAINTENANCE, ROWS_QUARANTINED
from quality_platform.lake.position import Position
from quality_platform.lake.position_history import KEPT, kept_position, positions
from quality_platform.lake.reading import rows_of, summary_of
from quality_platform.lake.time_travel import first_moment, moment_of, snapshot_seen_at


@dataclass(frozen=True)
class State:
    """One state that readers of `main` saw: a snapshot and what is known of it.

    `operation` is Iceberg's, or the kind of upkeep that made the snapshot; `load_id` is "" where no
    load made it; `refs` are branches and tags. `is_current` is said of the head of `main`,
    `can_be_restored` of a snapshot of which it is known what was loaded by then.
    """

    snapshot_id: int
    parent_id: int | None
    committed_at: datetime
    operation: str
    load_id: str
    rows: int
    rows_quarantined: int
    refs: tuple[str, ...]
    is_current: bool
    can_be_restored: bool


def states(table: Table) -> list[State]:
    """The snapshots of a table, the newest first; those of blocked loads are among them."""
    known = positions(table)
    refs: dict[int, list[str]] = {}
    for name, ref in sorted(table.refs().items()):
        refs.setdefault(ref.snapshot_id, []).append(name)
    found = [_state(table, s, refs.get(s.snapshot_id, []), known) for s in table.snapshots()]
    order = {s.snapshot_id: s.sequence_number or 0 for s in table.snapshots()}
    return sorted(found, key=lambda state: order[state.snapshot_id], reverse=True)


def _state(table: Table, snapshot: Snapshot, refs: list[str], known: dict[int, Position]) -> State:
    summary = summary_of(snapshot)
    operation = snapshot.summary.operation.value if snapshot.summary else ""
    return State(
        snapshot_id=snapshot.snapshot_id,
        parent_id=snapshot.parent_snapshot_id,
        committed_at=datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC),
        operation=summary.get(MAINTENANCE, operation),
        load_id=summary.get(LOAD_ID, ""),
        rows=rows_of(snapshot),
        rows_quarantined=int(summary.get(ROWS_QUARANTINED, 0)),
        refs=tuple(refs),
        is_current=snapshot.snapshot_id == table.metadata.current_snapshot_id,
        can_be_restored=snapshot.snapshot_id in known,
    )


def find_state(table: Table, wanted: str) -> Snapshot:
    """The snapshot that a snapshot id, a tag or a time means.

    A time is one of ISO 8601, in UTC where it names no zone; it means what readers of `main` saw at
    that moment.

    Raises:
        RollbackError: there is no such snapshot or tag, or the one of that time is gone.
    """
    by_id = {str(snapshot.snapshot_id): snapshot for snapshot in table.snapshots()}
    ref = table.refs().get(wanted)
    if ref is not None and ref.snapshot_ref_type is SnapshotRefType.TAG:
        return by_id[str(ref.snapshot_id)]
    if wanted in by_id:
        return by_id[wanted]
    moment = moment_of(wanted)
    if moment is None:
        tags = [n for n, r in table.refs().items() if r.snapshot_ref_type is SnapshotRefType.TAG]
        raise RollbackError(
            f"{'.'.join(table.name())} has no such snapshot or tag",
            received=wanted,
            allowed=", ".join(["a snapshot id", "a time such as 2026-05-31T12:00:00Z", *tags]),
            action="see which there are: quality-platform snapshots TABLE",
        )
    return by_id[str(_seen_at(table, moment))]


def _seen_at(table: Table, moment: datetime) -> int:
    """The snapshot that readers of `main` saw at the moment."""
    found = snapshot_seen_at(table, moment)
    if found is None:
        first = first_moment(table)
        raise RollbackError(
            f"what {'.'.join(table.name())} held at that time is no longer there",
            received=moment.isoformat(),
            allowed=f"from {first} on" if first else "",
            action="see which snapshots there are: quality-platform snapshots TABLE",
        )
    return found


def position_at(table: Table, snapshot: Snapshot) -> Position:
    """What was loaded when the snapshot was made.

    Raises:
        RollbackError: it can no longer be told.
    """
    known = positions(table)
    if snapshot.snapshot_id not in known:
        raise RollbackError(
            f"it cannot be told what was loaded by snapshot {snapshot.snapshot_id}",
            allowed=", ".join(map(str, known)),
            action="choose one of these; it may be of a blocked load, or of an older version",
        )
    return known[snapshot.snapshot_id]


def set_back(lake: Lake, table: Table, snapshot: Snapshot) -> None:
    """Makes a snapshot the head of `main` again, with its position, in one commit.

    The snapshots after it stay until they expire, with the position of the head of today, so that
    the rollback can be undone.

    Raises:
        RollbackError: it cannot be told what was loaded by then.
        ConcurrentLoadError: `main` has moved meanwhile; nothing was changed.
    """
    position = position_at(table, snapshot)
    head = table.metadata.current_snapshot_id
    told = position.as_properties()
    if head is not None:
        told |= kept_position(head, Position.of(table.properties))
    obsolete = f"{KEPT}{snapshot.snapshot_id}"
    updates: list[TableUpdate] = [
        SetPropertiesUpdate(updates=told),
        _main_at(snapshot),
    ]
    if obsolete in table.properties:
        updates.append(RemovePropertiesUpdate(removals=[obsolete]))
    unmoved = AssertRefSnapshotId.model_validate({"ref": "main", "snapshot-id": head})
    same = AssertTableUUID(uuid=table.metadata.table_uuid)
    with translated(lake):
        lake.catalog.commit_table(table, (same, unmoved), tuple(updates))


def _main_at(snapshot: Snapshot) -> SetSnapshotRefUpdate:
    told = {"ref-name": "main", "type": SnapshotRefType.BRANCH}
    return SetSnapshotRefUpdate.model_validate({**told, "snapshot-id": snapshot.snapshot_id})
