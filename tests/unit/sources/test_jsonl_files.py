"""JSON lines: every record is a row or a reject, with exactly the values that are written."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_platform.contracts.schemas import DIMENSIONS
from quality_platform.errors import MalformedSourceError
from quality_platform.ingest.conform import BadCell, conform
from quality_platform.ingest.typed_columns import fit
from quality_platform.sources.files import find_files
from quality_platform.sources.json_columns import ColumnParser
from quality_platform.sources.json_records import RecordReader
from quality_platform.sources.jsonl_files import JsonLinesSource, is_json_lines

COLUMNS: list[tuple[str, pa.DataType]] = [
    ("id", pa.int64()),
    ("small", pa.int32()),
    ("name", pa.string()),
    ("price", pa.decimal128(10, 2)),
    ("score", pa.float64()),
    ("share", pa.float32()),
    ("ok", pa.bool_()),
    ("day", pa.date32()),
    ("at", pa.timestamp("us", "UTC")),
    ("place", pa.struct([("city", pa.string()), ("zip", pa.int64())])),
    ("tags", pa.list_(pa.field("element", pa.string()))),
]
SCHEMA = pa.schema(COLUMNS)


def source(path: Path, schema: pa.Schema = SCHEMA, **more: Any) -> JsonLinesSource:
    (file,) = find_files(str(path), location=None, field="path")
    return JsonLinesSource(file, schema, **more)


def read(
    tmp_path: Path, data: bytes, schema: pa.Schema = SCHEMA, **more: Any
) -> tuple[list[dict[str, Any]], dict[int | None, str], list[BadCell]]:
    """The rows, the reasons of rejects by line, and the cells that do not fit."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(data)
    rows: list[dict[str, Any]] = []
    rejects: dict[int | None, str] = {}
    bad: list[BadCell] = []
    for batch in source(path, schema, **more).batches():
        convert = conform if batch.text else fit
        columns, cells = convert(batch.columns, schema)
        bad += [replace(cell, row=cell.row + len(rows)) for cell in cells]
        rows += columns.to_pylist()
        rejects |= {reject.line: reject.reason for reject in batch.rejects}
        assert len(batch.lines) == columns.num_rows
        assert batch.columns.schema.names == schema.names
    return rows, rejects, bad


def one(tmp_path: Path, text: str | bytes, **columns: pa.DataType) -> Any:
    """The only value of the only row, or the reason why there is none."""
    data = text.encode() if isinstance(text, str) else text
    rows, rejects, bad = read(tmp_path, data, pa.schema(list(columns.items())))
    if rejects:
        return rejects[1]
    return bad[0].reason if bad else next(iter(rows[0].values()))


def test_values_come_as_they_are_written(tmp_path: Path) -> None:
    line = (
        b'{"id": 9007199254740993, "small": -5, "name": "M\xc3\xbcnster \\u00e9", "price": 12.30,'
        b' "score": 0.1, "share": 0.5, "ok": true, "day": "2024-02-29",'
        b' "at": "2024-05-31T12:00:00.123456+02:00", "place": {"city": "x", "zip": 1},'
        b' "tags": ["a", null]}\n'
    )
    ((row,), rejects, bad) = read(tmp_path, line)

    assert (rejects, bad) == ({}, [])
    assert row["id"] == 2**53 + 1
    assert row["price"] == Decimal("12.30")
    assert row["name"] == "Münster é"
    assert row["at"].isoformat() == "2024-05-31T10:00:00.123456+00:00"
    assert row["place"] == {"city": "x", "zip": 1}
    assert row["tags"] == ["a", None]


