"""The rows that a drift test compares: found by its configuration, and told for people."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pyarrow as pa

from quality_platform.config.drift_models import (
    CurrentName,
    Reference,
    ReferencePeriod,
    SnapshotReference,
    TagReference,
    TrailingReference,
    WeekdayReference,
    WindowName,
)
from quality_platform.config.drift_texts import named_text
from quality_platform.errors import FeatureViewError, TableNotFoundError
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.drift_windows import Period, latest_period, of_config, periods_before
from quality_platform.flows.merge_rules import present_rows
from quality_platform.flows.platform import Platform
from quality_platform.lake.catalog import Table
from quality_platform.lake.last_load import files_of_last_load
from quality_platform.lake.periods import files_of_periods
from quality_platform.lake.query import duckdb_session, quote_identifier
from quality_platform.lake.reading import files_of, published_snapshot, require_columns, snapshot_of
from quality_platform.lake.table_files import TableFiles, column_sql, read_parquet

_SPAN = Period(date(1, 1, 2), date(9999, 12, 31))
"""What is taken for an event: the ends of the calendar stand for "never"."""


@dataclass(frozen=True)
class Side:
    """The rows of one side of a drift test.

    Attributes:
        text: Which rows, for people.
        snapshot_id: The snapshot that they are read from.
        files: Data files, which may hold other rows too.
        condition: SQL that tells the rows; "" for all of the files.
        begin: The first of their days; None where they are of no period and none is known.
        days: How many days they are of; None where they are of no period.
    """

    text: str
    snapshot_id: int
    files: TableFiles
    condition: str = ""
    begin: date | None = None
    days: float | None = None

    @property
    def digest(self) -> str:
        """The same for the same rows: data files never change, only the names of their columns."""
        columns = (f"{column.field_id} {column.name}" for column in self.files.columns)
        texts = (self.condition, self.files.where, *columns, *sorted(self.files))
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()

    def relation(self, columns: Sequence[pa.Field[Any]]) -> str:
        """SQL of a relation with the columns of the rows; there must be files."""
        names = ", ".join(column_sql(column) for column in columns)
        where = f" WHERE {self.condition}" if self.condition else ""
        return f"(SELECT {names} FROM {read_parquet(self.files)}{where})"


@dataclass(frozen=True)
class DriftRows:
    """The rows of a table or feature view as its published snapshot has them.

    `time` is the column that periods are of; "" where none is known.
    """

    platform: Platform
    table: ContractedTable
    time: str

    @cached_property
    def main(self) -> Table:
        """The table in the lake, as it was when it was first asked for."""
        return self.platform.lake.table(self.table.identifier)

    @cached_property
    def head(self) -> int:
        """The id of the published snapshot.

        Raises:
            TableNotFoundError: nothing has been published yet.
        """
        snapshot = published_snapshot(self.main)
        if snapshot is None:
            raise TableNotFoundError(f"nothing has been published to {self.table.identifier} yet")
        return snapshot.snapshot_id

    @property
    def _time_column(self) -> pa.Field[Any]:
        if not self.time:
            raise FeatureViewError(
                f"nothing says when the events of {self.table.identifier} happened",
                location=self.table.location,
                field="drift.event_timestamp",
                action="name the column",
            )
        require_columns(self.main, [self.time])
        return self.table.schema.field(self.time)

    def current(self, wanted: ReferencePeriod | CurrentName) -> Side:
        """The rows that are judged.

        Raises:
            FeatureViewError: no row has a time.
            LakeError: the table cannot be read, or lacks what is asked for.
        """
        if isinstance(wanted, ReferencePeriod):
            return self._of_periods([of_config(wanted)])
        if wanted == "snapshot":
            return self._of_snapshot("all published rows", self.head)
        if wanted == "new_rows":
            return self._new_rows()
        last = self._edge("max", self._files(self.head))
        if last is None:
            raise FeatureViewError(
                f"no row of {self.table.identifier} has a time in {self.time!r}", field=self.time
            )
        period = latest_period(wanted, last)
        # A month that is not over is compared by the days that it has had so far.
        days = (last - period.start).days + 1
        return self._of_periods([period], f"{wanted.replace('_', ' ')}, ", days)

    def reference(self, wanted: Reference, current: Side | None) -> Side:
        """The rows that count as normal; not for frozen profiles.

        Raises:
            FeatureViewError: the reference lies before current rows of which no time is known.
            LakeError: the table cannot be read, or lacks what is asked for.
        """
        match wanted:
            case ReferencePeriod():
                return self._of_periods([of_config(wanted)])
            case TagReference():
                found = snapshot_of(self.main, wanted.tag)
                assert found is not None
                return self._of_snapshot(named_text(wanted), found.snapshot_id)
            case SnapshotReference():
                return self._of_snapshot(named_text(wanted), self._known(wanted))
            case TrailingReference() | WeekdayReference() | "previous_month" | "previous_week":
                return self._before(wanted, current)
        raise AssertionError(wanted)

    def _before(
        self, wanted: WindowName | TrailingReference | WeekdayReference, current: Side | None
    ) -> Side:
        if current is None or current.begin is None:
            raise FeatureViewError(
                "the reference lies before the current rows, and these have no time",
                action="judge rows of a period, or name the reference by its days",
            )
        return self._of_periods(periods_before(wanted, current.begin))

    def _known(self, wanted: SnapshotReference) -> int:
        if self.main.snapshot_by_id(wanted.snapshot) is None:
            raise TableNotFoundError(
                f"{self.table.identifier} has no snapshot {wanted.snapshot} (any more)",
                action="tag snapshots that are needed: upkeep removes old ones",
            )
        return wanted.snapshot

    def _files(self, snapshot_id: int) -> TableFiles:
        return present_rows(self.table, files_of(self.main, snapshot_id))

    def _of_snapshot(self, text: str, snapshot_id: int) -> Side:
        return Side(text, snapshot_id, self._files(snapshot_id))

    def _of_periods(
        self, periods: Sequence[Period], told: str = "", days: float | None = None
    ) -> Side:
        column = self._time_column
        pairs = [(period.start, period.end) for period in periods]
        files = files_of_periods(self.main, self.head, self.time, pairs)
        return Side(
            text=told + (str(periods[0]) if len(periods) == 1 else _listed(periods)),
            snapshot_id=self.head,
            files=present_rows(self.table, files),
            condition=" OR ".join(f"({period.condition(column)})" for period in periods),
            begin=periods[0].start,
            days=days or sum(period.days for period in periods),
        )

    def _new_rows(self) -> Side:
        head = self.main.snapshot_by_id(self.head)
        assert head is not None
        snapshot, added = files_of_last_load(self.main, head)
        files = present_rows(self.table, added)
        begin = self._edge("min", files) if self.time else None
        return Side("the rows of the last load", snapshot.snapshot_id, files, begin=begin)

    def _edge(self, function: str, files: TableFiles) -> date | None:
        """The date of the first (`min`) or the last (`max`) event."""
        if not files:
            return None
        column = self._time_column
        moment = f"{function}({quote_identifier(self.time)})"
        with duckdb_session(self.platform.engine) as connection:
            rows = connection.sql(
                f"SELECT CAST({moment} AS DATE) FROM {read_parquet(files)} "
                f"WHERE {_SPAN.condition(column)}"
            ).fetchall()
        found: date | None = rows[0][0]
        return found


def _listed(periods: Sequence[Period]) -> str:
    return ", ".join(str(period.start) for period in periods)
