"""Loads, upkeep and rollbacks in any order: the table always holds what a list would hold."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.lake_tables import SCHEMA, ids_of, open_lake, staged

from quality_platform.lake import commits, rollback
from quality_platform.lake.maintenance.compaction import CompactionSettings, compact
from quality_platform.lake.maintenance.expiry import expirable, expire
from quality_platform.lake.maintenance.orphans import sweep
from quality_platform.lake.maintenance.references import all_referred, comparable, stored_files
from quality_platform.lake.position import Position

ORDERS = "shop.orders"
SMALL = CompactionSettings(below_bytes=10**6, target_bytes=10**7)
LATER = timedelta(days=1)


@dataclass(frozen=True)
class Known:
    """What a table holds: its rows, and the version of every source that is loaded."""

    ids: tuple[int, ...] = ()
    sources: dict[str, str] = field(default_factory=dict, hash=False)


class Upkeep(RuleBasedStateMachine):
    """A table, and what it has to hold now and held at each snapshot."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = tempfile.TemporaryDirectory()
        self.lake = open_lake(Path(self.scratch.name))
        self.lake.ensure_table(ORDERS, SCHEMA)
        self.now = Known()
        self.at: dict[int, Known] = {}
        self.loads = 0

    def teardown(self) -> None:
        self.scratch.cleanup()

    @rule(source=st.sampled_from("abc"), rows=st.integers(0, 3), replace=st.booleans())
    def load(self, source: str, rows: int, replace: bool) -> None:
        table = self.lake.table(ORDERS)
        self.loads += 1
        attempt, ids = f"attempt{self.loads}", [self.loads * 10 + n for n in range(rows)]
        position = Position.of(table.properties).advanced(
            {source: str(self.loads)}, f"load{self.loads}", attempt, replace=replace
        )
        files = staged(table, ids, f"load{self.loads}-{attempt}")
        summary = {commits.ATTEMPT: attempt}
        commits.publish(self.lake, table, files, position, summary, replace=replace)
        before = Known() if replace else self.now
        self.now = Known((*before.ids, *ids), {**before.sources, source: str(self.loads)})
        self._remember()

    def _remember(self) -> None:
        head = self.lake.table(ORDERS).current_snapshot()
        if head is not None:
            self.at[head.snapshot_id] = self.now

    @rule()
    def compact(self) -> None:
        compact(self.lake, self.lake.table(ORDERS), SMALL)
        self._remember()

    @rule(keep=st.integers(1, 3))
    def expire(self, keep: int) -> None:
        table = self.lake.table(ORDERS)
        expire(self.lake, table, expirable(table, datetime.now(UTC) + LATER, keep))

    @rule(which=st.integers(0, 99))
    @precondition(lambda self: self.at)
    def tag(self, which: int) -> None:
        table = self.lake.table(ORDERS)
        states = rollback.states(table)
        chosen = states[which % len(states)].snapshot_id
        table.manage_snapshots().create_tag(chosen, f"tag{len(table.refs())}").commit()

    @rule()
    def sweep(self) -> None:
        staged(self.lake.table(ORDERS), [-1], "load-dead")
        found = sweep(self.lake, ORDERS, datetime.now(UTC) + LATER)
        assert any("load-dead" in file.uri for file in found.files)

    @rule(which=st.integers(0, 99))
    @precondition(lambda self: self.at)
    def roll_back(self, which: int) -> None:
        table = self.lake.table(ORDERS)
        states = rollback.states(table)
        assert all(state.can_be_restored for state in states)
        to = states[which % len(states)].snapshot_id
        rollback.set_back(self.lake, table, rollback.find_state(table, str(to)))
        self.now = self.at[to]

    @invariant()
    def the_table_holds_what_it_should(self) -> None:
        table = self.lake.table(ORDERS)
        assert ids_of(self.lake, ORDERS) == sorted(self.now.ids)
        sources = Position.of(table.properties).sources
        assert {name: entry.version for name, entry in sources.items()} == self.now.sources

    @invariant()
    def no_file_that_is_needed_is_gone(self) -> None:
        table = self.lake.table(ORDERS)
        there = {comparable(file.uri) for file in stored_files(table)}
        assert {comparable(uri) for uri in all_referred(table)} <= there


TestSequences = Upkeep.TestCase
TestSequences.settings = settings(
    max_examples=15,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
