"""Hostile CSV, the whole way into the lake: loaded exactly, held exactly, or refused with a place.

What is expected comes from `support.naive_csv`, a reader byte by byte that shares nothing with the
platform's; rows and held records are read back from Iceberg.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.hostile_files import (
    load_file,
    refusal,
    require_as_python_reads,
    require_exact,
)
from support.naive_csv import NaiveDialect, naive_records
from support.project import Project

from quality_platform.errors import EmptySourceError, HeaderError, MalformedSourceError
from quality_platform.sources.csv_files import CsvFormat

MARK = b"\xef\xbb\xbf"
LIMIT = CsvFormat().max_record_bytes

AS_PYTHON = {
    "plain": b"a,b\n1,x\n2,y\n",
    "no line end at the end": b"a,b\n1,x\n2,y",
    "header only": b"a,b\n",
    "ragged": b"a,b\n1\n1,x\n1,x,2\n,\n,,\n",
    "return alone": b"a,b\r1,x\r\r2,y\r",
    "mixed line ends": b'a,b\r\n1,x\n2,"y\r\nz\r"\r3,z\n\r\n4,u',
    "blank lines": b"a,b\n\n\n1,x\n\r\n\n2,y\n\n",
    "lines of blanks": b"a,b\n \n1,x\n\t\n  ,  \n",
    "quotes in unquoted fields": b'a,b\n5" disk,x "y" z\n1,""" quoted ""\n"",x"\n',
    "quoted delimiters and line ends": b'a,b\n"1,2","x\ny"\n"","\n\n"\n',
    "delimiter at the end": b"a,b\n1,x,\n2,y\n,\n",
    "formulas": b"a,b\n=cmd|' /C calc'!A0,@SUM(1)\n+1+1,-2\n\"=HYPERLINK(\"\"u\"\")\",\t=1\n",
    "end of file of DOS": b"a,b\r\n1,x\r\n\x1a",
    "end of file of DOS in a cell": b"a,b\n\x1a,x\x1ay\n",
    "NUL": b"a,b\n1\x002,\x00\n\"\x00,\x00\",x\n\x00\n",
    "bad UTF-8": b"a,b\n1,x\nM\xfcnchen,y\n2,\"\xff\xfe\"\n3,\xc3\n4,\xed\xa0\x80\n5,z\n",
    "bad UTF-8 in a ragged record": b"a,b\nM\xfcnchen\n1,x\n",
    "byte order marks within": b"a,b\n" + MARK + b"1,x\n2," + MARK + b"\n",
    "words of null": b"a,b\nNULL,null\nNA,\\N\nnan,None\n",
    "spaces around": b"a,b\n 1 , x\n",
    "a header of several lines before": b"\n\r\na,b\n1,x\n",
    "a column in quotes": b'"a","b"\n1,x\n',
    "columns in another order": b"b,a\nx,1\n",
}  # fmt: skip
BROKEN = {
    "unclosed quote at the beginning": b'a,b\n"1,x\n2,"y"\n3,z\n',
    "unclosed quote in the middle": b'a,b\n1,x\n2,"y\n3,z\n4,"w"\n5,v\n',
    "text behind a closing quote": b'a,b\n"1" ,x\n1,"x"y\n"1"",x",2\n2,y\n',
    "quotes around quotes": b'a,b\n""1"",x\n2,y\n',
}


@pytest.mark.parametrize("name", AS_PYTHON)
def test_every_record_is_published_or_held_as_python_reads_it(project: Project, name: str) -> None:
    content = AS_PYTHON[name]
    require_as_python_reads(content)
    require_exact(load_file(project, content), content)


@pytest.mark.parametrize("name", BROKEN)
def test_records_with_broken_quotes_are_held_with_all_their_text(
    project: Project, name: str
) -> None:
    content = BROKEN[name]
    loaded = load_file(project, content)
    require_exact(loaded, content)
    assert "text follows a closing quote" in loaded.held[0][2]


def test_a_byte_order_mark_before_the_header_is_no_part_of_it(project: Project) -> None:
    content = b'"a",b\n1,x\n'
    require_exact(load_file(project, MARK + content), content)


def test_a_formula_is_loaded_as_the_text_that_it_is(project: Project) -> None:
    loaded = load_file(project, b'a,b\n=cmd|\' /C calc\'!A0,"=1+""2"""\n')
    assert loaded.rows == [("=cmd|' /C calc'!A0", '=1+"2"')]


# Dialects.


