"""Files that go wrong: each is loaded exactly, its bad records rejected exactly, or refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quality_platform.errors import (
    EmptySourceError,
    HeaderError,
    MalformedSourceError,
    SourceError,
)
from quality_platform.sources.csv_files import CsvFormat, CsvSource
from quality_platform.sources.files import find_files
from quality_platform.sources.protocol import RejectedRecord

Row = tuple[bytes | None, ...]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.csv"


def load(
    path: Path, content: bytes, columns: str = "a b", **settings: object
) -> tuple[list[Row], list[RejectedRecord]]:
    """Rows and rejects of the content, read in blocks of a few bytes unless told otherwise."""
    path.write_bytes(content)
    (file,) = find_files(str(path), location=None, field="path")
    ignored = tuple(str(settings.pop("ignored", "")).split())
    csv_format = CsvFormat(**{"block_bytes": 7, **settings})  # type: ignore[arg-type]
    rows: list[Row] = []
    rejects: list[RejectedRecord] = []
    for batch in CsvSource(file, tuple(columns.split()), ignored, csv_format).batches():
        rows += zip(*(column.to_pylist() for column in batch.columns.columns), strict=True)
        rejects += batch.rejects
    return rows, rejects


def refusal(
    kind: type[SourceError], path: Path, content: bytes, columns: str = "a b", **settings: object
) -> str:
    with pytest.raises(kind) as caught:
        load(path, content, columns, **settings)
    message = str(caught.value)
    assert str(path) in message
    assert "to do: " in message
    return message


# Loaded exactly.


def test_a_header_alone_is_no_rows_and_no_error(path: Path) -> None:
    for content in (b"a,b", b"a,b\n", b"a,b\r\n\r\n", b"\xef\xbb\xbfa,b\n\n\n"):
        assert load(path, content) == ([], [])


def test_a_byte_order_mark_is_skipped_once_and_elsewhere_belongs_to_its_cell(path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    content = mark + b'"a",b\n' + mark + b"1,2\n" + mark + b"3," + mark + b"\n"
    expected: tuple[list[Row], list[RejectedRecord]] = (
        [(mark + b"1", b"2"), (mark + b"3", mark)],
        [],
    )
    assert load(path, content) == expected
    assert load(path, content, block_bytes=2**20) == expected


def test_nul_bytes_survive(path: Path) -> None:
    rows, rejects = load(path, b'a,b\n1\x002,\x00\n"\x00,\x00",\x00\x00')
    assert rows == [(b"1\x002", b"\x00"), (b"\x00,\x00", b"\x00\x00")]
    assert rejects == []


def test_bytes_that_are_not_utf_8_stay_as_they_are(path: Path) -> None:
    latin = "né".encode("latin-1")
    assert load(path, b"a,b\n" + latin + b',"\xff\xfe"\n') == ([(latin, b"\xff\xfe")], [])


def test_return_alone_as_line_end(path: Path) -> None:
    assert load(path, b'a,b\r1,2\r\r3,"4\r5"\r') == ([(b"1", b"2"), (b"3", b"4\r5")], [])


def test_mixed_line_ends(path: Path) -> None:
    content = b'a,b\r\n1,2\n3,4\r\n5,"x\r\ny\nz"\n7,8\r9,0'
    rows = [(b"1", b"2"), (b"3", b"4"), (b"5", b"x\r\ny\nz"), (b"7", b"8"), (b"9", b"0")]
    for block_bytes in range(1, len(content)):
        assert load(path, content, block_bytes=block_bytes) == (rows, [])


def test_a_quote_in_the_middle_of_a_field_is_a_literal(path: Path) -> None:
    content = b'a,b\n5" disk,x\n"5"" disk, ""new""",3"\n1,"y\n"\n'
    rows = [(b'5" disk', b"x"), (b'5" disk, "new"', b'3"'), (b"1", b"y\n")]
    assert load(path, content) == (rows, [])
    assert load(path, content, block_bytes=2**20) == (rows, [])


def test_a_record_larger_than_the_block(path: Path) -> None:
    large = b"x,\n" * 100_000
    content = b'a,b\n1,"' + large + b'"\n2,3\n'
    assert load(path, content, block_bytes=1000) == ([(b"1", large), (b"2", b"3")], [])


