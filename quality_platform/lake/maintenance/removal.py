"""Taking rows out of a table: files that hold some are written anew without them, in one commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.table.snapshots import Snapshot

from quality_platform.errors import ConcurrentLoadError, StorageError
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.data_files import RollingWriter, StagedFile, delete_file
from quality_platform.lake.layout import arrange, placement_of
from quality_platform.lake.maintenance.references import ManifestReader
from quality_platform.lake.maintenance.rewriting import new_prefix, require_rows, rows_of_file
from quality_platform.lake.query import EngineSettings


class RowFinder(Protocol):
    """Tells which rows have to go."""

    def of(self, file: DataFile) -> int:
        """The number of such rows in a data file."""

    def mask(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        """Which rows of a batch, with all columns of the table, are such."""


@dataclass(frozen=True)
class FoundRows:
    """Files that hold rows which have to go: `dropped` nothing else, `rewritten` others too."""

    dropped: tuple[DataFile, ...]
    rewritten: tuple[DataFile, ...]
    rows: int

    @classmethod
    def of(cls, finder: RowFinder, files: Iterable[DataFile]) -> FoundRows:
        """What the files hold."""
        counts = [(file, finder.of(file)) for file in files]
        return cls(
            tuple(file for file, gone in counts if gone and gone == file.record_count),
            tuple(file for file, gone in counts if 0 < gone < file.record_count),
            sum(gone for _, gone in counts),
        )


@dataclass(frozen=True)
class Writing:
    """How files are written anew: their size, and the engine that sorts those with an order."""

    target_bytes: int
    engine: EngineSettings = field(default_factory=EngineSettings)


def remove_rows(
    lake: Lake, table: Table, finder: RowFinder, found: FoundRows, writing: Writing, kind: str
) -> int:
    """Takes the rows out in one snapshot, whose id is returned; `kind` is told in its summary.

    Raises:
        ConcurrentLoadError: another run changed the same files meanwhile; nothing was done.
        AccountingError: the files written would not have had the right rows; nothing was done.
    """
    added: list[StagedFile] = []
    try:
        for file in found.rewritten:
            added += _without(table, finder, file, writing)
        kept = sum(file.record_count - finder.of(file) for file in found.rewritten)
        require_rows(kept, added, kind)
    except BaseException:
        _discard(table, added)
        raise
    summary = {commits.MAINTENANCE: kind, "quality-platform.rows-deleted": str(found.rows)}
    try:
        gone = [*found.dropped, *found.rewritten]
        return int(commits.swap(lake, table, gone, added, summary).snapshot_id)
    except ConcurrentLoadError:
        _discard(table, added)
        raise


def holding(table: Table, finder: RowFinder) -> list[Snapshot]:
    """The snapshots, the head apart, that hold rows which have to go."""
    reader = ManifestReader(table)
    verdicts: dict[str, bool] = {}

    def has_some(manifest: ManifestFile) -> bool:
        path = manifest.manifest_path
        if path not in verdicts:
            entries = reader.entries(manifest)
            verdicts[path] = any(finder.of(entry.data_file) for entry in entries)
        return verdicts[path]

    head = table.metadata.current_snapshot_id
    return [
        snapshot
        for snapshot in table.snapshots()
        if snapshot.snapshot_id != head and any(map(has_some, reader.manifests(snapshot)))
    ]


def _without(
    table: Table, finder: RowFinder, file: DataFile, writing: Writing
) -> Sequence[StagedFile]:
    placement = placement_of(table, file)
    prefix = _prefix_beside(file)
    writer = RollingWriter(table, prefix, writing.target_bytes, placement=placement)
    try:
        for batch in rows_of_file(table, file):
            writer.write(batch.filter(pc.invert(finder.mask(batch))))
        staged = writer.close()
    except BaseException:
        writer.discard()
        raise
    if placement is not None:
        return staged
    return arrange(table, staged, writing.engine, _prefix_beside(file), writing.target_bytes)


def _prefix_beside(file: DataFile) -> str:
    """A name that tells the same attempt, where the file's name tells one."""
    if commits.is_compacted(file.file_path):
        return new_prefix()
    name = file.file_path.rpartition("/")[2]
    first = "-".join(name.removesuffix(".parquet").split("-")[:2])
    return new_prefix(f"{first}-kept")


def _discard(table: Table, staged: Sequence[StagedFile]) -> None:
    for file in staged:
        # What cannot be deleted stays unseen, and is swept later.
        with suppress(StorageError):
            delete_file(table, file)
