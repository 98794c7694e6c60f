"""Parquet and Arrow IPC files: read by column, refused where they are something else."""

from __future__ import annotations

import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quality_platform.errors import (
    HeaderError,
    MalformedSourceError,
    SourceChangedError,
    SourceNotFoundError,
)
from quality_platform.ingest.typed_columns import fit
from quality_platform.sources.files import find_files
from quality_platform.sources.plain_columns import plain_type
from quality_platform.sources.typed_files import BATCH_ROWS, TypedFile, form_of

ROWS = BATCH_ROWS + 10
NAMES = ["a.parquet", "a.pq", "a.arrow", "a.feather", "a.ipc", "a.arrows"]


def write(path: Path, table: pa.Table, **options: Any) -> Path:
    if form_of(path.name) == "parquet":
        pq.write_table(table, path, **options)
        return path
    new: Any = pa.ipc.new_stream if path.suffix == ".arrows" else pa.ipc.new_file
    with new(str(path), table.schema, **options) as file:
        file.write_table(table)
    return path


def opened(path: Path) -> TypedFile:
    (file,) = find_files(str(path), location=None, field="path")
    form = form_of(path.name)
    assert form is not None
    return TypedFile(file, form)


def rows_of(path: Path, *columns: str) -> list[dict[str, Any]]:
    return [row for b in opened(path).batches(columns) for row in b.columns.to_pylist()]


@pytest.mark.parametrize("name", NAMES)
def test_the_columns_come_in_the_order_asked_for_in_bounded_batches(
    tmp_path: Path, name: str
) -> None:
    table = pa.table({"a": range(ROWS), "b": [str(n) for n in range(ROWS)]})
    path = write(tmp_path / name, table)

    batches = list(opened(path).batches(["b", "a"]))

    assert opened(path).schema().names == ["a", "b"]
    assert {tuple(batch.columns.schema.names) for batch in batches} == {("b", "a")}
    assert max(batch.columns.num_rows for batch in batches) <= BATCH_ROWS
    assert [n for b in batches for n in b.columns.column("a").to_pylist()] == list(range(ROWS))
    assert all(b.lines.null_count == b.columns.num_rows and not b.text for b in batches)
    assert batches[1].raw([9]) == [f'{{"b": "{ROWS - 1}", "a": {ROWS - 1}}}']


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.arrows"])
def test_wide_rows_make_small_batches(tmp_path: Path, name: str) -> None:
    table = pa.table({"a": ["x" * 2**20] * 100})
    path = write(tmp_path / name, table, **({"use_dictionary": False} if "q" in name else {}))

    batches = [batch.columns for batch in opened(path).batches(["a"])]

    assert sum(batch.num_rows for batch in batches) == 100
    assert max(batch.num_rows for batch in batches) <= 64


@pytest.mark.parametrize("name", NAMES)
def test_a_file_without_rows_still_tells_its_columns(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, pa.table({"a": pa.array([], pa.int64())}))

    (batch,) = opened(path).batches(["a"])

    assert batch.columns.num_rows == 0
    assert batch.columns.schema.types == [pa.int64()]


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.arrows"])
@pytest.mark.parametrize("keep", [0, 3, 0.5, -20])
def test_a_file_that_is_cut_short_is_refused_with_its_path(
    tmp_path: Path, name: str, keep: float
) -> None:
    data = write(tmp_path / name, pa.table({"a": range(ROWS)})).read_bytes()
    cut = tmp_path / f"cut-{name}"
    cut.write_bytes(data[: int(len(data) * keep) if 0 < keep < 1 else int(keep)])

    with pytest.raises(MalformedSourceError) as refused:
        list(opened(cut).batches(["a"]))

    assert str(cut) in str(refused.value)


