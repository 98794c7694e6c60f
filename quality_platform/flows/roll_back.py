"""Rolling a table back: first what it would do, then doing it; the quarantine follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from quality_platform.errors import ConcurrentLoadError, RollbackError
from quality_platform.flows.platform import Platform
from quality_platform.history.records import RunRecord, record_run
from quality_platform.lake import commits
from quality_platform.lake.catalog import Table
from quality_platform.lake.position import Position
from quality_platform.lake.reading import batches_of, snapshot_of, summary_of
from quality_platform.lake.rollback import State, find_state, position_at, set_back, states


@dataclass(frozen=True)
class Rollback:
    """What a rollback changes.

    `now` and `then` are the states before and after it. `undone` are the snapshots whose changes
    readers no longer see, `restored` those that they see again: where a rollback is undone.
    `sources_forgotten` count as not loaded afterwards: the next run loads them.
    `rows_quarantined_now` and `_then` are rows of the quarantine that count.
    """

    table: str
    identifier: str
    now: State
    then: State
    undone: tuple[State, ...]
    restored: tuple[State, ...]
    sources_forgotten: tuple[str, ...]
    rows_quarantined_now: int
    rows_quarantined_then: int


def table_states(platform: Platform, name: str) -> list[State]:
    """The snapshots of a table or feature view, the newest first.

    Raises:
        RunnerFileError: there is no such table.
        TableNotFoundError: nothing has been published to it.
    """
    return states(platform.lake.table(platform.contracted(name).identifier))


def plan_rollback(platform: Platform, name: str, to: str) -> Rollback:
    """What a rollback to a snapshot id, a tag or a time would change.

    Raises:
        RollbackError: there is no such state, or it cannot be restored.
        TableNotFoundError: nothing has been published to the table.
    """
    contracted = platform.contracted(name)
    table = platform.lake.table(contracted.identifier)
    target = find_state(table, to)
    position, today = position_at(table, target), Position.of(table.properties)
    held = _rows_by_attempt(platform.lake.find_table(contracted.quarantine_identifier))
    all_states = {state.snapshot_id: state for state in states(table)}
    head = table.metadata.current_snapshot_id
    before, after = _chain(all_states, head), _chain(all_states, target.snapshot_id)
    restored = [state for state in after if state not in before]
    _require_held(table, restored, held)
    _require_replayed(table, set(position.attempts) - set(today.attempts), held)
    return Rollback(
        table=name,
        identifier=contracted.identifier,
        now=all_states[head or 0],
        then=all_states[target.snapshot_id],
        undone=tuple(state for state in before if state not in after),
        restored=tuple(restored),
        sources_forgotten=tuple(
            source
            for source, entry in sorted(today.sources.items())
            if position.sources.get(source) != entry
        ),
        rows_quarantined_now=sum(held[attempt] for attempt in set(today.attempts)),
        rows_quarantined_then=sum(held[attempt] for attempt in set(position.attempts)),
    )


def _chain(known: dict[int, State], start: int | None) -> list[State]:
    chain = []
    while start in known:
        chain.append(known[start])
        start = chain[-1].parent_id
    return chain


def _rows_by_attempt(quarantine: Table | None) -> Counter[str]:
    found: Counter[str] = Counter()
    snapshot = snapshot_of(quarantine) if quarantine is not None else None
    if quarantine is None or snapshot is None:
        return found
    for batch in batches_of(quarantine, snapshot.snapshot_id, columns=("_attempt",)):
        found.update(_texts(batch))
    return found


def _texts(batch: pa.RecordBatch) -> dict[str, int]:
    counts: Any = pc.value_counts(batch.column("_attempt"))
    return {item["values"]: item["counts"] for item in counts.to_pylist()}


def _require_held(table: Table, restored: Sequence[State], held: Counter[str]) -> None:
    """Refuses to restore loads whose quarantined rows were removed since they were undone."""
    for state in restored:
        snapshot = table.snapshot_by_id(state.snapshot_id)
        attempt = summary_of(snapshot).get(commits.ATTEMPT, "") if snapshot else ""
        if state.rows_quarantined > held[attempt]:
            raise RollbackError(
                f"load {state.load_id} of {'.'.join(table.name())} cannot be restored: the rows "
                "that it held back were removed after it was undone",
                action="run the table: it loads the same files again",
            )


def _require_replayed(table: Table, back: set[str], held: Counter[str]) -> None:
    """Refuses to go back before a replay whose quarantined rows are gone.

    They are there for as long as the snapshots before it, but for a tag behind a gap.
    """
    if any(not held[attempt] for attempt in back):
        raise RollbackError(
            f"{'.'.join(table.name())} cannot go back so far: rows that were in quarantine then "
            "have been replayed or discarded since, and removed",
            action="go back to a later snapshot: quality-platform snapshots TABLE",
        )


def roll_back(platform: Platform, plan: Rollback, run_id: str) -> None:
    """Does what was planned: sets the table and its position back, in one commit.

    The quarantine needs no change: its rows count by the position, and the next run removes those
    that do not. The history gets a record.

    Raises:
        ConcurrentLoadError: the table has changed since the plan was made; nothing was done.
        RollbackError: the state can no longer be restored.
    """
    started = datetime.now(UTC)
    lake, contracted = platform.lake, platform.contracted(plan.table)
    held = lake.find_table(contracted.quarantine_identifier)
    if held is not None:
        # A run that is about to remove rows that count again from now on fails and starts over.
        commits.append(lake, held, (), {})
    table = lake.table(plan.identifier)
    if table.metadata.current_snapshot_id != plan.now.snapshot_id:
        raise ConcurrentLoadError(
            f"{plan.identifier} has changed since the rollback was planned; nothing was done",
            action="look at the plan again",
        )
    plan_rollback(platform, plan.table, str(plan.then.snapshot_id))
    set_back(lake, table, find_state(table, str(plan.then.snapshot_id)))
    record = RunRecord(
        table=plan.table,
        run_id=run_id,
        state="rolled_back",
        started_at=started,
        ended_at=datetime.now(UTC),
        snapshot_id=plan.then.snapshot_id,
        message=f"from snapshot {plan.now.snapshot_id} to {plan.then.snapshot_id}",
        tenant=contracted.tenant,
    )
    record_run(lake, record)
