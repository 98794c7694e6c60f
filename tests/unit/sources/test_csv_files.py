"""CSV files: exact cells, exact accounts, bounded memory."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from support.naive_csv import NaiveDialect, naive_records

from quality_platform.errors import ConfigurationError, MalformedSourceError, SourceChangedError
from quality_platform.sources import csv_files
from quality_platform.sources.csv_files import CsvFormat, CsvSource
from quality_platform.sources.files import find_files
from quality_platform.sources.protocol import RejectedRecord, Source
from quality_platform.sources.sniffing import wide_encoding

Write = Callable[[bytes], Path]

ANY_FILE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass
class Loaded:
    """All batches of a file, joined."""

    rows: list[tuple[bytes | None, ...]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    rejects: list[RejectedRecord] = field(default_factory=list)
    records: int = 0
    batches: int = 0


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: bytes) -> Path:
        path = tmp_path / "orders.csv"
        path.write_bytes(content)
        return path

    return written


def source(path: Path, columns: str, *, ignored: str = "", **settings: object) -> CsvSource:
    (file,) = find_files(str(path), location=None, field="path")
    return CsvSource(
        file,
        tuple(columns.split()),
        tuple(ignored.split()),
        CsvFormat(**settings),  # type: ignore[arg-type]
    )


def load(path: Path, columns: str, **settings: object) -> Loaded:
    loaded = Loaded()
    for batch in source(path, columns, **settings).batches():  # type: ignore[arg-type]
        cells = [column.to_pylist() for column in batch.columns.columns]
        loaded.rows += zip(*cells, strict=True)
        loaded.lines += batch.lines.to_numpy().tolist()
        loaded.raw += batch.raw(range(batch.columns.num_rows))
        loaded.rejects += batch.rejects
        loaded.records += batch.records
        loaded.batches += 1
    return loaded


def test_a_csv_source_is_a_source(write: Write) -> None:
    csv_source: Source = source(write(b"a\n1\n"), "a")
    (batch,) = csv_source.batches()
    assert batch.columns.schema == pa.schema([("a", pa.binary())])
    assert batch.lines.type == pa.int64()


def test_columns_come_by_name_in_the_order_asked_for(write: Write) -> None:
    path = write(b"a,b,c\n1,2,3\n4,5,6\n")
    assert load(path, "c a", ignored="b zz").rows == [(b"3", b"1"), (b"6", b"4")]


def test_each_call_reads_from_the_beginning(write: Write) -> None:
    csv_source = source(write(b"a\n1\n2\n"), "a")
    assert [b.records for b in csv_source.batches()] == [b.records for b in csv_source.batches()]


def test_null_strings_are_null_quoted_and_unquoted_alike_and_nothing_else_is(write: Write) -> None:
    path = write(b'a,b\n,""\nNA,"NA"\n NA,na\n0,\\N\n')
    loaded = load(path, "a b", null_strings=("", "NA"))
    assert loaded.rows == [(None, None), (None, None), (b" NA", b"na"), (b"0", b"\\N")]
    assert load(path, "a b", null_strings=()).rows[:2] == [(b"", b""), (b"NA", b"NA")]


def test_a_delimiter_and_a_quote_of_its_own(write: Write) -> None:
    path = write(b"a;b\n'x;''y';\"z\n")
    assert load(path, "a b", delimiter=";", quote="'").rows == [(b"x;'y", b'"z')]
    path = write(b'a\tb\n"x\ty"\n')
    assert load(path, "a b", delimiter="\t", quote="").rows == [(b'"x', b'y"')]


def test_a_record_of_the_wrong_width_is_rejected_with_line_text_and_reason(write: Write) -> None:
    path = write(b'a,b,c\n1,2,3\n4,5\n\n"x\ny",7,8\n9,9,9,"9,9"\n1\n1,2,3')
    loaded = load(path, "a c", ignored="b")
    assert loaded.rows == [(b"1", b"3"), (b"x\ny", b"8"), (b"1", b"3")]
    assert loaded.lines == [2, 5, 9]
    assert loaded.raw == ["1,2,3", '"x\ny",7,8', "1,2,3"]
    assert loaded.rejects == [
        RejectedRecord(3, "4,5", "2 fields, the header has 3"),
        RejectedRecord(7, '9,9,9,"9,9"', "4 fields, the header has 3"),
        RejectedRecord(8, "1", "1 field, the header has 3"),
    ]
    assert loaded.records == 6


def test_a_block_of_rejects_alone_is_a_batch_without_rows(write: Write) -> None:
    (batch,) = source(write(b"a,b\n1\n2\n"), "b a").batches()
    assert (batch.columns.num_rows, len(batch.rejects), batch.records) == (0, 2, 2)
    assert batch.columns.schema.names == ["b", "a"]


def test_raw_text_is_given_for_the_rows_asked_for(write: Write) -> None:
    (batch,) = source(write(b'a,b\n1\n"2",x\n3\n4,"\xff"\n'), "a b").batches()
    assert batch.raw([1]) == ['4,"\\xff"']
    assert batch.raw([1, 0]) == ['4,"\\xff"', '"2",x']
    assert batch.raw([]) == []


def test_a_batch_holds_whole_records_of_about_one_block(write: Write) -> None:
    path = write(b"a,b\n" + b"".join(b"%d,x\n" % n for n in range(1000)))
    loaded = load(path, "a b", block_bytes=500)
    assert loaded.rows == [(b"%d" % n, b"x") for n in range(1000)]
    assert loaded.lines == list(range(2, 1002))
    assert loaded.batches == pytest.approx(path.stat().st_size / 500, abs=2)


def test_memory_is_bounded_by_the_block_and_not_by_the_file(write: Write) -> None:
    path = write(b"a,b\n" + b"some text,and more\n" * 400_000)
    csv_source = source(path, "a b", block_bytes=2**16)
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    allocated = max(pa.total_allocated_bytes() - before for _ in csv_source.batches())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 7_000_000
    assert peak + allocated < 2_000_000


class ShortReads(io.BytesIO):
    """A stream that gives less than it is asked for, as those of networks do."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(3)