def test_a_key_that_is_not_there_and_null_are_no_value(tmp_path: Path) -> None:
    rows, rejects, _ = read(tmp_path, b'{}\n{"id": null}\n')

    assert rejects == {}
    assert rows == [dict.fromkeys(SCHEMA.names)] * 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"oops", "no JSON: Expecting value (character 1)"),
        (b'{"id": 1', "no JSON: ',' or '}' expected (character 9)"),
        (b'{"id": 1} {"id": 2}', "no JSON: more text follows the object (character 10)"),
        (b'{"id": 1,}', "no JSON: a key in double quotes expected (character 10)"),
        (b'{"id" 1}', "no JSON: ':' expected (character 7)"),
        (b'{"id": 01}', "no JSON: ',' or '}' expected (character 9)"),
        (b'{"score": NaN}', "no JSON: NaN is no value of JSON"),
        (b'{"score": -Infinity}', "no JSON: -Infinity is no value of JSON"),
        (b"[1, 2]", "an array, not an object"),
        (b'"text"', "a string, not an object"),
        (b"null", "null, not an object"),
        (b"17", "a number, not an object"),
        (b'{"id": 1, "id": 2}', "the key 'id' stands twice"),
        (b'{"id": 1, "i\\u0064": 1}', "the key 'id' stands twice"),
        (b'{"idd": 1}', "the contract has no 'idd'"),
        (b'{"id": "1"}', "id: a string, not a number"),
        (b'{"price": "1.50"}', "price: a string, not a number"),
        (b'{"name": 1}', "name: a number, not a string"),
        (b'{"ok": 1}', "ok: a number, not a boolean"),
        (b'{"tags": {}}', "tags: an object, not an array"),
        (b'{"place": []}', "place: an array, not an object"),
        (b'{"name": "\xff"}', "not UTF-8 at byte 11 of the line"),
        (b'{"name": "a\tb"}', "no JSON: Invalid control character at (character 12)"),
        (b'{"name": "a\x00b"}', "no JSON: Invalid control character at (character 12)"),
        (b"\xef\xbb\xbf{}", "no JSON: Expecting value (character 1)"),
    ],
)
def test_a_record_that_is_none_is_rejected_with_line_text_and_reason(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"id": 1}\n\n' + line + b'\r\n{"id": 2}')
    (batch,) = source(path).batches()

    (reject,) = batch.rejects
    assert (reject.line, reject.reason) == (3, reason)
    assert reject.raw == line.decode("utf-8", "backslashreplace")
    assert batch.lines.to_pylist() == [1, 4]
    assert batch.raw([1]) == ['{"id": 2}']
    assert batch.records == 3


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ('{"a": 9223372036854775807}', pa.int64(), 2**63 - 1),
        ('{"a": 9223372036854775808}', pa.int64(), "'9223372036854775808' is no long"),
        ('{"a": 2147483648}', pa.int32(), "'2147483648' is no int"),
        ('{"a": 1.0}', pa.int64(), "'1.0' is no long"),
        ('{"a": 1e3}', pa.int64(), "'1e3' is no long"),
        ('{"a": 1.5e1}', pa.decimal128(4, 2), Decimal("15.00")),
        ('{"a": 1E-2}', pa.decimal128(4, 2), Decimal("0.01")),
        ('{"a": 1E-3}', pa.decimal128(4, 2), "'0.001' is no decimal(4, 2)"),
        ('{"a": 1e999999999}', pa.decimal128(4, 2), "'1e999999999' is no decimal(4, 2)"),
        ('{"a": 1.500}', pa.decimal128(4, 2), Decimal("1.50")),
        ('{"a": 1.505}', pa.decimal128(4, 2), "'1.505' is no decimal(4, 2)"),
        (
            '{"a": 0.12345678901234567890123456789012345678}',
            pa.decimal128(38, 38),
            Decimal("0.12345678901234567890123456789012345678"),
        ),
        ('{"a": 1e400}', pa.float64(), "'1e400' is no double"),
        ('{"a": 1e39}', pa.float32(), "'1e39' is no float"),
        ('{"a": 5}', pa.float64(), 5.0),
        ('{"a": "\\ud83d\\ude00\\u0000"}', pa.string(), "😀\0"),
        ('{"a": "2024-02-30"}', pa.date32(), "'2024-02-30' is no date"),
        ('{"a": "aGk="}', pa.binary(), b"aGk="),
        ('{"a": {"x": 1, "y": 2}}', pa.map_(pa.string(), pa.int64()), [("x", 1), ("y", 2)]),
        ('{"a": [1, 1.5]}', pa.list_(pa.decimal128(3, 1)), [Decimal(1), Decimal("1.5")]),
        ('{"a": {"x": 1, "x": 1}}', pa.map_(pa.string(), pa.int64()), "the key 'x' stands twice"),
        ('{"a": {"d": "2024-01-02"}}', pa.struct([("d", pa.string())]), {"d": "2024-01-02"}),
    ],
)
def test_a_value_is_exact_or_told_as_one_that_does_not_fit(
    tmp_path: Path, text: str, kind: pa.DataType, value: object
) -> None:
    assert one(tmp_path, text, a=kind) == value


