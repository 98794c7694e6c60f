"""Checks alone: the published rows judged again, without reading any source."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from quality_platform.checks.results import CheckResult
from quality_platform.checks.specs import CheckSpec, Conforms, Scope
from quality_platform.errors import TableNotFoundError
from quality_platform.flows.contracted_tables import ContractedTable, FeatureTable
from quality_platform.flows.drift_test import drift_results
from quality_platform.flows.judging import CheckPlan, Judge, Pins
from quality_platform.flows.outcomes import merged
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import UNCONFORMED
from quality_platform.flows.samples import Samples, run_sampled
from quality_platform.lake.commits import attempt_of
from quality_platform.lake.query import duckdb_session
from quality_platform.lake.reading import (
    files_of,
    published_snapshot,
    require_columns,
    snapshot_of,
)
from quality_platform.lake.table_files import TableFiles
from quality_platform.validation.batch_checks import BatchChecks, BatchFiles
from quality_platform.validation.row_rules import ReferenceKeys


def audit_table(
    platform: Platform, name: str, names: Collection[str] | None = None
) -> tuple[CheckResult, ...]:
    """Runs the table's checks (those called `names`, or all) on what is published.

    Row rules judge the published rows. Gates judge each load's batch as it was read: its published
    rows and its quarantined ones.

    Raises:
        TableNotFoundError: nothing has been published yet.
        TableSchemaError: the table lacks a column that its contract has by now.
    """
    table = platform.contracted(name)
    main = platform.lake.table(table.identifier)
    snapshot = published_snapshot(main)
    if snapshot is None:
        raise TableNotFoundError(f"nothing has been published to {table.identifier} yet")
    require_columns(main, table.schema.names)
    published = files_of(main, snapshot.snapshot_id)
    audit = _Audit(platform, table, Pins.of(platform, table.references))
    results = [*audit.row_rules(published)]
    results += merged([audit.gates(good, held) for good, held in audit.loads(published)])
    if isinstance(table, FeatureTable):
        results += drift_results(platform, table)
    return tuple(r for r in results if names is None or r.spec.name in names)


class _Audit:
    def __init__(self, platform: Platform, table: ContractedTable, pins: Pins) -> None:
        self._platform = platform
        self._table = table
        self._pins = pins

    def row_rules(self, published: Sequence[str]) -> tuple[CheckResult, ...]:
        """Row rules on all published rows at once."""
        return self._judged(Scope.ROW, published, ())

    def gates(self, good: Sequence[str], held: Sequence[str]) -> tuple[CheckResult, ...]:
        """Gates on the batch of one load."""
        return self._judged(Scope.GATE, good, held)

    def loads(self, published: TableFiles) -> list[tuple[TableFiles, TableFiles]]:
        """Published and quarantined files of every load that has rows in the table.

        A table without rows is a batch without rows.
        """
        quarantine = self._platform.lake.find_table(self._table.quarantine_identifier)
        head = snapshot_of(quarantine) if quarantine is not None else None
        held = TableFiles()
        if quarantine is not None and head is not None:
            held = files_of(quarantine, head.snapshot_id)
        # By attempt: a load that was published twice, with another between, was read twice.
        by_attempt, held_by_attempt = _by_attempt(published), _by_attempt(held)
        nothing = TableFiles()
        batches = [(files, held_by_attempt.get(a, nothing)) for a, files in by_attempt.items()]
        return batches or [(nothing, nothing)]

    def _judged(
        self, scope: Scope, good: Sequence[str], held: Sequence[str]
    ) -> tuple[CheckResult, ...]:
        platform, table = self._platform, self._table
        samples = Samples(table.object, platform.sample_rows)
        files = BatchFiles(table.schema, good, held, UNCONFORMED)
        with duckdb_session(platform.engine) as connection:
            keys = ReferenceKeys(connection, self._pins.files, table.name)
            plan = CheckPlan.of(table, connection, keys)
            limit = platform.engine.check_timeout_seconds
            batch = BatchChecks(connection, files, keys, timeout_seconds=limit)
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


def _by_attempt(files: TableFiles) -> dict[str, TableFiles]:
    grouped: dict[str, list[str]] = {}
    for file in sorted(files):
        grouped.setdefault(attempt_of(file), []).append(file)
    return {attempt: files.only(paths) for attempt, paths in grouped.items()}
