"""One load of whole partitions: they take the place of what they were, in one commit.

What the quarantine holds of these partitions goes with the commit too. Quarantined rows count while
the position names their attempt: the attempts that hold such rows leave it, and their rows of other
partitions are written again under the attempt that comes in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from quality_platform.checks.derive import CONFORMS
from quality_platform.checks.results import CheckResult, verdict_of
from quality_platform.checks.specs import CheckSpec
from quality_platform.config.partition_windows import Window
from quality_platform.errors import AccountingError
from quality_platform.flows.contracted_tables import IN_ITS_PARTITION, IS_NOT_LATE
from quality_platform.flows.judging import CheckPlan
from quality_platform.flows.load_changes import Changed
from quality_platform.flows.outcomes import LoadOutcome, PartitionCounts
from quality_platform.flows.partition_staging import (
    OfPartitions,
    PartitionRules,
    PartitionStaging,
    held_by_partition,
)
from quality_platform.flows.partitions import label_of
from quality_platform.flows.publishing import Load
from quality_platform.flows.replay_rows import HeldRowsOfTable
from quality_platform.flows.row_changes import RowChanges, Settled
from quality_platform.flows.staging import Staging
from quality_platform.lake.position import Position
from quality_platform.lake.query import duckdb_session
from quality_platform.lake.table_files import TableFiles, read_parquet
from quality_platform.quarantine.columns import BROKEN_RULES
from quality_platform.quarantine.records import Provenance
from quality_platform.validation.batch_checks import BatchFiles
from quality_platform.validation.row_rules import ReferenceKeys

_NEVER_PUBLISHED = f"list_has_any({BROKEN_RULES}, ['{IN_ITS_PARTITION}', '{IS_NOT_LATE}'])"
"""SQL that tells held rows that no replay publishes: only a load of their partition judges them."""

_MOST_NAMED = 10


@dataclass(frozen=True)
class PartitionLoad(Load):
    """One attempt at one load of partitions.

    `windows` are the partitions in order; where the plan replaces everything, `held` means all
    rows of the quarantine, and else those of the partitions.
    """

    windows: tuple[Window, ...] = ()
    held: HeldRowsOfTable = field(init=False)

    def __post_init__(self) -> None:
        keys = tuple(window.key for window in self.windows)
        meant = OfPartitions(keys=keys, every=self.plan.replace)
        engine = self.platform.engine
        held = HeldRowsOfTable(self.table, self.tables, meant, engine, also_outdated=True)
        object.__setattr__(self, "held", held)

    def run(self, read: Callable[[Staging], None]) -> LoadOutcome:
        """Stages what `read` adds, checks it, and publishes it or blocks.

        Raises:
            ConcurrentLoadError: another run published meanwhile; nothing of this one was.
        """

        def read_and_carry(staging: Staging) -> None:
            read(staging)
            assert isinstance(staging, PartitionStaging)
            for batch in self.held.batches():
                staging.carry(batch)

        return super().run(read_and_carry)

    def _staging(self, plan: CheckPlan, keys: ReferenceKeys, provenance: Provenance) -> Staging:
        plain = super()._staging(plan, keys, provenance)
        shared = {f.name: getattr(plain, f.name) for f in fields(Staging) if f.init}
        rules = PartitionRules.of(self.table, self.windows)
        return PartitionStaging(**shared, of_partitions=rules)

    def _batch_files(self, staging: Staging) -> BatchFiles:
        assert isinstance(staging, PartitionStaging)
        return replace(super()._batch_files(staging), held=staging.judged_held_files)

    def _check(
        self,
        staging: Staging,
        plan: CheckPlan,
        keys: ReferenceKeys,
        changes: RowChanges | None,
    ) -> tuple[tuple[CheckResult, ...], Settled]:
        results, settled = super()._check(staging, plan, keys, changes)
        more = [_result(spec, staging) for spec in self.table.partition_checks]
        return (*results, *more), settled

    def _decide(
        self, staging: Staging, attempt: str, results: Sequence[CheckResult], changed: Changed
    ) -> LoadOutcome:
        held = self._held_by_partition(staging)
        outcome = super()._decide(staging, attempt, results, changed)
        assert isinstance(staging, PartitionStaging)
        counts = []
        for key in (window.key for window in self.windows):
            read, not_good = staging.read[key], held.get(key, 0)
            done = (0, 0) if outcome.blocked else (read - not_good, not_good)
            counts.append(PartitionCounts(key, read, *done))
        self._require_sums(outcome, counts)
        notes = (*outcome.notes, *_late_rows(staging.late))
        return replace(
            outcome, partitions=tuple(counts), notes=notes, files=(label_of(self.windows),)
        )

    def _held_by_partition(self, staging: Staging) -> dict[str, int]:
        assert isinstance(staging, PartitionStaging)
        files = TableFiles(tuple(staging.judged_held_files))
        if not files:
            return {}
        query = held_by_partition([w.key for w in self.windows], read_parquet(files))
        with duckdb_session(self.platform.engine) as connection:
            return dict(connection.sql(query).fetchall())

    def _require_sums(self, outcome: LoadOutcome, counts: Sequence[PartitionCounts]) -> None:
        published = sum(count.rows_published for count in counts)
        held = sum(count.rows_quarantined for count in counts)
        if (published, held) != (outcome.rows_published, outcome.rows_quarantined):
            raise AccountingError(
                f"{outcome.rows_published} rows were published and {outcome.rows_quarantined} "
                f"quarantined, but by partition {published} and {held}",
                action="keep the run's logs and report this: it is a defect of the platform",
            )

    def _summary(self, outcome: LoadOutcome) -> dict[str, str]:
        told = super()._summary(outcome)
        return {**told, "quality-platform.partitions": label_of(self.windows)}

    def _position_after(self, outcome: LoadOutcome, at: datetime, *, held: bool) -> Position:  # noqa: ARG002
        plan, gone = self.plan, self.held.selected.attempts
        position = self.tables.position.advanced(
            plan.versions, outcome.load_id, outcome.attempt, replace=plan.replace, held=held
        )
        attempts = tuple(known for known in position.attempts if known not in gone)
        # Partitions that were told apart, or made, in another way are there no more.
        sources = {name: position.sources[name] for name in plan.versions}
        return replace(position, sources=sources, attempts=attempts, outdated=_NEVER_PUBLISHED)


def _result(spec: CheckSpec, staging: Staging) -> CheckResult:
    count = staging.counts[spec.name]
    return CheckResult(
        spec=spec,
        verdict=verdict_of(spec, count == 0),
        rows=staging.rows_read - staging.counts[CONFORMS],
        count=count,
        sample=staging.samples.of(spec),
    )


def _late_rows(late: Counter[str]) -> tuple[str, ...]:
    """A sentence that says in whose time late rows happened; () for none."""
    if not late:
        return ()
    named = [f"{count:,} of {key}" for key, count in sorted(late.items())]
    rest = [f"{len(named) - _MOST_NAMED} more"] if len(named) > _MOST_NAMED else []
    return (f"{late.total():,} rows came late: {', '.join([*named[:_MOST_NAMED], *rest])}.",)