def test_a_lone_surrogate_is_no_text(tmp_path: Path) -> None:
    assert "no UTF-8 string" in one(tmp_path, '{"a": "\\ud800"}', a=pa.string())


def test_a_vector_has_its_dimensions(tmp_path: Path) -> None:
    field = pa.field("a", pa.list_(pa.field("element", pa.float32())), metadata={DIMENSIONS: b"2"})
    _, _, bad = read(tmp_path, b'{"a": [1, 2]}\n{"a": [1]}\n', pa.schema([field]))

    assert [(cell.row, cell.reason) for cell in bad] == [(1, "1 elements, not 2")]


def test_keys_to_ignore_may_hold_anything_that_is_json(tmp_path: Path) -> None:
    data = b'{"a": 1, "x": {"y": [1]}}\n{"x": "text", "a": 2}\n{"x": NaN, "a": 3}\n{"z": 1}\n'
    rows, rejects, _ = read(tmp_path, data, pa.schema([("a", pa.int64())]), ignored=("x",))

    assert [row["a"] for row in rows] == [1, 2]
    assert rejects == {
        3: "no JSON: NaN is no value of JSON",
        4: "the contract has no 'z'",
    }


def test_all_other_keys_can_be_ignored(tmp_path: Path) -> None:
    data = b'{"a": 1, "x": 1, "y": []}\n{"z": {}}\n'
    rows, rejects, _ = read(tmp_path, data, pa.schema([("a", pa.int64())]), ignored=None)

    assert ([row["a"] for row in rows], rejects) == ([1, None], {})


@pytest.mark.parametrize("ignored", [(), ("x",), None])
def test_what_is_nested_without_end_is_one_reject(
    tmp_path: Path, ignored: tuple[str, ...] | None
) -> None:
    deep = b'{"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    data = b'{"a": 1}\n' + deep + b'\n{"a": 2}\n'
    rows, rejects, _ = read(tmp_path, data, pa.schema([("a", pa.int64())]), ignored=ignored)

    assert [row["a"] for row in rows] == [1, 2]
    assert list(rejects) == [2]


def test_a_file_without_records_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, b"") == ([], {}, [])
    assert read(tmp_path, b"\n \r\n\t\n") == ([], {}, [])


def test_a_mark_at_the_beginning_and_packing_are_no_part_of_the_records(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf{"id": 1}\r\n{"id": 2}'
    assert [row["id"] for row in read(tmp_path, data)[0]] == [1, 2]
    assert [row["id"] for row in read(tmp_path, gzip.compress(data))[0]] == [1, 2]


@pytest.mark.parametrize("text", ['[\n{"id": 1}\n]', '[{"id": 1}]', '{\n  "id": 1\n}'])
def test_a_document_over_many_lines_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(MalformedSourceError, match="one JSON document"):
        read(tmp_path, text.encode())


def test_a_line_that_is_too_long_is_refused_with_its_place(tmp_path: Path) -> None:
    data = b'{"id": 1}\n{"name": "' + b"x" * 100 + b'"}\n'

    with pytest.raises(MalformedSourceError, match="longer than 50 bytes") as refused:
        read(tmp_path, data, max_record_bytes=50, block_bytes=16)

    assert str(refused.value).startswith(f"QP204 {tmp_path}/data.jsonl:2")


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 1000])
def test_blocks_of_any_size_give_the_same(tmp_path: Path, block_bytes: int) -> None:
    lines = [b'{"id": %d}' % n if n % 5 else b"broken" for n in range(200)]
    rows, rejects, _ = read(tmp_path, b"\n".join(lines), block_bytes=block_bytes)

    assert [row["id"] for row in rows] == [n for n in range(200) if n % 5]
    assert list(rejects) == [n + 1 for n in range(200) if n % 5 == 0]


