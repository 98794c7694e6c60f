"""Loads, changed contracts, replays, decisions, upkeep and rollbacks, against a naive oracle."""

from __future__ import annotations

import copy
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.project import Project, rows_of_table
from support.replays import changed, deliver, discarded, orders, released, replayed

from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform
from quality_platform.flows.roll_back import plan_rollback, roll_back
from quality_platform.flows.table_status import quarantined_rows
from quality_platform.lake.reading import snapshot_of

Row = tuple[int, str]
"""An id, and the text of an amount."""

ROWS = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(["5", "50", "500", "x"])), min_size=1, max_size=5
)
SELECTIONS = st.sampled_from(["", "id > 3", "amount = 50"])
STEPS = st.one_of(
    st.tuples(st.just("load"), ROWS),
    st.tuples(st.just("contract"), st.sampled_from([10, 100])),
    st.tuples(st.just("replay"), SELECTIONS),
    st.tuples(st.just("replay"), st.just("")),
    st.tuples(st.just("release"), SELECTIONS),
    st.tuples(st.just("discard"), SELECTIONS),
    st.tuples(st.just("compact"), st.none()),
    st.tuples(st.just("back"), st.integers(0, 5)),
)
FIRST = ("load", [(1, "5"), (2, "50"), (3, "500"), (4, "x"), (2, "50")])


@dataclass
class Oracle:
    """What should be: published rows, and held ones by the attempt that holds them."""

    maximum: int = 10
    files: list[list[Row]] = field(default_factory=list)
    loaded: int = 0
    published: list[Row] = field(default_factory=list)
    attempts: list[list[Row]] = field(default_factory=list)

    def load(self, rows: list[Row]) -> None:
        self.files.append(rows)
        for file in self.files[self.loaded :]:
            good = self.passing(file, file)
            self.published += good
            self.attempts.append(self.without(file, good))
        self.loaded = len(self.files)

    def passing(self, rows: list[Row], among: list[Row]) -> list[Row]:
        """The rows that break no rule; what has no typed values is compared with nothing."""
        ids = Counter(n for n, amount in among if amount != "x")
        taken = {n for n, _ in self.published}
        return [
            (n, amount)
            for n, amount in rows
            if amount != "x" and int(amount) <= self.maximum and ids[n] == 1 and n not in taken
        ]

    def without(self, rows: list[Row], gone: list[Row]) -> list[Row]:
        return sorted((Counter(rows) - Counter(gone)).elements())

    def decide(self, kind: str, where: str) -> dict[str, int]:
        """Replays, releases or discards; what should have become of the selected rows."""
        affected = [a for a in self.attempts if any(selects(where, row) for row in a)]
        judged = [row for attempt in affected for row in attempt]
        chosen = [row for row in judged if selects(where, row)]
        gone = {
            "replay": lambda: self.passing(chosen, judged),
            "release": lambda: [row for row in chosen if row[1] != "x"],
            "discard": lambda: chosen,
        }[kind]()
        if affected:
            self.attempts = [a for a in self.attempts if a not in affected]
            self.attempts.append(self.without(judged, gone))
        published = [] if kind == "discard" else gone
        self.published += published
        return {
            "rows_selected": len(chosen),
            "rows_published": len(published),
            "rows_held": len(chosen) - len(gone),
        }


def selects(where: str, row: Row) -> bool:
    number, amount = row
    return {"": True, "id > 3": number > 3, "amount = 50": amount == "50"}[where]


@dataclass
class World:
    """The platform beside the oracle; `states` are the snapshots that can be gone back to."""

    project: Project
    platform: Platform
    oracle: Oracle = field(default_factory=Oracle)
    states: list[tuple[int, Oracle]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(100))

    def do(self, step: str, what: Any) -> None:
        getattr(self, step)(what)
        self.compare()
        head = snapshot_of(self.platform.lake.table("shop.orders"))
        assert head is not None
        if not self.states or self.states[-1][0] != head.snapshot_id:
            self.states.append((head.snapshot_id, copy.deepcopy(self.oracle)))

    def load(self, rows: list[Row]) -> None:
        deliver(self.project, str(next(self.numbers)), *rows)
        load_table(self.platform, "orders", f"run {next(self.numbers)}")
        self.oracle.load(rows)

    def contract(self, maximum: int) -> None:
        self.oracle.maximum = maximum
        self.platform = changed(self.project, orders(maximum))

    def replay(self, where: str) -> None:
        self.decide("replay", where)

    def release(self, where: str) -> None:
        self.decide("release", where)

    def discard(self, where: str) -> None:
        self.decide("discard", where)

    def decide(self, kind: str, where: str) -> None:
        does = {"replay": replayed, "release": released, "discard": discarded}[kind]
        outcome = does(self.platform, f"run {next(self.numbers)}", where=where)
        wanted = self.oracle.decide(kind, where)
        assert {name: getattr(outcome, name) for name in wanted} == wanted

    def compact(self, _: None) -> None:
        list(maintain(self.platform, ["orders"], Wanted(("purge", "compact"), force=True)))

    def back(self, steps: int) -> None:
        place = max(0, len(self.states) - 1 - steps)
        snapshot_id, oracle = self.states[place]
        roll_back(self.platform, plan_rollback(self.platform, "orders", str(snapshot_id)), "back")
        files, maximum = self.oracle.files, self.oracle.maximum
        self.oracle = copy.deepcopy(oracle)
        self.oracle.files, self.oracle.maximum = files, maximum
        del self.states[place + 1 :]

    def compare(self) -> None:
        rows = rows_of_table(self.platform, "shop.orders")
        assert Counter((r["id"], str(r["amount"])) for r in rows) == Counter(self.oracle.published)
        held = Counter(
            (r["id"], str(r["amount"] if r["amount"] is not None else "x"))
            for r in quarantined_rows(self.platform, "orders")
        )
        assert held == Counter(row for attempt in self.oracle.attempts for row in attempt)
        for run in rows_of_table(self.platform, "history.runs"):
            became = run["rows_published"] + run["rows_quarantined"]
            assert run["rows_read"] == became or run["state"] == "rolled_back"


@contextmanager
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUALITY_PLATFORM_HOME", str(Path(folder) / "home"))
        project = Project(Path(folder))
        yield World(project, project.table("orders", orders()).open())


@settings(
    max_examples=5,
    deadline=None,
    # To make a failing example smaller would take minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(STEPS, min_size=4, max_size=7))
def test_whatever_happens_every_row_is_where_the_oracle_has_it(
    steps: list[tuple[str, Any]],
) -> None:
    with world() as here:
        for step, what in [FIRST, *steps]:
            here.do(step, what)


def test_a_long_story_ends_as_the_oracle_says() -> None:
    story: list[tuple[str, Any]] = [
        FIRST,
        ("replay", ""),
        ("contract", 100),
        ("load", [(2, "5"), (5, "500"), (6, "50")]),
        ("compact", None),
        ("replay", "id > 3"),
        ("back", 1),
        ("replay", ""),
        ("compact", None),
        ("discard", "amount = 50"),
        ("back", 2),
        ("release", "amount = 50"),
        ("load", [(3, "5"), (3, "5")]),
        ("back", 3),
        ("load", [(1, "50")]),
        ("replay", ""),
        ("release", ""),
        ("discard", ""),
        ("load", [(7, "50"), (7, "50"), (8, "500")]),
        ("discard", "amount = 50"),
        ("load", [(9, "5")]),
        ("back", 2),
        ("replay", ""),
        ("load", [(10, "x")]),
    ]
    with world() as here:
        for step, what in story:
            here.do(step, what)
