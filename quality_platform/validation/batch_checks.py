"""Checks over the files of a batch: row rules, gates, uniqueness, and the two external engines.

They read the files just written, or published, or brought by somebody; only the columns that they
need. All row rules are one statement that gives the bad rows (`bad_rows`), all gates another that
gives their numbers (`gates`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from quality_platform.checks.specs import (
    CheckSpec,
    Expectation,
    ForeignKey,
    Fresh,
    RowCount,
    Scope,
    SodaCheck,
    SqlMetric,
    Unique,
)
from quality_platform.errors import EngineError
from quality_platform.lake.query import engine_errors, quote_literal, time_limit
from quality_platform.lake.query import quote_identifier as q
from quality_platform.lake.table_files import column_sql, read_parquet
from quality_platform.validation.bad_rows import BadRows, Rule
from quality_platform.validation.conditions import condition_of, judged_rows
from quality_platform.validation.engine_checks import (
    PlacedRows,
    judge_expectations,
    judge_soda,
)
from quality_platform.validation.engine_outcomes import EngineOutcome
from quality_platform.validation.gates import Gates
from quality_platform.validation.measures import counted, failed, measured
from quality_platform.validation.own_keys import OwnKeys
from quality_platform.validation.reference_keys import ReferenceKeys, own
from quality_platform.validation.uniqueness import Uniqueness

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = "batch"
PLACED_ROWS = f"{BATCH}_rows"
FILE_COLUMN, POSITION_COLUMN = "quality_platform.file", "quality_platform.position"
"""Columns of `PLACED_ROWS` beside the batch's: a row's file, and its position in it from 0."""
_ROWS = PLACED_ROWS
_FILE, _POSITION = own("file"), own("position")
_PLACE = f"{_FILE}, {_POSITION}"
_FILE_OPTION = "filename = 'quality_platform.file'"


@dataclass(frozen=True)
class BatchFiles:
    """The files of one batch: rows that have passed every row rule so far, and rows held back.

    `unconformed` is the SQL condition that tells held rows that have no typed values; they are
    counted as rows, but no other check can judge them.
    """

    schema: pa.Schema
    good: Sequence[str]
    held: Sequence[str] = ()
    unconformed: str = "FALSE"


@dataclass(frozen=True)
class RowsApart:
    """What a batch that takes the place of published rows leaves out of its checks.

    Attributes:
        excluded: The query of the places of rows that are not judged; "" for none.
        versions: The query of the places of held rows of which another version is not held: no key
            is compared with them; "" for none.
        published: The relation of published rows that stay beside the batch; "" for none.
        key: The columns that tell rows apart: what repeats them is another version of the row.
    """

    excluded: str = ""
    versions: str = ""
    published: str = ""
    key: tuple[str, ...] = ()


@dataclass
class BatchChecks:
    """Runs checks over one batch in one session.

    `published` are the files of the rows that a unique key must not repeat. `rows_read` is what a
    row count counts, all records of the source; where left out, all records of the files.
    A statement ends as an error after `timeout_seconds` (None for no limit). Ages are taken at
    `evaluated_at`, which has a zone. `row_specs` are the row rules that were run; `rows` is the
    number of rows judged. `apart` takes the place of `published` where the batch replaces rows.
    """

    connection: DuckDBPyConnection
    files: BatchFiles
    keys: ReferenceKeys
    published: Sequence[str] = ()
    rows_read: int | None = None
    timeout_seconds: float | None = None
    evaluated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    row_specs: tuple[CheckSpec, ...] = ()
    rows: int = 0
    apart: RowsApart | None = None

    def run(self, specs: Sequence[CheckSpec]) -> dict[str, EngineOutcome]:
        """The outcome of every spec, by name; a check that cannot run has an `error`."""
        self._create_view()
        self.rows = self._rows()
        self.row_specs = tuple(spec for spec in specs if spec.scope is Scope.ROW)
        files = [*self.files.good, *self.files.held]
        self._gathered: dict[str, list[pa.Table]] = {}
        texts = frozenset(f.name for f in self.files.schema if pa.types.is_string(f.type))
        self._bad = BadRows(self.connection, _ROWS, files, texts, self.timeout_seconds)
        outcomes: dict[str, EngineOutcome] = {}
        outcomes |= self._row_rules([s for s in self.row_specs if self._is_condition(s)])
        outcomes |= self._measured([s for s in specs if s.scope is Scope.GATE])
        for spec in specs:
            if isinstance(spec.claim, Unique):
                outcomes[spec.name] = self._unique(spec, spec.claim)
        for kind, judge in ((Expectation, judge_expectations), (SodaCheck, judge_soda)):
            if of_engine := [spec for spec in specs if isinstance(spec.claim, kind)]:
                outcomes |= judge(self._placed(), of_engine, self._gather)
        self._add_gathered()
        for spec in specs:
            if isinstance(spec.claim, ForeignKey) and self.keys.is_own(spec.claim):
                outcomes[spec.name] = self._own_key(spec, spec.claim)
        return outcomes

    def labelled(self, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """All rows that break a row rule of the last `run`, in order, as `bad_rows.LABELLED`.

        Streams: until the last batch is taken the connection can run nothing else.
        """
        return self._bad.labelled(batch_rows)

    def bad_row_count(self, specs: Sequence[CheckSpec]) -> int:
        """The number of rows that break at least one of these row rules of the last `run`."""
        return self._bad.number([spec.name for spec in specs])

    @property
    def readable(self) -> tuple[str, ...]:
        """All files that the checks may read."""
        references = [file for files in self.keys.files.values() for file in files]
        return (*self.files.good, *self.files.held, *self.published, *references)

    def failing_rows(
        self, spec: CheckSpec, columns: Sequence[str], limit: int
    ) -> list[dict[str, object]]:
        """Up to `limit` rows that break the check, the first ones; [] where none can be told."""
        shown = ", ".join(f"b.{q(column)}" for column in columns)
        try:
            with engine_errors():
                found = self.connection.sql(
                    f"SELECT {shown} FROM {_ROWS} b {self._where_broken(spec, limit)} "
                    f"ORDER BY {_PLACE} LIMIT {limit}"
                ).to_arrow_table()
        except EngineError:
            # A check that cannot run has no rows to show; its outcome tells the error.
            return []
        return found.to_pylist()  # type: ignore[no-any-return]

    def _where_broken(self, spec: CheckSpec, limit: int) -> str:
        if spec.scope is Scope.ROW:
            return f"WHERE {_is_at(self._bad.first(spec.name, limit))}"
        if not self._is_condition(spec):
            return "WHERE FALSE"
        condition = self._gates().condition(spec)
        return f"{condition.join} WHERE {condition.sql}"

    def _create_view(self) -> None:
        schema = self.files.schema
        columns = ", ".join(q(name) for name in schema.names)
        read = ", ".join(column_sql(field) for field in schema)
        parts = [
            f"SELECT {read}, {_FILE}, file_row_number AS {_POSITION} FROM "
            f"{read_parquet(files, _FILE_OPTION, 'file_row_number = true')}{condition}"
            for files, condition in (
                (self.files.good, ""),
                (self.files.held, f" WHERE NOT ({self.files.unconformed})"),
            )
            if files
        ]
        if not parts:
            empty = pa.table([pa.array([], f.type) for f in schema], names=schema.names)
            self.connection.register("nothing", empty)
            parts = [f"SELECT {columns}, '' AS {_FILE}, 0::BIGINT AS {_POSITION} FROM nothing"]
        rows = " UNION ALL ".join(parts)
        if self.apart and self.apart.excluded:
            rows = f"SELECT * FROM ({rows}) ANTI JOIN ({self.apart.excluded}) USING ({_PLACE})"
        self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {_ROWS} AS {rows}")
        self.connection.execute(f"CREATE OR REPLACE VIEW {BATCH} AS SELECT {columns} FROM {_ROWS}")

    def _rows(self) -> int:
        return int(self.connection.execute(f"SELECT count(*) FROM {BATCH}").fetchall()[0][0])

    def _records(self) -> int:
        """All records of the batch, also those that have no typed values."""
        files = [*self.files.good, *self.files.held]
        if self.rows_read is not None or not files:
            return self.rows_read or 0
        listed = ", ".join(quote_literal(file) for file in files)
        counted_rows = f"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata([{listed}])"
        return int(self.connection.execute(counted_rows).fetchall()[0][0])

    def _is_condition(self, spec: CheckSpec) -> bool:
        """Whether one condition on a row decides it: a predicate, or a key into another table."""
        of_batch = Unique | SqlMetric | RowCount | Fresh | Expectation | SodaCheck
        is_own = isinstance(spec.claim, ForeignKey) and self.keys.is_own(spec.claim)
        return not isinstance(spec.claim, of_batch) and not is_own

    def _row_rules(self, specs: Sequence[CheckSpec]) -> dict[str, EngineOutcome]:
        rules: list[Rule] = []
        errors: dict[str, EngineError] = {}
        for n, spec in enumerate(specs):
            try:
                rules.append(Rule(spec.name, condition_of(spec, self.keys, n, self.files.schema)))
            except EngineError as error:
                errors[spec.name] = error
        errors |= self._bad.find(rules)
        counts = self._bad.counts()
        conditions = {rule.name: rule.condition for rule in rules if rule.name not in errors}
        rows, unknown = judged_rows(self.connection, BATCH, conditions, self.timeout_seconds)
        errors |= unknown
        return {
            spec.name: failed(spec, self.rows, errors[spec.name])
            if spec.name in errors
            else counted(spec, rows.get(spec.name, self.rows), counts[spec.name])
            for spec in specs
        }

    def _gates(self) -> Gates:
        return Gates(
            connection=self.connection,
            batch=BATCH,
            schema=self.files.schema,
            keys=self.keys,
            rows=self.rows,
            evaluated_at=self.evaluated_at,
            timeout_seconds=self.timeout_seconds,
        )

    def _measured(self, specs: Sequence[CheckSpec]) -> dict[str, EngineOutcome]:
        outcomes: dict[str, EngineOutcome] = {}
        aggregated: list[CheckSpec] = []
        for spec in specs:
            match spec.claim:
                case RowCount(""):
                    outcomes[spec.name] = measured(spec, self.rows, None, self._records())
                case SqlMetric():
                    outcomes[spec.name] = self._gates().metric(spec, spec.claim)
                case RowCount() | Fresh():
                    aggregated.append(spec)
                case _ if self._is_condition(spec):
                    aggregated.append(spec)
        return outcomes | self._gates().outcomes(aggregated)

    def _unique(self, spec: CheckSpec, claim: Unique) -> EngineOutcome:
        """All rows of a group with more than one, and rows whose key is published already."""
        if self._tells_apart(claim):
            return counted(spec, self._rows_where(claim.where), 0)
        rows = _ROWS
        if self.apart and self.apart.versions:
            rows = f"(SELECT * FROM {_ROWS} ANTI JOIN ({self.apart.versions}) USING ({_PLACE}))"
        published = self._published_rows()
        search = Uniqueness(self.connection, rows, _PLACE, self.files.schema, published)
        try:
            with engine_errors(), time_limit(self.connection, self.timeout_seconds):
                judged = self._rows_where(claim.where)
                found = search.repeats(claim)
                if spec.scope is Scope.ROW:
                    self._bad.add(spec.name, found.places)
                    return counted(spec, judged, self._bad.number([spec.name]))
        except EngineError as error:
            return failed(spec, self.rows, error)
        return counted(spec, judged, found.extra)

    def _tells_apart(self, claim: Unique) -> bool:
        """Whether rows that share these columns are versions of one row."""
        key = self.apart.key if self.apart else ()
        return bool(key) and {*key} <= {*claim.columns}

    def _published_rows(self) -> str:
        """The relation of the published rows that the batch is added to; "" for none."""
        if self.apart is not None:
            return self.apart.published
        return read_parquet(self.published) if self.published else ""

    def _rows_where(self, condition: str) -> int:
        if not condition:
            return self.rows
        query = f"SELECT count(*) FROM {BATCH} WHERE {condition}"
        return int(self.connection.execute(query).fetchall()[0][0])

    def _own_key(self, spec: CheckSpec, claim: ForeignKey) -> EngineOutcome:
        """A key into the table itself: rows of the batch that stay are rows of the table."""
        files = self.keys.files.get(claim.to_table)
        published = read_parquet(files) if files else ""
        if self.apart is not None:
            published = self.apart.published
        own_keys = OwnKeys(self._bad, self.files.held, self.row_specs, published)
        try:
            with engine_errors(), time_limit(self.connection, self.timeout_seconds):
                count = own_keys.dangling(spec, claim)
        except EngineError as error:
            return failed(spec, self.rows, error)
        return counted(spec, self.rows, count)

    def _placed(self) -> PlacedRows:
        return PlacedRows(
            connection=self.connection,
            relation=BATCH,
            placed=_ROWS,
            place=_PLACE,
            schema=self.files.schema,
            rows=self.rows,
            timeout_seconds=self.timeout_seconds,
        )

    def _gather(self, spec: CheckSpec, places: pa.Table) -> None:
        """Keeps rows that break a row check of an engine: a table of file and position.

        They are added once the engine has ended: it may still be reading the batch.
        """
        numbers = pc.index_in(places.column(0), value_set=pa.array(self._bad.files, pa.string()))
        kept = pa.Table.from_arrays([numbers, places.column(1)], ["file", "position"])
        self._gathered.setdefault(spec.name, []).append(kept)

    def _add_gathered(self) -> None:
        for name, found in self._gathered.items():
            self.connection.register("engine_places", pa.concat_tables(found))
            try:
                self._bad.add_numbered(name, "FROM engine_places")
            finally:
                self.connection.unregister("engine_places")


def _is_at(places: Sequence[tuple[str, int]]) -> str:
    """SQL of "the row is at one of these files and positions".

    A list of pairs would say the same, but only equations let DuckDB read no more than the row
    groups concerned.
    """
    at = [f"({_FILE} = {quote_literal(file)} AND {_POSITION} = {n})" for file, n in places]
    return f"({' OR '.join(at)})" if at else "FALSE"