def test_a_read_that_gives_less_is_not_the_end(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"a,b\n" + b"some text,and more\n" * 20

    @contextmanager
    def opened(_: object) -> Iterator[ShortReads]:
        yield ShortReads(content)

    monkeypatch.setattr(csv_files, "open_version", opened)
    assert len(load(write(content), "a b", block_bytes=50).rows) == 20


def test_a_file_that_grows_while_it_is_read_is_refused(write: Write) -> None:
    path = write(b"a\n" + b"1\n" * 1000)
    batches = source(path, "a", block_bytes=100).batches()
    next(batches)
    with path.open("ab") as stream:
        stream.write(b"2\n")
    with pytest.raises(SourceChangedError):
        list(batches)


@pytest.mark.parametrize(
    "settings",
    [
        {"delimiter": ""},
        {"delimiter": "||"},
        {"delimiter": "\n"},
        {"delimiter": "é"},
        {"quote": ","},
        {"quote": "''"},
        {"quote": "\r"},
        {"escape": ","},
        {"escape": '"'},
        {"escape": "\\\\"},
        {"escape": "\\", "quote": ""},
        {"block_bytes": 0},
        {"block_bytes": 2**31},
        {"max_record_bytes": 0},
    ],
)
def test_a_format_that_cannot_be_read_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        CsvFormat(**settings)  # type: ignore[arg-type]


def split_by_python(text: str) -> tuple[list[tuple[int, list[str], bool]], bool]:
    """Line, fields and brokenness of each record by the csv module; whether a quote stays open."""
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)
    reader = csv.reader(io.StringIO(text, newline=""))
    records: list[tuple[int, list[str], bool]] = []
    before = 0
    for fields in reader:
        complaint = strict_complaint(lines[before : reader.line_num])
        if fields:
            records.append((before + 1, fields, "expected after" in complaint))
        before = reader.line_num
    # What follows an open quote belongs to its field. The strict reader would tell of the first
    # fault of a record only, and a quote may be opened after another fault.
    *_, last = csv.reader(io.StringIO(f"{text}\nend", newline=""))
    return records, last != ["end"]


def strict_complaint(lines: list[str]) -> str:
    try:
        list(csv.reader(lines, strict=True))
    except csv.Error as error:
        return str(error)
    return ""


