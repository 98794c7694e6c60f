"""Ranges of a cursor: no row lost, and in append none twice, whatever is written meanwhile."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_platform.config.load_models import LoadConfig
from quality_platform.errors import Location, RunnerFileError
from quality_platform.lake.position import Position, SourceVersion
from quality_platform.sources.incremental import (
    CursorRange,
    CursorValue,
    cursor_name,
    cursor_range,
    parsed,
    written,
)
from quality_platform.sources.protocol import Backfill, SourceContext, Wanted

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
ZONED = pa.timestamp("us", "UTC")
HOUR = timedelta(hours=1)


def context(kind: pa.DataType, mode: str = "append", **incremental: Any) -> SourceContext:
    """A table whose cursor `c` has this type."""
    load = LoadConfig.model_validate({"mode": mode, "incremental": {"cursor": "c", **incremental}})
    return SourceContext(
        table="t",
        columns=pa.schema([("c", kind)]),
        load=load,
        resolve=Path,
        location=lambda *_: Location("runner.yaml", 3),
        connection=None,
        lake=None,  # type: ignore[arg-type]
        home=Path(),
    )


def position(context: SourceContext, version: str) -> Position:
    assert context.load.incremental is not None
    return Position({cursor_name(context.load.incremental): SourceVersion(version, "l", "a")})


def next_range(
    context: SourceContext,
    greatest: CursorValue | None,
    known: CursorRange | None = None,
    **more: Any,
) -> CursorRange | None:
    at = Position() if known is None else position(context, known.version)
    return cursor_range(context, Wanted(at), greatest, NOW, **more)


def has(found: CursorRange, value: Any) -> bool:
    """Whether the range has a row of this cursor, as SQL decides it."""
    if value is None:
        return found.nulls
    bounds = (
        (found.after, lambda a: value > a),
        (found.first, lambda a: value >= a),
        (found.up_to, lambda a: value <= a),
        (found.before, lambda a: value < a),
    )
    return all(bound is None or holds(bound) for bound, holds in bounds)


@given(st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=8))
def test_append_by_ascending_numbers_reads_each_row_once(steps: list[list[int]]) -> None:
    where, rows, read, known = context(pa.int64()), [], [], None
    last = 0
    for step in steps:
        for gap in step:
            last += gap + 1
            rows.append(last)
        found = next_range(where, max(rows, default=None), known)
        if found is not None:
            read += [row for row in rows if has(found, row)]
            known = found

    assert read == rows


@given(
    st.lists(
        st.tuples(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5))), st.integers(0, 5))
    )
)
def test_merge_with_a_lookback_misses_no_row_that_is_late_by_no_more(
    runs: list[tuple[list[tuple[int, int]], int]],
) -> None:
    """Each row is committed up to 5 later than its number; the lookback is 6."""
    where = context(pa.int64(), "merge", lookback=6)
    clock, known, pending = 0, None, []
    visible: set[int] = set()
    read: set[int] = set()
    for written_now, pause in [*runs, ([], 20)]:
        for gap, late in written_now:
            clock += gap
            pending.append((clock, min(clock + late, clock + 5)))
        clock += pause
        visible |= {number for number, commit in pending if commit <= clock}
        found = next_range(where, max(visible, default=None), known)
        if found is not None:
            read |= {number for number in visible if has(found, number)}
            known = found

    assert read == visible


@given(st.lists(st.none() | st.integers(-9, 9), min_size=1), st.integers(-9, 9))
def test_merge_reads_rows_without_a_cursor_each_time(values: list[int | None], after: int) -> None:
    where = context(pa.int64(), "merge")
    known = CursorRange("c", version=f"{after} read then")
    found = next_range(where, max((v for v in values if v is not None), default=None), known)

    assert found is not None
    assert [has(found, v) for v in values] == [v is None or v > after for v in values]


def test_nothing_is_new_where_the_greatest_value_is_known() -> None:
    where = context(pa.int64())
    first = next_range(where, 7)

    assert first is not None
    assert next_range(where, 7, first) is None
    assert next_range(where, None) is None


def test_two_loads_that_end_at_the_same_value_have_versions_of_their_own() -> None:
    where = context(pa.int64(), "merge", lookback=2)
    first = cursor_range(where, Wanted(Position()), 7, NOW)
    assert first is not None
    second = cursor_range(where, Wanted(position(where, first.version)), 7, NOW + HOUR)

    assert second is not None
    assert second.version != first.version
    assert second.after == 5


def test_times_that_are_still_to_come_wait_in_append_and_never_move_the_position() -> None:
    future = NOW + 24 * HOUR
    appended = next_range(context(ZONED), future)
    merged = next_range(context(ZONED, "merge"), future)

    assert appended is not None
    assert merged is not None
    assert (appended.up_to, merged.up_to) == (NOW, None)
    assert appended.version.startswith(written(NOW))
    assert merged.version.startswith(written(NOW))


def test_the_range_ends_before_what_running_transactions_may_add() -> None:
    found = next_range(context(ZONED), NOW - HOUR, settled=NOW - 2 * HOUR)

    assert found is not None
    assert found.up_to == NOW - 2 * HOUR


def test_a_lag_leaves_the_last_rows_to_the_next_run() -> None:
    for mode in ("append", "merge"):
        found = next_range(context(ZONED, mode, lag="30m"), NOW)

        assert found is not None
        assert found.up_to == NOW - HOUR / 2


def test_the_rows_of_a_day_wait_until_it_is_over() -> None:
    found = next_range(context(pa.date32()), NOW.date())

    assert found is not None
    assert found.up_to == date(2024, 5, 31)


@pytest.mark.parametrize(
    ("kind", "lookback", "greatest", "after"),
    [
        (pa.int64(), 3, 10, 7),
        (pa.decimal128(9, 2), 3, Decimal("10.50"), Decimal("7.50")),
        (ZONED, "1h", NOW, NOW - HOUR),
        (pa.date32(), "25h", date(2024, 5, 10), date(2024, 5, 8)),
        (ZONED, "999999d", datetime(1, 1, 2, tzinfo=UTC), None),
    ],
)
def test_a_lookback_is_measured_as_the_cursor_is(
    kind: pa.DataType, lookback: Any, greatest: CursorValue, after: CursorValue | None
) -> None:
    where = context(kind, "merge", lookback=lookback)
    found = next_range(where, greatest, next_range(where, greatest))

    assert found is not None
    assert found.after == after


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        (pa.int64(), {"lookback": "1h"}),
        (ZONED, {"lookback": 5}),
        (pa.string(), {"lookback": 5}),
        (pa.int64(), {"lag": "1h"}),
    ],
)
def test_a_setting_of_another_unit_is_refused(kind: pa.DataType, setting: dict[str, Any]) -> None:
    with pytest.raises(RunnerFileError, match="must be of its kind"):
        next_range(context(kind, "merge", **setting), None)


@pytest.mark.parametrize("kind", [pa.float64(), pa.bool_(), pa.time64("us"), pa.list_(pa.int64())])
def test_columns_that_cannot_be_ordered_exactly_are_refused(kind: pa.DataType) -> None:
    with pytest.raises(RunnerFileError, match="cannot be followed"):
        next_range(context(kind), None)


def test_a_backfill_of_append_ends_at_the_position_and_leaves_it_there() -> None:
    where = context(pa.int64())
    known = next_range(where, 100)
    assert known is not None

    wanted = Wanted(position(where, known.version), Backfill("50", "200"))
    found = cursor_range(where, wanted, 150, NOW + HOUR)

    assert found is not None
    assert (found.first, found.before, found.up_to) == (50, 200, 100)
    after_it = cursor_range(where, Wanted(position(where, found.version)), 150, NOW)
    assert after_it is not None
    assert after_it.after == 100


def test_there_is_no_backfill_of_append_before_the_first_load() -> None:
    with pytest.raises(RunnerFileError, match="nothing yet"):
        cursor_range(context(pa.int64()), Wanted(Position(), Backfill("1", "2")), 9, NOW)


def test_a_full_refresh_begins_where_the_first_load_did() -> None:
    where = context(pa.int64(), start=10)
    known = position(where, "50 read then")

    found = cursor_range(where, Wanted(known, full_refresh=True), 60, NOW)
    emptied = cursor_range(where, Wanted(known, full_refresh=True), None, NOW)

    assert found is not None
    assert (found.after, found.up_to) == (10, 60)
    assert emptied is not None


@given(st.datetimes(timezones=st.just(UTC)) | st.datetimes())
def test_times_come_back_from_their_text(value: datetime) -> None:
    kind = ZONED if value.tzinfo else pa.timestamp("us")

    assert parsed(written(value), pa.field("c", kind), context(kind)) == value


def test_a_bound_that_is_no_value_is_refused_with_its_place() -> None:
    with pytest.raises(RunnerFileError, match="not a value") as refused:
        next_range(context(pa.int64(), start="soon"), 5)

    assert "runner.yaml:3" in str(refused.value)


def test_a_range_is_sql_with_its_bounds_and_nulls() -> None:
    found = CursorRange("c", "v", after=1, up_to=5, nulls=True)

    assert found.where('"c"', str) == '("c" > 1 AND "c" <= 5 OR "c" IS NULL)'
    assert CursorRange("c", "v").where('"c"', str) == "(1 = 1)"
