"""Files as sources: finding them, telling their versions apart, refusing what is no text."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from quality_platform.errors import (
    Location,
    MalformedSourceError,
    SourceChangedError,
    SourceError,
    SourceNotFoundError,
)
from quality_platform.sources.protocol import SourceFile

HASH_BLOCK_BYTES = 2**20

_TEMPORARY_PREFIXES = (".", "_")
_TEMPORARY_SUFFIXES = (".tmp", ".part", ".crdownload")

_UNPACK = "unpack the file and point runner.yaml at what is inside"
_RECODE = "convert the file to UTF-8, for example with iconv"
_EXPORT = "export the data as CSV"

# Longer signatures come first: the byte order mark of UTF-32 LE begins with that of UTF-16 LE.
# Parquet's is followed by the first byte of a Thrift structure, for "PAR1" alone may be a header.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\xff\xfe\x00\x00", "UTF-32 text", _RECODE),
    (b"\x00\x00\xfe\xff", "UTF-32 text", _RECODE),
    (b"\xff\xfe", "UTF-16 text", _RECODE),
    (b"\xfe\xff", "UTF-16 text", _RECODE),
    (b"\x1f\x8b", "gzip data", _UNPACK),
    (b"PK\x03\x04", "a zip archive (or an Excel workbook)", _UNPACK),
    (b"PK\x05\x06", "an empty zip archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstd data", _UNPACK),
    (b"BZh91AY&SY", "bzip2 data", _UNPACK),
    (b"\xfd7zXZ\x00", "xz data", _UNPACK),
    (b"PAR1\x15", "a Parquet file", _EXPORT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook", _EXPORT),
)


def find_files(
    pattern: str, *, location: Location | None, field: str, digests: bool = True
) -> tuple[SourceFile, ...]:
    """Finds the files that a path or a glob names, each with its size, time and digest.

    A glob takes `*`, `?`, `[...]` and `**` (any depth of folders). Of what a glob matches, hidden
    and temporary names are left out: those that begin with "." or "_" or end with .tmp, .part or
    .crdownload, and all that lies in such a folder. A path that exists is taken by its letter.
    Folders below the glob's fixed part that may not be listed are passed over, as a shell does.

    Args:
        pattern: An absolute path or glob.
        location: Where it stands in runner.yaml.
        field: The setting's name there.
        digests: Whether the files are read for their digests; "" stands for each otherwise.

    Returns:
        The regular files, sorted by path; never none.

    Raises:
        SourceNotFoundError: Nothing there, or nothing but folders, hidden and temporary files.
        SourceChangedError: A file is being written to.
        SourceError: A file cannot be read.
    """
    try:
        matches = _sorted_matches(pattern)
        paths = _files_among(matches, pattern)
        hidden = sum(_is_temporary(path, pattern) for path in matches)
        reason = "" if paths else _why_none(pattern, matches, hidden)
    except OSError as error:
        raise _unreadable(Path(error.filename or pattern), error) from error
    if not Path(pattern).is_absolute():
        reason = "the path is not absolute"
    if reason:
        raise SourceNotFoundError(
            reason,
            location=location,
            field=field,
            received=pattern,
            allowed="the absolute path of a file, or a glob such as /data/orders/*.csv",
            action="correct the path, or put the file there",
        )
    return tuple(_fingerprint(path, digests=digests) for path in paths)


def list_files(pattern: str) -> list[Path]:
    """The files that `find_files` would find, without reading them; [] where there are none.

    Raises:
        OSError: A folder or file may not be looked at.
    """
    return _files_among(_sorted_matches(pattern), pattern)


def _sorted_matches(pattern: str) -> list[Path]:
    return [Path(found) for found in sorted(set(_matches(pattern)))]


def _files_among(matches: Iterable[Path], pattern: str) -> list[Path]:
    wanted = (path for path in matches if not _is_temporary(path, pattern))
    return [path for path in wanted if path.is_file()]


@contextmanager
def open_version(file: SourceFile) -> Iterator[BinaryIO]:
    """Opens a file for reading and vouches that it is the version that was found.

    Size and time of the last change are compared when the file is opened and when the reader has
    finished with it.

    Raises:
        SourceChangedError: The file was written to since it was found, or while it was read.
        SourceError: The file cannot be read.
    """
    try:
        with Path(file.path).open("rb") as stream:
            _require_unchanged(file, os.fstat(stream.fileno()))
            yield stream
            _require_unchanged(file, os.fstat(stream.fileno()))
    except OSError as error:
        raise _unreadable(Path(file.path), error) from error


def refuse_binary_formats(path: str, first_bytes: bytes) -> None:
    """Raises MalformedSourceError where a file begins like a format that is not UTF-8 text."""
    for signature, name, action in _SIGNATURES:
        if first_bytes.startswith(signature):
            raise MalformedSourceError(
                f"the file is declared as CSV but looks like {name}",
                location=Location(path),
                received=f"first bytes {first_bytes[: len(signature)].hex(' ')}",
                allowed="UTF-8 text, with or without a byte order mark",
                action=action,
            )


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


def _why_none(pattern: str, matches: list[Path], left_out: int) -> str:
    if left_out:
        return f"only hidden or temporary files match ({left_out}), and these are never read"
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


def _fingerprint(path: Path, *, digests: bool) -> SourceFile:
    try:
        with path.open("rb") as stream:
            found = os.fstat(stream.fileno())
            digest = _digest(stream) if digests else ""
            file = SourceFile(str(path), found.st_size, found.st_mtime_ns, digest)
            _require_unchanged(file, os.fstat(stream.fileno()))
    except OSError as error:
        raise _unreadable(path, error) from error
    return file


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(HASH_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def _require_unchanged(file: SourceFile, now: os.stat_result) -> None:
    if (now.st_size, now.st_mtime_ns) == (file.size, file.mtime_ns):
        return
    raise SourceChangedError(
        "the file changed between being found and being read to its end",
        location=Location(file.path),
        received=f"{now.st_size} bytes, changed at {now.st_mtime_ns} ns",
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
