"""Packed files as streams of what is in them, in bounded memory, and never more than is allowed."""

from __future__ import annotations

import errno
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, NoReturn, Protocol, cast

import pyarrow as pa

from quality_platform.errors import Location, MalformedSourceError
from quality_platform.sources.sniffing import SNIFFED_BYTES, packing_of

_CHUNK = 256 * 1024
_NAMES_SHOWN = 10


@dataclass(frozen=True)
class UnpackLimits:
    """How much a packed file may become.

    A few kilobytes can unpack to what fills every disk. `max_bytes` bounds what comes out;
    `max_ratio` bounds how many times more it is than what went in, from `ratio_from` bytes on.
    """

    max_bytes: int = 100 * 10**9
    max_ratio: int = 1000
    ratio_from: int = 100 * 10**6


DEFAULT_LIMITS = UnpackLimits()


def unpacked(
    stream: BinaryIO, compression: str, path: str, limits: UnpackLimits = DEFAULT_LIMITS
) -> BinaryIO:
    """What is in a file, from its beginning; the file itself where it is not packed.

    Args:
        stream: The file, at its beginning; it can be sought in, and stays open.
        compression: `none`, `gzip`, `zstd`, `zip`, or `auto` to tell it by the first bytes.
        path: The file, for messages.
        limits: How much may come out.

    Returns:
        A stream whose `read(n)` gives n bytes unless the data end. Reading it raises
        MalformedSourceError where the packed data are damaged, cut short, or beyond the limits.

    Raises:
        MalformedSourceError: the file is not packed as `compression` says, or is a zip archive
            that does not hold exactly one file.
    """
    head = stream.read(SNIFFED_BYTES)
    stream.seek(0)
    found = packing_of(head)
    if "none" in (compression, found) and compression in ("auto", "none"):
        return stream
    if compression not in ("auto", found):
        raise MalformedSourceError(
            f"the file is declared as packed with {compression} and is not",
            location=Location(path),
            received="text, or an unknown packing" if found == "none" else f"data of {found}",
            allowed=f"data of {compression}",
            action="deliver the file again, or have its packing told by its first bytes with "
            "`compression: auto`",
        )
    guarded = _Guarded(_PACKED[found](stream, path), path, limits)
    return cast("BinaryIO", io.BufferedReader(guarded, _CHUNK))


class _Packed(Protocol):
    """A way of packing: gives at most `size` bytes, b"" at the end."""

    offset: int
    """How many bytes of the file were used."""

    def read(self, size: int) -> bytes: ...


class _Guarded(io.RawIOBase):
    """Counts what comes out of a packed file, and stops where it becomes too much."""

    def __init__(self, packed: _Packed, path: str, limits: UnpackLimits) -> None:
        self._packed = packed
        self._path = path
        self._limits = limits
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer))
        data = self._packed.read(min(len(view), _CHUNK))
        view[: len(data)] = data
        self._given += len(data)
        self._require_within_limits()
        return len(data)

    def _require_within_limits(self) -> None:
        limits, used = self._limits, self._packed.offset
        if self._given > limits.max_bytes:
            self._refuse(
                f"more than {limits.max_bytes} bytes",
                "allow more with `max_unpacked_size` in runner.yaml",
            )
        if self._given > max(limits.ratio_from, used * limits.max_ratio):
            self._refuse(f"more than {limits.max_ratio} times its own size", "deliver it unpacked")

    def _refuse(self, held: str, action: str) -> NoReturn:
        limits = self._limits
        raise MalformedSourceError(
            f"the packed file holds {held}, as a file does that is made to fill the disk",
            location=Location(self._path),
            received=f"{self._given} bytes from the first {self._packed.offset}",
            allowed=f"{limits.max_bytes} bytes, and from {limits.ratio_from} on "
            f"{limits.max_ratio} times what is packed",
            action=f"look at the file; if it is right, {action}",
        )


