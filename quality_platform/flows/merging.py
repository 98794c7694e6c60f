"""Merging: which of several rows with one key stays, and which published rows give way to it.

Everything is found by the key in the load's DuckDB session, over the staged and the published
files, and kept as places (file and position) in tables that DuckDB moves to disk where they do not
fit into its memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quality_platform.checks.specs import Unique
from quality_platform.errors import Location, PublishBlockedError
from quality_platform.flows.delete_marks import MARK, ORDER, ROWS_BEFORE
from quality_platform.flows.merge_rules import MergeRules
from quality_platform.flows.row_changes import (
    FILE,
    PLACE,
    POSITION,
    REMOVED,
    Places,
    Published,
    RowCounts,
    Settled,
)
from quality_platform.flows.unchanged_rows import UnchangedRows
from quality_platform.flows.version_dates import VersionDates
from quality_platform.lake.data_files import StagedFile
from quality_platform.lake.query import quote_identifier as q
from quality_platform.lake.query import quote_literal
from quality_platform.lake.reading import local_path
from quality_platform.lake.table_files import column_sql, read_parquet
from quality_platform.lake.versions import VALID_TO
from quality_platform.validation.uniqueness import Uniqueness

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BATCH, _WINNERS, _FILES = "merge_batch", "merge_winners", "merge_files"
_MARKS = "merge_marks"
_SUPERSEDED, _MATCHES, _UNCHANGED = "merge_superseded", "merge_matches", "merge_unchanged"
_UNDECIDED = "merge_undecided"
_PRESENT, _GONE, _LATE = "merge_present", "merge_gone", "merge_late"
_ORDER, _MARK, _BEFORE = q(ORDER), q(MARK), q(ROWS_BEFORE)


@dataclass(frozen=True)
class Batch:
    """What was staged: good and held rows, and files of delete marks.

    `whole` says that the source has no other rows; `unreadable` is the condition that tells held
    rows some of whose cells could not be read.
    """

    good: Sequence[StagedFile]
    held: Sequence[StagedFile]
    marks: Sequence[str]
    whole: bool
    unreadable: str


@dataclass
class Merging:
    """One merge in one session.

    Attributes:
        rules: The table's.
        schema: The contract's columns.
        table: The published rows that are compared: in `mode: snapshot` the present versions.
        batch: What was staged.
        dates: When versions begin; None where rows have none.
        may_delete_all: Whether a comparison may delete more than `at_most`.
        location: Where runner.yaml has the table.
    """

    rules: MergeRules
    schema: pa.Schema
    table: Published
    batch: Batch
    dates: VersionDates | None = None
    may_delete_all: bool = False
    location: Location | None = None
    _superseded: int = 0
    _notes: list[str] = field(default_factory=list)

    @property
    def _connection(self) -> DuckDBPyConnection:
        return self.table.connection

    @cached_property
    def _key(self) -> str:
        return ", ".join(q(column) for column in self.rules.key)

    @property
    def _same_key(self) -> str:
        return " AND ".join(f"p.{q(column)} = b.{q(column)}" for column in self.rules.key)

    @property
    def published(self) -> str:
        """The published rows whose key is not in the batch; a comparison leaves held ones only."""
        rows = self.table.rows()
        if not rows:
            return ""
        others = f"SELECT p.* FROM {rows} p ANTI JOIN {_WINNERS} USING ({self._key})"
        if self._compares:
            others += f" SEMI JOIN {_PRESENT} USING ({self._key})"
        return f"({others})"

    @property
    def excluded(self) -> str:
        """The places of superseded rows."""
        return f"SELECT {PLACE} FROM {_SUPERSEDED}" if self._superseded else ""

    def undecided(self) -> dict[str, NDArray[np.int64]]:
        """Rows of the batch that differ from the published one, and nothing tells which is newer.

        That is asked where rows come later than they were read; `find` takes them for the newer.
        """
        self._create(
            _UNDECIDED,
            f"SELECT DISTINCT {PLACE} FROM {_MATCHES} WHERE {_MARK} = 0 "
            f"AND old_order IS NOT DISTINCT FROM {_ORDER} "
            f"EXCEPT SELECT {PLACE} FROM {_UNCHANGED}",
        )
        files = (local_path(staged.uri) for staged in self.batch.good)
        found = {file: self._positions(_UNDECIDED, file) for file in files}
        return {file: places for file, places in found.items() if len(places)}

    @property
    def versions(self) -> str:
        """The places of held rows of which the batch has a version that is not held."""
        if not self.batch.held:
            return ""
        return (
            f"SELECT {FILE}, file_row_number AS {POSITION} FROM {self._held()} "
            f"SEMI JOIN {_WINNERS} USING ({self._key})"
        )

    def find(self) -> None:
        """Finds what is superseded, what is published already, and what gives way.

        Raises:
            PublishBlockedError: a comparison would delete more rows than it may.
        """
        self._view_batch()
        self._supersede_within()
        self._match()
        self._supersede_by_published()
        self._find_unchanged()
        self._find_gone()

    def _view_batch(self) -> None:
        """The view of all staged keys: rows with their place, marks with their number for it."""
        order = self.rules.order_by
        fields = [self.schema.field(name) for name in {*self.rules.key, *([order] * bool(order))}]
        read = ", ".join(column_sql(found) for found in fields)
        ordered = q(order) if order else "NULL::BIGINT"
        columns = f"{self._key}, {ordered} AS {_ORDER}, {PLACE}, 0 AS {_MARK}, 0 AS {_BEFORE}"
        parts = [f"SELECT {columns} FROM (SELECT {read}, {PLACE} FROM {self._good()})"]
        if self.batch.marks:
            # The checks shut the session to all files but those that they read.
            self._create(_MARKS, f"SELECT * FROM {read_parquet(self.batch.marks)}")
            marks = f"{self._key}, {_ORDER}, '', {_MARK}, {_MARK}, {_BEFORE}"
            parts.append(f"SELECT {marks} FROM {_MARKS}")
        self._run(f"CREATE OR REPLACE TEMP VIEW {_BATCH} AS {' UNION ALL '.join(parts)}")
        starts = np.cumsum([0, *(file.rows for file in self.batch.good)])[:-1]
        paths = [local_path(file.uri) for file in self.batch.good]
        files = pa.table({"path": pa.array(paths, pa.string()), "start": pa.array(starts)})
        self._connection.register(_FILES, files)

    def _good(self) -> str:
        """The staged rows with all columns and their places."""
        paths = [local_path(file.uri) for file in self.batch.good]
        if paths:
            read = read_parquet(
                paths, "filename = 'quality_platform.file'", "file_row_number = true"
            )
            return f"(SELECT *, file_row_number AS {POSITION} FROM {read})"
        empty = pa.table([pa.array([], f.type) for f in self.schema], names=self.schema.names)
        self._connection.register("merge_nothing", empty)
        return f"(SELECT *, '' AS {FILE}, 0::BIGINT AS {POSITION} FROM merge_nothing)"

    def _supersede_within(self) -> None:
        """Of the rows and marks with one key all but the last are superseded."""
        search = Uniqueness(self._connection, _BATCH, PLACE, self.schema)
        repeated = search.repeats(Unique(self.rules.key)).places
        read = f"CASE WHEN {_MARK} = 0 THEN f.start + {POSITION} + 1 ELSE {_BEFORE} END"
        candidates = f"(SELECT * FROM {_BATCH} SEMI JOIN ({repeated}) USING ({PLACE}))"
        self._create(
            _SUPERSEDED,
            f"SELECT {PLACE} FROM {candidates} b LEFT JOIN {_FILES} f ON b.{FILE} = f.path "
            f"QUALIFY row_number() OVER (PARTITION BY {self._key} "
            f"ORDER BY {_ORDER} DESC NULLS LAST, {read} DESC, {_MARK} DESC) > 1",
        )
        self._view_winners()

    def _view_winners(self) -> None:
        self._superseded = self._number(_SUPERSEDED)
        without = f" ANTI JOIN {_SUPERSEDED} USING ({PLACE})" if self._superseded else ""
        self._run(f"CREATE OR REPLACE TEMP VIEW {_WINNERS} AS SELECT * FROM {_BATCH}{without}")

    def _match(self) -> None:
        """The published rows with a key of the batch, beside the row of the batch."""
        rows = self.table.rows()
        order = f"p.{q(self.rules.order_by)}" if self.rules.order_by else "NULL::BIGINT"
        places = f"b.{FILE} AS {FILE}, b.{POSITION} AS {POSITION}, b.{_MARK} AS {_MARK}"
        old = f"p.{FILE} AS old_file, p.{POSITION} AS old_position, {order} AS old_order"
        # Without a published row there is none to join, and no column to name.
        source = (
            f"SELECT {places}, {old}, b.{_ORDER} AS {_ORDER} "
            f"FROM {rows} p JOIN {_WINNERS} b ON {self._same_key}"
            if rows
            else f"SELECT {PLACE}, {_MARK}, '' AS old_file, 0::BIGINT AS old_position, "
            f"{_ORDER} AS old_order, {_ORDER} FROM {_WINNERS} WHERE FALSE"
        )
        number = self.table.number("old_file") if rows else "0"
        self._create(_MATCHES, f"SELECT * REPLACE ({number} AS old_file) FROM ({source})")

    def _supersede_by_published(self) -> None:
        """No row takes the place of one that is newer, or of one that was deleted later."""
        if not self.rules.order_by:
            return
        newer = f"{_ORDER} IS NULL OR old_order > {_ORDER}"
        places = f"SELECT {PLACE} FROM {_MATCHES} WHERE old_order IS NOT NULL AND ({newer})"
        if self.dates is not None and self.dates.order_by and self.table.files:
            ended = self.table.rows(ended=True)
            places += (
                f" UNION SELECT b.{FILE}, b.{POSITION} FROM {ended} p JOIN {_WINNERS} b "
                f"ON {self._same_key} WHERE p.{q(VALID_TO)} > {self.dates.sql(f'b.{_ORDER}')}"
            )
        self._create(_LATE, f"SELECT DISTINCT * FROM ({places})")
        if self._number(_LATE):
            self._run(f"INSERT INTO {_SUPERSEDED} SELECT * FROM {_LATE}")
            self._create(_MATCHES, f"SELECT * FROM {_MATCHES} ANTI JOIN {_LATE} USING ({PLACE})")
            self._view_winners()

    def _find_unchanged(self) -> None:
        """The rows of the batch that are just like the one in whose place they would come."""
        changing = f"SELECT * FROM {_MATCHES} WHERE {_MARK} = 0"
        if not self._count(changing):
            self._create(_UNCHANGED, f"SELECT {PLACE} FROM {_MATCHES} WHERE FALSE")
            return
        pairs = f"({changing})"
        UnchangedRows(self.table, self._good(), pairs, self.rules.key, self.schema).put_into(
            _UNCHANGED
        )

    @property
    def _compares(self) -> bool:
        return self.rules.compares and self.batch.whole and not self._notes

    def _find_gone(self) -> None:
        """The published rows that a whole read did not find: no row of the batch has their key."""
        nothing = "SELECT 0 AS old_file, 0::BIGINT AS old_position WHERE FALSE"
        self._require_readable_keys()
        rows = self.table.rows()
        if not (self._compares and rows):
            self._create(_GONE, nothing)
            return
        parts = [f"SELECT {self._key} FROM {_BATCH}"]
        if self.batch.held:
            parts.append(f"SELECT {self._key} FROM {self._held()}")
        self._create(_PRESENT, " UNION ALL ".join(parts))
        self._create(
            _GONE,
            f"SELECT {self.table.number(FILE)} AS old_file, {POSITION} AS old_position "
            f"FROM {rows} p ANTI JOIN {_PRESENT} USING ({self._key})",
        )
        self._require_few_deletes()

    def _held(self) -> str:
        paths = [local_path(file.uri) for file in self.batch.held]
        return read_parquet(paths, "filename = 'quality_platform.file'", "file_row_number = true")

    def _require_readable_keys(self) -> None:
        """A row held back whose key cannot be read may be any row of the table."""
        if not (self.rules.compares and self.batch.held):
            return
        unknown = " OR ".join(f"{q(column)} IS NULL" for column in self.rules.key)
        found = self._connection.execute(
            f"SELECT count(*) FROM {self._held()} WHERE ({unknown}) AND {self.batch.unreadable}"
        ).fetchall()[0][0]
        if found:
            self._notes.append(
                f"nothing was deleted: the key of {found} quarantined rows cannot be read, and "
                "each may be a row that would be deleted"
            )

    def _require_few_deletes(self) -> None:
        deletes = self.rules.deletes
        gone, all_rows = self._number(_GONE), self.table.count()
        assert deletes is not None
        if self.may_delete_all or gone <= deletes.at_most * all_rows:
            return
        raise PublishBlockedError(
            f"the source has {all_rows - gone} of the table's {all_rows} rows: {gone} would be "
            "deleted; nothing was published",
            location=self.location,
            field="load.deletes.at_most",
            received=f"{gone / all_rows:.3g}",
            allowed=f"at most {deletes.at_most:g} of the table's rows",
            action="look at the source; if it is right, run with --full-refresh",
        )

    def dropped(self, late: Places) -> dict[str, NDArray[np.int64]]:
        """Superseded rows, and unchanged ones that are not held back."""
        found: dict[str, NDArray[np.int64]] = {}
        for file in (local_path(staged.uri) for staged in self.batch.good):
            superseded = self._positions(_SUPERSEDED, file)
            unchanged = np.setdiff1d(self._positions(_UNCHANGED, file), late.get(file, []))
            if len(superseded) or len(unchanged):
                found[file] = np.union1d(superseded, unchanged)
        return found

    def _positions(self, table: str, file: str) -> NDArray[np.int64]:
        rows = self._connection.sql(
            f"SELECT {POSITION} AS position FROM {table} WHERE {FILE} = {quote_literal(file)}"
        ).to_arrow_table()
        return np.sort(np.asarray(rows.column(0).combine_chunks(), np.int64))

    def settle(self, late: Places) -> Settled:
        """The published rows that give way, and what became of the batch's."""
        self._register_late(late)
        kept = f"SELECT * FROM {_UNCHANGED} ANTI JOIN {_LATE} USING ({PLACE})"
        stay = f"SELECT * FROM {_UNCHANGED} UNION SELECT * FROM {_LATE}"
        self._create(_MATCHES, f"SELECT * FROM {_MATCHES} ANTI JOIN ({stay}) USING ({PLACE})")
        ends = self.dates.sql(_ORDER) if self.dates else "NULL::TIMESTAMPTZ"
        # A comparison never goes with dates of the source.
        at = self.dates.sql("") if self.dates and not self.dates.order_by else "NULL"
        self._create(
            REMOVED,
            f"SELECT old_file AS file, old_position AS position, {ends} AS ends FROM {_MATCHES} "
            f"UNION ALL SELECT old_file, old_position, {at} FROM {_GONE}",
        )
        deletes = self._count(f"SELECT DISTINCT {PLACE} FROM {_MATCHES} WHERE {_MARK} > 0")
        marks = self._count(f"SELECT * FROM {_WINNERS} WHERE {_MARK} > 0")
        counts = RowCounts(
            updated=self._count(f"SELECT DISTINCT {PLACE} FROM {_MATCHES} WHERE {_MARK} = 0"),
            unchanged=self._count(kept),
            superseded=self._superseded + marks - deletes,
            deletes=deletes,
            deleted=self._count(f"SELECT * FROM {_MATCHES} WHERE {_MARK} > 0")
            + self._number(_GONE),
        )
        changes = tuple(self.table.changes(dated=self.dates is not None))
        return Settled(counts, changes, tuple(self._notes))

    def _register_late(self, late: Places) -> None:
        self._create(_LATE, f"SELECT {PLACE} FROM {_UNCHANGED} WHERE FALSE")
        for file, positions in late.items():
            places = pa.table({"position": pa.array(positions, pa.int64())})
            self._connection.register("merge_late_positions", places)
            self._run(
                f"INSERT INTO {_LATE} SELECT {quote_literal(file)}, position "
                "FROM merge_late_positions"
            )
            self._connection.unregister("merge_late_positions")

    def _run(self, statement: str) -> None:
        self._connection.execute(statement)

    def _create(self, name: str, query: str) -> None:
        self._run(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")

    def _number(self, table: str) -> int:
        return self._count(f"SELECT * FROM {table}")

    def _count(self, query: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0])
