"""Files in object stores that speak S3: finding them by a URL or glob, and opening them as streams.

What the store's library says of an error can hold what the store answered, and so parts of a
credential: only the error's name is passed on.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from quality_platform.config.base_models import seconds
from quality_platform.config.source_models import FileSourceConfig, StorageConfig
from quality_platform.errors import (
    Location,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from quality_platform.sources.protocol import SourceFile

if TYPE_CHECKING:
    import pyarrow.fs

SCHEME = "s3://"
_ERROR = re.compile(r"AWS Error ([A-Z_]+)(?: \(HTTP status (\d+)\))?(?: during (\w+))?")
_TIMEOUT = re.compile(r"curlCode: 28|Timeout", re.IGNORECASE)
_REFUSED = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "SIGNATURE_DOES_NOT_MATCH",
    "INVALID_CLIENT_TOKEN_ID",
    "MISSING_AUTHENTICATION_TOKEN",
    "UNRECOGNIZED_CLIENT",
    "EXPIRED_TOKEN",
)
_BUSY = ("SLOW_DOWN", "THROTTLING", "SERVICE_UNAVAILABLE", "INTERNAL_FAILURE", "REQUEST_LIMIT")
_TRIES = 3


def storage_of(config: FileSourceConfig) -> S3Storage | None:
    """Where a source's files are; None for this machine's disks."""
    return S3Storage(config.storage or StorageConfig()) if is_url(config.path) else None


def is_url(path: str) -> bool:
    """Whether a path of runner.yaml is a URL of an object store."""
    return path.startswith(SCHEME)


def absolute_pattern(path: str, resolve: Callable[[str], Path]) -> str:
    """A path of runner.yaml as a pattern to find files by; a URL is one as it is."""
    return path if is_url(path) else str(resolve(path))


@dataclass(frozen=True)
class S3Storage:
    """An object store that speaks S3; connects on first use."""

    config: StorageConfig

    def find(self, pattern: str) -> list[SourceFile]:
        """The objects that a URL or a glob names, sorted by path, without checksums.

        A glob takes `*`, `?`, `[...]` and `**` (any depth). A URL that exists is taken by its
        letter.

        Raises:
            SourceError: the store refuses, or does not answer.
        """
        path = pattern.removeprefix(SCHEME)
        with _translated(pattern):
            (exact,) = self._files.get_file_info([path])
            if exact.is_file or not has_magic(path):
                return [self._file(exact)] if exact.is_file else []
            return [self._file(info) for info in self._matching(path)]

    def why_none(self, pattern: str) -> str:
        """Why nothing is found, for people."""
        bucket = pattern.removeprefix(SCHEME).partition("/")[0]
        with _translated(pattern):
            (found,) = self._files.get_file_info([bucket])
        if not found.type:
            return f"there is no bucket {bucket!r}"
        return "no object matches" if has_magic(pattern) else "there is no such object"

    @contextmanager
    def opened(self, path: str) -> Iterator[BinaryIO]:
        """An object as a stream that can be sought in.

        Raises:
            SourceError: it is gone, the store refuses, or does not answer.
        """
        with _translated(path):
            stream = self._files.open_input_file(path.removeprefix(SCHEME))
        with stream:
            yield cast("BinaryIO", _Translating(stream, path))

    def now(self, path: str) -> SourceFile:
        """The object as it is at this moment, with its etag.

        Raises:
            SourceError: it is gone, the store refuses, or does not answer.
        """
        with _translated(path):
            (info,) = self._files.get_file_info([path.removeprefix(SCHEME)])
            with self._files.open_input_file(path.removeprefix(SCHEME)) as stream:
                etag = cast("dict[str, bytes]", stream.metadata()).get("ETag", b"")
        return self._file(info, etag.decode())

    def _file(self, info: pyarrow.fs.FileInfo, etag: str = "") -> SourceFile:
        return SourceFile(
            path=SCHEME + info.path,
            size=info.size or 0,
            mtime_ns=info.mtime_ns or 0,
            checksum="",
            storage=self,
            etag=etag,
        )

    def _matching(self, path: str) -> Iterator[pyarrow.fs.FileInfo]:
        import pyarrow.fs

        parts = path.split("/")
        first = next(n for n, part in enumerate(parts) if has_magic(part))
        wanted = parts[first:]
        selector = pyarrow.fs.FileSelector(
            "/".join(parts[:first]),
            recursive=len(wanted) > 1 or "**" in wanted,
            allow_not_found=True,
        )
        found = self._files.get_file_info(selector)
        for info in sorted(found, key=lambda info: info.path):
            if info.is_file and _matches(info.path.split("/")[first:], wanted):
                yield info

    @cached_property
    def _files(self) -> pyarrow.fs.S3FileSystem:
        import pyarrow.fs

        config = self.config
        scheme, _, endpoint = (config.endpoint or "").rpartition("://")
        wanted = {
            "region": config.region,
            "endpoint_override": endpoint or None,
            "scheme": scheme or None,
            "access_key": _secret(config.access_key_id),
            "secret_key": _secret(config.secret_access_key),
            "session_token": _secret(config.session_token),
            "anonymous": config.anonymous or None,
        }
        given: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
        return pyarrow.fs.S3FileSystem(
            connect_timeout=seconds(config.connect_timeout),
            request_timeout=seconds(config.request_timeout),
            retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=_TRIES),
            **given,
        )


def _secret(value: Any) -> str | None:
    return None if value is None else value.get_secret_value()


def _matches(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether the parts of a path match those of a glob; `**` stands for any number of them."""
    if not wanted:
        return not parts
    if wanted[0] == "**":
        if len(wanted) == 1:
            return bool(parts)
        return any(_matches(parts[n:], wanted[1:]) for n in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _matches(parts[1:], wanted[1:])


class _Translating(io.RawIOBase):
    """A stream whose errors are the platform's; it does not close what it reads from."""

    def __init__(self, stream: Any, path: str) -> None:
        self._stream = stream
        self._path = path

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer; the number of bytes."""
        view = memoryview(buffer)
        with _translated(self._path):
            data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Goes to an offset; the new one."""
        with _translated(self._path):
            return int(self._stream.seek(offset, whence))

    def tell(self) -> int:
        """The offset."""
        return int(self._stream.tell())

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be sought in."""
        return True


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SourceNotFoundError(
            "there is no such object", location=Location(path), action="correct the path"
        ) from error
    except OSError as error:
        raise _error(path, str(error)) from None


def _error(path: str, text: str) -> SourceError:
    found = _ERROR.search(text)
    name, status, operation = found.groups() if found else ("an error without a name", None, None)
    kind, message, action = _meaning(name, status or "", text)
    parts = (name, status and f"HTTP {status}", operation and f"during {operation}")
    return kind(
        message,
        location=Location(path),
        received=" ".join(part for part in parts if part),
        action=action,
    )


def _meaning(name: str, status: str, text: str) -> tuple[type[SourceError], str, str]:
    """The class of an error, what it means, and what to do."""
    if name in _REFUSED or status in ("401", "403"):
        return (
            SourceAccessError,
            "the object store refuses these credentials",
            "correct them, or give them the rights to list the bucket and to get its objects",
        )
    if name == "NO_SUCH_BUCKET":
        return SourceNotFoundError, "there is no such bucket", "correct the path"
    if name == "REQUEST_TIMEOUT" or (name == "NETWORK_CONNECTION" and _TIMEOUT.search(text)):
        return (
            SourceTimeoutError,
            "the object store did not answer in time",
            "try again later, or raise storage.request_timeout",
        )
    if name in (*_BUSY, "NETWORK_CONNECTION") or status.startswith(("5", "429")):
        return (
            SourceUnreachableError,
            "the object store cannot be reached, or cannot answer now",
            "look at storage.endpoint and at the network, or try again later",
        )
    is_elsewhere = status in ("301", "400")
    return (
        SourceError,
        "the object store cannot be read",
        "look at storage.region and storage.endpoint"
        if is_elsewhere
        else "look at the store's own log",
    )
