"""Putting small data files together: the same rows in fewer files, in one snapshot."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pyiceberg.manifest import DataFile

from quality_platform.errors import ConcurrentLoadError, StorageError
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.data_files import RollingWriter, StagedFile, delete_file
from quality_platform.lake.layout import arrange, placement_of
from quality_platform.lake.maintenance.references import ManifestReader
from quality_platform.lake.maintenance.rewriting import new_prefix, require_rows, rows_of_file
from quality_platform.lake.query import EngineSettings


@dataclass(frozen=True)
class CompactionSettings:
    """Files smaller than `below_bytes` are put together into such of about `target_bytes`.

    `engine` sorts the rows of tables that have an order.
    """

    below_bytes: int
    target_bytes: int
    engine: EngineSettings = field(default_factory=EngineSettings)


@dataclass(frozen=True)
class Compaction:
    """What a compaction did, or would do: files and bytes before and after, and their rows.

    `files_after` and `bytes_after` are 0, and `snapshot_id` None, where it was only planned.
    """

    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rows: int = 0
    snapshot_id: int | None = None


def compact(
    lake: Lake,
    table: Table,
    settings: CompactionSettings,
    committed: Collection[str] | None = None,
    *,
    dry_run: bool = False,
) -> Compaction:
    """Puts the small files of each partition together, in the order in which they were committed.

    `committed` are the attempts whose files may be touched, for a quarantine: those of others may
    still have to be removed as a whole. None touches all files.

    Raises:
        ConcurrentLoadError: another run removed some of the same files; nothing was done.
        AccountingError: the new files would not have had the same rows; nothing was done.
    """
    groups = _groups(table, settings, committed)
    files = [file for group in groups for file in group]
    found = Compaction(
        files_before=len(files),
        bytes_before=sum(file.file_size_in_bytes for file in files),
        rows=sum(file.record_count for file in files),
    )
    if dry_run or not files:
        return found
    written = _Rewriting(table, settings)
    try:
        added = [staged for group in groups for staged in written.together(group)]
        require_rows(found.rows, added, "compaction")
    except BaseException:
        written.discard()
        raise
    try:
        snapshot = commits.swap(lake, table, files, added, {commits.MAINTENANCE: "compaction"})
    except ConcurrentLoadError:
        # Only now is it sure that nothing was committed.
        written.discard()
        raise
    return Compaction(
        files_before=found.files_before,
        files_after=len(added),
        bytes_before=found.bytes_before,
        bytes_after=sum(len(table.io.new_input(staged.uri)) for staged in added),
        rows=found.rows,
        snapshot_id=snapshot.snapshot_id,
    )


def _groups(
    table: Table, settings: CompactionSettings, committed: Collection[str] | None
) -> list[list[DataFile]]:
    """Files that become one, or a few; each is smaller than the limit and not alone."""
    by_place: dict[object, list[DataFile]] = {}
    for live in ManifestReader(table).data_files(table.current_snapshot()):
        file = live.file
        if file.file_size_in_bytes < settings.below_bytes and _may_touch(file, committed):
            placement = placement_of(table, file)
            place = None if placement is None else placement.partition
            by_place.setdefault(place, []).append(file)
    groups = [
        group
        for files in by_place.values()
        for group in _of_target_size(files, settings.target_bytes)
    ]
    return [group for group in groups if len(group) > 1]


def _may_touch(file: DataFile, committed: Collection[str] | None) -> bool:
    return (
        committed is None
        or commits.is_compacted(file.file_path)
        or commits.attempt_of(file.file_path) in committed
    )


def _of_target_size(files: Sequence[DataFile], target_bytes: int) -> list[list[DataFile]]:
    groups: list[list[DataFile]] = [[]]
    size = 0
    for file in files:
        if groups[-1] and size + file.file_size_in_bytes > target_bytes:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.file_size_in_bytes
    return groups


@dataclass
class _Rewriting:
    table: Table
    settings: CompactionSettings
    _written: list[StagedFile] = field(default_factory=list)

    def together(self, files: Sequence[DataFile]) -> Sequence[StagedFile]:
        """The rows of the files in new ones, arranged as the table's are."""
        placements = {placement_of(self.table, file) for file in files}
        is_sorted = bool(self.table.sort_order().fields)
        # Files of one partition keep it; those that must be sorted anew are told their place later.
        kept = None if is_sorted or None in placements else next(iter(placements))
        writer = RollingWriter(self.table, new_prefix(), self.settings.target_bytes, placement=kept)
        try:
            for file in files:
                for batch in rows_of_file(self.table, file):
                    writer.write(batch)
            staged = writer.close()
        except BaseException:
            writer.discard()
            raise
        arranged = self._arranged(staged)
        self._written += arranged
        return arranged

    def _arranged(self, staged: Sequence[StagedFile]) -> Sequence[StagedFile]:
        if all(file.placement is not None for file in staged):
            return staged
        engine, target = self.settings.engine, self.settings.target_bytes
        return arrange(self.table, staged, engine, new_prefix(), target)

    def discard(self) -> None:
        """Deletes what was written: nothing of it will be committed."""
        for staged in self._written:
            # What cannot be deleted stays unseen, and is swept later.
            with suppress(StorageError):
                delete_file(self.table, staged)
