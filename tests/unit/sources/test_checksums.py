"""Checksums of files: of all their bytes, and as those of earlier releases were."""

from __future__ import annotations

import hashlib
import io

import pytest
import xxhash

from quality_platform.sources.checksums import checksum_of, with_algorithm

SIZES = [0, 1, 2**18 - 1, 2**18, 2**18 + 1, 2**20 + 5]


def content(size: int) -> bytes:
    return bytes(n * n % 251 for n in range(size))


@pytest.mark.parametrize("size", SIZES)
def test_a_checksum_is_of_every_byte_and_names_its_algorithm(size: int):
    data = content(size)
    expected = f"xxh3-128:{xxhash.xxh3_128_hexdigest(data)}"
    assert checksum_of(io.BytesIO(data)) == expected
    for known in ("", expected, "a plugin's own version"):
        assert checksum_of(io.BytesIO(data), known) == expected


def test_the_algorithm_is_the_one_that_others_call_so():
    # The value that `xxh128sum` (xxHash 0.8.2) prints for these three bytes.
    assert checksum_of(io.BytesIO(b"abc")) == "xxh3-128:06b05ab6733a618578af5f94892f3950"


@pytest.mark.parametrize("size", SIZES)
def test_content_that_was_known_by_its_sha_256_keeps_that(size: int):
    data = content(size)
    known = hashlib.sha256(data).hexdigest()
    assert checksum_of(io.BytesIO(data), known) == known


def test_other_content_than_that_of_a_known_sha_256_gets_a_checksum_of_today():
    known = hashlib.sha256(b"before").hexdigest()
    assert checksum_of(io.BytesIO(b"after"), known) == checksum_of(io.BytesIO(b"after"))


def test_a_stream_that_gives_little_at_a_time_is_read_to_its_end():
    class Slow(io.BytesIO):
        def readinto(self, buffer: object) -> int:
            return super().readinto(memoryview(buffer)[:7])  # type: ignore[arg-type]

    data = content(1000)
    assert checksum_of(Slow(data)) == checksum_of(io.BytesIO(data))  # type: ignore[arg-type]


def test_people_are_told_the_algorithm_of_every_checksum():
    before, now = hashlib.sha256(b"x").hexdigest(), checksum_of(io.BytesIO(b"x"))
    assert with_algorithm(before) == f"sha-256:{before}"
    assert with_algorithm(now) == now