def test_rejects_among_many_rows_leave_few_batches(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(
        b"".join(b'{"id": %d}\n' % n if n % 97 else b'{"id": x}\n' for n in range(20_000))
    )
    (batch,) = source(path).batches()

    assert not batch.text
    assert batch.columns.column("id").to_pylist() == [n for n in range(20_000) if n % 97]
    assert len(batch.rejects) == 207
    assert [r.line for r in batch.rejects] == [n + 1 for n in range(20_000) if not n % 97]


def test_the_name_tells_json_lines_packed_or_not() -> None:
    names = ["/a/b.JSONL", "b.ndjson.gz", "b.json", "jsonl"]

    assert [is_json_lines(name) for name in names] == [True, True, False, False]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["2024-01-01", "2024-01-01T00:00:00Z", "1.5", "NaN", ": NaN"]),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(lambda n: f"RAW{n}"),
    st.sampled_from(["RAW1e2", "RAW-0", "RAW1.50", "RAW1E-2", "RAW12.3400"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["city", "zip", "x"]), inner, max_size=2),
    ),
    max_leaves=4,
)
KEYS = st.sampled_from([*SCHEMA.names, "ignored", "unknown"])


def written(value: Any, *, ascii_only: bool) -> str:
    """JSON, with numbers in the digits that stand behind RAW."""
    if isinstance(value, str) and value.startswith("RAW"):
        return value[3:]
    if isinstance(value, dict):
        parts = (f"{json.dumps(k)}: {written(v, ascii_only=ascii_only)}" for k, v in value.items())
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(v, ascii_only=ascii_only) for v in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


@st.composite
def records(draw: st.DrawFn) -> bytes:
    pairs = draw(st.lists(st.tuples(KEYS, VALUES), max_size=4))
    ascii_only = draw(st.booleans())
    parts = [f"{json.dumps(k)}:{written(v, ascii_only=ascii_only)}" for k, v in pairs]
    line = ("{" + ",".join(parts) + "}").encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        line = draw(st.sampled_from([line[:-1], line + line, b" " + line + b" ", b"x" + line]))
    return line.replace(b"\n", b"")


@settings(max_examples=300, deadline=None)
@given(lines=st.lists(records(), min_size=1, max_size=6))
def test_many_at_once_gives_what_one_by_one_gives(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    if lines[0].strip() in (b"{", b"[") or lines[0].startswith(b"[{"):
        return
    found = read(tmp_path_factory.mktemp("json"), b"\n".join(lines), ignored=("ignored",))
    singly, reasons = RecordReader(SCHEMA, ("ignored",)).columns_of(lines)
    columns, bad = conform(singly, SCHEMA)

    bad_rows = {cell.row for cell in bad}
    assert {cell.row for cell in found[2]} == bad_rows
    assert len(found[0]) == columns.num_rows
    assert list(found[1].values()) == list(reasons.values())
    for n, (row, wanted) in enumerate(zip(found[0], columns.to_pylist(), strict=True)):
        assert n in bad_rows or repr(row) == repr(wanted)


def test_the_parser_of_many_is_used_for_plain_records(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"id": 1, "place": {"zip": 3}, "tags": ["x"], "price": 1.5}\n' * 3)
    (batch,) = source(path).batches()

    assert ColumnParser(SCHEMA, ()).is_possible
    assert not batch.text
