"""Files as sources: finding them, and telling their versions apart."""

from __future__ import annotations

import glob
import io
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO, cast

from quality_platform.errors import (
    Location,
    SourceChangedError,
    SourceError,
    SourceNotFoundError,
)
from quality_platform.lake.position import SourceVersion
from quality_platform.sources.checksums import checksum_of
from quality_platform.sources.object_storage import S3Storage
from quality_platform.sources.protocol import SourceFile

_REQUEST_BYTES = 8 * 2**20
_SECOND = 10**9

_TEMPORARY_PREFIXES = (".", "_")
_TEMPORARY_SUFFIXES = (".tmp", ".part", ".crdownload")


def find_files(
    pattern: str,
    *,
    location: Location | None,
    field: str,
    checksums: bool = True,
    storage: S3Storage | None = None,
) -> tuple[SourceFile, ...]:
    """Finds the files that a path or a glob names, each with its size, time and checksum.

    A glob takes `*`, `?`, `[...]` and `**` (any depth of folders). Of what a glob matches, hidden
    and temporary names are left out: those that begin with "." or "_" or end with .tmp, .part or
    .crdownload, and all that lies in such a folder. A path that exists is taken by its letter.
    Folders below the glob's fixed part that may not be listed are passed over, as a shell does.

    Args:
        pattern: An absolute path or glob, or one of `storage`.
        location: Where it stands in runner.yaml.
        field: The setting's name there.
        checksums: Whether the files are read for their checksums; "" stands for each otherwise.
        storage: Where the files are; None for this machine's disks.

    Returns:
        The regular files, sorted by path; never none.

    Raises:
        SourceNotFoundError: Nothing there, or nothing but folders, hidden and temporary files.
        SourceChangedError: A file is being written to.
        SourceError: A file cannot be read, or the object store does not let it be.
    """
    found, reason = _found(pattern) if storage is None else _stored(storage, pattern)
    if reason:
        raise SourceNotFoundError(
            reason,
            location=location,
            field=field,
            received=pattern,
            allowed="the absolute path of a file, or a glob such as /data/orders/*.csv",
            action="correct the path, or put the file there",
        )
    if not checksums:
        return tuple(found)
    return tuple(fingerprint(file) for file in found)


def list_files(pattern: str, storage: S3Storage | None = None) -> list[SourceFile]:
    """The files that `find_files` would find, without reading them; [] where there are none.

    Raises:
        OSError: A folder or file may not be looked at.
        SourceError: The object store cannot be asked.
    """
    if storage is not None:
        return [f for f in storage.find(pattern) if not _is_temporary(Path(f.path), pattern)]
    found = []
    for path in _files_among(_sorted_matches(pattern), pattern):
        # A file may be taken away between being listed and being looked at.
        with suppress(FileNotFoundError):
            found.append(_looked_at(path))
    return found


def _found(pattern: str) -> tuple[list[SourceFile], str]:
    """The files on this machine's disks, or why there are none."""
    try:
        matches = _sorted_matches(pattern)
        paths = _files_among(matches, pattern)
        hidden = sum(_is_temporary(path, pattern) for path in matches)
        reason = "" if paths else _why_none(pattern, matches, hidden)
        if not Path(pattern).is_absolute():
            reason = "the path is not absolute"
        return [_looked_at(path) for path in paths], reason
    except OSError as error:
        raise _unreadable(Path(error.filename or pattern), error) from error


def _stored(storage: S3Storage, pattern: str) -> tuple[list[SourceFile], str]:
    """The files in an object store, or why there are none."""
    matches = storage.find(pattern)
    found = [file for file in matches if not _is_temporary(Path(file.path), pattern)]
    if found:
        return found, ""
    return [], _only_hidden(len(matches)) if matches else storage.why_none(pattern)


def _looked_at(path: Path) -> SourceFile:
    status = path.stat()
    return SourceFile(str(path), status.st_size, status.st_mtime_ns, "")


def _told_by_stamp(file: SourceFile, known: SourceVersion | None) -> SourceFile | None:
    """The file with its checksum where size and time tell that it is the version that is known."""
    stamp = _stamp(file)
    if known is None or known.stamp != stamp:
        return None
    return replace(file, checksum=known.version, stamp=stamp)


def versioned(file: SourceFile, known: SourceVersion | None) -> SourceFile:
    """The file with its checksum; one with the stamp of the version that is known is not read.

    Raises:
        SourceChangedError: It is being written to.
        SourceError: It cannot be read.
    """
    return _told_by_stamp(file, known) or fingerprint(file, known.version if known else "")


