"""Packed files and files of other encodings, the whole way into the lake."""

from __future__ import annotations

import gzip
import io
import zipfile

import pyarrow as pa
import pytest
from support.hostile_files import load_file, refusal, require_exact
from support.project import Project

from quality_platform.errors import MalformedSourceError

TEXT = 'a,b\r\nprénom,x\n2\n"3, €","y\nz"\n4,"5"6\n'
PLAIN = TEXT.encode()


def zipped(*names: str, content: bytes = PLAIN) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for name in names:
            writer.writestr(name, content)
    return archive.getvalue()


def zstd(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return packed


SKIPPABLE = b"\x50\x2a\x4d\x18\x01\x00\x00\x00!"
PACKED = {
    "gzip": gzip.compress(PLAIN),
    "gzip in several members": gzip.compress(PLAIN[:20]) + gzip.compress(PLAIN[20:]) + bytes(512),
    "zstd": zstd(PLAIN),
    "zstd in several frames": zstd(PLAIN[:20]) + SKIPPABLE + zstd(PLAIN[20:]),
    "zip": zipped("orders.csv"),
    "zip by macOS": zipped("data/", "data/orders.csv", "__MACOSX/data/._orders.csv"),
    "gzip of UTF-16": gzip.compress(TEXT.encode("utf-16")),
}  # fmt: skip


@pytest.mark.parametrize("packing", PACKED)
def test_packed_files_are_loaded_whatever_their_names_say(project: Project, packing: str) -> None:
    loaded = load_file(project, PACKED[packing], file="a.csv")
    require_exact(loaded, PLAIN)
    assert (len(loaded.rows), len(loaded.held)) == (2, 2)


def test_plain_text_that_is_named_like_a_packed_file_is_loaded(project: Project) -> None:
    require_exact(load_file(project, PLAIN, file="a.csv.gz"), PLAIN)


BIG = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * 7919 % 99991) for n in range(60_000))
CUT_SHORT = {
    "gzip": gzip.compress(BIG)[:-9],
    "gzip in the middle": gzip.compress(BIG)[:100_000],
    "gzip at once": gzip.compress(BIG)[:5],
    "zstd": zstd(BIG)[:100_000],
    "zip": zipped("a.csv", content=BIG)[:100_000],
}


@pytest.mark.parametrize("packing", CUT_SHORT)
def test_packed_data_that_are_cut_short_are_refused_with_the_place(
    project: Project, packing: str
) -> None:
    content = CUT_SHORT[packing]
    message = refusal(project, content, MalformedSourceError)
    assert "the packed data are cut short" in message
    assert f"at offset {len(content)}" in message


