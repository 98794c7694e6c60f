"""A replay as a load: its source is the quarantine, and its attempt takes the place of others.

The attempts whose rows it reads leave the position in the commit that publishes; its own attempt,
which holds what stays, comes in. So a row counts once at every instant, whatever dies.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from quality_platform.checks.derive import CONFORMS
from quality_platform.checks.specs import CheckSpec, Nested, NotNull, Scope, Severity
from quality_platform.flows.contracted_tables import SourceTable
from quality_platform.flows.judging import CheckPlan
from quality_platform.flows.late_rows import LateRows
from quality_platform.flows.load_table import source_context
from quality_platform.flows.merge_rules import MergeRules, rules_of
from quality_platform.flows.merging import Merging
from quality_platform.flows.outcomes import LoadOutcome
from quality_platform.flows.publishing import Load
from quality_platform.flows.replay_late import with_undecided
from quality_platform.flows.replay_raw import RawRecords
from quality_platform.flows.replay_rows import Selected
from quality_platform.flows.replay_staging import ReplayStaging
from quality_platform.flows.row_changes import RowChanges
from quality_platform.flows.staging import Staging
from quality_platform.flows.table_definitions import main_definition
from quality_platform.lake import commits
from quality_platform.lake.data_files import delete_file
from quality_platform.lake.merging import Rewritten
from quality_platform.lake.position import Position
from quality_platform.quarantine.records import Provenance
from quality_platform.validation.batch_checks import BatchChecks
from quality_platform.validation.row_rules import ReferenceKeys

Kind = Literal["replay", "release", "discard"]

ROWS_REPLAYED = "quality-platform.rows-replayed"
"""Summary property: the held rows that were judged again, or discarded."""

MOST_LOADS = 20
"""So many loads are named in the summary of a snapshot."""


@dataclass(frozen=True)
class Work:
    """What is done with held rows.

    Attributes:
        kind: What it is called.
        selected: The rows that are meant, and the attempts that hold them.
        by: Who decided it; "" where no person did.
        reason: Why.
        dry_run: Whether everything but the commit is done.
    """

    kind: Kind
    selected: Selected
    by: str = ""
    reason: str = ""
    dry_run: bool = False

    def summary(self, run_id: str) -> dict[str, str]:
        """What the snapshot tells of it."""
        loads = self.selected.loads
        more = [f"and {len(loads) - MOST_LOADS} more"] if len(loads) > MOST_LOADS else []
        told = {
            commits.KIND: self.kind,
            "quality-platform.run-id": run_id,
            "quality-platform.replayed-loads": ", ".join([*loads[:MOST_LOADS], *more]),
            ROWS_REPLAYED: str(self.selected.total),
        }
        decided = {"decided-by": self.by, "reason": self.reason}
        return told | {f"quality-platform.{k}": v for k, v in decided.items() if v}


@dataclass(frozen=True)
class ReplayLoad(Load):
    """One attempt at one replay or release."""

    table: SourceTable
    work: Work = field(default_factory=lambda: Work("replay", Selected()))

    def _staging(self, plan: CheckPlan, keys: ReferenceKeys, provenance: Provenance) -> Staging:
        plain = super()._staging(plan, keys, provenance)
        is_release = self.work.kind == "release"
        context = source_context(self.platform, self.table)
        raw = RawRecords(context, self.table.config.source, self.tables.position)
        shared = {name: getattr(plain, name) for name in _SHARED}
        # What is read again may be of another partition than the one that would replace it.
        rereads = not is_release and self.table.config.partitions is None
        return ReplayStaging(**shared, raw=raw if rereads else None, keeps_reasons=is_release)

    def _late(self, batch: BatchChecks, changes: RowChanges | None) -> dict[str, LateRows]:
        late = super()._late(batch, changes)
        if self.work.kind == "release" or not isinstance(changes, Merging):
            return late
        return with_undecided(late, changes.undecided())

    def _position_after(self, outcome: LoadOutcome, at: datetime, *, held: bool) -> Position:  # noqa: ARG002
        attempt = outcome.attempt if held else ""
        return self.tables.position.replayed(self.work.selected.attempts, attempt)

    def _summary(self, outcome: LoadOutcome) -> dict[str, str]:
        told = super()._summary(outcome) | self.work.summary(self.run_id)
        # These rows were read once, by the loads that held them.
        del told[commits.ROWS_READ]
        return told

    def _block(self, staging: Staging, outcome: LoadOutcome, rewrite: Rewritten) -> LoadOutcome:
        """A check that could not run: everything stays as it is."""
        self._drop(staging, rewrite)
        self.progress("blocked", "a check could not run; nothing was changed")
        return outcome

    def _publish(self, staging: Staging, outcome: LoadOutcome, rewrite: Rewritten) -> LoadOutcome:
        if not self.work.dry_run:
            return super()._publish(staging, outcome, rewrite)
        self._drop(staging, rewrite)
        return replace(
            outcome,
            rows_published=sum(file.rows for file in staging.good_files),
            rows_quarantined=sum(f.rows for f in staging.held_files) - staging.rows_carried,
        )

    def _remove_older_branches(self) -> None:
        """None is older: a blocked load still waits at its source, whatever is replayed."""

    def _drop(self, staging: Staging, rewrite: Rewritten) -> None:
        """Deletes what was staged: nobody will look at it."""
        for file in (*staging.good_files, *rewrite.files):
            delete_file(self.tables.main, file)
        for file in staging.held_files:
            delete_file(self.tables.quarantine, file)


_SHARED = (
    "table",
    "quarantine",
    "schema",
    "rules",
    "conforms",
    "provenance",
    "samples",
    "target_bytes",
    "versions",
    "merge",
)
"""What a replay stages with, as any load does."""


def judged_by_rows(table: SourceTable) -> SourceTable:
    """The table with the checks that judge rows: the batch was judged when it was read."""
    rows = tuple(spec for spec in table.specs if spec.scope is Scope.ROW)
    return replace(table, specs=rows)


def judged_by_shape(table: SourceTable) -> SourceTable:
    """The table with no other checks than those without which it cannot hold a row."""
    required = [f.name for f in main_definition(table).schema if not f.nullable]
    rules = rules_of(table)
    if rules is not None:
        required += [*rules.key, *([rules.order_by] * rules.dated_by_order)]
    specs = [s for s in table.specs if s.name == CONFORMS or _is_of_a_part(s)]
    return replace(table, specs=(*specs, *map(_has_value, dict.fromkeys(required))))


def _is_of_a_part(spec: CheckSpec) -> bool:
    """Whether the check says that a part of an object or array has a value."""
    claim = spec.claim
    return isinstance(claim, Nested) and isinstance(claim.claim, NotNull)


def _has_value(column: str) -> CheckSpec:
    return CheckSpec(
        name=f"{column}_has_a_value",
        claim=NotNull(column),
        scope=Scope.ROW,
        severity=Severity.ERROR,
        columns=(column,),
    )


def replay_rules(table: SourceTable) -> MergeRules | None:
    """How replayed rows are merged: what they do not have is never deleted."""
    rules = rules_of(table)
    if rules is None or not rules.compares:
        return rules
    return replace(rules, deletes=None)
