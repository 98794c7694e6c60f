"""Columns that have types already, as the contract's types: without losing anything."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from quality_platform.errors import HeaderError, Location
from quality_platform.ingest.typed_columns import fit, has_types, require_fitting

HERE = Location("orders.parquet")


def fitted(column: pa.Array[Any], target: pa.DataType) -> tuple[list[Any], list[int]]:
    """The column's values as the type, and the rows whose value does not fit."""
    schema = pa.schema([("c", target)])
    batch = pa.record_batch([column], names=["c"])
    require_fitting(batch.schema, schema, HERE)
    rows, bad = fit(batch, schema)
    assert rows.schema == schema
    rows.validate(full=True)
    return rows.column(0).to_pylist(), [cell.row for cell in bad]


@pytest.mark.parametrize(
    ("column", "target", "values", "bad"),
    [
        (pa.array([1, None], pa.int8()), pa.int64(), [1, None], []),
        (pa.array([1, 2**40, -5]), pa.int32(), [1, None, -5], [1]),
        (pa.array([2**63, 7], pa.uint64()), pa.int64(), [None, 7], [0]),
        (pa.array([2**53, 2**53 + 1]), pa.float64(), [2.0**53, None], [1]),
        (pa.array([1.5], pa.float32()), pa.float64(), [1.5], []),
        (pa.array([12, 1234]), pa.decimal128(5, 2), [Decimal("12.00"), None], [1]),
        (
            pa.array([Decimal("1.200"), Decimal("1.234")]),
            pa.decimal128(9, 2),
            [Decimal("1.20"), None],
            [1],
        ),
        (
            pa.array([1_000, 1_001], pa.timestamp("ns", "Europe/Berlin")),
            pa.timestamp("us", "UTC"),
            [datetime(1970, 1, 1, 0, 0, 0, 1, UTC), None],
            [1],
        ),
        (pa.array(["7", "x", None]), pa.int32(), [7, None, None], [1]),
        (pa.array(["2024-02-30", "2024-02-29"]), pa.date32(), [None, date(2024, 2, 29)], [0]),
        (pa.array(["a", None]).dictionary_encode(), pa.string(), ["a", None], []),
        (pa.array(["a"], pa.large_string()), pa.string(), ["a"], []),
        (pa.array(["a"], pa.string_view()), pa.string(), ["a"], []),
        (pa.nulls(2), pa.date32(), [None, None], []),
        (
            pa.array([[1, 2]], pa.list_(pa.field("item", pa.int64()))),
            pa.list_(pa.field("element", pa.int64())),
            [[1, 2]],
            [],
        ),
    ],
)
def test_a_value_becomes_the_contracts_type_exactly_or_takes_its_row_out(
    column: pa.Array[Any], target: pa.DataType, values: list[Any], bad: list[int]
) -> None:
    assert fitted(column, target) == (values, bad)


@pytest.mark.parametrize(
    ("found", "target"),
    [
        (pa.float64(), pa.int64()),
        (pa.float64(), pa.float32()),
        (pa.float64(), pa.decimal128(9, 2)),
        (pa.int64(), pa.string()),
        (pa.bool_(), pa.int64()),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.timestamp("us", "UTC"), pa.timestamp("us")),
        (pa.timestamp("us"), pa.date32()),
        (pa.binary(), pa.string()),
        (pa.list_(pa.int64()), pa.list_(pa.string())),
    ],
)
def test_a_type_that_can_never_fit_is_refused_with_both_types(
    found: pa.DataType, target: pa.DataType
) -> None:
    with pytest.raises(HeaderError) as refused:
        require_fitting(pa.schema([("c", found)]), pa.schema([("c", target)]), HERE)

    (problem,) = refused.value.problems
    assert (problem.location, problem.received) == (HERE, str(found))


def test_a_bad_value_is_told_without_itself() -> None:
    rows, bad = fit(
        pa.record_batch([pa.array([2**40])], names=["c"]), pa.schema([("c", pa.int32())])
    )

    assert rows.column(0).to_pylist() == [None]
    assert [(cell.row, cell.column) for cell in bad] == [(0, "c")]
    assert str(2**40) not in bad[0].reason


def test_encodings_do_not_make_another_type() -> None:
    schema = pa.schema([("a", pa.string()), ("b", pa.timestamp("us", "UTC"))])
    encoded = pa.schema(
        [("a", pa.dictionary(pa.int32(), pa.string())), ("b", pa.timestamp("us", "Asia/Tokyo"))]
    )

    assert has_types(encoded, schema)
    assert not has_types(encoded.set(1, pa.field("b", pa.timestamp("ns", "UTC"))), schema)


INFINITE = -9222425352054775809
"""What drivers make of an infinite timestamp, in microseconds."""


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([0, INFINITE]).cast(pa.timestamp("us", "UTC")), "or an infinite one"),
        (pa.array([0, 2**62]).cast(pa.timestamp("us")), "of the years 0001 to 9999"),
        (pa.array([0, -2147472692], pa.int32()).cast(pa.date32()), "of the years 0001 to 9999"),
        (pa.array([0, 86_400_000_000]).view(pa.time64("us")), "before 24:00"),
        (pa.array([0, -1]).view(pa.time64("us")), "before 24:00"),
    ],
)
def test_what_is_beyond_the_calendar_or_the_clock_takes_its_row_out(
    column: pa.Array[Any], reason: str
) -> None:
    schema = pa.schema([("c", column.type)])

    rows, bad = fit(pa.record_batch([column], names=["c"]), schema)

    assert [cell.row for cell in bad] == [1]
    assert reason in bad[0].reason
    assert rows.column(0).is_null().to_pylist() == [False, True]


def test_uuids_and_json_become_texts() -> None:
    texts = ["0e984725-c51c-4bf4-9960-e1c80e27aba0", None, "ffffffff-ffff-ffff-ffff-ffffffffffff"]
    octets = [uuid.UUID(text).bytes if text else None for text in ["0" * 32, *texts]]
    stored = pa.array(octets, pa.binary(16))
    uuids = pa.ExtensionArray.from_storage(pa.uuid(), stored).slice(1)
    json = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a": 1}', None]))

    assert fitted(uuids, pa.string()) == (texts, [])
    assert fitted(uuids.slice(3), pa.string()) == ([], [])
    assert fitted(json, pa.string()) == (['{"a": 1}', None], [])


def test_a_timestamp_without_a_zone_is_of_the_contracts_default_zone() -> None:
    column = pa.array([datetime(2024, 7, 1, 12), datetime(2024, 3, 31, 2, 30), None])
    zone = {"odcs:defaultTimezone": "Europe/Berlin"}
    schema = pa.schema([pa.field("c", pa.timestamp("us", "UTC"), metadata=zone)])
    batch = pa.record_batch([column], names=["c"])
    require_fitting(batch.schema, schema, HERE)

    rows, bad = fit(batch, schema)

    assert rows.column(0).to_pylist() == [datetime(2024, 7, 1, 10, tzinfo=UTC), None, None]
    assert [(cell.row, cell.reason) for cell in bad] == [
        (1, "no time that the clocks of Europe/Berlin show once")
    ]
