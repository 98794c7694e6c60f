"""The positions that a table had before: what a rollback goes back to.

The property of the table holds the position of today only. Each snapshot that changes it tells in
its summary what it changed, so that the position before can be had from the position after; where
the chain of snapshots is about to be cut, or left, the position is kept whole (`kept_position`).
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from quality_platform.errors import RollbackError
from quality_platform.lake.position import PROPERTY, Position, SourceVersion
from quality_platform.lake.reading import summary_of

UNDO = "quality-platform.position-undo"
"""Summary property: what gives the position before the snapshot."""

KEPT = "quality-platform.position-of."
"""Beginning of table properties: the position of the snapshot whose id follows."""


def undo_summary(before: Position, after: Position) -> dict[str, str]:
    """The summary property of a snapshot that changes the position; {} where it does not."""
    if before == after:
        return {}
    common = _common_length(before.attempts, after.attempts)
    stays = {entry.attempt for entry in before.sources.values()}
    new = {n: e.attempt for n, e in sorted(after.sources.items()) if n not in before.sources}
    undo = {
        "loads": before.loads,
        "common": common,
        "attempts": list(before.attempts[common:]),
        "sources": {
            name: vars(entry)
            for name, entry in sorted(before.sources.items())
            if after.sources.get(name) != entry
        },
        # A load of many files is told by its attempt: names would make the metadata grow.
        "new_by_attempt": sorted(set(new.values()) - stays),
        "new": [name for name, attempt in new.items() if attempt in stays],
        "outdated": before.outdated,
    }
    return {UNDO: _packed(undo)}


def before(snapshot: Snapshot, after: Position) -> Position:
    """The position that the table had before the snapshot, which left it at `after`.

    Raises:
        RollbackError: the snapshot does not tell; another version of the platform made it.
    """
    summary = summary_of(snapshot)
    if UNDO not in summary:
        if "quality-platform.attempt" in summary:
            raise RollbackError(
                f"snapshot {snapshot.snapshot_id} does not tell what was loaded before it",
                action="choose a later snapshot: an older version of the platform made this one",
            )
        return after
    undo = _unpacked(summary[UNDO])
    attempts, names = set(undo["new_by_attempt"]), set(undo["new"])
    kept = {
        name: entry
        for name, entry in after.sources.items()
        if entry.attempt not in attempts and name not in names
    }
    changed = {name: SourceVersion(**entry) for name, entry in undo["sources"].items()}
    return Position(
        {**kept, **changed},
        (*after.attempts[: undo["common"]], *undo["attempts"]),
        undo["loads"],
        undo.get("outdated", ""),
    )


def replayed_attempts(table: Table) -> frozenset[str]:
    """Attempts that count no more, but did at a snapshot that `main` can still go back to.

    A replay takes attempts out of the position. Their rows must stay for as long as a rollback can
    bring them back: until the snapshots before it expire, those with a tag among them.
    """
    found: set[str] = set()
    by_id = {snapshot.snapshot_id: snapshot for snapshot in table.snapshots()}
    snapshot = table.current_snapshot()
    while snapshot is not None and snapshot.parent_snapshot_id in by_id:
        summary = summary_of(snapshot)
        found.update(_unpacked(summary[UNDO])["attempts"] if UNDO in summary else ())
        snapshot = by_id[snapshot.parent_snapshot_id]
    tagged = {ref.snapshot_id for name, ref in table.refs().items() if name != "main"}
    kept = {n: position for n, position in _starts(table).items() if n in tagged}
    return frozenset(found.union(*(position.attempts for position in kept.values())))


def kept_position(snapshot_id: int, position: Position) -> dict[str, str]:
    """The table property that keeps the position of a snapshot."""
    stored = position.as_properties()[PROPERTY]
    return {f"{KEPT}{snapshot_id}": _packed(stored)}


def positions(table: Table) -> dict[int, Position]:
    """The position of every snapshot of which it can be told, by the snapshot's id."""
    found = _starts(table)
    by_id = {snapshot.snapshot_id: snapshot for snapshot in table.snapshots()}
    for start in list(found):
        snapshot = by_id.get(start)
        while snapshot is not None and snapshot.parent_snapshot_id in by_id:
            parent = by_id[snapshot.parent_snapshot_id]
            if parent.snapshot_id in found:
                break
            try:
                found[parent.snapshot_id] = before(snapshot, found[snapshot.snapshot_id])
            except RollbackError:
                break
            snapshot = parent
    return found


def _starts(table: Table) -> dict[int, Position]:
    """Snapshots whose positions are written down: the head's, and those that are kept."""
    head = table.current_snapshot()
    starts = {} if head is None else {head.snapshot_id: Position.of(table.properties)}
    for name, value in table.properties.items():
        if name.startswith(KEPT):
            stored: str = _unpacked(value)
            starts.setdefault(int(name.removeprefix(KEPT)), Position.of({PROPERTY: stored}))
    return starts


def _common_length(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    for length, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return length
    return min(len(one), len(other))


def _packed(value: Mapping[str, Any] | str) -> str:
    text = json.dumps(value, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode())).decode()


def _unpacked(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text)))
