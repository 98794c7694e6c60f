"""What somebody asks of a load beside what is new: everything again, or a range of the cursor."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from quality_platform.errors import RunnerFileError
from quality_platform.flows.contracted_tables import SourceTable
from quality_platform.flows.merge_rules import cursor_column
from quality_platform.lake.query import quote_identifier, quote_literal
from quality_platform.sources.incremental import CursorValue, parsed
from quality_platform.sources.protocol import Backfill, SourceContext


@dataclass(frozen=True)
class Request:
    """Nothing in particular, everything again (`full_refresh`), or a range again (`backfill`).

    `retry` is the number of the attempt, by whoever runs the load: 0 for the first. `partitions`
    are the keys of the first and the last partition that are asked for.
    """

    full_refresh: bool = False
    backfill: Backfill | None = None
    retry: int = 0
    partitions: tuple[str, str] | None = None

    @classmethod
    def of(cls, *, full_refresh: bool = False, start: str = "", end: str = "") -> Request:
        """The request of a person; `start` is inclusive, `end` exclusive, "" has no bound.

        Raises:
            RunnerFileError: everything and a range cannot be asked for at once.
        """
        if full_refresh and (start or end):
            raise RunnerFileError(
                "a full refresh reads everything; a range beside it says nothing",
                received="--full-refresh with --from or --to",
                allowed="one of the two",
            )
        return cls(full_refresh, Backfill(start, end) if start or end else None)


NOTHING_IN_PARTICULAR = Request()


def require_possible(table: SourceTable, request: Request) -> None:
    """Checks that the table can be asked for this.

    Raises:
        RunnerFileError: a range of a table that is not read by a cursor, or a partition of one that
            has none.
    """
    if table.config.partitions is not None:
        return
    if request.partitions is not None:
        raise RunnerFileError(
            f"{table.name} has no partitions",
            location=table.location,
            field=f"tables.{table.name}.partitions",
        )
    if request.backfill is not None and table.config.load.incremental is None:
        raise RunnerFileError(
            f"{table.name} is not read by a cursor: it has no range to read again",
            location=table.location,
            field=f"tables.{table.name}.load.incremental",
            action="ask for everything: --full-refresh",
        )


def range_condition(table: SourceTable, context: SourceContext, backfill: Backfill) -> str:
    """SQL true for the published rows of the range; NULL where a row has no cursor.

    Raises:
        RunnerFileError: a bound is no value of the cursor's column.
    """
    assert table.config.load.incremental is not None
    name = cursor_column(table.config.load, table.object)
    column = table.schema.field(name)
    parts = [
        f"{quote_identifier(name)} {sign} {_literal(parsed(bound, column, context))}"
        for sign, bound in ((">=", backfill.start), ("<", backfill.end))
        if bound
    ]
    return " AND ".join(parts)


def _literal(value: CursorValue) -> str:
    """Numbers as they are, so that none is rounded to the column's type; all else as text."""
    if isinstance(value, int | Decimal):
        return format(value, "f" if isinstance(value, Decimal) else "d")
    return quote_literal(value if isinstance(value, str) else value.isoformat())
