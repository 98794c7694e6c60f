"""Taking out of a quarantine's files what counts for nobody any more.

A discard, a replay and a load that was undone leave their rows where they were. Whole files of such
rows go with the next load (`commits.drop_uncommitted_attempts`); here go those in files that
compaction put together, beside rows that count.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask

from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.maintenance.references import ManifestReader
from quality_platform.lake.maintenance.removal import FoundRows, Writing, remove_rows
from quality_platform.lake.position import Position
from quality_platform.lake.position_history import positions
from quality_platform.lake.reading import batches_of_tasks


@dataclass(frozen=True)
class Purge:
    """What was taken out of a quarantine, or would be: rows, and the files that held them.

    `files_dropped` had such rows only, `files_rewritten` others too. `snapshot_id` is None where
    nothing was done.
    """

    rows: int = 0
    files_dropped: int = 0
    files_rewritten: int = 0
    snapshot_id: int | None = None


def purge(
    lake: Lake, table: Table, quarantine: Table, writing: Writing, *, dry_run: bool = False
) -> Purge:
    """Takes rows out of compacted files whose attempts count at no state that `table` can be in.

    No load, replay or rollback beside it can be wronged: all rows of these files were committed
    before, so that only a rollback could make an attempt count again, and rows of every state that
    a rollback can lead to are kept. They go once the snapshots of that state have expired.

    Raises:
        ConcurrentLoadError: another upkeep changed the same files; nothing was done.
        AccountingError: the files written would not have had the right rows; nothing was done.
        StorageError: the warehouse cannot be read or written.
    """
    finder = _DeadRows(quarantine, attempts_of_all_states(table))
    live = ManifestReader(quarantine).data_files(quarantine.current_snapshot())
    found = FoundRows.of(finder, (entry.file for entry in live))
    snapshot_id = None
    if found.rows and not dry_run:
        snapshot_id = remove_rows(lake, quarantine, finder, found, writing, "purge")
    return Purge(found.rows, len(found.dropped), len(found.rewritten), snapshot_id)


def attempts_of_all_states(table: Table) -> frozenset[str]:
    """The attempts that count now, and at any snapshot that a rollback can go back to."""
    known = [Position.of(table.properties), *positions(table).values()]
    return frozenset(attempt for position in known for attempt in position.attempts)


@dataclass(frozen=True)
class _DeadRows:
    """Counts rows of other attempts than those that are needed; each file at most once."""

    quarantine: Table
    needed: Collection[str]
    counts: dict[str, int] = field(default_factory=dict)

    def of(self, file: DataFile) -> int:
        """The number of such rows; 0 for files of one attempt, which loads remove as a whole."""
        path = file.file_path
        if not commits.is_compacted(path):
            return 0
        if path not in self.counts:
            batches = batches_of_tasks(self.quarantine, [FileScanTask(file)], columns=("_attempt",))
            self.counts[path] = sum(self.mask(batch).true_count for batch in batches)
        return self.counts[path]

    def mask(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        """Which rows are of other attempts."""
        needed = pa.array(sorted(self.needed), pa.string())
        return pc.invert(pc.is_in(batch.column("_attempt"), value_set=needed))
