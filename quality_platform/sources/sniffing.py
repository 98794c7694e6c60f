"""What a file is by its first bytes: packed data, another format, an encoding."""

from __future__ import annotations

from typing import Literal

from quality_platform.errors import Location, MalformedSourceError

SNIFFED_BYTES = 512
"""How much of a file's beginning is looked at."""

Packing = Literal["none", "gzip", "zstd", "zip"]

_PACKINGS: tuple[tuple[bytes, Packing], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x50\x2a\x4d\x18", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)

# Longer marks come first: that of UTF-32 LE begins with that of UTF-16 LE.
BYTE_ORDER_MARKS: tuple[tuple[bytes, str], ...] = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)

_UNPACK = "unpack the file and point runner.yaml at what is inside"
_DECLARE = "give the source the type that it has"

# Parquet's signature is followed by the first byte of a Thrift structure, for "PAR1" alone may be
# the beginning of a header.
_FORMATS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "gzip data", "`compression: auto` unpacks it once; what is packed twice is not"),
    (b"\x28\xb5\x2f\xfd", "zstd data", "`compression: auto` unpacks it once"),
    (b"PK\x03\x04", "a zip archive (or an Excel workbook)", "`compression: auto` unpacks it once"),
    (b"PK\x05\x06", "an empty zip archive", "deliver the file again"),
    (b"BZh91AY&SY", "bzip2 data", _UNPACK),
    (b"\xfd7zXZ\x00", "xz data", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"PAR1\x15", "a Parquet file", _DECLARE),
    (b"ARROW1\x00\x00", "an Arrow file", _DECLARE),
    (b"Obj\x01", "an Avro file", "export the data as Parquet"),
    (b"SQLite format 3\x00", "a SQLite database", "read it with a source of type sql"),
    (b"%PDF-", "a PDF document", "export the data as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook", "export the data as CSV"),
)


def packing_of(head: bytes) -> Packing:
    """How a file is packed that begins with these bytes."""
    return next((name for signature, name in _PACKINGS if head.startswith(signature)), "none")


def refuse_binary_formats(path: str, head: bytes) -> None:
    """Raises MalformedSourceError where a file begins like a format that is no text."""
    for signature, name, action in _FORMATS:
        if head.startswith(signature):
            raise MalformedSourceError(
                f"the file is declared as text but looks like {name}",
                location=Location(path),
                received=f"first bytes {head[: len(signature)].hex(' ')}",
                allowed="text, packed with gzip, zstd or zip or not at all",
                action=action,
            )
    if len(head) == SNIFFED_BYTES and not any(head):
        raise MalformedSourceError(
            "the file begins with nothing but NUL bytes, as one that was never written to its end",
            location=Location(path),
            action="deliver the file again",
        )


def wide_encoding(head: bytes) -> str:
    """The encoding of text without a byte order mark whose characters have two or four bytes.

    A guess from where the NUL bytes are, good for a hint and nothing else; "" where it is none.
    """
    whole = head[: len(head) // 4 * 4]
    if len(whole) < 8:
        whole = head[: len(head) // 2 * 2]
    elif any(whole[0::4]) and not any(whole[1::4] + whole[2::4] + whole[3::4]):
        return "utf-32-le"
    elif any(whole[3::4]) and not any(whole[0::4] + whole[1::4] + whole[2::4]):
        return "utf-32-be"
    return _utf_16(whole[0::2], whole[1::2])


def _utf_16(even: bytes, odd: bytes) -> str:
    most = len(even) * 3 / 4
    if odd and odd.count(0) >= most and not even.count(0):
        return "utf-16-le"
    if even and even.count(0) >= most and not odd.count(0):
        return "utf-16-be"
    return ""
