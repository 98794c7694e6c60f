"""One load: stage, check, then publish or block. The same for sources and for feature views."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from quality_platform.checks.derive import CONFORMS
from quality_platform.checks.results import CheckResult
from quality_platform.errors import AccountingError, ConcurrentLoadError
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.facts import tell_facts
from quality_platform.flows.judging import CheckPlan, Judge, Pins
from quality_platform.flows.late_rows import LateRows, late_rows
from quality_platform.flows.load_changes import (
    UNCONFORMED,
    Changed,
    LoadPlan,
    found_changes,
    rows_apart,
)
from quality_platform.flows.outcomes import LoadOutcome, Progress
from quality_platform.flows.platform import Platform
from quality_platform.flows.quotas import Quota
from quality_platform.flows.row_changes import Published, RowChanges, RowCounts, Settled
from quality_platform.flows.samples import Samples, run_sampled
from quality_platform.flows.staging import Staging
from quality_platform.flows.storage_quota import require_room
from quality_platform.flows.table_definitions import (
    main_definition,
    may_set_aside,
    quarantine_definition,
)
from quality_platform.flows.version_dates import version_dates
from quality_platform.lake import commits
from quality_platform.lake.catalog import Table
from quality_platform.lake.evolution import CONTRACT_VERSION, ensure_tables
from quality_platform.lake.merging import Rewritten, rewritten
from quality_platform.lake.position import Position
from quality_platform.lake.query import duckdb_session
from quality_platform.lake.reading import files_of, local_path, snapshot_of, summary_of
from quality_platform.lake.table_files import TableFiles
from quality_platform.quarantine.records import Provenance
from quality_platform.validation.batch_checks import BatchChecks, BatchFiles
from quality_platform.validation.row_rules import ReferenceKeys, RowRules


@dataclass(frozen=True)
class LakeTables:
    """A table and its quarantine, as they were when the load began."""

    main: Table
    quarantine: Table

    @classmethod
    def of(
        cls, platform: Platform, table: ContractedTable, *, may_begin_anew: bool = True
    ) -> LakeTables:
        """Finds or makes both, as the contract wants them.

        What dead attempts left in the quarantine is removed. `may_begin_anew` tells whether new
        tables may take the place of those that cannot follow, where runner.yaml allows it.

        Raises:
            TableSchemaError: the contract has changes that the tables cannot follow.
        """
        lake = platform.lake
        main, held = ensure_tables(
            lake,
            main_definition(table),
            quarantine_definition(table),
            may_set_aside=may_begin_anew and may_set_aside(table),
        )
        if commits.must_drop_attempts(main, held):
            commits.drop_uncommitted_attempts(lake, main, held)
        return cls(main, held)

    @property
    def position(self) -> Position:
        """Where the table's rows come from."""
        return Position.of(self.main.properties)


