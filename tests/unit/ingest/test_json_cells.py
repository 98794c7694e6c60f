"""JSON text as objects, arrays, maps and vectors: exactly, or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_platform.contracts.schemas import DIMENSIONS, FORMAT
from quality_platform.ingest.conform import BadCell, conform

STRINGS = pa.list_(pa.field("element", pa.string()))
LINE = pa.struct([("sku", pa.string()), ("qty", pa.int32()), ("price", pa.decimal128(20, 4))])
LINES = pa.list_(pa.field("element", LINE))
PRICES = pa.map_(pa.string(), pa.decimal128(5, 2))


def column(cells: Sequence[str | bytes | None], target: pa.DataType, **metadata: str):
    """The converted values of one column called c, and its bad cells."""
    raw = [cell.encode() if isinstance(cell, str) else cell for cell in cells]
    batch = pa.record_batch([pa.array(raw, pa.binary())], names=["c"])
    field = pa.field("c", target, metadata=metadata or None)
    rows, bad = conform(batch, pa.schema([field]))
    rows.validate(full=True)
    assert rows.num_rows == len(cells)
    return rows.column(0).to_pylist(), bad


def value(text: str, target: pa.DataType) -> Any:
    (found,), bad = column([text], target)
    assert bad == []
    return found


def refused(text: str | bytes, target: pa.DataType, **metadata: str) -> tuple[str, str]:
    """Path and reason of a cell that does not convert; a cell beside it is not touched by it."""
    good = {"list": "[]"}.get(str(target)[:4], "{}")
    (found, other), (bad,) = column([text, None if metadata else good], target, **metadata)
    assert found is None
    assert bad.row == 0
    assert metadata or other is not None
    return bad.column, bad.reason


@pytest.mark.parametrize(
    ("target", "text", "expected"),
    [
        (STRINGS, '["a", null, "", "\\u00e9"]', ["a", None, "", "é"]),
        (STRINGS, " [ ] ", []),
        (STRINGS, "null", None),
        (LINE, '{"qty": 3}', {"sku": None, "qty": 3, "price": None}),
        (
            LINES,
            '[{"price": 1234567890123456.7891}, null, {}]',
            [
                {"sku": None, "qty": None, "price": Decimal("1234567890123456.7891")},
                None,
                {"sku": None, "qty": None, "price": None},
            ],
        ),
        (PRICES, '{"EUR": 1.10, "": null}', [("EUR", Decimal("1.10")), ("", None)]),
        (
            pa.map_(pa.int64(), pa.list_(pa.bool_())),
            '{"9007199254740993": [true, false, null]}',
            [(9007199254740993, [True, False, None])],
        ),
        (
            pa.map_(pa.date32(), pa.time64("us")),
            '{"2020-02-29": "10:20"}',
            [(date(2020, 2, 29), time(10, 20))],
        ),
        (pa.list_(pa.int64()), "[9223372036854775807, -1]", [2**63 - 1, -1]),
        (pa.list_(pa.float64()), "[1, 1e3, 0.1]", [1.0, 1000.0, 0.1]),
        (pa.list_(pa.list_(pa.int32())), "[[1], [], null]", [[1], [], None]),
        (pa.list_(pa.binary()), '["x"]', [b"x"]),
    ],
)
def test_json_of_the_types_form_converts_exactly(target: pa.DataType, text: str, expected: Any):
    assert value(text, target) == expected


@pytest.mark.parametrize(
    ("target", "text", "path", "reason"),
    [
        (LINES, '[{}, {}, {"qty": 1.5}]', "c[2].qty", "'1.5' is no int"),
        (LINES, '[{"qty": "1"}]', "c[0].qty", "a string is no int"),
        (LINES, '[{"qty": true}]', "c[0].qty", "a boolean is no int"),
        (LINES, '[{"price": 0.00001}]', "c[0].price", "'0.00001' is no decimal(20, 4)"),
        (LINES, '[{"price": 1e2}]', "c[0].price", "'1e2' is no decimal(20, 4)"),
        (LINES, '[{"sku": 5}]', "c[0].sku", "a number is no string"),
        (LINES, '[{"sku": {}}]', "c[0].sku", "an object is no string"),
        (
            LINES,
            '[{"sku": "s", "quantity": 1, "a": 2}]',
            "c[0]",
            "the contract has no 'a', 'quantity'",
        ),
        (LINES, "[1]", "c[0]", "a number is no object"),
        (LINES, "{}", "c", "an object is no array"),
        (LINE, '"x"', "c", "a string is no object"),
        (LINE, '{"qty": 1, "qty": 1}', "c", "the key 'qty' stands twice"),
        (LINE, '{"qty": 2147483648}', "c.qty", "'2147483648' is no int"),
        (PRICES, '{"EUR": 1, "USD": 1.001}', "c{1}", "'1.001' is no decimal(5, 2)"),
        (pa.map_(pa.int32(), pa.string()), '{"x": "y"}', "c{0}", "'x' is no int"),
        (pa.list_(pa.bool_()), "[1]", "c[0]", "a number is no boolean"),
        (pa.list_(pa.date32()), '["2021-02-29"]', "c[0]", "'2021-02-29' is no date"),
        (pa.list_(pa.float64()), "[1e400]", "c[0]", "'1e400' is no double"),
        (pa.list_(pa.float64()), "[NaN]", "c", "NaN is no JSON"),
        (STRINGS, '["\\ud800"]', "c[0]", "is no UTF-8 string"),
        (STRINGS, b'["\xff"]', "c", "no UTF-8 string"),
        (STRINGS, "", "c", "no JSON"),
        (STRINGS, "['a']", "c", "no JSON"),
        (STRINGS, '["a"', "c", "no JSON"),
        (STRINGS, '["a"] x', "c", "no JSON: Extra data (character 7)"),
        (STRINGS, "[" * 100_000, "c", "no JSON that can be read: nested too deeply"),
    ],
)
def test_json_of_another_form_takes_its_row_out_with_the_path(
    target: pa.DataType, text: str | bytes, path: str, reason: str
):
    found_path, found_reason = refused(text, target)
    assert found_path == path
    assert reason in found_reason


def test_a_vector_has_as_many_numbers_as_dimensions():
    vector, dimensions = pa.list_(pa.float32()), {DIMENSIONS.decode(): "2"}
    assert column(["[1, 2.5]"], vector, **dimensions) == ([[1.0, 2.5]], [])
    assert refused("[1]", vector, **dimensions) == ("c", "1 elements, not 2")


def test_formats_hold_within_parts():
    day = pa.field("day", pa.date32(), metadata={FORMAT: b"d.M.yyyy"})
    kind = pa.struct([day])
    assert value('{"day": "1.2.2020"}', kind) == {"day": date(2020, 2, 1)}
    path, reason = refused('{"day": "2020-02-01"}', kind)
    assert (path, reason) == ("c.day", "'2020-02-01' is no date of the format 'd.M.yyyy'")


def test_bad_cells_among_good_ones_are_found_with_their_rows():
    cells = ["[1]", None, "[1, 2, x]", "[]", '[3, "4"]', "[5]"]
    values, bad = column(cells, pa.list_(pa.int64()))
    assert values == [[1], None, None, [], None, [5]]
    assert bad == [
        BadCell(2, "c", "no JSON: Expecting value (character 8)"),
        BadCell(4, "c[1]", "a string is no long"),
    ]


def test_a_batch_without_rows_converts():
    for kind in (LINES, LINE, PRICES):
        assert column([], kind) == ([], [])


few = settings(deadline=None, max_examples=60)
lines = st.lists(
    st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "sku": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
            "qty": st.none() | st.integers(-(2**31), 2**31 - 1),
        },
    )
)


@few
@given(st.lists(st.none() | lines, max_size=10))
def test_what_was_written_as_json_comes_back(rows: list[Any]):
    values, bad = column([None if row is None else json.dumps(row) for row in rows], LINES)
    assert bad == []
    empty = {"sku": None, "qty": None, "price": None}
    assert values == [
        row and [None if line is None else {**empty, **line} for line in row] for row in rows
    ]


@few
@given(
    st.lists(
        st.decimals(
            allow_nan=False,
            allow_infinity=False,
            places=4,
            max_value=10**16 - 1,
            min_value=-(10**16) + 1,
        )
    )
)
def test_decimals_within_keep_their_digits(numbers: list[Decimal]):
    text = "[" + ", ".join(f"{number:f}" for number in numbers) + "]"
    assert value(text, pa.list_(pa.decimal128(20, 4))) == numbers