def _stamp(file: SourceFile) -> str:
    return f"{file.size}-{file.mtime_ns}"


def fingerprint(found: SourceFile, known: str = "") -> SourceFile:
    """The file with its checksum, as `checksum_of` tells it beside one that is known: it is read.

    Raises:
        SourceChangedError: It is being written to.
        SourceError: It cannot be read.
    """
    begun = time.time_ns()
    file = found if found.storage is None else found.storage.now(found.path)
    _require_unchanged(found, file)
    with open_version(file) as stream:
        checksum = checksum_of(stream, known)
    # A file can be written to again within the tick of the clock that its time was told by.
    is_coarse = file.storage is not None or file.mtime_ns % _SECOND == 0
    tick = 2 * _SECOND if is_coarse else _SECOND // 10
    is_settled = file.mtime_ns + tick < begun
    return replace(file, checksum=checksum, stamp=_stamp(file) if is_settled else "")


def _sorted_matches(pattern: str) -> list[Path]:
    return [Path(found) for found in sorted(set(_matches(pattern)))]


def _files_among(matches: Iterable[Path], pattern: str) -> list[Path]:
    wanted = (path for path in matches if not _is_temporary(path, pattern))
    return [path for path in wanted if path.is_file()]


@contextmanager
def open_version(file: SourceFile, *, read_ahead: bool = True) -> Iterator[BinaryIO]:
    """Opens a file for reading and vouches that it is the version that was found.

    Size and time of the last change are compared when the file is opened and when the reader has
    finished with it, and in an object store its etag. `read_ahead` is for those that read from the
    beginning to the end: each request to an object store then asks for much.

    Raises:
        SourceChangedError: The file was written to since it was found, or while it was read.
        SourceError: The file cannot be read.
    """
    if file.storage is not None:
        with file.storage.opened(file.path) as stream:
            _require_unchanged(file, file.storage.now(file.path))
            raw = cast("io.RawIOBase", stream)
            yield io.BufferedReader(raw, _REQUEST_BYTES) if read_ahead else stream
            _require_unchanged(file, file.storage.now(file.path))
        return
    try:
        with Path(file.path).open("rb") as stream:
            _require_unchanged(file, _opened(file.path, stream))
            yield stream
            _require_unchanged(file, _opened(file.path, stream))
    except OSError as error:
        raise _unreadable(Path(file.path), error) from error


def _opened(path: str, stream: BinaryIO) -> SourceFile:
    status = os.fstat(stream.fileno())
    return SourceFile(path, status.st_size, status.st_mtime_ns, "")


def _matches(pattern: str) -> list[str]:
    if os.path.lexists(pattern) or not glob.has_magic(pattern):
        return [pattern] if os.path.lexists(pattern) else []
    # Path.glob would find folders only for a `**` at the end.
    return glob.glob(pattern, recursive=True, include_hidden=True)  # noqa: PTH207


def _is_temporary(path: Path, pattern: str) -> bool:
    """Whether a part of the path that was matched, not written out, has a temporary name."""
    written = set(Path(pattern).parts)
    return any(
        part.startswith(_TEMPORARY_PREFIXES) or part.endswith(_TEMPORARY_SUFFIXES)
        for part in path.parts
        if part not in written
    )


def _only_hidden(count: int) -> str:
    return f"only hidden or temporary files match ({count}), and these are never read"


def _why_none(pattern: str, matches: list[Path], left_out: int) -> str:
    if left_out:
        return _only_hidden(left_out)
    if matches:
        kind = "a folder" if all(path.is_dir() for path in matches) else "not a regular file"
        return f"{matches[0]} is {kind}"
    parts = takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts[:-1])
    folder = Path(*parts)
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    if not os.access(folder, os.R_OK | os.X_OK):
        return f"the folder {folder} may not be listed by this user"
    return "no file here" if not glob.has_magic(pattern) else "no file matches"


def _require_unchanged(file: SourceFile, now: SourceFile) -> None:
    same_tag = not file.etag or not now.etag or file.etag == now.etag
    if same_tag and (now.size, now.mtime_ns) == (file.size, file.mtime_ns):
        return
    raise SourceChangedError(
        "the file changed between being found and being read to its end",
        location=Location(file.path),
        received=f"{now.size} bytes, changed at {now.mtime_ns} ns",
        allowed=f"{file.size} bytes, changed at {file.mtime_ns} ns",
        action="write files under a temporary name and rename them when complete, then run again",
    )


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(
        "the file cannot be read",
        location=Location(str(path)),
        received=error.strerror or str(error),
        action="give this user the right to read it, or mend the storage, then run again",
    )