@pytest.mark.parametrize(
    ("name", "head", "message"),
    [
        ("a.parquet", b"id,name\n", "no Parquet file"),
        ("a.parquet", b"PARE", "encrypted"),
        ("a.feather", b"FEA1", "version 1 of Feather"),
        ("a.arrow", b"id,name\n1,2\n", "damaged or cut short"),
    ],
)
def test_what_is_another_format_is_refused(
    tmp_path: Path, name: str, head: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(head + b"x" * 100)

    with pytest.raises(MalformedSourceError, match=message):
        opened(path).schema()


def test_a_page_that_is_damaged_is_refused_and_never_read_as_something_else(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.table({"a": range(ROWS)}), write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)

    with pytest.raises(MalformedSourceError, match="damaged"):
        list(opened(path).batches(["a"]))


def test_a_file_that_is_gone_or_another_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"no file here"):
        opened(tmp_path / "no.parquet")
    path = write(tmp_path / "a.parquet", pa.table({"a": [1]}))
    found = opened(path)
    write(path, pa.table({"a": [1, 2]}))

    with pytest.raises(SourceChangedError):
        list(found.batches(["a"]))


def test_missing_and_unexpected_and_repeated_columns_are_all_told(tmp_path: Path) -> None:
    table = pa.table([pa.array([n]) for n in (1, 1, 2)], names=["a", "b", "a"])
    path = write(tmp_path / "a.arrow", table)

    with pytest.raises(HeaderError) as refused:
        list(opened(path).batches(["a", "bb", "c"]))

    assert [p.message for p in refused.value.problems] == [
        "the file has no column 'bb'",
        "the file has no column 'c'",
        "the contract has no column 'b'",
        "the file has more than one column 'a'",
    ]
    assert refused.value.problems[0].action == "'b' in the file may be meant for 'bb'"


def test_columns_to_ignore_may_be_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.table({"a": [1], "b": [2]}))

    (batch,) = opened(path).batches(["a"], ["b", "nowhere"])

    assert batch.columns.to_pylist() == [{"a": 1}]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (pa.large_string(), pa.string()),
        (pa.string_view(), pa.string()),
        (pa.large_binary(), pa.binary()),
        (pa.binary_view(), pa.binary()),
        (pa.dictionary(pa.int8(), pa.large_string()), pa.string()),
        (pa.large_list(pa.large_string()), pa.list_(pa.string())),
        (pa.list_(pa.string(), 2), pa.list_(pa.string())),
        (pa.list_(pa.dictionary(pa.int8(), pa.string())), pa.list_(pa.string())),
        (pa.struct([("x", pa.large_string())]), pa.struct([("x", pa.string())])),
    ],
)
@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_encodings_are_dissolved_without_a_change_of_values(
    tmp_path: Path, name: str, found: pa.DataType, wanted: pa.DataType
) -> None:
    values: list[Any] = ["é", None, ""]
    if pa.types.is_nested(found):
        values = [["é", None], None, ["", "x"]] if not pa.types.is_struct(found) else [{"x": "é"}]
    if pa.types.is_binary(wanted):
        values = [b"\xff", None, b""]
    path = write(tmp_path / name, pa.table({"a": pa.array(values, wanted).cast(found)}))

    (batch,) = opened(path).batches(["a"])

    assert plain_type(found) == wanted
    assert batch.columns.column(0).type == wanted
    assert batch.columns.column(0).to_pylist() == values


def test_text_that_is_not_utf_8_takes_out_its_row_and_no_other(tmp_path: Path) -> None:
    texts = pa.array([b"good", b"\xff", None], pa.binary()).view(pa.string())
    path = write(tmp_path / "a.parquet", pa.table({"a": texts}))

    (batch,) = opened(path).batches(["a"])
    rows, bad = fit(batch.columns, pa.schema([("a", pa.string())]))

    assert rows.column(0).to_pylist() == ["good", None, None]
    assert [cell.row for cell in bad] == [1]
    assert "xff" in batch.raw([1])[0]


def test_text_within_objects_that_is_not_utf_8_refuses_the_file(tmp_path: Path) -> None:
    texts = pa.array([b"\xff"], pa.binary()).view(pa.string())
    path = write(
        tmp_path / "a.parquet", pa.table({"a": pa.StructArray.from_arrays([texts], ["x"])})
    )

    with pytest.raises(MalformedSourceError, match="'a' holds what its type"):
        list(opened(path).batches(["a"]))


def test_offsets_that_lie_refuse_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.arrow", pa.table({"a": ["x" * 77]}))
    before, found, behind = path.read_bytes().rpartition(OFFSETS)
    path.write_bytes(before + found.replace(b"\x4d\0", b"\xff\xff") + behind)

    with pytest.raises(MalformedSourceError):
        list(opened(path).batches(["a"]))