DAMAGED = {
    "gzip": (gzip.compress(BIG)[:50_000] + b"!!!!" + gzip.compress(BIG)[50_004:], "offset "),
    "gzip with text behind it": (gzip.compress(PLAIN) + b"1,x\n", "incorrect header"),
    "zstd": (zstd(BIG)[:10] + b"!!!!" + zstd(BIG)[14:], "offset "),
    "zip": (zipped("a.csv", content=BIG).replace(b"PK\x01\x02", b"PK\x01\x03"), "offset "),
    "zip with two files": (zipped("a.csv", "b.csv"), "'a.csv', 'b.csv'"),
    "zip with no file": (zipped(), "holds 0 files"),
    "workbook": (zipped("[Content_Types].xml", "xl/workbook.xml"), "Excel workbook"),
    "packed twice": (gzip.compress(gzip.compress(PLAIN)), "looks like gzip data"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_packed_data_that_cannot_be_unpacked_are_refused(project: Project, kind: str) -> None:
    content, words = DAMAGED[kind]
    assert words in refusal(project, content, MalformedSourceError)


BOMB = b"a,b\n" + b"1,x\n" * 500_000


@pytest.mark.parametrize("content", [gzip.compress(BOMB), zstd(BOMB), zipped("a", content=BOMB)])
def test_a_bomb_is_refused_as_soon_as_it_is_too_much(project: Project, content: bytes) -> None:
    assert len(BOMB) > 2_000_000 > 100 * len(content)
    message = refusal(project, content, MalformedSourceError, max_unpacked_size="1MB")
    assert "more than 1000000 bytes" in message
    assert "max_unpacked_size" in message


def test_a_declared_packing_is_not_guessed(project: Project) -> None:
    message = refusal(project, PLAIN, MalformedSourceError, compression="gzip")
    assert "declared as packed with gzip and is not" in message


def test_packed_data_that_are_declared_as_text_are_refused(project: Project) -> None:
    message = refusal(project, gzip.compress(PLAIN), MalformedSourceError, compression="none")
    assert "looks like gzip data" in message


ENCODED = {
    "utf-8 with a mark": (TEXT.encode("utf-8-sig"), {}),
    "utf-16 with a mark": (TEXT.encode("utf-16"), {}),
    "utf-16 with a mark, big end first": (b"\xfe\xff" + TEXT.encode("utf-16-be"), {}),
    "utf-32 with a mark": (TEXT.encode("utf-32"), {}),
    "a mark wins": (TEXT.encode("utf-16"), {"encoding": "cp1252"}),
    "utf-16-le": (TEXT.encode("utf-16-le"), {"encoding": "utf-16-le"}),
    "utf-16-be": (TEXT.encode("utf-16-be"), {"encoding": "utf-16-be"}),
    "utf-32-be": (TEXT.encode("utf-32-be"), {"encoding": "utf-32-be"}),
    "cp1252": (TEXT.encode("cp1252"), {"encoding": "cp1252"}),
    "iso8859-15": (TEXT.encode("iso8859-15"), {"encoding": "iso8859-15"}),
    "gb18030": (TEXT.encode("gb18030"), {"encoding": "gb18030"}),
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_text_of_every_encoding_is_loaded_as_the_characters_that_it_is(
    project: Project, encoding: str
) -> None:
    content, source = ENCODED[encoding]
    require_exact(load_file(project, content, **source), PLAIN)


def test_latin_1_that_is_declared_as_utf_8_holds_exactly_its_rows(project: Project) -> None:
    content = "a,b\nplain,1\nprénom,2\nnon plus,3\n".encode("latin-1")
    loaded = load_file(project, content)
    assert loaded.rows == [("plain", "1"), ("non plus", "3")]
    assert [(line, raw) for line, raw, _ in loaded.held] == [(3, "pr\\xe9nom,2")]


def test_bytes_that_an_encoding_does_not_have_hold_exactly_their_rows(project: Project) -> None:
    content = b"a,b\ncaf\xe9,1\nodd\x81,2\n\x93quoted\x94,3\n"
    loaded = load_file(project, content, encoding="cp1252")
    assert loaded.rows == [("café", "1"), ("“quoted”", "3")]
    assert [(line, raw) for line, raw, _ in loaded.held] == [(3, "odd\\x81,2")]


def test_a_surrogate_without_its_partner_holds_exactly_its_row(project: Project) -> None:
    content = "\ufeffa,b\n1,x\n2,\ud800\n😀,y\n".encode("utf-16-le", "surrogatepass")
    loaded = load_file(project, content)
    assert loaded.rows == [("1", "x"), ("😀", "y")]
    assert [(line, raw) for line, raw, _ in loaded.held] == [(3, "2,\\xed\\xa0\\x80")]


UNREADABLE = {
    "utf-16 cut short": (TEXT.encode("utf-16")[:-1], {}, ":6", f"offset {len(TEXT) * 2}"),
    "utf-16 without a mark": (TEXT.encode("utf-16-le"), {}, "", "`encoding: utf-16-le`"),
    "no byte order": (TEXT.encode("utf-16-be"), {"encoding": "utf-16"}, "", "no byte order mark"),
    "the other order": (TEXT.encode("utf-16-be"), {"encoding": "utf-16-le"}, "", "utf-16-be"),
    "UTF-8 that is declared as ASCII": (PLAIN, {"encoding": "ascii"}, ":2", "offset 7"),
    "half a shift": (b"a,b\n1,x\n2,+Z!-\n", {"encoding": "utf-7"}, ":3", "offset 10"),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_told_from_text_is_refused_with_its_place(
    project: Project, kind: str
) -> None:
    content, source, place, words = UNREADABLE[kind]
    assert words in refusal(project, content, MalformedSourceError, place, **source)
