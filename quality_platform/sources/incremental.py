"""Which rows an incremental load reads: a range of the cursor column, with a safe end.

The range is (after, up to]: `after` is what the position says, less the lookback; `up to` is the
greatest value at the source at this moment, or the source's clock less the lag. The end is fixed
before the reading, so that what arrives meanwhile belongs to the next load.
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
from quality_platform.errors import RunnerFileError
from quality_platform.sources.protocol import SourceContext, Wanted

CursorValue = int | Decimal | datetime | date | str
"""What a cursor can hold: whole numbers, exact decimals, times, dates, texts in byte order."""


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
    return found


def cursor_range(
    context: SourceContext, wanted: Wanted, greatest: CursorValue | None, now: datetime
) -> CursorRange | None:
    """The rows to read; None where nothing is new.

    Args:
        context: The source's; its `load.incremental` is set.
        wanted: What the run wants.
        greatest: The cursor's greatest value at the source now; None where it has no rows.
        now: The source's clock, with a zone.

    Raises:
        RunnerFileError: a bound in runner.yaml or of the backfill is no value of the column.
    """
    config = context.load.incremental
    assert config is not None
    column = cursor_field(context)
    known = wanted.position.sources.get(cursor_name(config))
    nulls = context.load.mode == "merge"
    if wanted.backfill is not None:
        start, end = wanted.backfill.start, wanted.backfill.end
        return CursorRange(
            column.name,
            version=known.version if known else "",
            first=parsed(start, column, context) if start else None,
            before=parsed(end, column, context) if end else None,
        )
    up_to = _safe_end(greatest, now, config)
    if wanted.full_refresh or known is None or not known.version:
        after = None if config.start is None else parsed(str(config.start), column, context)
    else:
        after = parsed(known.version, column, context)
    if up_to is None or (after is not None and up_to <= after):  # type: ignore[operator]
        return None
    begin = None if after is None else _looking_back(after, config)
    return CursorRange(column.name, written(up_to), after=begin, up_to=up_to, nulls=nulls)


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
    greatest: CursorValue | None, now: datetime, config: IncrementalConfig
) -> CursorValue | None:
    lag = timedelta(seconds=seconds(config.lag))
    if not isinstance(greatest, datetime) or not lag:
        return greatest
    limit = now - lag
    return min(greatest, limit if greatest.tzinfo else limit.replace(tzinfo=None))


def _looking_back(after: CursorValue, config: IncrementalConfig) -> CursorValue:
    lookback = config.lookback
    if isinstance(after, datetime | date):
        back = timedelta(seconds=seconds(lookback if isinstance(lookback, str) else f"{lookback}s"))
        return after - back
    if isinstance(after, int | Decimal) and isinstance(lookback, int):
        return after - lookback
    return after