class _Gzip:
    """Gzip members one behind the other (RFC 1952); NUL bytes behind the last are padding."""

    def __init__(self, stream: BinaryIO, path: str) -> None:
        self._stream = stream
        self._path = path
        self._rest = b""
        self._member = _gzip_member()
        self.offset = 0

    def read(self, size: int) -> bytes:
        """The next bytes; every member's length and checksum are compared by zlib."""
        while not (self._member.eof and self._is_at_end()):
            chunk = self._rest or self._stream.read(_CHUNK)
            try:
                data = self._member.decompress(chunk, size)
            except zlib.error as error:
                _refuse_damaged(self._path, self.offset, str(error))
            self._rest = self._member.unconsumed_tail
            self.offset = self._stream.tell() - len(self._rest or self._member.unused_data)
            if data:
                return data
            if not chunk and not self._member.eof:
                _refuse_cut_short(self._path, self.offset)
        return b""

    def _is_at_end(self) -> bool:
        """Whether no member follows; begins the next one where it does."""
        self._rest = self._member.unused_data.lstrip(b"\0")
        while not self._rest and (chunk := self._stream.read(_CHUNK)):
            self._rest = chunk.lstrip(b"\0")
        if self._rest:
            self._member = _gzip_member()
        return not self._rest


def _gzip_member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


class _Zstd:
    """Zstandard frames one behind the other (RFC 8878)."""

    def __init__(self, stream: BinaryIO, path: str) -> None:
        self._stream = stream
        self._path = path
        self._data = pa.CompressedInputStream(_Unclosed(stream), "zstd")  # type: ignore[arg-type]
        self.offset = 0

    def read(self, size: int) -> bytes:
        """The next bytes; Arrow refuses a window of more than 128 MB."""
        try:
            data: bytes = self._data.read(size)
        except OSError as error:
            if error.errno is not None:
                raise
            if "Truncated" in str(error):
                _refuse_cut_short(self._path, self._stream.tell())
            _refuse_damaged(self._path, self.offset, str(error))
        self.offset = self._stream.tell()
        return data


class _Unclosed:
    """A stream that Arrow may read, and not close."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self.read = stream.read

    def close(self) -> None:
        """Left to the stream's owner."""


class _Zip:
    """The one file in a zip archive."""

    def __init__(self, stream: BinaryIO, path: str) -> None:
        self._path = path
        try:
            archive = zipfile.ZipFile(stream)
        except zipfile.BadZipFile:
            # What an archive holds is told at its end.
            _refuse_cut_short(path, stream.seek(0, io.SEEK_END))
        except _ZIP_FAULTS as error:
            self._refuse_fault(error)
        self._member = _only_member(archive, path)
        try:
            self._data = archive.open(self._member)
        except _ZIP_FAULTS as error:
            self._refuse_fault(error)
        self.offset = self._member.compress_size

    def read(self, size: int) -> bytes:
        """The next bytes; the checksum is compared at the end."""
        try:
            return self._data.read(size)
        except _ZIP_FAULTS as error:
            self._refuse_fault(error)

    def _refuse_fault(self, error: Exception) -> NoReturn:
        if isinstance(error, OSError) and error.errno not in _ERRNOS_OF_DAMAGE:
            raise error
        _refuse_damaged(self._path, 0, str(error) or type(error).__name__)


# What the standard library raises for archives that are damaged, locked or of an unknown method.
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    ArithmeticError,
)
# bz2 tells no number, and a damaged offset lets it seek to before the beginning.
_ERRNOS_OF_DAMAGE = (None, errno.EINVAL)


def _only_member(archive: zipfile.ZipFile, path: str) -> zipfile.ZipInfo:
    """The archive's only file; what macOS adds for itself is none."""
    files = [
        member
        for member in archive.infolist()
        if not member.filename.endswith("/") and not member.filename.startswith("__MACOSX/")
    ]
    if len(files) == 1:
        return files[0]
    names = [member.filename for member in files]
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    is_workbook = "[Content_Types].xml" in names
    raise MalformedSourceError(
        "the file is an Excel workbook"
        if is_workbook
        else f"the zip archive holds {len(files)} files",
        location=Location(path),
        received=", ".join(map(repr, names[:_NAMES_SHOWN])) + more,
        allowed="an archive with exactly one file",
        action="export the data as CSV"
        if is_workbook
        else "unpack the archive and point runner.yaml at what is inside",
    )


def _refuse_cut_short(path: str, offset: int) -> NoReturn:
    raise MalformedSourceError(
        "the packed data are cut short",
        location=Location(path),
        received=f"the end of the file at offset {offset}, within the packed data",
        allowed="whole packed data, with the mark at their end",
        action="deliver the file again",
    )


def _refuse_damaged(path: str, offset: int, reason: str) -> NoReturn:
    raise MalformedSourceError(
        "the packed data cannot be unpacked",
        location=Location(path),
        received=f"behind offset {offset}: {reason}",
        action="deliver the file again",
    )


_PACKED: dict[str, Callable[[BinaryIO, str], _Packed]] = {"gzip": _Gzip, "zstd": _Zstd, "zip": _Zip}
