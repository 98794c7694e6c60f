"""Text cells as the contract's types: exactly, or not at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_platform.ingest.conform import BadCell, conform, positions, type_name

NAIVE = pa.timestamp("us")
ZONED = pa.timestamp("us", "UTC")


def column(cells: Sequence[str | bytes | None], target: pa.DataType):
    """The converted values of one column, and its bad cells."""
    raw = [cell.encode() if isinstance(cell, str) else cell for cell in cells]
    batch = pa.record_batch([pa.array(raw, pa.binary())], names=["c"])
    rows, bad = conform(batch, pa.schema([("c", target)]))
    rows.validate(full=True)
    assert rows.schema == pa.schema([("c", target)])
    assert rows.num_rows == len(cells)
    return rows.column(0).to_pylist(), bad


def value(text: str | bytes, target: pa.DataType) -> Any:
    """The value of a cell that must convert."""
    (found,), bad = column([text], target)
    assert bad == []
    return found


def is_bad(text: str | bytes, target: pa.DataType) -> bool:
    """Whether a cell does not convert; it is then NULL, and its row and column are told."""
    (found,), bad = column([text], target)
    if bad:
        assert found is None
        assert [(cell.row, cell.column) for cell in bad] == [(0, "c")]
        assert bad[0].reason.endswith(f"is no {type_name(target)}")
    return bool(bad)


@pytest.mark.parametrize(
    ("target", "text", "expected"),
    [
        (pa.int32(), "0", 0),
        (pa.int32(), "-5", -5),
        (pa.int32(), "007", 7),
        (pa.int32(), "-0", 0),
        (pa.int32(), "2147483647", 2**31 - 1),
        (pa.int32(), "-2147483648", -(2**31)),
        (pa.int64(), "9223372036854775807", 2**63 - 1),
        (pa.int64(), "-9223372036854775808", -(2**63)),
        (pa.float64(), "1", 1.0),
        (pa.float64(), "-.5", -0.5),
        (pa.float64(), "5.", 5.0),
        (pa.float64(), "1e5", 1e5),
        (pa.float64(), "1.5E-3", 0.0015),
        (pa.float64(), "0.1", 0.1),
        (pa.float64(), "1.7976931348623157e308", 1.7976931348623157e308),
        (pa.float64(), "inf", math.inf),
        (pa.float64(), "-Infinity", -math.inf),
        (pa.float64(), "INF", math.inf),
        (pa.float32(), "0.5", 0.5),
        (pa.float32(), "3.4028235e38", 3.4028234663852886e38),
        (pa.decimal128(5, 2), "1.5", Decimal("1.50")),
        (pa.decimal128(5, 2), "1.500", Decimal("1.50")),
        (pa.decimal128(5, 2), "999.99", Decimal("999.99")),
        (pa.decimal128(5, 2), "-999.99", Decimal("-999.99")),
        (pa.decimal128(5, 2), "+5", Decimal(5)),
        (pa.decimal128(5, 2), ".5", Decimal("0.50")),
        (pa.decimal128(5, 2), "5.", Decimal(5)),
        (pa.decimal128(5, 2), "000001.5", Decimal("1.50")),
        (pa.decimal128(38, 0), "9" * 38, Decimal("9" * 38)),
        (pa.decimal128(38, 38), "0." + "9" * 38, Decimal("0." + "9" * 38)),
        (pa.bool_(), "true", True),
        (pa.bool_(), "FALSE", False),
        (pa.bool_(), "1", True),
        (pa.bool_(), "0", False),
        (pa.date32(), "2020-02-29", date(2020, 2, 29)),
        (pa.date32(), "0001-01-01", date.min),
        (pa.date32(), "9999-12-31", date.max),
        (NAIVE, "2020-01-02T03:04:05", datetime(2020, 1, 2, 3, 4, 5)),
        (NAIVE, "2020-01-02 03:04:05.678901", datetime(2020, 1, 2, 3, 4, 5, 678901)),
        (NAIVE, "2020-01-02T03:04", datetime(2020, 1, 2, 3, 4)),
        (NAIVE, "2020-01-02", datetime(2020, 1, 2)),
        (NAIVE, "9999-12-31T23:59:59.999999", datetime.max),
        (ZONED, "2020-01-02T03:04:05Z", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (ZONED, "2020-01-02T03:04:05.000001Z", datetime(2020, 1, 2, 3, 4, 5, 1, tzinfo=UTC)),
        (ZONED, "2020-01-02 03:04:05+05:30", datetime(2020, 1, 1, 21, 34, 5, tzinfo=UTC)),
        (ZONED, "2020-01-02T03:04:05-0100", datetime(2020, 1, 2, 4, 4, 5, tzinfo=UTC)),
        (ZONED, "2020-01-02T03:04:05+14:00", datetime(2020, 1, 1, 13, 4, 5, tzinfo=UTC)),
        (pa.string(), "", ""),
        (pa.string(), " x ", " x "),
        (pa.string(), "a\x00b", "a\x00b"),
        (pa.string(), "日本 é 🤦🏼‍♂️", "日本 é 🤦🏼‍♂️"),
        (pa.binary(), "x", b"x"),
    ],
)
def test_a_text_of_the_types_form_converts_exactly(target, text, expected):
    assert value(text, target) == expected


def test_not_a_number_is_a_double():
    for text in ("nan", "NaN", "-nan"):
        assert math.isnan(value(text, pa.float64()))


def test_an_hour_that_the_clock_shows_twice_is_two_times_in_utc():
    first = value("2020-10-25T02:30:00+02:00", ZONED)
    second = value("2020-10-25T02:30:00+01:00", ZONED)
    assert second - first == timedelta(hours=1)


NUMBERS_OF_NO_KIND = (
    "",
    " ",
    "-",
    "+",
    "abc",
    "1 ",
    " 1",
    "1_000",
    "1,5",
    "--1",
    "\uff11",
    "٣",
    "0x1F",
)


@pytest.mark.parametrize(
    ("target", "texts"),
    [
        (
            pa.int32(),
            (*NUMBERS_OF_NO_KIND, "0X1f", "+5", "1.0", "1e3", "nan", "2147483648", "-2147483649"),
        ),
        (
            pa.int64(),
            (*NUMBERS_OF_NO_KIND, "9223372036854775808", "-9223372036854775809", "9" * 30),
        ),
        (
            pa.float64(),
            (*NUMBERS_OF_NO_KIND, "1e", "1f", "infx", "infinit", "nan(x)", "1e400", "-1e400"),
        ),
        (pa.float32(), (*NUMBERS_OF_NO_KIND, "3.5e38", "-3.5e38", "1e400")),
        (
            pa.decimal128(5, 2),
            (*NUMBERS_OF_NO_KIND, "1.234", "0.001", "1000", "-1000", "1e2", "nan", "inf", "."),
        ),
        (pa.decimal128(38, 0), ("9" * 39, "-" + "9" * 39, "1" + "0" * 38, "0.5")),
        (pa.decimal128(38, 38), ("1", "0." + "9" * 39, "-1")),
        (pa.decimal128(10, 2), ("1." + "0" * 60, "1." + "0" * 45 + "9")),
        (pa.bool_(), ("", "t", "f", "yes", "no", "2", "01", " true", "wahr")),
        (
            pa.date32(),
            (
                "",
                "2021-02-29",
                "2020-13-01",
                "2020-00-01",
                "2020-1-1",
                "20200101",
                "0000-01-01",
                "10000-01-01",
                "-001-01-01",
                "2020-01-01T00:00:00",
                "2020-01-01 ",
                "01.02.2020",
            ),
        ),
        (
            NAIVE,
            (
                "",
                "2020-01-01T00:00:00Z",
                "2020-01-01T00:00:00+01:00",
                "2020-01-01T00:00:00.1234567",
                "2020-01-01T24:00:00",
                "2020-01-01T23:59:60",
                "2020-02-30T00:00:00",
                "2020-01-01T00:00:00,5",
                "0000-01-01T00:00:00",
                "300000-01-01T00:00:00",
                "1577836800",
                " 2020-01-01T00:00:00",
            ),
        ),
        (
            ZONED,
            (
                "2020-01-01T00:00:00",
                "2020-01-01",
                "2020-01-01T00:00:00 UTC",
                "2020-01-01T00:00:00.1234567Z",
                "2020-01-01T00:00:00+24:00",
                "2020-01-01T00:00:00+01:60",
                "0001-01-01T00:00:00+01:00",
                "9999-12-31T23:59:59-01:00",
            ),
        ),
        (pa.string(), (b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xc0\x80")),
    ],
    ids=str,
)
def test_a_text_of_any_other_form_takes_its_row_out(target, texts):
    assert [text for text in texts if not is_bad(text, target)] == []


def test_no_byte_but_a_digit_is_part_of_a_whole_number():
    cells = [b"1" + bytes([octet]) for octet in range(256)]
    values, bad = column(cells, pa.int64())
    assert [value for value in values if value is not None] == list(range(10, 20))
    assert len(bad) == 246


def test_a_character_that_is_cut_in_two_cells_is_in_neither():
    values, bad = column([b"caf\xc3", b"\xa9", "café", "cafe"], pa.string())
    assert values == [None, None, "café", "cafe"]
    assert [cell.row for cell in bad] == [0, 1]


def test_a_slice_of_a_batch_is_its_own_cells_alone():
    raw = pa.record_batch(
        [pa.array([b"\xff", b"1", None, b"2", b"\xff"], pa.binary())], names=["c"]
    )
    for target, expected in ((pa.string(), ["1", None, "2"]), (pa.int64(), [1, None, 2])):
        rows, bad = conform(raw.slice(1, 3), pa.schema([("c", target)]))
        rows.validate(full=True)
        assert (rows.column(0).to_pylist(), bad) == (expected, [])


def test_null_is_null_in_every_type():
    for target in (pa.int32(), pa.float64(), pa.decimal128(5, 2), pa.date32(), ZONED, pa.string()):
        assert column([None, None], target) == ([None, None], [])


def test_bad_cells_among_good_ones_are_found_one_by_one():
    cells = ["1", "x", None, "2", "", "3", "y"]
    values, bad = column(cells, pa.int64())
    assert values == [1, None, None, 2, None, 3, None]
    assert bad == [
        BadCell(1, "c", "'x' is no long"),
        BadCell(4, "c", "'' is no long"),
        BadCell(6, "c", "'y' is no long"),
    ]


def test_every_column_of_a_row_tells_its_own_reason():
    batch = pa.record_batch(
        [pa.array([b"1", b"x"], pa.binary()), pa.array([b"2020-13-01", b"nope"], pa.binary())],
        names=["n", "d"],
    )
    rows, bad = conform(batch, pa.schema([("n", pa.int32()), ("d", pa.date32())]))
    assert rows.to_pylist() == [{"n": 1, "d": None}, {"n": None, "d": None}]
    assert [(cell.row, cell.column) for cell in bad] == [(1, "n"), (0, "d"), (1, "d")]
    assert positions(bad) == [0, 1]


def test_the_result_is_nullable_and_has_no_metadata_whatever_the_contract_says():
    schema = pa.schema([pa.field("n", pa.int32(), nullable=False, metadata={"doc": "x"})])
    rows, _ = conform(pa.record_batch([pa.array([b"1"], pa.binary())], names=["n"]), schema)
    assert rows.schema.field("n").nullable
    assert rows.schema.field("n").metadata is None


def test_a_batch_without_rows_converts():
    assert column([], ZONED) == ([], [])


def test_a_part_of_a_larger_batch_converts_by_its_own_positions():
    raw = pa.array([b"x", b"1", b"y", b"2"], pa.binary()).slice(1, 3)
    rows, bad = conform(pa.record_batch([raw], names=["n"]), pa.schema([("n", pa.int32())]))
    assert rows.to_pylist() == [{"n": 1}, {"n": None}, {"n": 2}]
    assert [cell.row for cell in bad] == [1]


def test_a_long_text_is_cut_in_the_reason_and_bad_bytes_are_shown_as_escapes():
    _, bad = column(["x" * 1000, b"\xff\x00"], pa.int32())
    assert bad[0].reason == f"'{'x' * 200}... (1000 characters)' is no int"
    assert "\\xff" in bad[1].reason


def test_types_are_called_as_in_contracts():
    assert [type_name(kind) for kind in (pa.int32(), pa.int64(), ZONED, pa.decimal128(5, 2))] == [
        "int",
        "long",
        "timestamptz (with a zone)",
        "decimal(5, 2)",
    ]
    nested = (pa.struct([("a", pa.int32())]), pa.list_(pa.int32()), pa.map_(pa.int32(), pa.int32()))
    assert [type_name(kind) for kind in (pa.time64("us"), *nested)] == [
        "time",
        "object",
        "array",
        "map",
    ]


# --- properties ---------------------------------------------------------------------------------

few = settings(deadline=None, max_examples=60)


@few
@given(st.lists(st.one_of(st.none(), st.integers(-(2**70), 2**70)), max_size=30))
def test_integers_come_back_or_are_out_of_range(numbers):
    values, bad = column([None if n is None else str(n) for n in numbers], pa.int64())
    outside = [i for i, n in enumerate(numbers) if n is not None and not -(2**63) <= n < 2**63]
    assert [cell.row for cell in bad] == outside
    assert values == [None if i in outside else n for i, n in enumerate(numbers)]


@few
@given(st.lists(st.floats(), max_size=30))
def test_doubles_come_back_from_their_shortest_texts(numbers):
    values, bad = column([repr(number) for number in numbers], pa.float64())
    assert bad == []
    assert np.array_equal(np.array(values, float), np.array(numbers, float), equal_nan=True)


@few
@given(
    st.integers(1, 38).flatmap(lambda p: st.tuples(st.just(p), st.integers(0, p))),
    st.lists(
        st.from_regex(r"[+-]?[0-9]{0,40}(\.[0-9]{0,45})?", fullmatch=True), min_size=1, max_size=8
    ),
)
def test_decimals_come_back_or_are_refused_and_are_never_other_numbers(form, texts):
    target = pa.decimal128(*form)
    values, bad = column(texts, target)
    refused = {cell.row for cell in bad}
    with localcontext(prec=200):
        for i, text in enumerate(texts):
            if i not in refused:
                assert values[i] == Decimal(text)
            elif any(c.isdigit() for c in text):
                assert not fits_plainly(text, *form)


def fits_plainly(text: str, precision: int, scale: int) -> bool:
    """Whether the digits as written are within the type, leading zeros aside."""
    whole, _, fraction = text.lstrip("+-").partition(".")
    return len(whole.lstrip("0")) <= precision - scale and len(fraction) <= scale


@few
@given(st.lists(st.dates(), max_size=30))
def test_dates_come_back(days):
    assert column([day.isoformat() for day in days], pa.date32()) == (days, [])


@few
@given(
    st.lists(
        st.datetimes(
            datetime(2, 1, 1),
            datetime(9998, 1, 1),
            timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))),
        ),
        max_size=30,
    )
)
def test_times_with_an_offset_come_back_in_utc(times):
    values, bad = column([time.isoformat() for time in times], ZONED)
    assert bad == []
    assert values == times


TYPES = (
    pa.int32(),
    pa.int64(),
    pa.float32(),
    pa.float64(),
    pa.decimal128(7, 3),
    pa.bool_(),
    pa.date32(),
    NAIVE,
    ZONED,
    pa.string(),
)


@few
@given(
    st.sampled_from(TYPES),
    st.lists(
        st.one_of(
            st.none(),
            st.binary(max_size=12),
            st.text(max_size=12).map(str.encode),
            st.sampled_from([b"1", b"-1.5", b"true", b"2020-01-01", b"2020-01-01T00:00:00Z"]),
        ),
        max_size=40,
    ),
)
def test_as_many_rows_come_out_as_went_in_and_each_is_null_only_for_a_reason(target, cells):
    values, bad = column(cells, target)
    assert len(values) == len(cells)
    rows = [cell.row for cell in bad]
    assert rows == sorted(set(rows))
    for i, (cell, converted) in enumerate(zip(cells, values, strict=True)):
        assert (converted is None) == (cell is None or i in rows)


# --- what is read without a pattern -------------------------------------------------------------


@few
@given(
    st.sampled_from([(12, 2), (38, 18), (38, 0), (5, 5), (20, 10)]),
    st.lists(st.text("0019.+-", max_size=40), min_size=1, max_size=8),
)
def test_a_decimal_is_the_same_beside_others_that_need_a_closer_look(digits, cells):
    """A column is only looked at by a pattern where a cell has other characters, or is long."""
    target = pa.decimal128(*digits)
    alone = [column([cell, "x"], target)[0][0] for cell in cells]
    assert column(cells, target)[0] == alone


@few
@given(st.lists(st.text("0189-", max_size=21), min_size=1, max_size=8))
def test_an_integer_is_the_same_beside_others_that_need_a_closer_look(cells):
    alone = [column([cell, "x"], pa.int64())[0][0] for cell in cells]
    assert column(cells, pa.int64())[0] == alone
