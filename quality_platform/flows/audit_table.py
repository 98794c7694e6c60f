"""Checks alone: the published rows judged again, without reading any source."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from quality_platform.checks.results import CheckResult
from quality_platform.checks.specs import CheckSpec, Conforms, Scope
from quality_platform.errors import TableNotFoundError
from quality_platform.flows.audit_partitions import (
    Asked,
    held_rows,
    published_rows,
    records,
)
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.drift_test import drift_results
from quality_platform.flows.judging import CheckPlan, Judge, Pins
from quality_platform.flows.load_changes import UNCONFORMED
from quality_platform.flows.merge_rules import present_rows, rules_of
from quality_platform.flows.outcomes import merged
from quality_platform.flows.platform import Platform
from quality_platform.flows.samples import Samples, run_sampled
from quality_platform.lake.maintenance.origins import (
    LoadedFiles,
    complete_loads,
    loaded_files,
    replayed_loads,
)
from quality_platform.lake.query import duckdb_session
from quality_platform.lake.reading import (
    files_of,
    published_snapshot,
    require_columns,
    snapshot_of,
)
from quality_platform.lake.table_files import TableFiles, read_parquet
from quality_platform.validation.batch_checks import BatchChecks, BatchFiles
from quality_platform.validation.row_rules import ReferenceKeys

_UNTOLD = (
    "upkeep has put the files of the loads together, and the files that they wrote are gone; "
    "the gate judged each load when it was read"
)


def audit_table(
    platform: Platform,
    name: str,
    names: Collection[str] | None = None,
    partitions: Asked = None,
) -> tuple[CheckResult, ...]:
    """Runs the table's checks (those called `names`, or all) on what is published.

    Row rules judge the published rows. Gates judge each load's batch as it was read: its published
    rows and its quarantined ones. Loads that upkeep has put together, and whose own files are gone,
    are not judged again; where there are no others, gates end as errors. Of a partitioned table,
    the rows of `partitions` (the first and the last, all where None) are one batch as they are now.

    Raises:
        ConfigurationError: the table has no such partitions.
        TableNotFoundError: nothing has been published yet.
        TableSchemaError: the table lacks a column that its contract has by now.
    """
    table = platform.contracted(name)
    main = platform.lake.table(table.identifier)
    snapshot = published_snapshot(main)
    if snapshot is None:
        raise TableNotFoundError(f"nothing has been published to {table.identifier} yet")
    require_columns(main, table.schema.names)
    published = present_rows(table, files_of(main, snapshot.snapshot_id))
    if table.partitions is not None:
        published = published_rows(table, published, partitions)
    audit = _Audit(platform, table, Pins.of(platform, table.references))
    results = [*audit.row_rules(published)]
    loads = audit.loads(published, partitions)
    results += merged([audit.gates(*load) for load in loads]) if loads else audit.untold_gates()
    if names is None or any(spec.name in names for spec in table.drift_checks):
        results += drift_results(platform, table)
    return tuple(r for r in results if names is None or r.spec.name in names)


class _Audit:
    def __init__(self, platform: Platform, table: ContractedTable, pins: Pins) -> None:
        self._platform = platform
        self._table = table
        self._pins = pins

    def _records(self, good: TableFiles, held: TableFiles) -> int | None:
        """The records of the batch, where the files have others too; else they tell."""
        if self._table.partitions is None:
            return None
        return records(self._platform.engine, good, held)

    def row_rules(self, published: TableFiles) -> tuple[CheckResult, ...]:
        """Row rules on all published rows at once."""
        return self._judged(Scope.ROW, published, TableFiles())

    def gates(self, good: TableFiles, held: TableFiles) -> tuple[CheckResult, ...]:
        """Gates on the batch of one load."""
        return self._judged(Scope.GATE, good, held)

    def loads(
        self, published: TableFiles, partitions: Asked = None
    ) -> list[tuple[TableFiles, TableFiles]]:
        """Published and quarantined files of every load that has rows and can be told.

        A table without rows is a batch without rows. Where rows take the place of others, what was
        read cannot be told from what was there: all present rows are one batch.
        """
        lake, table = self._platform.lake, self._table
        if table.partitions is not None:
            main = lake.table(table.identifier)
            return [(published, held_rows(lake, table, main, partitions))]
        if not published or rules_of(self._table) is not None:
            return [(published, TableFiles())]
        main, quarantine = (
            lake.table(table.identifier),
            lake.find_table(table.quarantine_identifier),
        )
        good = loaded_files(main, snapshot_of(main))
        held_files, held = TableFiles(), LoadedFiles({}, {})
        if quarantine is not None and (head := snapshot_of(quarantine)) is not None:
            held_files = files_of(quarantine, head.snapshot_id)
            held = loaded_files(quarantine, head)
        mixed = self._attempts(held_files.only(held.untold))
        replayed = replayed_loads(main, held)
        # By attempt: a load that was published twice, with another between, was read twice.
        return [
            (published.only(good.by_attempt[a]), held_files.only(held.by_attempt.get(a, ())))
            for a in complete_loads(main, good)
            if a not in mixed and a not in replayed
        ]

    def _attempts(self, files: TableFiles) -> set[str]:
        """The attempts that rows of quarantine files are of."""
        if not files:
            return set()
        with duckdb_session(self._platform.engine) as connection:
            query = f"SELECT DISTINCT _attempt FROM {read_parquet(files)}"
            return {attempt for (attempt,) in connection.sql(query).fetchall()}

    def untold_gates(self) -> tuple[CheckResult, ...]:
        """The results of gates where no load can be told from the others any more."""
        judge = Judge(self._table, 0, Samples(self._table.object, self._platform.sample_rows))
        gates = [spec for spec in self._table.checks if spec.scope is Scope.GATE]
        counts = {spec.name: 0 for spec in self._table.checks}
        results = judge.results(counts, {}, {spec.name: _UNTOLD for spec in gates})
        return tuple(result for result in results if result.spec.scope is Scope.GATE)

    def _judged(self, scope: Scope, good: TableFiles, held: TableFiles) -> tuple[CheckResult, ...]:
        platform, table = self._platform, self._table
        samples = Samples(table.object, platform.sample_rows)
        files = BatchFiles(table.schema, good, held, UNCONFORMED)
        with duckdb_session(platform.engine) as connection:
            keys = ReferenceKeys(connection, self._pins.files, table.name)
            plan = CheckPlan.of(table, connection, keys)
            limit = platform.engine.check_timeout_seconds
            batch = BatchChecks(
                connection, files, keys, rows_read=self._records(good, held), timeout_seconds=limit
            )
            specs = [
                spec
                for spec in (*plan.row_rules, *plan.batch_checks)
                if spec.scope is scope and not isinstance(spec.claim, Conforms)
            ]
            outcomes = run_sampled(batch, specs, samples)
            # What is published has the contract's types, or it could not have been written.
            counts: Mapping[str, int] = {s.name: 0 for s in table.checks}
            judge = Judge(table, batch.rows, samples)
            judged = judge.results(counts, outcomes, plan.errors)
        return tuple(result for result in judged if _belongs(result.spec, scope))


def _belongs(spec: CheckSpec, scope: Scope) -> bool:
    return spec.scope is scope
