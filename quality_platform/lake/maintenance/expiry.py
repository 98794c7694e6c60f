"""Removing old snapshots, and the files that only they needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from pyiceberg.table.snapshots import Snapshot, ancestors_of
from pyiceberg.table.update import (
    AssertRefSnapshotId,
    AssertTableUUID,
    RemovePropertiesUpdate,
    RemoveSnapshotRefUpdate,
    RemoveSnapshotsUpdate,
    SetPropertiesUpdate,
    TableUpdate,
)

from quality_platform.lake.catalog import Lake, Table, translated
from quality_platform.lake.maintenance.references import (
    ManifestReader,
    all_referred,
    comparable,
    statistics_files,
)
from quality_platform.lake.position_history import KEPT, kept_position, positions


@dataclass(frozen=True)
class Expiry:
    """What an expiry removed, or would remove: snapshots by id, files, and the files' bytes."""

    snapshots: tuple[int, ...] = ()
    files: int = 0
    bytes: int = 0


def expirable(
    table: Table, before: datetime, keep_at_least: int, pinned: Collection[int] = ()
) -> tuple[Snapshot, ...]:
    """The snapshots that nobody needs any more.

    Kept are: heads of branches and tags; every snapshot that was what readers of `main` saw at any
    moment since `before`, so that each of these moments can be gone back to; the newest
    `keep_at_least` of `main`; those that are `pinned`; and all that were made since `before`.
    """
    limit = before.timestamp() * 1000
    kept = (
        {ref.snapshot_id for ref in table.refs().values()} | set(pinned) | seen_since(table, before)
    )
    newest = islice(ancestors_of(table.current_snapshot(), table.metadata), keep_at_least)
    kept.update(snapshot.snapshot_id for snapshot in newest)
    return tuple(
        snapshot
        for snapshot in table.snapshots()
        if snapshot.snapshot_id not in kept and snapshot.timestamp_ms < limit
    )


def seen_since(table: Table, moment: datetime) -> set[int]:
    """The snapshots that were the head of `main` at any time since."""
    log = table.metadata.snapshot_log
    limit = moment.timestamp() * 1000
    return {
        entry.snapshot_id
        for entry, following in zip(log, [*log[1:], None], strict=False)
        if following is None or following.timestamp_ms >= limit
    }


def expire(
    lake: Lake, table: Table, snapshots: Collection[Snapshot], *, dry_run: bool = False
) -> Expiry:
    """Removes the snapshots, then the files that no other snapshot refers to.

    A branch or tag on one of them goes too. The head of `main` must not be among them.
    A death in between leaves files that the sweep of orphans finds. What the positions of the
    snapshots that stay were told by is kept.

    Raises:
        ConcurrentLoadError: a branch or tag has moved meanwhile; nothing was removed.
        StorageError: a file cannot be deleted; the snapshots are gone.
    """
    if not snapshots:
        return Expiry()
    ids = tuple(snapshot.snapshot_id for snapshot in snapshots)
    theirs = {**ManifestReader(table).referred(snapshots), **statistics_files(table, ids)}
    if dry_run:
        others = [s for s in table.snapshots() if s.snapshot_id not in ids]
        still = {comparable(uri) for uri in ManifestReader(table).referred(others)}
        return _counted(ids, _only_in(theirs, still))
    _remove(lake, table, ids)
    # As it is after the removal: a load that was committed meanwhile may share manifests.
    now = lake.table(".".join(table.name()))
    gone = _only_in(theirs, {comparable(uri) for uri in all_referred(now)})
    delete_files(lake, table, gone)
    return _counted(ids, gone)


def delete_files(lake: Lake, table: Table, uris: Iterable[str]) -> None:
    """Deletes files; one that is gone already is no error.

    Raises:
        StorageError: a file cannot be deleted.
    """
    with translated(lake):
        for uri in uris:
            try:
                table.io.delete(uri)
            except FileNotFoundError:
                continue


def _remove(lake: Lake, table: Table, ids: Collection[int]) -> None:
    """Removes the snapshots from the metadata, unless a branch or tag has moved.

    pyiceberg's own `expire_snapshots` (0.12) asks for nothing: a snapshot that a rollback has made
    the head of `main` meanwhile would be removed, and `main` with it.
    """
    unmoved = [
        AssertRefSnapshotId.model_validate({"ref": name, "snapshot-id": ref.snapshot_id})
        for name, ref in table.refs().items()
    ]
    obsolete = [name for id_ in ids if (name := f"{KEPT}{id_}") in table.properties]
    updates: list[TableUpdate] = [
        RemoveSnapshotRefUpdate.model_validate({"ref-name": name})
        for name, ref in table.refs().items()
        if ref.snapshot_id in ids
    ]
    updates.append(RemoveSnapshotsUpdate.model_validate({"snapshot-ids": list(ids)}))
    if kept := _positions_to_keep(table, ids):
        updates.append(SetPropertiesUpdate(updates=kept))
    if obsolete:
        updates.append(RemovePropertiesUpdate(removals=obsolete))
    with translated(lake):
        lake.catalog.commit_table(
            table, (AssertTableUUID(uuid=table.metadata.table_uuid), *unmoved), tuple(updates)
        )


def _positions_to_keep(table: Table, ids: Collection[int]) -> dict[str, str]:
    """Positions of snapshots that stay while one between them and a later one goes."""
    known = positions(table)
    kept: dict[str, str] = {}
    for snapshot in table.snapshots():
        parent = snapshot.parent_snapshot_id
        if snapshot.snapshot_id in ids and parent in known and parent not in ids:
            kept |= kept_position(parent, known[parent])
    return kept


def _only_in(theirs: Mapping[str, int], others: Collection[str]) -> dict[str, int]:
    return {uri: size for uri, size in theirs.items() if comparable(uri) not in others}


def _counted(ids: tuple[int, ...], files: Mapping[str, int]) -> Expiry:
    return Expiry(ids, len(files), sum(files.values()))
