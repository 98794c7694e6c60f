"""Timestamps of 96 bits in Parquet files: exact, held back, or the file is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_platform.errors import Location, MalformedSourceError
from quality_platform.ingest.typed_columns import fit
from quality_platform.sources.files import find_files
from quality_platform.sources.typed_files import TypedFile


def opened(path: Path) -> TypedFile:
    (file,) = find_files(str(path), location=None, field="path")
    return TypedFile(file, "parquet")


def rows_of(path: Path, *columns: str) -> list[dict[str, Any]]:
    return [row for b in opened(path).batches(columns) for row in b.columns.to_pylist()]


TIMES = [
    datetime(2024, 5, 31, 12, 0, 0, 123456),
    datetime(1, 1, 1),
    datetime(9999, 12, 31, 23, 59, 59, 999999),
    datetime(1969, 12, 31, 23, 59, 59, 999999),
    None,
]


def int96_file(path: Path, column: pa.Array[Any]) -> Path:
    table = pa.table({"a": column, "b": range(len(column))})
    pq.write_table(table, path, store_schema=False, use_deprecated_int96_timestamps=True)
    return path


def test_times_of_96_bits_are_exact_beyond_what_nanoseconds_hold(tmp_path: Path) -> None:
    path = int96_file(tmp_path / "a.parquet", pa.array(TIMES[:1] + TIMES[3:], pa.timestamp("us")))

    assert [row["a"] for row in rows_of(path, "b", "a")] == TIMES[:1] + TIMES[3:]


def test_digits_of_times_of_96_bits_that_microseconds_do_not_hold_are_never_dropped(
    tmp_path: Path,
) -> None:
    nanos = pa.array([1_717_156_800_123_456_789, 1000, None, -1], pa.timestamp("ns"))
    path = int96_file(tmp_path / "a.parquet", nanos)

    (batch,) = opened(path).batches(["a", "b"])
    rows, bad = fit(batch.columns.select(["a"]), pa.schema([("a", pa.timestamp("us"))]))

    assert batch.columns.column("a").to_pylist() == [
        "2024-05-31 12:00:00.123456789",
        "1970-01-01 00:00:00.000001",
        None,
        "1969-12-31 23:59:59.999999999",
    ]
    assert [cell.row for cell in bad] == [0, 3]
    assert rows.column(0).to_pylist()[1] == datetime(1970, 1, 1, 0, 0, 0, 1)


EXACT = [
    datetime(1, 1, 1),
    datetime(1969, 12, 31, 23, 59, 59, 999999),
    None,
    datetime(9999, 12, 31),
]
AT = pa.field("at", pa.timestamp("us"))
HOLDERS: list[tuple[pa.DataType, Any]] = [
    (pa.struct([AT, pa.field("n", pa.int64())]), lambda at: {"at": at, "n": 1}),
    (pa.list_(pa.timestamp("us")), lambda at: [at, None, at] if at else []),
    (pa.map_(pa.string(), pa.timestamp("us")), lambda at: [("k", at)]),
    (pa.struct([pa.field("all", pa.list_(pa.struct([AT])))]), lambda at: {"all": [{"at": at}]}),
]
HOLDER_NAMES = ["object", "array", "map", "array in an object"]


@pytest.mark.parametrize(("kind", "holding"), HOLDERS, ids=HOLDER_NAMES)
def test_times_of_96_bits_within_objects_and_arrays_are_exact(
    tmp_path: Path, kind: pa.DataType, holding: Callable[[datetime | None], Any]
) -> None:
    values = [*(holding(at) for at in EXACT), None]
    path = int96_file(tmp_path / "a.parquet", pa.array(values, kind))

    assert [row["a"] for row in rows_of(path, "b", "a")] == values


@pytest.mark.parametrize(("kind", "holding"), HOLDERS, ids=HOLDER_NAMES)
def test_nanoseconds_within_objects_and_arrays_take_out_their_rows(
    tmp_path: Path, kind: pa.DataType, holding: Callable[[Any], Any]
) -> None:
    fine = with_nanoseconds(kind)
    values = [holding(pa.scalar(nano, pa.timestamp("ns"))) for nano in (1000, 1, -1, 2000)]
    path = int96_file(tmp_path / "a.parquet", pa.array(values, fine))

    target = pa.schema([("a", kind), ("b", pa.int64())])
    fitted = [fit(batch.columns, target) for batch in opened(path).batches(["a", "b"])]

    assert [rows["b"].to_pylist() for rows, _ in fitted] == [[0], [1, 2], [3]]
    assert [[cell.row for cell in bad] for _, bad in fitted] == [[], [0, 1], []]


def with_nanoseconds(kind: Any) -> pa.DataType:
    """The type with its timestamps in nanoseconds."""
    if pa.types.is_struct(kind):
        return pa.struct([part.with_type(with_nanoseconds(part.type)) for part in kind])
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, with_nanoseconds(kind.item_type))
    if pa.types.is_list(kind):
        return pa.list_(with_nanoseconds(kind.value_type))
    return pa.timestamp("ns") if pa.types.is_timestamp(kind) else kind


def test_times_that_no_type_holds_together_refuse_the_file(tmp_path: Path) -> None:
    values = [[datetime(9999, 12, 31), datetime(1970, 1, 1)]]
    column = pa.array(values, pa.list_(pa.timestamp("us")))
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"a": column}),
        path,
        store_schema=False,
        use_deprecated_int96_timestamps=True,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
    )
    # Nanoseconds of the day in 8 bytes, then the Julian day of 1970-01-01 in 4.
    first, second = (n.to_bytes(8, "little") + (2_440_588).to_bytes(4, "little") for n in (0, 1))
    stored = path.read_bytes()
    assert stored.count(first) == 1
    path.write_bytes(stored.replace(first, second))

    with pytest.raises(MalformedSourceError, match="'a' has timestamps of 96 bits") as caught:
        list(opened(path).batches(["a"]))
    assert caught.value.problems[0].location == Location(str(path))


@settings(max_examples=50, deadline=None)
@given(nanos=st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), min_size=1, max_size=8))
def test_any_time_of_96_bits_is_exact_or_held_back(
    tmp_path_factory: pytest.TempPathFactory, nanos: list[int | None]
) -> None:
    folder = tmp_path_factory.mktemp("int96")
    path = int96_file(folder / "a.parquet", pa.array(nanos, pa.timestamp("ns")))

    (batch,) = opened(path).batches(["a", "b"])
    rows, bad = fit(batch.columns.select(["a"]), pa.schema([("a", pa.timestamp("us"))]))

    found = rows.column(0).cast(pa.int64()).to_pylist()
    held = {cell.row for cell in bad}
    for n, (nano, micro) in enumerate(zip(nanos, found, strict=True)):
        assert (n in held) == (nano is not None and nano % 1000 != 0)
        assert n in held or micro == (None if nano is None else nano // 1000)
