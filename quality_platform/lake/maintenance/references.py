"""Which files a table's metadata refers to, and which files lie in its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pyiceberg.io.fsspec import FsspecFileIO
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import DataFile, ManifestEntry, ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from quality_platform.errors import StorageError
from quality_platform.lake.storage_errors import reading


@dataclass(frozen=True)
class StoredFile:
    """A file in the warehouse: its URI or path, its bytes, and when it was last written."""

    uri: str
    bytes: int
    modified_at: datetime


@dataclass(frozen=True)
class LiveFile:
    """A data file of a snapshot, and the number and the snapshot of the commit that added it."""

    file: DataFile
    sequence_number: int
    added_by: int | None


@dataclass
class ManifestReader:
    """Reads the manifests of one table, each once: snapshots share most of them."""

    table: Table
    _entries: dict[str, list[ManifestEntry]] = field(default_factory=dict)

    def manifests(self, snapshot: Snapshot) -> list[ManifestFile]:
        """The manifests of a snapshot."""
        with reading(self.table):
            return snapshot.manifests(self.table.io)

    def entries(self, manifest: ManifestFile) -> list[ManifestEntry]:
        """The entries of a manifest, without those of files that it says are gone."""
        path = manifest.manifest_path
        if path not in self._entries:
            with reading(self.table):
                found = manifest.fetch_manifest_entry(self.table.io, discard_deleted=True)
            self._entries[path] = found
        return self._entries[path]

    def data_files(self, snapshot: Snapshot | None) -> list[LiveFile]:
        """The data files of a snapshot in the order in which they were committed; [] for None."""
        if snapshot is None:
            return []
        found = [
            LiveFile(entry.data_file, entry.sequence_number or 0, entry.snapshot_id)
            for manifest in self.manifests(snapshot)
            for entry in self.entries(manifest)
        ]
        return sorted(found, key=lambda live: (live.sequence_number, live.file.file_path))

    def referred(self, snapshots: Iterable[Snapshot]) -> dict[str, int]:
        """The URIs of all files that the snapshots need, with the bytes where they are told."""
        files: dict[str, int] = {}
        for snapshot in snapshots:
            files[snapshot.manifest_list] = 0
            for manifest in self.manifests(snapshot):
                files[manifest.manifest_path] = manifest.manifest_length
                for entry in self.entries(manifest):
                    files[entry.data_file.file_path] = entry.data_file.file_size_in_bytes
        return files


def statistics_files(table: Table, snapshot_ids: Iterable[int]) -> dict[str, int]:
    """The statistics files of the snapshots, with their bytes."""
    wanted = set(snapshot_ids)
    stored = [*table.metadata.statistics, *table.metadata.partition_statistics]
    return {s.statistics_path: s.file_size_in_bytes for s in stored if s.snapshot_id in wanted}


def all_referred(table: Table) -> set[str]:
    """Every file that the table's current metadata needs, itself and its log included."""
    ids = [snapshot.snapshot_id for snapshot in table.snapshots()]
    return {
        table.metadata_location,
        *(entry.metadata_file for entry in table.metadata.metadata_log),
        *statistics_files(table, ids),
        *ManifestReader(table).referred(table.snapshots()),
    }


def comparable(uri: str) -> str:
    """The file that a URI or path means, without its scheme: the same for `file:/x` and `/x`."""
    scheme, _, path = PyArrowFileIO.parse_location(uri)
    return path if scheme == "file" else path.lstrip("/")


def stored_files(table: Table) -> Iterator[StoredFile]:
    """All files in the table's folder.

    Raises:
        StorageError: this kind of storage cannot be listed.
    """
    scheme, host, path = PyArrowFileIO.parse_location(table.location())
    io = table.io
    if isinstance(io, PyArrowFileIO):
        found = _listed_by_pyarrow(io.fs_by_scheme(scheme, host), path)
    elif isinstance(io, FsspecFileIO):
        found = _listed_by_fsspec(io.get_fs(scheme, host), path)
    else:
        raise StorageError(
            f"the files of {'.'.join(table.name())} cannot be listed",
            received=type(io).__name__,
            allowed="PyArrowFileIO, FsspecFileIO",
        )
    prefix = "" if scheme == "file" else f"{scheme}://"
    for file in found:
        yield replace(file, uri=prefix + file.uri)


def _listed_by_pyarrow(filesystem: Any, path: str) -> Iterator[StoredFile]:
    from pyarrow.fs import FileSelector, FileType

    selector = FileSelector(path, recursive=True, allow_not_found=True)
    for info in filesystem.get_file_info(selector):
        if info.type == FileType.File:
            yield StoredFile(info.path, info.size or 0, info.mtime or datetime.now(UTC))


def _listed_by_fsspec(filesystem: Any, path: str) -> Iterator[StoredFile]:
    for name, info in filesystem.find(path, detail=True).items():
        modified = info.get("LastModified") or info.get("mtime")
        if isinstance(modified, int | float):
            modified = datetime.fromtimestamp(modified, UTC)
        # A file of unknown age may be of a load that is under way.
        yield StoredFile(name, info["size"] or 0, modified or datetime.now(UTC))