def test_ten_thousand_columns(path: Path) -> None:
    names = [f"c{n}" for n in range(10_000)]
    lines = [",".join(f"{row}{name}" for name in names) for row in range(3)]
    content = "\n".join([",".join(names), *lines, ",".join(names[1:])]).encode()
    rows, rejects = load(path, content, " ".join(reversed(names)))
    assert [row[0] for row in rows] == [b"0c9999", b"1c9999", b"2c9999"]
    assert [row[-1] for row in rows] == [b"0c0", b"1c0", b"2c0"]
    assert [(reject.line, reject.reason) for reject in rejects] == [
        (5, "9999 fields, the header has 10000")
    ]


# Bad records rejected exactly.


def test_a_ragged_record_that_is_not_utf_8_is_rejected_with_its_bytes_shown(path: Path) -> None:
    rows, rejects = load(path, b"a,b\n1,2\nM\xfcnchen\n3,4\n", block_bytes=2**20)
    assert rows == [(b"1", b"2"), (b"3", b"4")]
    assert rejects == [RejectedRecord(3, "M\\xfcnchen", "1 field, the header has 2")]


def test_a_line_of_blanks_is_a_record_and_not_a_blank_line(path: Path) -> None:
    assert load(path, b"a,b\n  \n")[1] == [RejectedRecord(2, "  ", "1 field, the header has 2")]


def test_records_swallowed_by_an_unclosed_quote_are_rejected_with_all_their_text(
    path: Path,
) -> None:
    # The number of fields is right by chance: lines 3 to 5 would make one row, and two be lost.
    content = b'a,b\n1,x\n2,"y\n3,z\n4,"w"\n5,v\n'
    rows, rejects = load(path, content)
    assert rows == [(b"1", b"x"), (b"5", b"v")]
    (reject,) = rejects
    assert (reject.line, reject.raw) == (3, '2,"y\n3,z\n4,"w"')
    assert reject.reason == (
        "text follows a closing quote; the record goes from line 3 to 5: is a quote unclosed?"
    )


def test_a_ragged_record_of_several_lines_tells_them(path: Path) -> None:
    _, (reject,) = load(path, b'a,b\n"x\r\ny\rz",1,2\n')
    assert reject.reason == (
        "3 fields, the header has 2; the record goes from line 2 to 4: is a quote unclosed?"
    )


def test_rejects_at_both_ends_and_in_runs_leave_the_rows_between_them_whole(path: Path) -> None:
    content = b'a,b\n1\n2\n3,4\n\n5,"6\n7"\n8\n"9"9,0\n1,2\n3'
    rows, rejects = load(path, content, block_bytes=2**20)
    assert rows == [(b"3", b"4"), (b"5", b"6\n7"), (b"1", b"2")]
    assert [(reject.line, reject.raw) for reject in rejects] == [
        (2, "1"),
        (3, "2"),
        (8, "8"),
        (9, '"9"9,0'),
        (11, "3"),
    ]


# Refused.


def test_a_file_without_bytes_is_refused(path: Path) -> None:
    assert "QP202" in refusal(EmptySourceError, path, b"")


@pytest.mark.parametrize("content", [b"\n\r\n\n", b"\xef\xbb\xbf", b"\r"])
def test_a_file_without_a_header_is_refused(path: Path, content: bytes) -> None:
    assert "no header" in refusal(HeaderError, path, content)


def test_a_quote_never_closed_is_refused_with_the_line_where_its_record_begins(path: Path) -> None:
    message = refusal(MalformedSourceError, path, b'a,b\n1,"x\ny"\n\n2,"z\n3,4\n5,6\n')
    assert f"{path}:5: a quote that is opened in this record is never closed" in message
    assert f"{path}:1: " in refusal(MalformedSourceError, path, b'a,"b\n1,2\n')


