"""Data files in an object store, for DuckDB: it has no reader of its own for them here.

DuckDB asks a file system in Python for the bytes that it wants: of row groups that its conditions
leave out it asks none. Bytes come by the table's own `FileIO`, with its credentials.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from quality_platform.errors import QualityPlatformError, StorageError
from quality_platform.lake.storage_errors import storage_error

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow.fs import FileSystem

SCHEMES = ("s3", "s3a", "s3n", "gs", "gcs", "oss", "abfs", "abfss", "wasb", "wasbs", "hdfs")
"""What URIs of files begin with that are read by a table's `FileIO`."""


@dataclass
class RemoteFiles:
    """The tables of a lake whose files are in an object store, and how their files are read.

    The same for all sessions of a lake; threads may share it. Holds credentials: it has no text.
    """

    _by_location: dict[str, FileSystem] = field(default_factory=dict, repr=False)
    _failures: list[StorageError] = field(default_factory=list, repr=False)
    _sessions: list[DuckDBPyConnection] = field(default_factory=list, repr=False, compare=False)
    _changing: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @classmethod
    def of(cls, table: Table) -> RemoteFiles:
        """The files of one table."""
        files = cls()
        files.add(table)
        return files

    def add(self, table: Table) -> None:
        """From now on, files in the table's folder are read as this handle of the table does it.

        A newer handle may have newer credentials.

        Raises:
            StorageError: files of this kind of storage cannot be read.
        """
        location = table.location()
        scheme, host, _ = PyArrowFileIO.parse_location(location)
        if scheme == "file":
            return
        if scheme not in SCHEMES or not isinstance(table.io, PyArrowFileIO):
            raise StorageError(
                f"the files of {'.'.join(table.name())} cannot be read",
                field="lake.warehouse",
                received=f"{scheme}:// by {type(table.io).__name__}",
                allowed=", ".join(SCHEMES),
            )
        filesystem = table.io.fs_by_scheme(scheme, host)
        with self._changing:
            sessions = () if self._by_location else tuple(self._sessions)
            self._by_location[location.rstrip("/") + "/"] = filesystem
            self._let_read(sessions)

    @contextmanager
    def shown_to(self, connection: DuckDBPyConnection) -> Iterator[None]:
        """Lets a session read the files of the lake, also those of tables that come later."""
        with self._changing:
            self._sessions.append(connection)
            if self._by_location:
                self._let_read([connection])
        try:
            yield
        finally:
            with self._changing:
                self._sessions.remove(connection)

    def _let_read(self, sessions: Sequence[DuckDBPyConnection]) -> None:
        if not sessions:
            return
        # It brings fsspec along, which a lake on this machine's disks does not need.
        from quality_platform.lake.duckdb_files import LakeFiles

        for connection in sessions:
            connection.register_filesystem(LakeFiles(self))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Sees to it that a file that could not be read within is told as that.

        DuckDB and the check engines take it for a failure of a statement, and so for a check that
        cannot be run.

        Raises:
            StorageError: a file could not be read. Where other threads read too, it may be theirs.
        """
        import duckdb

        before = self.failures
        try:
            yield
        except (QualityPlatformError, duckdb.Error, pa.ArrowException, OSError):
            self.require_no_more_than(before)
            raise
        self.require_no_more_than(before)

    @property
    def failures(self) -> int:
        """How often a file could not be read so far."""
        return len(self._failures)

    def require_no_more_than(self, seen: int) -> None:
        """Checks that no file was unreadable since then, when there were `failures` so far.

        Raises:
            StorageError: one was.
        """
        if len(self._failures) > seen:
            raise self._failures[seen] from None

    @contextmanager
    def reading(self, uri: str) -> Iterator[tuple[FileSystem, str]]:
        """Who reads a file, and its path there; what fails is kept for `watched`.

        Raises:
            StorageError: no table of the lake has such a file, or it cannot be read.
        """
        try:
            yield self._reader(uri), PyArrowFileIO.parse_location(uri)[2]
        except OSError as error:
            # DuckDB passes on the text of an exception only.
            failure = storage_error(error, "a data file cannot be read", uri)
            self._failures.append(failure)
            raise failure from None

    def _reader(self, uri: str) -> FileSystem:
        holders = [location for location in self._by_location if uri.startswith(location)]
        if holders:
            return self._by_location[max(holders, key=len)]
        # A table that was renamed keeps the folder that it had, and a table may have several.
        store = "/".join(uri.split("/")[:3]) + "/"
        for location, filesystem in reversed(self._by_location.items()):
            if location.startswith(store):
                return filesystem
        raise FileNotFoundError(2, "no table of the lake has this file")
