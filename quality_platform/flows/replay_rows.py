"""The rows of a quarantine that count, and those among them that are to be judged again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.publishing import LakeTables
from quality_platform.flows.replay_selection import Selection
from quality_platform.lake import commits
from quality_platform.lake.query import EngineSettings, duckdb_session, quote_literal
from quality_platform.lake.query import quote_identifier as q
from quality_platform.lake.reading import BATCH_ROWS, files_of, snapshot_of
from quality_platform.lake.table_files import TableFiles, column_sql, read_parquet
from quality_platform.quarantine.columns import META_COLUMNS
from quality_platform.quarantine.records import quarantine_schema

SELECTED = "quality_platform.selected"
"""Column of the batches: whether the row is meant."""


@dataclass(frozen=True)
class Selected:
    """What a selection meant, before anything is read.

    Attributes:
        rows: The rows that are meant, by the attempt that holds them.
        loads: The loads that read them.
        outdated: Further rows that it would mean: a later load read them again from the source.
    """

    rows: Mapping[str, int] = field(default_factory=dict, hash=False)
    loads: tuple[str, ...] = ()
    outdated: int = 0

    @property
    def attempts(self) -> tuple[str, ...]:
        """The attempts that hold rows that are meant."""
        return tuple(self.rows)

    @property
    def total(self) -> int:
        """The number of rows that are meant."""
        return sum(self.rows.values())


@dataclass(frozen=True)
class HeldRowsOfTable:
    """The rows of one table's quarantine as it was when this began.

    `ordered` gives them in the order in which they were read at the source. `also_outdated` means
    rows too that a later load read again.
    """

    table: ContractedTable
    tables: LakeTables
    selection: Selection
    engine: EngineSettings
    ordered: bool = False
    also_outdated: bool = False

    @cached_property
    def selected(self) -> Selected:
        """What is meant.

        Raises:
            ConfigurationError: the selection cannot be understood.
            EngineError: its condition cannot be run.
        """
        attempts = self.tables.position.attempts
        if not self._files(attempts):
            # A condition that is not allowed is told also where there is nothing to select.
            self.selection.condition(self.table)
            return Selected()
        query = (
            f"SELECT _attempt, count(*) FILTER ({self._meant}), "
            f"list(DISTINCT _load_id) FILTER ({self._meant}), "
            f"count(*) FILTER (NOT {self._meant}) "
            f"FROM {self._rows(attempts)} WHERE {self.selection.condition(self.table)} "
            "GROUP BY _attempt ORDER BY _attempt"
        )
        with duckdb_session(self.engine) as connection:
            found = connection.sql(query).fetchall()
        return Selected(
            rows={attempt: rows for attempt, rows, _, _ in found if rows},
            loads=tuple(sorted({load for _, _, loads, _ in found for load in loads or ()})),
            outdated=sum(outdated for _, _, _, outdated in found),
        )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows of the attempts that hold any that are meant, with the column `SELECTED`."""
        attempts = self.selected.attempts
        if not attempts:
            return
        meant = f"({self.selection.condition(self.table)}) AND {self._meant}"
        names = ", ".join(map(q, (*self.table.schema.names, *META_COLUMNS)))
        order = "_quarantined_at, _load_id, _source_file, _source_line"
        query = (
            f"SELECT {names}, ({meant}) AS {q(SELECTED)} FROM {self._rows(attempts)}"
            f"{f' ORDER BY {order}' if self.ordered else ''}"
        )
        held = [field.remove_metadata() for field in quarantine_schema(self.table.schema)]
        schema = pa.schema([*held, pa.field(SELECTED, pa.bool_())])
        with duckdb_session(self.engine) as connection:
            for batch in connection.sql(query).to_arrow_reader(BATCH_ROWS):
                yield batch.cast(schema)

    @property
    def _meant(self) -> str:
        outdated = self.tables.position.outdated
        return f"(({outdated}) IS NOT TRUE)" if outdated and not self.also_outdated else "TRUE"

    def _files(self, attempts: tuple[str, ...]) -> TableFiles:
        """The files that can hold rows of these attempts."""
        held = self.tables.quarantine
        snapshot = snapshot_of(held)
        files = files_of(held, snapshot.snapshot_id if snapshot else None)
        wanted = set(attempts)
        return files.only(
            path
            for path in files
            if commits.is_compacted(path) or commits.attempt_of(path) in wanted
        )

    def _rows(self, attempts: tuple[str, ...]) -> str:
        columns = ", ".join(
            [*map(column_sql, self.table.schema), *(q(name) for name in META_COLUMNS)]
        )
        listed = ", ".join(quote_literal(attempt) for attempt in attempts)
        source = read_parquet(self._files(attempts))
        return f"(SELECT {columns} FROM {source} WHERE _attempt IN ({listed}))"