@pytest.mark.parametrize("block_bytes", [10, 1000, 2**20])
@pytest.mark.parametrize("end", [b'"\n5,6\n', b'"', b""])
def test_a_record_beyond_the_limit_is_refused_with_its_line(
    path: Path, block_bytes: int, end: bytes
) -> None:
    content = b'a,b\n1,2\n3,"' + b"x" * 3000 + end
    message = refusal(
        MalformedSourceError, path, content, block_bytes=block_bytes, max_record_bytes=3003
    )
    assert f"{path}:3: " in message
    assert "longer than 3003 bytes" in message or not end


def test_a_record_at_the_limit_is_read(path: Path) -> None:
    content = b'a,b\n3,"' + b"x" * 3000 + b'"\n5,6\n'
    rows, _ = load(path, content, block_bytes=100, max_record_bytes=3004)
    assert rows == [(b"3", b"x" * 3000), (b"5", b"6")]


def zipped(content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("orders.csv", content)
    return archive.getvalue()


def parquet(rows: int) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": pa.array(["1"] * rows), "b": pa.array(["2"] * rows)}), buffer)
    return buffer.getvalue()


TEXT = b"a,b\n1,2\n"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (gzip.compress(gzip.compress(TEXT)), "gzip"),
        (zipped(zipped(TEXT)), "zip archive"),
        (gzip.compress(pa.compress(TEXT, codec="zstd", asbytes=True)), "zstd"),
        (bz2.compress(TEXT), "bzip2"),
        (lzma.compress(TEXT), "xz"),
        (parquet(3), "Parquet"),
        (parquet(0), "Parquet"),
    ],
)
def test_another_format_is_refused_by_its_name(path: Path, content: bytes, name: str) -> None:
    message = refusal(MalformedSourceError, path, content)
    assert "looks like" in message
    assert name in message


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_refused_by_its_nul_bytes(path: Path, encoding: str) -> None:
    message = refusal(MalformedSourceError, path, TEXT.decode().encode(encoding))
    assert f"`encoding: {encoding}`" in message


def test_a_header_that_is_not_utf_8_is_refused(path: Path) -> None:
    message = refusal(HeaderError, path, "prénom,b\n1,2\n".encode("latin-1"), "prénom b")
    assert "not UTF-8" in message
    assert "b'pr\\xe9nom'" in message


def test_a_missing_column_is_refused_with_the_nearest_name(path: Path) -> None:
    message = refusal(HeaderError, path, b"\nid,Arr_delya\n1,2\n", "id arr_delay carrier")
    assert f"{path}:2: columns of the contract are missing in the header" in message
    assert "'arr_delay', 'carrier'" in message
    assert "received: 'id', 'Arr_delya'" in message
    assert "'Arr_delya' in the file may be meant for 'arr_delay'" in message
    assert "meant for 'carrier'" not in message


def test_a_header_in_one_piece_asks_for_its_delimiter(path: Path) -> None:
    assert "is the delimiter ';'?" in refusal(HeaderError, path, b"a;b\n1;2\n")


def test_an_unexpected_column_is_refused_and_told_how_to_leave_it_out(path: Path) -> None:
    message = refusal(HeaderError, path, b"a,x,b,y,z\n", ignored="y")
    assert "'x', 'z'" in message
    assert "ignore_columns" in message
    assert "'y'" not in message


def test_a_repeated_column_is_refused_even_where_it_is_ignored(path: Path) -> None:
    assert "'a'" in refusal(HeaderError, path, b"a,b,a\n1,2,3\n")
    assert "more than once: ''" in refusal(HeaderError, path, b"a,b,,\n1,2,,\n", ignored="c")


def test_all_that_is_wrong_with_a_header_is_told_at_once(path: Path) -> None:
    message = refusal(HeaderError, path, b"a,x,a\n1,2,3\n")
    assert message.count("QP203") == 3


def test_a_header_of_thousands_of_wrong_names_gives_a_short_message_soon(path: Path) -> None:
    content = ",".join(f"x{n}" for n in range(2000)).encode()
    message = refusal(HeaderError, path, content, " ".join(f"y{n}" for n in range(2000)))
    assert "and 1980 more" in message
    assert len(message) < 3000


def test_text_behind_a_closing_quote_in_the_header_is_refused(path: Path) -> None:
    assert f"{path}:1: text follows" in refusal(MalformedSourceError, path, b'"a"x,b\n1,2\n')
