"""Rows of PostgreSQL's binary COPY become Arrow exactly, or are refused."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_platform.sources.postgres_binary import (
    Packed,
    UndecodableRowsError,
    can_decode,
    decoded,
    without_frame,
)

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = b"\xff\xff"
BOOL, BYTES, BIG, SMALL, INT, TEXT = 16, 17, 20, 21, 23, 25
REAL, DOUBLE, DATE, TIME, TIMESTAMP, ZONED = 700, 701, 1082, 1083, 1114, 1184
DAY_0, MOMENT_0 = date(2000, 1, 1), datetime(2000, 1, 1)

Values = st.SearchStrategy[Any]
# The type's number, what values it has, and how PostgreSQL writes one.
KINDS: dict[int, tuple[Values, Callable[[Any], bytes]]] = {
    BOOL: (st.booleans(), lambda v: struct.pack("?", v)),
    BYTES: (st.binary(max_size=40), bytes),
    BIG: (st.integers(-(2**63), 2**63 - 1), lambda v: struct.pack(">q", v)),
    SMALL: (st.integers(-(2**15), 2**15 - 1), lambda v: struct.pack(">h", v)),
    INT: (st.integers(-(2**31), 2**31 - 1), lambda v: struct.pack(">i", v)),
    TEXT: (st.text(max_size=20), lambda v: v.encode()),
    REAL: (st.floats(width=32, allow_nan=False), lambda v: struct.pack(">f", v)),
    DOUBLE: (st.floats(allow_nan=False), lambda v: struct.pack(">d", v)),
    DATE: (st.dates(), lambda v: struct.pack(">i", (v - DAY_0).days)),
    TIME: (st.times(), lambda v: struct.pack(">q", _microseconds(v))),
    TIMESTAMP: (st.datetimes(), lambda v: struct.pack(">q", _since_2000(v))),
    ZONED: (
        st.datetimes(timezones=st.just(UTC)),
        lambda v: struct.pack(">q", _since_2000(v.replace(tzinfo=None))),
    ),
}


def _microseconds(of: time) -> int:
    return ((of.hour * 60 + of.minute) * 60 + of.second) * 1_000_000 + of.microsecond


def _since_2000(moment: datetime) -> int:
    return (moment - MOMENT_0) // timedelta(microseconds=1)


def _row(types: Sequence[int], values: Sequence[Any]) -> bytes:
    found = struct.pack(">h", len(types))
    for type_, value in zip(types, values, strict=True):
        written = None if value is None else KINDS[type_][1](value)
        found += struct.pack(">i", -1 if written is None else len(written)) + (written or b"")
    return found


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[int], list[list[Any]]]:
    types = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=8))
    row = st.tuples(*(st.none() | KINDS[type_][0] for type_ in types)).map(list)
    return types, draw(st.lists(row, min_size=1, max_size=20))


@given(tables())
def test_all_values_arrive_exactly(table: tuple[list[int], list[list[Any]]]) -> None:
    types, rows = table
    names = [f"c{n}" for n in range(len(types))]

    batch = decoded(Packed.of([_row(types, row) for row in rows]), names, types)

    batch.validate(full=True)
    assert [list(row.values()) for row in batch.to_pylist()] == rows


@given(tables(), st.data())
def test_rows_that_are_cut_or_longer_are_refused(
    table: tuple[list[int], list[list[Any]]], data: st.DataObject
) -> None:
    types, rows = table
    written = [_row(types, row) for row in rows]
    at = data.draw(st.integers(0, len(rows) - 1))
    cut = data.draw(st.integers(2, len(written[at]) - 1))
    names = [f"c{n}" for n in range(len(types))]

    for wrong in (written[at][:cut], written[at] + b"\0"):
        with pytest.raises(UndecodableRowsError):
            decoded(Packed.of([*written[:at], wrong, *written[at + 1 :]]), names, types)


@given(st.lists(st.binary(min_size=2, max_size=60), min_size=1, max_size=5))
def test_rows_of_anything_are_decoded_soundly_or_refused(rows: list[bytes]) -> None:
    try:
        batch = decoded(Packed.of(rows), ["a", "b"], [BYTES, INT])
    except UndecodableRowsError:
        return

    batch.validate(full=True)
    assert batch.num_rows == len(rows)


def test_infinite_times_are_the_numbers_that_the_source_tells_from_others() -> None:
    most, least = 2**63 - 1, -(2**63)
    row = struct.pack(">h", 4)
    for form, value in (("q", most), ("q", least), ("i", 2**31 - 1), ("i", -(2**31))):
        row += struct.pack(f">i{form}", struct.calcsize(f">{form}"), value)

    batch = decoded(Packed.of([row]), ["a", "b", "c", "d"], [TIMESTAMP, ZONED, DATE, DATE])

    numbers = [column.view(pa.int64())[0].as_py() for column in batch.columns[:2]]
    days = [column.view(pa.int32())[0].as_py() for column in batch.columns[2:]]
    assert numbers == [-9222425352054775809, -9222425352054775808]
    assert days == [-2147472692, -2147472691]


@pytest.mark.parametrize("messages", [[HEADER + b"ab", b"c", END], [HEADER, b"ab", b"c", END]])
def test_header_and_end_are_no_rows(messages: list[bytes]) -> None:
    assert without_frame(messages, first=True) == [b"ab", b"c"]


def test_an_empty_table_has_no_rows() -> None:
    assert without_frame([HEADER + END], first=True) == []
    assert without_frame([HEADER, END], first=True) == []


def test_types_that_the_platform_never_selects_are_not_decoded() -> None:
    numeric, uuid, jsonb = 1700, 2950, 3802

    assert not any(map(can_decode, (numeric, uuid, jsonb)))
    assert all(map(can_decode, KINDS))
