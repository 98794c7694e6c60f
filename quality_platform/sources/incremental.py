"""Which rows an incremental load reads: a range of the cursor column, with a safe end.

The range is (after, up to]: `after` is what the position says, less the lookback; `up to` is the
greatest value at the source at this moment, but no time that is still to come, nothing of the last
`lag`, and nothing that a transaction which is still running may add to. The end is fixed before the
reading, so that what arrives meanwhile belongs to the next load.

`append` reads every row once. `merge` may read a row again, so it leaves the range open above
unless there is a `lag`: a row whose time is still to come is read each time, and so is one without
a cursor; the position follows behind at the safe end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from quality_platform.config.base_models import seconds
from quality_platform.config.load_models import IncrementalConfig
from quality_platform.errors import RunnerFileError, SourceError
from quality_platform.sources.protocol import Backfill, SourceContext, Wanted

CursorValue = int | Decimal | datetime | date | str
"""What a cursor can hold: whole numbers, exact decimals, times, dates, texts in byte order."""

_DAY = 86_400


@dataclass(frozen=True)
class CursorRange:
    """The rows of one load, by the cursor's column at the source.

    `after` and `before` are exclusive, `first` and `up_to` inclusive; None is no bound. `nulls`
    asks for the rows without a cursor too, which no range would ever find. `version` is the
    position's entry after the load.
    """

    column: str
    version: str
    after: CursorValue | None = None
    first: CursorValue | None = None
    up_to: CursorValue | None = None
    before: CursorValue | None = None
    nulls: bool = False

    def where(self, column: str, literal: Callable[[CursorValue], str]) -> str:
        """The range as a SQL condition on a quoted column; `literal` writes a value in SQL."""
        bounds = (
            (">", self.after),
            (">=", self.first),
            ("<=", self.up_to),
            ("<", self.before),
        )
        conditions = [f"{column} {sign} {literal(v)}" for sign, v in bounds if v is not None]
        within = " AND ".join(conditions) or "1 = 1"
        return f"({within} OR {column} IS NULL)" if self.nulls else f"({within})"


def cursor_name(incremental: IncrementalConfig) -> str:
    """The name of the position's entry for a cursor."""
    return f"cursor {incremental.cursor}"


def cursor_field(context: SourceContext) -> pa.Field[Any]:
    """The cursor's column under its name at the source, with the contract's type.

    Raises:
        RunnerFileError: the contract has no such column, or one that cannot be ordered exactly.
    """
    incremental = context.load.incremental
    assert incremental is not None
    where = context.location("load", "incremental", "cursor")
    field = f"tables.{context.table}.load.incremental.cursor"
    if incremental.cursor not in context.columns.names:
        raise RunnerFileError(
            "the contract has no such column",
            location=where,
            field=field,
            received=incremental.cursor,
            allowed=context.columns.names,
        )
    found = context.columns.field(incremental.cursor)
    kinds = (pa.types.is_integer, pa.types.is_decimal, pa.types.is_temporal, pa.types.is_string)
    if not any(kind(found.type) for kind in kinds) or pa.types.is_time(found.type):
        raise RunnerFileError(
            "rows cannot be followed by a column of this type",
            location=where,
            field=field,
            received=str(found.type),
            allowed="whole numbers, decimals, dates, timestamps, text",
        )
    _require_units(context, incremental, found)
    return found


def never_read(context: SourceContext, which: str) -> SourceError:
    """The error that `append` would leave out rows for ever; `which` says what their cursor is."""
    assert context.load.incremental is not None
    return SourceError(
        f"there are rows whose cursor {context.load.incremental.cursor!r} is {which}, and no load "
        "would ever read them",
        location=context.location("load", "incremental"),
        field=f"tables.{context.table}.load.incremental.cursor",
        action="give them a value at the source, or leave them out by a `query`; load.mode: merge, "
        "without `partitions`, reads them each time",
    )


def _require_units(
    context: SourceContext, incremental: IncrementalConfig, cursor: pa.Field[Any]
) -> None:
    """`lookback` is measured as the cursor is, and only times have a `lag`.

    Raises:
        RunnerFileError: another unit is written.
    """
    is_time = pa.types.is_timestamp(cursor.type) or pa.types.is_date(cursor.type)
    is_number = pa.types.is_integer(cursor.type) or pa.types.is_decimal(cursor.type)
    wrong = {
        "lookback": lookback_amount(incremental.lookback)
        and not (is_time if isinstance(incremental.lookback, str) else is_number),
        "lag": seconds(incremental.lag) and not is_time,
    }
    for name in (name for name, is_wrong in wrong.items() if is_wrong):
        raise RunnerFileError(
            f"the cursor {cursor.name!r} is of type {cursor.type}: `{name}` must be of its kind",
            location=context.location("load", "incremental", name),
            field=f"tables.{context.table}.load.incremental.{name}",
            received=getattr(incremental, name),
            allowed="a duration such as 15m" if is_time else "a whole number" if is_number else "0",
        )


