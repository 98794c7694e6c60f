"""Replay, release and discard: what becomes of quarantined rows after their load.

A replay judges them by the contract of today and publishes those that pass. A release publishes
them although they break rules, and a discard drops them: both are decisions of a person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from quality_platform.checks.results import Verdict
from quality_platform.errors import RunnerFileError
from quality_platform.flows.contracted_tables import SourceTable
from quality_platform.flows.decisions import Decision
from quality_platform.flows.discarding import discarded
from quality_platform.flows.judging import Pins
from quality_platform.flows.load_changes import LoadPlan
from quality_platform.flows.load_table import load_id_of
from quality_platform.flows.outcomes import LoadOutcome, Progress, silent
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables
from quality_platform.flows.recording import starting_over
from quality_platform.flows.replay_load import (
    Kind,
    ReplayLoad,
    Work,
    judged_by_rows,
    judged_by_shape,
    replay_rules,
)
from quality_platform.flows.replay_rows import HeldRowsOfTable
from quality_platform.flows.replay_selection import Selection
from quality_platform.flows.replay_staging import ReplayStaging
from quality_platform.flows.staging import Staging
from quality_platform.flows.tenant_names import tenant_named
from quality_platform.history.records import (
    DecisionRecord,
    RunRecord,
    record_decision,
    record_run,
)

EVERYTHING = Selection()
State = Literal["done", "nothing_selected", "blocked", "planned"]
_RECORDED = {"replay": "replayed", "release": "released", "discard": "discarded"}


@dataclass(frozen=True)
class ReplayOutcome:
    """What became of the rows of a quarantine that were selected.

    selected = published + unchanged + superseded + deletes + held + discarded.

    Attributes:
        table: The table.
        kind: What was asked for.
        run_id: The run that did it.
        state: `done`; `planned` where it was only tried; `nothing_selected`; `blocked` where a
            check could not run, and nothing was changed.
        rows_selected: Rows that were judged again, or discarded.
        rows_published: Those that are in the table now, or took the place of another.
        rows_held: Those that stay in quarantine.
        rows_discarded: Those that were dropped.
        rows_superseded: Those in whose place a newer row stays, and deletes of what was not there.
        rows_unchanged: Those that the table had already.
        rows_updated: Those of the published ones that took the place of another.
        rows_deleted: Rows of the table that deletes among them removed.
        rows_outdated: Further rows that a later load read again: no replay may publish them.
        broken: The rows that break each check, by its name, where there are any.
        loads: The loads that had read the rows.
        snapshot_id: What was committed; None where nothing was.
        errors: Why checks could not run.
    """

    table: str
    kind: Kind
    run_id: str
    state: State
    rows_selected: int = 0
    rows_published: int = 0
    rows_held: int = 0
    rows_discarded: int = 0
    rows_superseded: int = 0
    rows_unchanged: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    rows_outdated: int = 0
    broken: tuple[tuple[str, int], ...] = ()
    loads: tuple[str, ...] = ()
    snapshot_id: int | None = None
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Replay:
    """What is asked for: which rows of which table, and by which run."""

    platform: Platform
    name: str
    run_id: str
    selection: Selection = EVERYTHING
    dry_run: bool = False
    progress: Progress = silent

    @property
    def table(self) -> SourceTable:
        """The table.

        Raises:
            RunnerFileError: there is none of this name, or it is a feature view.
        """
        found = self.platform.contracted(self.name)
        if not isinstance(found, SourceTable):
            raise RunnerFileError(
                f"{self.name} is computed, not loaded: its quarantined rows have no source",
                location=found.location,
                allowed=", ".join(self.platform.tables),
                action=f"compute it again: quality-platform run {self.name}",
            )
        return found


def replay_table(asked: Replay) -> ReplayOutcome:
    """Judges quarantined rows by the contract of today, and publishes those that pass.

    The rest stays, with its reasons of today. A dry run only tells; it moves no row.

    Raises:
        RunnerFileError: the table cannot be replayed.
        ConfigurationError: the selection cannot be understood.
        TableSchemaError: the table cannot follow its contract.
        LakeError: the lake cannot be used.
    """
    return _done(asked, "replay", Decision())


def release_rows(asked: Replay, decision: Decision) -> ReplayOutcome:
    """Publishes quarantined rows although they break rules; a person has decided it.

    What the table cannot hold stays: cells that have no typed value, and required columns or keys
    without one.

    Raises:
        ConfigurationError: there is no reason; or as in `replay_table`.
        LakeError: the lake cannot be used.
    """
    decision.require_reason()
    return _done(asked, "release", decision)


def discard_rows(asked: Replay, decision: Decision) -> ReplayOutcome:
    """Drops quarantined rows for good; a person has decided it.

    Raises:
        ConfigurationError: there is no reason; or as in `replay_table`.
        LakeError: the lake cannot be used.
    """
    decision.require_reason()
    return _done(asked, "discard", decision)


def _done(asked: Replay, kind: Kind, decision: Decision) -> ReplayOutcome:
    started = datetime.now(UTC)
    outcome = starting_over(lambda: _attempted(asked, kind, decision))
    if outcome.state in ("done", "blocked"):
        _record(asked, outcome, started)
    if outcome.state == "done" and kind != "replay":
        _record_decision(asked, outcome, decision)
    return outcome


def _attempted(asked: Replay, kind: Kind, decision: Decision) -> ReplayOutcome:
    platform, table = asked.platform, asked.table
    asked.selection.condition(table)
    nothing = ReplayOutcome(asked.name, kind, asked.run_id, "nothing_selected")
    if platform.lake.find_table(table.identifier) is None:
        return nothing
    tables = LakeTables.of(platform, table, may_begin_anew=False)
    held = HeldRowsOfTable(
        table,
        tables,
        asked.selection,
        platform.engine,
        ordered=kind != "discard" and replay_rules(table) is not None,
        also_outdated=kind == "discard",
    )
    selected = held.selected
    told = replace(nothing, loads=selected.loads, rows_outdated=selected.outdated)
    if not selected.total:
        return told
    asked.progress(kind, f"{selected.total:,} quarantined rows of {len(selected.loads)} loads")
    work = Work(kind, selected, decision.by, decision.reason, asked.dry_run)
    if kind == "discard":
        snapshot_id = discarded(platform, held, work, asked.run_id)
        return replace(
            told,
            state="planned" if asked.dry_run else "done",
            rows_selected=selected.total,
            rows_discarded=selected.total,
            snapshot_id=snapshot_id,
        )
    judged = judged_by_rows(table) if kind == "replay" else judged_by_shape(table)
    pins = Pins.of(platform, judged.references)
    plan = LoadPlan(
        load_id=load_id_of(table.identifier, {kind: asked.run_id}),
        versions={},
        replace=False,
        merge=replay_rules(table),
    )
    load = ReplayLoad(platform, judged, tables, plan, pins, asked.run_id, asked.progress, work)
    return _told(told, load.run(_Reader(held)), dry_run=asked.dry_run)


@dataclass(frozen=True)
class _Reader:
    held: HeldRowsOfTable

    def __call__(self, staging: Staging) -> None:
        assert isinstance(staging, ReplayStaging)
        for batch in self.held.batches():
            staging.add_held(batch)


def _told(told: ReplayOutcome, load: LoadOutcome, *, dry_run: bool) -> ReplayOutcome:
    errors = [r for r in load.results if r.verdict is Verdict.ERROR]
    if load.blocked:
        return replace(
            told,
            state="blocked",
            rows_selected=load.rows_read,
            rows_held=load.rows_read,
            errors=tuple(f"{r.spec.name}: {r.message}" for r in errors),
        )
    return replace(
        told,
        state="planned" if dry_run else "done",
        rows_selected=load.rows_read,
        rows_published=load.rows_published,
        rows_held=load.rows_quarantined,
        rows_superseded=load.rows_superseded,
        rows_unchanged=load.rows_unchanged,
        rows_updated=load.rows_updated,
        rows_deleted=load.rows_deleted,
        broken=tuple((r.spec.name, r.count) for r in load.results if r.count),
        snapshot_id=load.snapshot_id,
    )


def _record(asked: Replay, outcome: ReplayOutcome, started: datetime) -> None:
    state = _RECORDED[outcome.kind] if outcome.state == "done" else "blocked"
    discarded_rows = f"{outcome.rows_discarded} rows discarded" if outcome.rows_discarded else ""
    run = RunRecord(
        table=asked.name,
        run_id=asked.run_id,
        state=state,
        started_at=started,
        ended_at=datetime.now(UTC),
        # Rows that were discarded were not read again.
        rows_read=outcome.rows_selected - outcome.rows_discarded,
        rows_published=outcome.rows_published,
        rows_quarantined=outcome.rows_held,
        snapshot_id=outcome.snapshot_id,
        message="; ".join(outcome.errors) or discarded_rows,
        rows_updated=outcome.rows_updated,
        rows_unchanged=outcome.rows_unchanged,
        rows_superseded=outcome.rows_superseded,
        rows_deleted=outcome.rows_deleted,
        tenant=tenant_named(asked.platform, asked.name),
    )
    record_run(asked.platform.lake, run)


def _record_decision(asked: Replay, outcome: ReplayOutcome, decision: Decision) -> None:
    """The snapshot tells of it too, where a process dies before this."""
    record = DecisionRecord(
        decided_at=datetime.now(UTC),
        table=asked.name,
        kind=outcome.kind,
        decided_by=decision.by,
        reason=decision.reason,
        rows=outcome.rows_selected - outcome.rows_held,
        run_id=asked.run_id,
        snapshot_id=outcome.snapshot_id,
        tenant=tenant_named(asked.platform, asked.name),
    )
    record_decision(asked.platform.lake, record)