OFFSETS = b"\0\0\0\0\x4d\0\0\0"

DAMAGED = """
import random, sys
from quality_platform.errors import HeaderError, MalformedSourceError
from quality_platform.sources.files import find_files
from quality_platform.sources.typed_files import TypedFile, form_of

path, chance = sys.argv[1], random.Random(7)
whole, refused = open(path, "rb").read(), 0
for _ in range(150):
    data = bytearray(whole)
    data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    data[-1 - chance.randrange(300)] ^= chance.choice((0, 255))
    open(path, "wb").write(data)
    (file,) = find_files(path, location=None, field="path")
    try:
        batches = list(TypedFile(file, form_of(path)).batches(["a", "b", "c"]))
        assert sum(len(batch.raw(range(batch.records))) for batch in batches) == 300
    except (HeaderError, MalformedSourceError):
        refused += 1
print(refused)
"""


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.arrows"])
def test_damage_anywhere_never_ends_the_process_or_loses_rows(tmp_path: Path, name: str) -> None:
    columns = {"a": range(300), "b": [f"{n}" for n in range(300)], "c": [["x", None]] * 300}
    path = write(tmp_path / name, pa.table(columns))

    refused = subprocess.check_output([sys.executable, "-c", DAMAGED, str(path)])

    assert 0 < int(refused) < 150


@pytest.mark.parametrize(
    ("column", "target", "held"),
    [
        (pa.array([10**9, 1], pa.timestamp("ns")), pa.timestamp("us"), [1]),
        (pa.array([2**50], pa.timestamp("s")), pa.timestamp("us"), [0]),
        (pa.array([1, 10**10], pa.decimal256(50, 0)), pa.decimal128(5, 0), [1]),
        (pa.array([2**40, 1], pa.uint64()), pa.int32(), [0]),
    ],
)
@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_what_a_type_cannot_hold_takes_out_its_row(
    tmp_path: Path, name: str, column: pa.Array[Any], target: pa.DataType, held: list[int]
) -> None:
    path = write(tmp_path / name, pa.table({"a": column}))

    (batch,) = opened(path).batches(["a"])
    _, bad = fit(batch.columns, pa.schema([("a", target)]))

    assert [cell.row for cell in bad] == held


def test_times_with_a_zone_are_the_same_instants(tmp_path: Path) -> None:
    instant = datetime(2024, 5, 31, 12, tzinfo=UTC)
    column = pa.array([instant], pa.timestamp("ms", "Europe/Berlin"))
    path = write(tmp_path / "a.parquet", pa.table({"a": column}))

    (batch,) = opened(path).batches(["a"])
    rows, bad = fit(batch.columns, pa.schema([("a", pa.timestamp("us", "UTC"))]))

    assert (rows.column(0).to_pylist(), bad) == ([instant], [])


def test_a_uuid_can_be_shown_in_the_quarantine(tmp_path: Path) -> None:
    known = uuid.uuid4()
    column = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([known.bytes], pa.binary(16)))
    path = write(tmp_path / "a.parquet", pa.table({"a": column}))

    (batch,) = opened(path).batches(["a"])

    assert batch.raw([0]) == [f'{{"a": "{known}"}}']


MEASURED = """
import resource, sys
from quality_platform.sources.files import find_files
from quality_platform.sources.typed_files import TypedFile

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

(file,) = find_files(sys.argv[1], location=None, field="path")
batches = TypedFile(file, "parquet").batches(["a", "b"])
rows = next(batches).columns.num_rows
before = peak()
rows += sum(batch.columns.num_rows for batch in batches)
print(rows, peak() - before)
"""


def test_a_large_row_group_is_read_in_bounded_memory(tmp_path: Path) -> None:
    rows = 2_000_000
    texts = pa.array([f"{n:080d}" for n in range(rows)])
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": range(rows), "b": texts}), path, row_group_size=rows,
                   compression="none", use_dictionary=False)  # fmt: skip
    assert pq.read_metadata(path).num_row_groups == 1
    assert path.stat().st_size > 150e6

    command = [sys.executable, "-c", MEASURED, str(path)]
    read, more_megabytes = map(int, subprocess.check_output(command).split())

    assert read == rows
    assert more_megabytes < 60