def cursor_range(
    context: SourceContext,
    wanted: Wanted,
    greatest: CursorValue | None,
    now: datetime,
    *,
    settled: CursorValue | None = None,
    has_nulls: bool = True,
) -> CursorRange | None:
    """The rows to read; None where nothing is new.

    Args:
        context: The source's; its `load.incremental` is set.
        wanted: What the run wants.
        greatest: The cursor's greatest value at the source now; None where it has no rows.
        now: The source's clock, with a zone.
        settled: The value up to which no running transaction can add rows, where that is known.
        has_nulls: Whether there may be rows without a cursor.

    Raises:
        RunnerFileError: a bound in runner.yaml or of the backfill is no value of the column, or
            there is nothing yet to read again.
    """
    config = context.load.incremental
    assert config is not None
    column = cursor_field(context)
    entry = wanted.position.sources.get(cursor_name(config))
    known = _value_of(entry.version) if entry else ""
    merges = context.load.mode == "merge"
    nulls = merges and has_nulls
    if wanted.backfill is not None:
        return _again(wanted.backfill, known, column, context, now)
    start_text = "" if config.start is None else str(config.start)
    after_text = start_text if wanted.full_refresh or not known else known
    after = parsed(after_text, column, context) if after_text else None
    end_now = _safe_end(greatest, settled, now, config)
    is_open = merges and not seconds(config.lag)
    reads_again = nulls or (merges and bool(lookback_amount(config.lookback)))
    last = greatest if is_open else end_now
    if not (reads_again or wanted.full_refresh or _is_after(last, after)):
        return None
    begin = None if after is None else _looking_back(after, config)
    reached = end_now if _is_after(end_now, after) else after
    return CursorRange(
        column.name,
        _version("" if reached is None else written(reached), now),
        after=begin,
        up_to=None if is_open else end_now,
        nulls=nulls,
    )


def _again(
    backfill: Backfill, known: str, column: pa.Field[Any], context: SourceContext, now: datetime
) -> CursorRange:
    """A range that is read again; the position stays where it is.

    `append` reads no further than the position: what lies behind it is the next load's, and would
    be there twice. A partition is nobody else's.
    """
    stops = context.load.mode == "append" and not backfill.is_partition
    if not known and stops:
        raise RunnerFileError(
            "there is nothing yet that a range could be read again of",
            location=context.location("load", "incremental"),
            field=f"tables.{context.table}.load.incremental",
            action="load the table first, without a range",
        )
    return CursorRange(
        column.name,
        version=_version(known, now),
        first=parsed(backfill.start, column, context) if backfill.start else None,
        before=parsed(backfill.end, column, context) if backfill.end else None,
        up_to=parsed(known, column, context) if stops else None,
    )


def _is_after(value: CursorValue | None, bound: CursorValue | None) -> bool:
    return value is not None and (bound is None or value > bound)  # type: ignore[operator]


_READ_AT = " read "


def _version(value: str, now: datetime) -> str:
    """The position's entry: two loads that end at the same value are still two loads."""
    return f"{value}{_READ_AT}{now.isoformat()}"


def _value_of(version: str) -> str:
    return version.rpartition(_READ_AT)[0]


def written(value: CursorValue) -> str:
    """The value as the position keeps it; `parsed` reads it again."""
    return value.isoformat() if isinstance(value, date) else str(value)


def parsed(text: str, column: pa.Field[Any], context: SourceContext) -> CursorValue:
    """A value of the column from its text.

    Raises:
        RunnerFileError: it is none.
    """
    try:
        if pa.types.is_integer(column.type):
            return int(text)
        if pa.types.is_decimal(column.type):
            return Decimal(text)
        if pa.types.is_date(column.type):
            return date.fromisoformat(text)
        if pa.types.is_timestamp(column.type):
            return _timestamp(text, zoned=column.type.tz is not None)
    except (ValueError, ArithmeticError):
        raise RunnerFileError(
            "not a value of the cursor's column",
            location=context.location("load", "incremental"),
            field=f"tables.{context.table}.load.incremental",
            received=text,
            allowed=f"a value of type {column.type}",
        ) from None
    return text


def _timestamp(text: str, *, zoned: bool) -> datetime:
    found = datetime.fromisoformat(text)
    if zoned:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found
    return found.replace(tzinfo=None)


def _safe_end(
    greatest: CursorValue | None,
    settled: CursorValue | None,
    now: datetime,
    config: IncrementalConfig,
) -> CursorValue | None:
    """The greatest value that no row is going to have any more."""
    limits: list[Any] = [value for value in (greatest, settled) if value is not None]
    if greatest is None:
        return None
    limit = now - timedelta(seconds=seconds(config.lag))
    if isinstance(greatest, datetime):
        # Times without a zone may be ahead of the clock; only the lag says that they are in UTC.
        if greatest.tzinfo or seconds(config.lag):
            limits.append(limit if greatest.tzinfo else limit.replace(tzinfo=None))
    elif isinstance(greatest, date) and not lookback_amount(config.lookback):
        # More rows of this day will come.
        limits.append(limit.date() - timedelta(days=1))
    earliest: CursorValue = min(limits)
    return earliest


def lookback_amount(lookback: str | int) -> int:
    """How far a `lookback` reaches: in seconds for times, in the cursor's own units for numbers."""
    return seconds(lookback) if isinstance(lookback, str) else lookback


def _looking_back(after: CursorValue, config: IncrementalConfig) -> CursorValue | None:
    amount = lookback_amount(config.lookback)
    try:
        if isinstance(after, datetime):
            return after - timedelta(seconds=amount)
        if isinstance(after, date):
            return after - timedelta(days=-(-amount // _DAY))
    except OverflowError:
        # Before the first day of the calendar.
        return None
    return after - amount if isinstance(after, int | Decimal) else after
