"""Packed files as streams: what comes out, in which memory, and where it stops."""

from __future__ import annotations

import errno
import gzip
import io
import random
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pytest

from quality_platform.errors import MalformedSourceError
from quality_platform.sources.unpacking import UnpackLimits, unpacked

TEXT = random.Random(1).randbytes(300_000)


def zipped(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as writer:
        writer.writestr("a.csv", content)
    return archive.getvalue()


PACKED = {
    "gzip": gzip.compress(TEXT),
    "zstd": pa.compress(TEXT, codec="zstd", asbytes=True),
    "zip": zipped(TEXT),
}


def opened(content: bytes, compression: str = "auto", **limits: int) -> BinaryIO:
    return unpacked(io.BytesIO(content), compression, "/data/a.csv", UnpackLimits(**limits))


def refusal(content: bytes, compression: str = "auto", **limits: int) -> str:
    with pytest.raises(MalformedSourceError) as caught:
        opened(content, compression, **limits).read()
    return str(caught.value)


@pytest.mark.parametrize("compression", PACKED)
@pytest.mark.parametrize("size", [1, 1000, 299_999, 300_000, 10**6])
def test_a_read_gives_what_was_asked_for_until_the_end(compression: str, size: int) -> None:
    for declared in ("auto", compression):
        stream = opened(PACKED[compression], declared)
        found = stream.read(size)
        assert found == TEXT[:size]
        assert stream.read() == TEXT[size:]
        assert stream.read(1) == b""


def test_a_file_that_is_not_packed_is_given_as_it_is() -> None:
    stream: BinaryIO = io.BytesIO(TEXT)
    assert unpacked(stream, "auto", "/data/a.csv") is stream
    assert stream.read() == TEXT
    assert opened(PACKED["gzip"], "none").read() == PACKED["gzip"]
    assert opened(b"").read() == b""


@pytest.mark.parametrize("compression", PACKED)
def test_the_file_is_left_open(compression: str) -> None:
    file = io.BytesIO(PACKED[compression])
    stream = unpacked(file, "auto", "/data/a.csv")
    stream.read()
    stream.close()
    del stream
    assert not file.closed


@pytest.mark.parametrize("compression", PACKED)
def test_a_file_that_is_not_packed_as_declared_is_refused(compression: str) -> None:
    assert f"packed with {compression} and is not" in refusal(TEXT, compression)


@pytest.mark.parametrize("compression", PACKED)
def test_the_size_that_is_allowed_is_allowed_and_one_byte_more_is_not(compression: str) -> None:
    packed = PACKED[compression]
    assert len(opened(packed, max_bytes=len(TEXT)).read()) == len(TEXT)
    assert "more than 299999 bytes" in refusal(packed, max_bytes=len(TEXT) - 1)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "zip"])
def test_the_ratio_counts_from_a_size_on(compression: str) -> None:
    content = bytes(300_000)
    packed = {
        "gzip": gzip.compress(content),
        "zstd": pa.compress(content, codec="zstd", asbytes=True),
        "zip": zipped(content),
    }[compression]
    assert opened(packed, max_ratio=20, ratio_from=len(content)).read() == content
    message = refusal(packed, max_ratio=20, ratio_from=len(content) - 1)
    assert "more than 20 times its own size" in message


def require_little_memory(stream: BinaryIO) -> None:
    before = pa.total_allocated_bytes()
    while stream.read(100_000):
        assert pa.total_allocated_bytes() - before < 2_000_000


@pytest.mark.parametrize("compression", ["gzip", "zstd", "zip"])
def test_a_bomb_takes_no_memory(compression: str) -> None:
    content = bytes(50_000_000)
    packed = {
        "gzip": gzip.compress(content),
        "zstd": pa.compress(content, codec="zstd", asbytes=True),
        "zip": zipped(content),
    }[compression]
    del content
    stream = opened(packed, max_bytes=40_000_000)
    tracemalloc.start()
    with pytest.raises(MalformedSourceError, match="more than 40000000 bytes"):
        require_little_memory(stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize("compression", PACKED)
def test_every_place_where_packed_data_are_cut_short_is_refused(compression: str) -> None:
    small = {
        "gzip": gzip.compress(TEXT[:100]),
        "zstd": pa.compress(TEXT[:100], codec="zstd", asbytes=True),
        "zip": zipped(TEXT[:100]),
    }[compression]
    for length in range(4, len(small)):
        assert f"at offset {length}" in refusal(small[:length], compression), length


def test_no_data_within_are_no_data() -> None:
    for packed in (gzip.compress(b""), zipped(b""), pa.compress(b"", codec="zstd", asbytes=True)):
        assert opened(packed).read() == b""


@pytest.mark.parametrize("place", [3, 60, -6, -1])
def test_damaged_gzip_is_refused(place: int) -> None:
    content = bytearray(gzip.compress(TEXT[:100]))
    content[place] ^= 0xFF
    assert "packed data" in refusal(bytes(content))


def test_a_member_of_a_zip_archive_whose_checksum_differs_is_refused() -> None:
    content = zipped(TEXT[:100], zipfile.ZIP_STORED)
    assert "Bad CRC-32" in refusal(content.replace(TEXT[50:60], bytes(10)))


def test_a_zip_archive_with_a_password_or_an_unknown_method_is_refused() -> None:
    content = zipped(TEXT[:100])
    place = content.index(b"PK\x01\x02")
    locked = bytearray(content)
    locked[6] = locked[place + 8] = 1
    assert "password" in refusal(bytes(locked))
    other = bytearray(content)
    other[8] = other[place + 10] = 97
    assert "compression" in refusal(bytes(other))


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("kind", ["gzip", *METHODS])
def test_damage_anywhere_is_refused_or_does_no_harm(kind: str | int, tmp_path: Path) -> None:
    text = b"".join(b"%d,%d\n" % (n, n * 7919 % 991) for n in range(100))
    whole = gzip.compress(text) if isinstance(kind, str) else zipped(text, kind)
    compression = "gzip" if isinstance(kind, str) else "zip"
    file = tmp_path / "a.csv"
    for place in range(4, len(whole)):
        content = bytearray(whole)
        content[place] ^= 0xA5
        file.write_bytes(content)
        with file.open("rb") as stream:
            try:
                found = unpacked(stream, compression, str(file)).read()
            except MalformedSourceError:
                continue
        assert found == text, place


class Failing(io.BytesIO):
    """A file on a disk that fails from a moment on."""

    fails = False

    def read(self, size: int | None = -1, /) -> bytes:
        if self.fails:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


@pytest.mark.parametrize("compression", PACKED)
def test_a_disk_that_fails_is_not_called_damage_of_the_data(compression: str) -> None:
    file = Failing(PACKED[compression])
    stream = unpacked(file, "auto", "/data/a.csv")
    file.fails = True
    with pytest.raises(OSError, match="Input/output error"):
        stream.read()


def test_members_of_gzip_may_be_packed_in_other_ways() -> None:
    stored = zlib.compressobj(0, wbits=31)
    first = stored.compress(TEXT[:1000]) + stored.flush()
    assert opened(first + gzip.compress(TEXT[1000:])).read() == TEXT
