"""What a file is by its first bytes."""

from __future__ import annotations

import pytest

from quality_platform.errors import MalformedSourceError
from quality_platform.sources.sniffing import (
    SNIFFED_BYTES,
    packing_of,
    refuse_binary_formats,
    wide_encoding,
)


@pytest.mark.parametrize(
    "text", [b"id,name\n", b"PAR1,x\n", b"PK,x\n", b"\xef\xbb\xbfid\n", b"BZh"]
)
def test_text_that_only_resembles_another_format_is_not_refused(text: bytes) -> None:
    refuse_binary_formats("/data/a.csv", text)


def test_a_binary_format_is_named_with_its_first_bytes() -> None:
    with pytest.raises(MalformedSourceError, match="Parquet") as caught:
        refuse_binary_formats("/data/a.csv", b"PAR1\x15\x04")
    assert "50 41 52 31 15" in str(caught.value)


def test_a_file_that_was_never_written_to_its_end_is_refused() -> None:
    refuse_binary_formats("/data/a.csv", bytes(SNIFFED_BYTES - 1))
    with pytest.raises(MalformedSourceError, match="nothing but NUL bytes"):
        refuse_binary_formats("/data/a.csv", bytes(SNIFFED_BYTES))


@pytest.mark.parametrize(
    ("head", "packing"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x50\x2a\x4d\x18", "zstd"),
        (b"PK\x03\x04", "zip"),
        (b"PK,a", "none"),
        (b"", "none"),
    ],
)
def test_a_packing_is_told_by_its_first_bytes(head: bytes, packing: str) -> None:
    assert packing_of(head) == packing


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["a,b\n", "naïve,customer\n1,2\n"])
def test_wide_characters_are_known_by_where_their_nul_bytes_are(encoding: str, text: str) -> None:
    assert wide_encoding(text.encode(encoding)) == encoding


@pytest.mark.parametrize(
    "head", [b"", b"a", b"a,b\n", b"a,b\n1\x00,\x002\n", bytes(64), "漢字,か\n".encode("utf-16-le")]
)
def test_anything_else_is_no_wide_encoding(head: bytes) -> None:
    assert wide_encoding(head) == ""