def require_agreement(path: Path, text: str, width: int, block_bytes: int) -> None:
    columns = [f"c{n}" for n in range(width)]
    text = ",".join(columns) + "\n" + text
    path.write_bytes(text.encode())
    records, is_open = split_by_python(text)
    settings: dict[str, object] = {"block_bytes": block_bytes, "null_strings": ()}
    if is_open:
        with pytest.raises(MalformedSourceError, match="never closed"):
            load(path, " ".join(columns), **settings)
        return
    loaded = load(path, " ".join(columns), **settings)
    good = [record for record in records[1:] if len(record[1]) == width and not record[2]]
    bad = [record for record in records[1:] if record not in good]
    assert loaded.rows == [tuple(cell.encode() for cell in fields) for _, fields, _ in good]
    assert loaded.lines == [line for line, _, _ in good]
    assert [reject.line for reject in loaded.rejects] == [line for line, _, _ in bad]
    assert loaded.records == len(records) - 1
    assert [next(csv.reader(io.StringIO(raw, newline=""))) for raw in loaded.raw] == [
        fields for _, fields, _ in good
    ]


CELLS = st.text(st.sampled_from('ab,;"\n\r\0é漢😀 '), max_size=6)
BLOCKS = st.integers(1, 80)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, int]:
    """A table as the csv module writes it, and its width."""
    width = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=12))
    text = io.StringIO(newline="")
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    dialect = draw(st.sampled_from(["excel", "unix"]))
    csv.writer(text, dialect, lineterminator=end).writerows(rows)
    return text.getvalue(), width


@ANY_FILE
@given(table=tables(), block_bytes=BLOCKS)
def test_what_the_csv_module_writes_is_read_to_the_last_byte(
    write: Write, table: tuple[str, int], block_bytes: int
) -> None:
    require_agreement(write(b""), *table, block_bytes)


@ANY_FILE
@given(
    text=st.text(st.sampled_from('a,"\n\ré'), max_size=50),
    width=st.integers(1, 3),
    block_bytes=BLOCKS,
)
@example(text='""a,"', width=1, block_bytes=1)
def test_any_text_at_all_is_split_as_the_csv_module_splits_it_or_refused(
    write: Write, text: str, width: int, block_bytes: int
) -> None:
    require_agreement(write(b""), text, width, block_bytes)


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from([b"a", b",", b'"', b"\\", b"\n", b"\r", b"\x00", b"\xff", b"\xc3\xa9"]),
        max_size=40,
    ),
    width=st.integers(1, 3),
    block_bytes=BLOCKS,
    escape=st.sampled_from(["", "\\"]),
    header=st.booleans(),
)
def test_any_bytes_in_any_dialect_are_split_as_a_naive_reader_splits_them(
    tmp_path_factory: pytest.TempPathFactory,
    pieces: list[bytes],
    width: int,
    block_bytes: int,
    escape: str,
    header: bool,
) -> None:
    names = [f"c{n}" for n in range(width)]
    content = ",".join(names).encode() + b"\n" + b"".join(pieces)
    # What looks like UTF-16 is refused, not split.
    assume(not wide_encoding(content))
    path = tmp_path_factory.mktemp("any") / "a.csv"
    path.write_bytes(content)
    found = naive_records(content, NaiveDialect(escape=escape.encode()))
    chosen = {"block_bytes": block_bytes, "escape": escape, "header": header, "null_strings": ()}
    if found.open_at:
        with pytest.raises(MalformedSourceError, match="never closed") as caught:
            load(path, " ".join(names), **chosen)
        assert f"{path}:{found.open_at}: " in str(caught.value)
        return
    loaded = load(path, " ".join(names), **chosen)
    records = found.records[1:] if header else found.records
    good = [record for record in records if len(record.fields) == width and not record.broken]
    bad = [record for record in records if len(record.fields) != width or record.broken]
    assert loaded.rows == [tuple(record.fields) for record in good]
    assert loaded.lines == [record.line for record in good]
    assert loaded.raw == [record.raw.decode("utf-8", "backslashreplace") for record in good]
    assert [(reject.line, reject.raw) for reject in loaded.rejects] == [
        (record.line, record.raw.decode("utf-8", "backslashreplace")) for record in bad
    ]


def test_the_header_is_read_alone(write: Write) -> None:
    path = write('"a\nb",é,\n1,2,3\n'.encode())
    assert source(path, "x").header() == ("a\nb", "é", "")
    assert source(write(b"\n"), "x").header() == ()


def test_reading_does_not_import_pandas(write: Write) -> None:
    # pyarrow imports it, a second of CPU, as soon as it is given a numpy array.
    code = (
        "import sys; from quality_platform.sources.csv_files import CsvSource;"
        "from quality_platform.sources.files import find_files;"
        "(file,) = find_files(sys.argv[1], location=None, field='path');"
        "assert sum(batch.records for batch in CsvSource(file, ('a',)).batches()) == 2;"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(write(b"a\n1\n2\n"))], check=True)