DIALECTS = {
    "semicolon and apostrophe": (
        b"a;b\n'x;''y';\"z\n1,2;\n",
        NaiveDialect(b";", b"'"),
        {"delimiter": ";", "quote": "'"},
    ),
    "tab and no quote": (
        b'a\tb\n"x\ty"\n"\t\n1\n',
        NaiveDialect(b"\t", b""),
        {"delimiter": "\t", "quote": ""},
    ),
    "a control character": (b"a\x01b\n1\x01x,y\n", NaiveDialect(b"\x01"), {"delimiter": "\x01"}),
    "an escape": (
        b'a,b\n"x \\"y\\", z","C:\\temp\\\\"\n\\"1,2\\\n"\\\\\\"","""\\""\n"\\","x\n"\n"\\"",1\n',
        NaiveDialect(escape=b"\\"),
        {"escape": "\\"},
    ),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects(project: Project, name: str) -> None:
    content, dialect, source = DIALECTS[name]
    loaded = load_file(project, content, **source)
    require_exact(loaded, content, dialect)
    assert loaded.rows


def test_an_escape_drops_nothing_before_other_characters(project: Project) -> None:
    loaded = load_file(project, b'a,b\n"C:\\temp\\"x\\"\\\\",\\N\n', escape="\\")
    assert loaded.rows == [('C:\\temp"x"\\', "\\N")]


def test_null_strings_are_null_and_nothing_else_is(project: Project) -> None:
    content = b'a,b\n,""\nNA,"NA"\n NA,na\n'
    loaded = load_file(project, content, null_strings=["", "NA"])
    assert loaded.rows == [(None, None), (None, None), (" NA", "na")]
    require_exact(loaded, content, nulls=("", "NA"))


def test_without_a_header_the_columns_are_those_of_the_contract(project: Project) -> None:
    content = b'1,x\n2\n"3","y\nz"\n4,5,6\n'
    loaded = load_file(project, content, header=False)
    require_exact(loaded, content, header=False)
    assert [(line, reason) for line, _, reason in loaded.held] == [
        (2, "1 field, the contract has 2"),
        (5, "3 fields, the contract has 2"),
    ]


def test_a_file_without_a_header_that_has_no_record_of_the_contract_s_width_is_refused(
    project: Project,
) -> None:
    message = refusal(project, b"1;x\n2;y\n", HeaderError, ":1", header=False)
    assert "received: 1 to 1 fields" in message


# Size.


def test_a_record_of_64_mb_is_loaded(project: Project) -> None:
    cell = b"x" * (LIMIT - 4)
    loaded = load_file(project, b'a,b\n1,"' + cell + b'"\n2,y\n')
    assert LIMIT == 64 * 2**20
    assert [(a, len(str(b)), b == cell.decode()) for a, b in loaded.rows] == [
        ("1", len(cell), True),
        ("2", 1, False),
    ]


def test_a_record_of_one_byte_more_is_refused(project: Project) -> None:
    content = b'a,b\n2,y\n1,"' + b"x" * (LIMIT - 3) + b'"\n'
    message = refusal(project, content, MalformedSourceError, ":3")
    assert f"longer than {LIMIT} bytes" in message


def test_ten_thousand_columns(project: Project) -> None:
    names = [f"c{n}" for n in range(10_000)]
    lines = [",".join(f"{row}{name}" for name in names) for row in range(3)]
    content = "\n".join([",".join(names), *lines, ",".join(names[1:]), *lines]).encode()
    # The contract has every tenth: the lake needs its time for each column.
    loaded = load_file(project, content, names[::-10], ignore_columns=names)
    require_exact(loaded, content)
    assert [reason for _, _, reason in loaded.held] == ["9999 fields, the header has 10000"]


def test_ten_thousand_unknown_columns_are_told_in_few_words(project: Project) -> None:
    content = ",".join(["a", "b", *(f"c{n}" for n in range(10_000))]).encode()
    message = refusal(project, content, HeaderError, ":1")
    assert "and 9980 more" in message
    assert len(message) < 2000


def test_a_very_long_name_of_a_column(project: Project) -> None:
    name = "c" * 5000
    content = f"a,{name}\n1,x\n2\n".encode()
    loaded = load_file(project, content, ["a"], ignore_columns=[name])
    require_exact(loaded, content)


def test_a_very_long_name_is_cut_in_the_message(project: Project) -> None:
    message = refusal(project, b"a,b," + b"c" * 5000 + b"\n", HeaderError, ":1")
    assert "5000 characters" in message
    assert len(message) < 1000


# Refused.


@pytest.mark.parametrize(
    ("content", "error", "place", "words"),
    [
        (b"", EmptySourceError, "", "no bytes"),
        (b"\n\r\n", HeaderError, ":1", "no header"),
        (MARK, HeaderError, ":1", "no header"),
        (b"a,b,a\n1,2,3\n", HeaderError, ":1", "more than once: 'a'"),
        (b"a,b,\n1,2,\n", HeaderError, ":1", "does not have: ''"),
        (b"a;b\n1;2\n", HeaderError, ":1", "is the delimiter ';'?"),
        (b"a,pr\xe9nom\n1,2\n", HeaderError, ":1", "not UTF-8"),
        (b'a,b\n1,x\n\n2,"y\n3,z\n', MalformedSourceError, ":4", "never closed"),
        (b'a,b\n1,x\n2,"', MalformedSourceError, ":3", "never closed"),
        (b'"a,b\n1,x\n', MalformedSourceError, ":1", "never closed"),
        (b'"a"x,b\n1,x\n', MalformedSourceError, ":1", "text follows a closing quote"),
        (bytes(100_000), MalformedSourceError, "", "nothing but NUL"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(
    project: Project, content: bytes, error: type, place: str, words: str
) -> None:
    assert words in refusal(project, content, error, place)


# Anything.

PIECES = st.lists(
    st.sampled_from([b"a", b"1", b",", b'"', b"\n", b"\r", b"\r\n", b"\\", b"\xc3\xa9", b"\xff"]),
    max_size=40,
)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(pieces=PIECES, escape=st.sampled_from(["", "\\"]))
def test_any_bytes_are_loaded_held_or_refused_as_the_naive_reader_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], escape: str
) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    monkeypatch.setenv("QUALITY_PLATFORM_HOME", str(folder / "home"))
    content = b"a,b\n" + b"".join(pieces)
    dialect = NaiveDialect(escape=escape.encode())
    source = {"escape": escape} if escape else {}
    found = naive_records(content, dialect)
    if found.open_at:
        refusal(Project(folder), content, MalformedSourceError, f":{found.open_at}", **source)
    else:
        require_exact(load_file(Project(folder), content, **source), content, dialect)
