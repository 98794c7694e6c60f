"""The files of a lake as DuckDB takes them: a file system of fsspec, imported where wanted."""

from __future__ import annotations

import threading
from typing import Any

from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

from quality_platform.lake.remote_files import SCHEMES, RemoteFiles


class LakeFiles(AbstractFileSystem):  # type: ignore[misc]
    """Data files by their URIs. They never change: what is known of one stays true."""

    protocol = SCHEMES
    cachable = False

    def __init__(self, files: RemoteFiles) -> None:
        super().__init__()
        self._files = files
        self._known: dict[str, Any] = {}

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path

    def glob(self, path: str, **_: Any) -> list[str]:
        """The path: the name of a file may have the characters of a pattern, and never is one."""
        return [path]

    def exists(self, path: str, **_: Any) -> bool:
        """Whether there is such a file."""
        return bool(self._info(path).is_file)

    def size(self, path: str) -> int:
        """Its bytes."""
        return int(self._info(path).size)

    def modified(self, path: str) -> Any:
        """When it was written."""
        return self._info(path).mtime

    def open(self, path: str, _mode: str = "rb", **_: Any) -> OpenedFile:
        """The file, to be read."""
        return OpenedFile(self._files, path)

    def _info(self, uri: str) -> Any:
        if uri not in self._known:
            with self._files.reading(uri) as (filesystem, path):
                (found,) = filesystem.get_file_info([path])
                if not found.is_file:
                    raise FileNotFoundError(2, "there is no such file")
            self._known[uri] = found
        return self._known[uri]


class OpenedFile:
    """One opening of a file. Connects when it is first read.

    DuckDB (2.0) shares it between threads, each of which seeks and then reads: every thread has a
    place of its own.
    """

    def __init__(self, files: RemoteFiles, uri: str) -> None:
        self._files = files
        self._uri = uri
        self._own = threading.local()
        self._opening = threading.Lock()
        self._stream: Any = None

    def seek(self, place: int, _whence: int = 0) -> int:
        """Goes to a place."""
        self._own.place = place
        return place

    def tell(self) -> int:
        """The place."""
        return getattr(self._own, "place", 0)

    def read(self, size: int = -1) -> bytes:
        """The bytes that follow."""
        place = self.tell()
        with self._files.reading(self._uri) as (filesystem, path):
            with self._opening:
                if self._stream is None:
                    self._stream = filesystem.open_input_file(path)
            wanted = self._stream.size() - place if size < 0 else size
            data: bytes = self._stream.read_at(wanted, place)
        self._own.place = place + len(data)
        return data

    def close(self) -> None:
        """Ends it."""
        if self._stream is not None:
            self._stream.close()
