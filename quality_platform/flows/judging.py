"""From counts and engine outcomes to the results of a table's checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from quality_platform.checks.derive import CONFORMS
from quality_platform.checks.results import CheckResult, Verdict, verdict_of
from quality_platform.checks.specs import (
    CheckSpec,
    Conforms,
    Expectation,
    ForeignKey,
    Fresh,
    NoDrift,
    NoDriftOverall,
    Note,
    Retained,
    RowCount,
    Scope,
    SodaCheck,
    SqlMetric,
    Unique,
    When,
    is_row_rule,
)
from quality_platform.errors import EngineError
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.merge_rules import present_rows
from quality_platform.flows.platform import Platform
from quality_platform.flows.samples import Samples
from quality_platform.lake.reading import files_of, published_snapshot
from quality_platform.lake.table_files import TableFiles
from quality_platform.validation.engine_outcomes import EngineOutcome
from quality_platform.validation.row_rules import ReferenceKeys, RowRules

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Pins:
    """The snapshots that a run reads beside its source, chosen once at its start.

    `snapshots` has a snapshot id for every table that a foreign key refers to; a table that has
    none yet is missing, and checks against it cannot run. Of a table that keeps the versions of its
    rows only the present ones count.
    """

    snapshots: dict[str, int] = field(hash=False)
    files: dict[str, TableFiles] = field(hash=False)

    @classmethod
    def of(cls, platform: Platform, names: Sequence[str]) -> Pins:
        """Pins these tables of the platform as they are now."""
        snapshots: dict[str, int] = {}
        files: dict[str, TableFiles] = {}
        for name in names:
            contracted = platform.contracted(name)
            table = platform.lake.find_table(contracted.identifier)
            snapshot = published_snapshot(table)
            if table is not None and snapshot is not None:
                snapshots[name] = snapshot.snapshot_id
                files[name] = present_rows(contracted, files_of(table, snapshot.snapshot_id))
        return cls(snapshots, files)


@dataclass(frozen=True)
class CheckPlan:
    """A table's checks by the way they are run; `errors` are those that cannot run at all."""

    row_rules: tuple[CheckSpec, ...]
    batch_checks: tuple[CheckSpec, ...]
    errors: Mapping[str, str] = field(hash=False)

    @classmethod
    def of(
        cls, table: ContractedTable, connection: DuckDBPyConnection, keys: ReferenceKeys
    ) -> CheckPlan:
        """Sorts the checks, and tries every row rule on no rows so that one bad rule is told."""
        rules = [s for s in table.checks if is_row_rule(s) and not _is_own_key(s, keys)]
        errors = {
            spec.name: problem
            for spec in table.checks
            if (problem := _obstacle(spec, table.schema, connection, keys))
        }
        alone = {spec.name for spec in rules}
        rest = [
            s for s in table.checks if s.name not in alone and not isinstance(s.claim, Conforms)
        ]
        return cls(
            tuple(spec for spec in rules if spec.name not in errors),
            tuple(spec for spec in rest if spec.name not in errors),
            errors,
        )


def _is_own_key(spec: CheckSpec, keys: ReferenceKeys) -> bool:
    """Whether rows of the same batch may be what the check's foreign key refers to."""
    return isinstance(spec.claim, ForeignKey) and keys.is_own(spec.claim)


def _obstacle(
    spec: CheckSpec, schema: pa.Schema, connection: DuckDBPyConnection, keys: ReferenceKeys
) -> str:
    """Why a check cannot run; "" where it can."""
    claim = spec.claim
    if _is_own_key(spec, keys):
        return ""
    if isinstance(claim, ForeignKey) and claim.to_table not in keys.files:
        return f"nothing has been published to {claim.to_table} yet: run that table first"
    if not is_row_rule(spec):
        return ""
    try:
        RowRules.compiled(connection, [spec], keys).tried(schema)
    except EngineError as error:
        return error.problems[0].message
    return ""


