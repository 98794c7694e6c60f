"""Text of any encoding as UTF-8: character by character, in whatever pieces it comes."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_platform.errors import EmptySourceError, MalformedSourceError
from quality_platform.sources import encodings
from quality_platform.sources.encodings import recoded
from quality_platform.sources.unpacking import unpacked

TEXT = "name,prénom\r\n1,x\r2,y\n" * 3


class Trickle(io.RawIOBase):
    """A stream that cannot be sought in and gives a few bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        self._stream, self._size = io.BytesIO(content), size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        data = self._stream.read(min(self._size, len(buffer)))
        buffer[: len(data)] = data
        return len(data)


def read(content: bytes, encoding: str = "utf-8") -> bytes:
    return recoded(io.BytesIO(content), encoding, "/data/a.csv").read()


def refusal(content: bytes, encoding: str = "utf-8") -> str:
    with pytest.raises(MalformedSourceError) as caught:
        read(content, encoding)
    return str(caught.value)


@pytest.fixture(params=[1, 2, 3, 5, 512 * 1024])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters are cut at every place."""
    monkeypatch.setattr(encodings, "_CHUNK", request.param)


ENCODINGS = ["utf-16-le", "utf-32-be", "latin-1", "cp1252", "gb18030", "utf-7", "cp037", "utf-8"]


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_becomes_utf_8(encoding: str) -> None:
    assert read(TEXT.encode(encoding), encoding) == TEXT.encode()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("declared", ["utf-8", "cp1252", "utf-16-be"])
def test_a_byte_order_mark_wins_and_is_left_out(encoding: str, declared: str) -> None:
    assert read(TEXT.encode(encoding), declared) == TEXT.encode()


def test_utf_8_is_given_as_it_is() -> None:
    stream = io.BytesIO(b"a,b\n\xff,1\n")
    assert recoded(stream, "UTF8", "/data/a.csv") is stream
    assert stream.read() == b"a,b\n\xff,1\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_what_cannot_be_sought_in_is_read_from_its_beginning(encoding: str) -> None:
    packed = gzip.compress(TEXT.encode(encoding))
    stream = unpacked(io.BytesIO(packed), "auto", "/data/a.csv")
    assert recoded(stream, encoding, "/data/a.csv").read() == TEXT.encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_read_gives_what_was_asked_for_until_the_end(encoding: str, size: int) -> None:
    source = io.BufferedReader(Trickle((TEXT * 40).encode(encoding), size), 16)
    stream = recoded(source, encoding, "/data/a.csv")
    assert stream.read(701) == (TEXT * 40).encode()[:701]
    assert stream.read() == (TEXT * 40).encode()[701:]
    assert stream.read(1) == b""


def test_a_file_without_bytes_is_refused() -> None:
    with pytest.raises(EmptySourceError):
        read(b"")


@pytest.mark.usefixtures("chunk")
def test_bytes_that_the_encoding_does_not_have_are_left_as_no_utf_8() -> None:
    assert read(b"a\x81b\x8d\x81\xe9", "cp1252") == b"a\x81b\x8d\x81\xc3\xa9"
    assert read(b"a\xff\x80\x80\x80\x80b\xc3", "ascii") == b"a\xff\x80\x80\x80\x80b\xc3"
    assert read(b"a\x81\nb", "shift_jis") == b"a\x81\nb"


@pytest.mark.usefixtures("chunk")
def test_a_surrogate_without_its_partner_is_left_as_no_utf_8() -> None:
    content = "a\ud800\udc00\udc00,\ud800".encode("utf-16-le", "surrogatepass")
    assert read(content, "utf-16-le") == "a\U00010000".encode() + b"\xed\xb0\x80,\xed\xa0\x80"


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("foreign", ["é", "漢", "😀"])
def test_foreign_bytes_that_happen_to_be_utf_8_are_refused_with_their_place(foreign: str) -> None:
    content = b"a,b\r\n1,\x80\xff\r2," + foreign.encode()
    message = refusal(content, "ascii")
    assert "/data/a.csv:3: " in message
    assert "bytes that are UTF-8 and no ascii" in message
    assert "offset 12\n" in message


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize(
    ("content", "encoding", "line", "offset"),
    [
        ("a\r\nb\rc\nd".encode("utf-16-le")[:-1], "utf-16-le", 4, 14),
        ("a\n\n".encode("utf-32-be") + b"\x00\x11\x00\x00", "utf-32-be", 3, 12),
        (b"a\n1,+Z!-", "utf-7", 2, 4),
    ],
)
def test_text_that_cannot_go_on_is_refused_with_line_and_offset(
    content: bytes, encoding: str, line: int, offset: int
) -> None:
    message = refusal(content, encoding)
    assert f"/data/a.csv:{line}: " in message
    assert f"offset {offset}\n" in message


@pytest.mark.usefixtures("chunk")
def test_half_a_character_that_is_written_out_is_refused() -> None:
    message = refusal(b"a\n1,+2AA-", "utf-7")
    assert "/data/a.csv:2: " in message
    assert "half a character in utf-7" in message


@settings(max_examples=200, deadline=None)
@given(
    content=st.lists(
        st.sampled_from([b"a", b"\n", b"\x81", b"\xc3", b"\xa9", b"\xff", b"\xe2\x82\xac"]),
        min_size=1,
        max_size=20,
    ).map(b"".join),
    encoding=st.sampled_from(["ascii", "cp1252", "latin-1", "shift_jis", "euc_jp"]),
    size=st.integers(1, 8),
)
def test_every_byte_becomes_its_character_or_stays_or_the_file_is_refused(
    content: bytes, encoding: str, size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "_CHUNK", size)
        try:
            found = read(content, encoding)
        except MalformedSourceError:
            return
    strict = content.decode(encoding, "surrogateescape")
    assert found == strict.encode("utf-8", "surrogateescape")
    # A character that the encoding has is UTF-8 in the end, and no other is.
    assert found.decode("utf-8", "surrogateescape") == strict
