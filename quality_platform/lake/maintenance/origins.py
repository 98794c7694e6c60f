"""Which load the rows of a data file came from, also where compaction has put files together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from quality_platform.lake.commits import (
    ATTEMPT,
    KIND,
    MAINTENANCE,
    ROWS_QUARANTINED,
    attempt_of,
    is_compacted,
)
from quality_platform.lake.maintenance.references import LiveFile, ManifestReader
from quality_platform.lake.reading import local_path, summary_of


@dataclass(frozen=True)
class LoadedFiles:
    """Paths or URIs of files with the rows of a snapshot, by the attempt that loaded them.

    `rows` are the rows of these files by attempt. `untold` are files with rows of several attempts,
    whose own files are gone.
    """

    by_attempt: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, int]
    untold: tuple[str, ...] = ()


def loaded_files(table: Table, snapshot: Snapshot | None) -> LoadedFiles:
    """The rows of a snapshot as they were loaded; nothing for None.

    The files that were put together are taken in place of the one that came of it, for as long as a
    snapshot keeps them.
    """
    reader = ManifestReader(table)
    told, untold = _resolved(reader, reader.data_files(snapshot))
    by_attempt: dict[str, list[str]] = {}
    rows: Counter[str] = Counter()
    for file in sorted((live.file for live in told), key=lambda file: file.file_path):
        attempt = attempt_of(file.file_path)
        by_attempt.setdefault(attempt, []).append(local_path(file.file_path))
        rows[attempt] += file.record_count
    return LoadedFiles(
        {attempt: tuple(paths) for attempt, paths in by_attempt.items()},
        rows,
        tuple(local_path(live.file.file_path) for live in untold),
    )


def complete_loads(table: Table, loaded: LoadedFiles) -> tuple[str, ...]:
    """The attempts of which it is sure that none of their rows is in a file that tells no attempt.

    Where there are such files, it is told by the number of rows that the attempt's own snapshot
    added.
    """
    if not loaded.untold:
        return tuple(loaded.by_attempt)
    added = {
        summary[ATTEMPT]: int(summary.get("added-records", 0))
        for summary in map(summary_of, table.snapshots())
        if ATTEMPT in summary
    }
    return tuple(a for a in loaded.by_attempt if added.get(a) == loaded.rows[a])


def replayed_loads(table: Table, held: LoadedFiles) -> frozenset[str]:
    """The attempts whose batch is not what a source gave, or no longer whole.

    These are replays and the like, and loads of whose held rows some were taken over by a replay
    and are gone by now. `held` are the files of the quarantine.
    """
    found = set()
    for summary in map(summary_of, table.snapshots()):
        attempt = summary.get(ATTEMPT, "")
        missing = int(summary.get(ROWS_QUARANTINED, 0)) - held.rows.get(attempt, 0)
        if KIND in summary or (attempt and missing > 0):
            found.add(attempt)
    return frozenset(found)


def _resolved(
    reader: ManifestReader, files: Sequence[LiveFile]
) -> tuple[list[LiveFile], list[LiveFile]]:
    told = [live for live in files if not is_compacted(live.file.file_path)]
    untold: list[LiveFile] = []
    compacted: dict[int | None, list[LiveFile]] = {}
    for live in files:
        if is_compacted(live.file.file_path):
            compacted.setdefault(live.added_by, []).append(live)
    for added_by, group in compacted.items():
        origins = _origins(reader, added_by, group)
        if origins is None:
            untold += group
            continue
        more, rest = _resolved(reader, origins)
        told += more
        untold += rest
    return told, untold


def _origins(
    reader: ManifestReader, added_by: int | None, group: Sequence[LiveFile]
) -> list[LiveFile] | None:
    """The files that one compaction put together; None where they cannot be told."""
    table = reader.table
    after = table.snapshot_by_id(added_by or -1)
    before = table.snapshot_by_id((after and after.parent_snapshot_id) or -1)
    if after is None or before is None or summary_of(after).get(MAINTENANCE) != "compaction":
        return None
    files, older = reader.data_files(after), reader.data_files(before)
    there = {live.file.file_path for live in files}
    was_there = {live.file.file_path for live in older}
    if {live.file.file_path for live in group} != there - was_there:
        # Some of them have been written anew since, without all of their rows.
        return None
    return [live for live in older if live.file.file_path not in there]