@dataclass(frozen=True)
class Judge:
    """Turns what was found on one batch into results.

    `rows` are all records of the batch, `judged` those that each rule with a condition judges.
    """

    table: ContractedTable
    rows: int
    samples: Samples
    label: str = ""
    judged: Mapping[str, int] = field(default_factory=dict, hash=False)

    def results(
        self,
        counts: Mapping[str, int],
        outcomes: Mapping[str, EngineOutcome],
        errors: Mapping[str, str],
    ) -> tuple[CheckResult, ...]:
        """A result for every check of the table, in the contract's order."""
        return tuple(self._result(spec, counts, outcomes, errors) for spec in self.table.checks)

    def _result(
        self,
        spec: CheckSpec,
        counts: Mapping[str, int],
        outcomes: Mapping[str, EngineOutcome],
        errors: Mapping[str, str],
    ) -> CheckResult:
        if spec.name in errors:
            return self._error(spec, errors[spec.name])
        if spec.name not in outcomes:
            return self._counted(spec, counts)
        outcome = outcomes[spec.name]
        if outcome.error:
            return self._error(spec, outcome.error)
        prefix = f"{self.label}: " if self.label and spec.scope is Scope.GATE else ""
        return CheckResult(
            spec=spec,
            verdict=verdict_of(spec, outcome.passed),
            rows=outcome.rows,
            count=outcome.count,
            value=outcome.value,
            message=f"{prefix}{outcome.message}" if spec.scope is Scope.GATE else "",
            sample=self.samples.of(spec),
            query=query_for_people(spec, self.table),
        )

    def _counted(self, spec: CheckSpec, counts: Mapping[str, int]) -> CheckResult:
        count = counts[spec.name]
        return CheckResult(
            spec=spec,
            verdict=verdict_of(spec, count == 0),
            rows=self._rows_judged(spec, counts),
            count=count,
            sample=self.samples.of(spec),
            query=query_for_people(spec, self.table),
        )

    def _rows_judged(self, spec: CheckSpec, counts: Mapping[str, int]) -> int:
        """Records for `conforms_to_schema`; for others rows with typed values, or fewer."""
        if isinstance(spec.claim, Conforms):
            return self.rows
        if isinstance(spec.claim, When):
            return self.judged.get(spec.name, 0)
        return self.rows - counts.get(CONFORMS, 0)

    def _error(self, spec: CheckSpec, message: str) -> CheckResult:
        return CheckResult(
            spec=spec, verdict=Verdict.ERROR, rows=self.rows, message=f"could not run: {message}"
        )


def query_for_people(spec: CheckSpec, table: ContractedTable) -> str:
    """SQL (DuckDB) that shows the rows a result is about; "" where there is none to show."""
    from quality_platform.lake.query import quote_identifier, quote_literal
    from quality_platform.validation.sql_predicates import broken

    if spec.scope is Scope.ROW and spec.severity == "error":
        name = quote_literal(spec.name)
        return f"SELECT * FROM {table.quarantine_identifier} WHERE {name} IN _broken_rules"
    match spec.claim:
        case ForeignKey(columns, to_table, to_columns):
            pairs = zip(columns, to_columns, strict=True)
            on = " AND ".join(
                f"b.{quote_identifier(c)} = r.{quote_identifier(k)}" for c, k in pairs
            )
            present = " AND ".join(f"{quote_identifier(c)} IS NOT NULL" for c in columns)
            return (
                f"SELECT * FROM {table.identifier} b ANTI JOIN {to_table} r ON {on} WHERE {present}"
            )
        case Unique(columns, where):
            keys = ", ".join(quote_identifier(c) for c in columns)
            return (
                f"SELECT {keys}, count(*) FROM {table.identifier}{_where(where)} "
                f"GROUP BY {keys} HAVING count(*) > 1"
            )
        case SqlMetric(query):
            return query
        case RowCount(where):
            return f"SELECT count(*) FROM {table.identifier}{_where(where)}"
        case Fresh(column) | Retained(column):
            name = quote_identifier(column)
            return f"SELECT min({name}), max({name}) FROM {table.identifier}"
        case Expectation() | SodaCheck() | Conforms() | NoDrift() | NoDriftOverall() | Note():
            return ""
        case claim:
            condition = broken(claim).sql(dialect="duckdb")
            return f"SELECT * FROM {table.identifier} WHERE {condition}"


def _where(condition: str) -> str:
    return f" WHERE {condition}" if condition else ""