@dataclass(frozen=True)
class Load:
    """One attempt at one load."""

    platform: Platform
    table: ContractedTable
    tables: LakeTables
    plan: LoadPlan
    pins: Pins
    run_id: str
    progress: Progress

    def run(self, read: Callable[[Staging], None]) -> LoadOutcome:
        """Stages what `read` adds, checks it, and publishes it or blocks.

        Raises:
            ConcurrentLoadError: another run published meanwhile; nothing of this one was.
        """
        attempt = uuid.uuid4().hex[:16]
        unreadable = self.platform.remote_files.failures
        with duckdb_session(self.platform.engine) as connection:
            published = Published(connection, self._published())
            keys = ReferenceKeys(
                connection, {**self.pins.files, self.table.name: published.files}, self.table.name
            )
            plan = CheckPlan.of(self.table, connection, keys)
            tell_facts(load_id=self.plan.load_id, attempt=attempt)
            with self._staging(plan, keys, self._provenance(attempt)) as staging:
                try:
                    read(staging)
                    staging.close()
                    tell_facts(
                        rows_read=staging.rows_read,
                        batches=staging.batches,
                        bytes_read=staging.bytes_read,
                    )
                    self.progress("staged", f"{staging.rows_read:,} rows read")
                    changes = found_changes(self.plan, self.table, published, staging)
                    results, settled = self._check(staging, plan, keys, changes)
                    # A check whose file could not be read has not failed: the load has.
                    self.platform.remote_files.require_no_more_than(unreadable)
                    changed = self._settled(staging, settled)
                    self._require_accounted(staging, settled.counts)
                    self._require_room(staging, changed.rewritten)
                    changed = self._arranged(staging, changed)
                except BaseException:
                    staging.discard()
                    raise
                tell_facts(checks=len(results))
                self.progress("checked", f"{len(results)} checks run")
                return self._decide(staging, attempt, results, changed)

    def _provenance(self, attempt: str) -> Provenance:
        contract, now = self.table.contract, datetime.now(UTC)
        return Provenance(
            self.plan.load_id, attempt, self.run_id, contract.id, contract.version, now
        )

    def _staging(self, plan: CheckPlan, keys: ReferenceKeys, provenance: Provenance) -> Staging:
        published = keys.files[self.table.name]
        return Staging(
            table=self.tables.main,
            quarantine=self.tables.quarantine,
            schema=self.table.schema,
            rules=RowRules.compiled(keys.connection, plan.row_rules, keys, self.table.schema),
            conforms=next(s for s in self.table.specs if s.name == CONFORMS),
            provenance=provenance,
            samples=Samples(self.table.object, self.platform.sample_rows),
            target_bytes=self.platform.target_file_bytes,
            versions=version_dates(self.plan.merge, keys.connection, published, provenance.at),
            merge=self.plan.merge,
            quota=Quota.of(self.platform.runner, self.table.tenant),
        )

    def _batch_files(self, staging: Staging) -> BatchFiles:
        return BatchFiles(
            schema=self.table.schema,
            good=[local_path(file.uri) for file in staging.good_files],
            held=[local_path(file.uri) for file in staging.held_files],
            unconformed=UNCONFORMED,
        )

    def _published(self) -> TableFiles:
        """The files of the rows that the new ones are added to."""
        if self.plan.replace:
            return TableFiles()
        snapshot = snapshot_of(self.tables.main)
        return files_of(self.tables.main, snapshot.snapshot_id if snapshot else None)

    def _check(
        self,
        staging: Staging,
        plan: CheckPlan,
        keys: ReferenceKeys,
        changes: RowChanges | None,
    ) -> tuple[tuple[CheckResult, ...], Settled]:
        batch = BatchChecks(
            keys.connection,
            self._batch_files(staging),
            keys,
            self._published(),
            staging.rows_read,
            self.platform.engine.check_timeout_seconds,
            apart=rows_apart(self.plan, changes),
        )
        outcomes = run_sampled(batch, plan.batch_checks, staging.samples)
        late = self._late(batch, changes)
        places = {file: rows.positions for file, rows in late.items()}
        dropped = changes.dropped(places) if changes else {}
        settled = changes.settle(places) if changes else Settled()
        staging.hold_back(late, dropped)
        judge = Judge(
            self.table, staging.rows_read, staging.samples, self.plan.label, staging.judged
        )
        errors = {**plan.errors, **staging.rules.failed}
        return judge.results(staging.counts, outcomes, errors), settled

    def _settled(self, staging: Staging, settled: Settled) -> Changed:
        """Writes the published files anew in which rows give way."""
        table = self.tables.main
        if not settled.changes:
            return Changed(settled, Rewritten())
        self.progress("merging", f"{len(settled.changes)} files change")
        writer = staging.writer(table, "-merged")
        return Changed(settled, rewritten(table, self._published(), settled.changes, writer))

    def _arranged(self, staging: Staging, changed: Changed) -> Changed:
        """The files that will be committed, as the table's partitions and sort order want them."""
        engine = self.platform.engine
        staging.good_files = staging.arranged(staging.good_files, engine, "-laid")
        files = staging.arranged(changed.rewritten.files, engine, "-merged-laid")
        return replace(changed, rewritten=replace(changed.rewritten, files=files))

    def _late(self, batch: BatchChecks, changes: RowChanges | None) -> dict[str, LateRows]:  # noqa: ARG002
        """The rows that must be held back now that the whole batch is known, by file."""
        return late_rows(batch.labelled(), batch.row_specs)

    def _require_accounted(self, staging: Staging, counts: RowCounts) -> None:
        good = sum(file.rows for file in staging.good_files)
        held = sum(file.rows for file in staging.held_files) - staging.rows_carried
        if staging.rows_read != good + held + counts.not_published:
            raise AccountingError(
                f"{staging.rows_read} rows were read, but {good} staged for publishing, "
                f"{held} for quarantine, and {counts.not_published} are not to be published",
                action="nothing was published; report this: it is a defect of the platform",
            )

    def _require_room(self, staging: Staging, rewrite: Rewritten) -> None:
        tenant, replaces = self.table.tenant, bool(self.plan.replace)
        require_room(self.platform, tenant, staging, rewrite, replaces=replaces)

    def _decide(
        self, staging: Staging, attempt: str, results: Sequence[CheckResult], changed: Changed
    ) -> LoadOutcome:
        outcome = LoadOutcome(
            load_id=self.plan.load_id,
            attempt=attempt,
            files=tuple(self.plan.versions),
            rows_read=staging.rows_read,
            rows_published=0,
            rows_quarantined=0,
            results=tuple(results),
            batches=staging.batches,
            bytes_read=staging.bytes_read,
        )
        if outcome.blocked:
            return self._block(staging, outcome, changed.rewritten)
        counts = changed.settled.counts
        outcome = replace(
            outcome,
            rows_updated=counts.updated,
            rows_unchanged=counts.unchanged,
            rows_superseded=counts.superseded,
            rows_deleted=counts.deleted,
            rows_deleting=counts.deletes,
            notes=changed.settled.notes,
        )
        return self._publish(staging, outcome, changed.rewritten)

    def _summary(self, outcome: LoadOutcome) -> dict[str, str]:
        return {
            commits.LOAD_ID: outcome.load_id,
            commits.ATTEMPT: outcome.attempt,
            commits.ROWS_READ: str(outcome.rows_read),
            "quality-platform.run-id": self.run_id,
            CONTRACT_VERSION: self.table.contract.version,
            **commits.row_counts(outcome.row_counts),
        }

    def _block(self, staging: Staging, outcome: LoadOutcome, rewrite: Rewritten) -> LoadOutcome:
        """Keeps the batch on branches for inspection; main and the quarantine stay as they are."""
        lake, summary = self.platform.lake, self._summary(outcome)
        branch = audit_branch(outcome.load_id)
        self._remove_older_branches()
        commits.stage_on_branch(lake, self.tables.quarantine, branch, staging.held_files, summary)
        commits.stage_on_branch(
            lake,
            self.tables.main,
            branch,
            (*staging.good_files, *rewrite.files),
            summary,
            replace=self.plan.replace or rewrite.removed,
        )
        self.progress("blocked", f"staged for inspection on branch {branch}")
        return replace(outcome, branch=branch)

    def _publish(self, staging: Staging, outcome: LoadOutcome, rewrite: Rewritten) -> LoadOutcome:
        lake, summary = self.platform.lake, self._summary(outcome)
        held = None
        if staging.held_files:
            held = commits.append(lake, self.tables.quarantine, staging.held_files, summary)
            self.progress("quarantine_committed", f"snapshot {held.snapshot_id}")
            summary["quality-platform.quarantine-snapshot-id"] = str(held.snapshot_id)
        rows_held = int(summary_of(held).get("added-records", 0)) if held else 0
        summary[commits.ROWS_QUARANTINED] = str(rows_held)
        main = commits.publish(
            lake,
            self.tables.main,
            (*staging.good_files, *rewrite.files),
            self._position_after(outcome, staging.provenance.at, held=held is not None),
            summary,
            replace=self.plan.replace or rewrite.removed,
        )
        commits.assert_accounted(
            outcome.rows_read + staging.rows_carried - outcome.rows_not_published,
            main,
            held,
            rewrite,
        )
        self.progress("published", f"snapshot {main.snapshot_id}")
        # The load is published, whatever becomes of the branches: the next one removes them too.
        with suppress(ConcurrentLoadError):
            self._remove_older_branches()
        return replace(
            outcome,
            rows_published=int(summary_of(main).get("added-records", 0)) - rewrite.kept,
            rows_quarantined=rows_held - staging.rows_carried,
            snapshot_id=main.snapshot_id,
            quarantine_snapshot_id=held.snapshot_id if held else None,
            bytes_written=sum(
                int(summary_of(made).get("added-files-size", 0)) for made in (held, main) if made
            ),
        )

    def _position_after(self, outcome: LoadOutcome, at: datetime, *, held: bool) -> Position:
        """The position that is committed with the rows; the load began at `at`."""
        plan, everything = self.plan, self.plan.replace or self.plan.compares
        position = self.tables.position.advanced(
            plan.versions,
            outcome.load_id,
            outcome.attempt,
            replace=everything,
            stamps=plan.stamps,
            held=held,
        )
        # What was held back before and is read again must not be published from both.
        return position.outdating(at, plan.range) if everything or plan.range else position

    def _remove_older_branches(self) -> None:
        """Removes blocked loads: this one is newer, and a run stops at the first that is blocked.

        One of other versions of the same files would otherwise wait for ever.
        """
        for table in (self.tables.main, self.tables.quarantine):
            for branch in audit_branches(table):
                commits.remove_branch(self.platform.lake, table, branch)


AUDIT = "audit-"
"""What the names of branches with blocked loads begin with."""


def audit_branch(load_id: str) -> str:
    """The branch that holds a blocked load for inspection."""
    return f"{AUDIT}{load_id}"


def audit_branches(table: Table) -> tuple[str, ...]:
    """The branches of a table that hold blocked loads."""
    return tuple(sorted(name for name in table.refs() if name.startswith(AUDIT)))
