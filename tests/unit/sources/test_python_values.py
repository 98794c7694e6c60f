"""Values of Python's database drivers become text with all that they say."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from quality_platform.sources.python_values import text_columns, text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", ""),
        ("a\0b", "a\0b"),
        (True, "true"),
        (2**63, "9223372036854775808"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (float("nan"), "nan"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10000000000000000000000000001"), "0.10000000000000000000000000001"),
        (Decimal("NaN"), "NaN"),
        (datetime(2024, 2, 29, 1, 2, 3, 4), "2024-02-29T01:02:03.000004"),
        (datetime(2024, 2, 29, tzinfo=UTC), "2024-02-29T00:00:00+00:00"),
        (date(1, 1, 1), "0001-01-01"),
        (time(23, 59, 59, 999999), "23:59:59.999999"),
        (timedelta(hours=1), "01:00:00"),
        (timedelta(hours=25), "1 day, 1:00:00"),
        (timedelta(seconds=-1), "-1 day, 23:59:59"),
        (b"\xc3\xa4", "ä"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"a": [1, None, Decimal("0.10")]}, '{"a": [1, null, 0.10]}'),
        ([True, 0.1, (date(2024, 1, 1), "ä")], '[true, 0.1, ["2024-01-01", "ä"]]'),
    ],
)
def test_a_value_is_written_with_all_that_it_says(value: Any, text: str | None):
    assert text_of(value) == text


def test_a_column_may_hold_values_of_several_types():
    schema = pa.schema([("n", pa.int64()), ("b", pa.binary())])
    rows, rejects = text_columns([(1, b"\xff"), ("x", "y"), (None, None)], schema)
    assert rows.column("n").to_pylist() == ["1", "x", None]
    assert rows.column("b").to_pylist() == [b"\xff", b"y", None]
    assert not rejects


def test_a_row_with_what_is_no_text_is_rejected_with_all_that_it_holds():
    schema = pa.schema([("n", pa.int64()), ("t", pa.string()), ("b", pa.binary())])
    given = [(1, "a", b"\xff"), (2, b"M\xfcller", b"\xff"), (3, "\ud800", None)]
    rows, rejects = text_columns(given, schema)
    assert rows.column("n").to_pylist() == ["1"]
    assert [reject.reason for reject in rejects] == ["t: bytes that are no UTF-8"] * 2
    assert json.loads(rejects[0].raw) == {"n": 2, "t": "M\\xfcller", "b": "\\xff"}
    assert json.loads(rejects[1].raw)["t"] == "\ud800"


@pytest.mark.parametrize(
    "values", [[1, 2**70], [0.1, 1e300], [date(1, 1, 1)], [datetime(1, 1, 1, tzinfo=UTC)], [True]]
)
def test_a_column_of_one_type_is_written_like_its_values(values: list[Any]):
    schema = pa.schema([("c", pa.string())])
    rows, _ = text_columns([(value,) for value in [*values, None]], schema)
    assert rows.column("c").to_pylist() == [*map(text_of, values), None]


def test_no_rows_are_a_batch_of_no_rows():
    schema = pa.schema([("n", pa.int64()), ("b", pa.binary())])
    assert text_columns([], schema)[0].num_rows == 0
