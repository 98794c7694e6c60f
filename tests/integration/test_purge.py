"""Rows of a quarantine that count no more, in files that compaction put together: really gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from support.project import Project, rows_of_table
from support.replays import changed, deliver, discarded, held, ids, loaded, orders, replayed

from quality_platform.cli.upkeep import TaskName
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import TASKS, Task, Upkeep, Wanted, maintain
from quality_platform.flows.platform import Platform
from quality_platform.flows.replay import Replay, replay_table
from quality_platform.flows.roll_back import plan_rollback, roll_back, table_states
from quality_platform.flows.upkeep_texts import told
from quality_platform.lake.maintenance.purging import Purge

QUARANTINE = "quarantine.orders"


def keep(platform: Platform, *tasks: Task, dry_run: bool = False) -> Upkeep:
    """What upkeep did to the quarantine."""
    wanted = Wanted(tasks or Wanted().tasks, force=True, dry_run=dry_run)
    done = list(maintain(platform, ["orders"], wanted))
    assert [upkeep.error for upkeep in done] == [None] * len(done)
    return done[-1]


def purged(platform: Platform, **how: Any) -> Purge:
    """What the purge of the quarantine did."""
    done = keep(platform, "purge", **how).purge
    assert done is not None
    return done


def in_files(platform: Platform) -> list[int]:
    """The orders in the data files that the quarantine's newest snapshot refers to."""
    return sorted(row["id"] for row in rows_of_table(platform, QUARANTINE))


def on_disk(platform: Platform) -> set[Any]:
    """The orders in all data files that lie in the quarantine's folder."""
    files = Path(platform.home, "warehouse", "quarantine", "orders", "data").rglob("*.parquet")
    return {order for file in files for order in pq.read_table(file)["id"].to_pylist()}


@pytest.fixture
def platform(project: Project) -> Platform:
    """Held are 2, 3 and 5, of two loads, in one file; under today's contract 2 and 5 pass."""
    project.settings["maintenance"] = {
        "keep_snapshots": "0s",
        "keep_at_least": 1,
        "orphans_after": "0s",
    }
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    loaded(project)
    deliver(project, "b", (4, 4), (5, 50))
    platform = changed(project, orders(20))
    load_table(platform, "orders", "second run")
    assert keep(platform, "compact").compact is not None
    return changed(project, orders(100))


GONE: list[tuple[Callable[[Platform], object], list[int], int]] = [
    (replayed, [3], 3),
    (lambda platform: discarded(platform, where="id = 5"), [2, 3], 1),
    (discarded, [], 3),
]


@pytest.mark.parametrize(("does", "left", "rows"), GONE, ids=["replayed", "discarded", "all"])
def test_all_tasks_together_delete_what_counts_no_more(
    platform: Platform, does: Callable[[Platform], object], left: list[int], rows: int
) -> None:
    does(platform)
    done = keep(platform)
    assert done.purge is not None
    assert done.purge.rows == rows
    assert done.purge.files_dropped + done.purge.files_rewritten == 1
    assert ("purge", f"{rows:,} rows that count no more") in [
        (task, text.partition(";")[0]) for task, text in told(done)
    ]
    assert (held(platform), in_files(platform), sorted(on_disk(platform))) == (left, left, left)
    again = keep(platform)
    assert again.purge == Purge()
    assert held(platform) == left


def test_rows_that_a_rollback_may_need_stay_until_its_snapshots_expire(platform: Platform) -> None:
    before = table_states(platform, "orders")[0].snapshot_id
    discarded(platform)
    assert purged(platform) == Purge()
    assert in_files(platform) == [2, 3, 5]
    roll_back(platform, plan_rollback(platform, "orders", str(before)), "back")
    assert purged(platform) == Purge()
    assert held(platform) == [2, 3, 5]


def test_rows_of_a_load_that_was_undone_go_when_it_cannot_come_back(platform: Platform) -> None:
    first = table_states(platform, "orders")[-1].snapshot_id
    roll_back(platform, plan_rollback(platform, "orders", str(first)), "back")
    assert held(platform) == [2, 3]
    assert purged(platform) == Purge()
    done = keep(platform)
    assert done.purge is not None
    assert (done.purge.rows, done.purge.files_rewritten) == (1, 1)
    assert (held(platform), sorted(on_disk(platform))) == ([2, 3], [2, 3])
    load_table(platform, "orders", "again")
    assert (ids(platform), held(platform)) == ([1, 4, 5], [2, 3])


def test_a_dry_run_tells_the_rows_and_leaves_them(platform: Platform) -> None:
    discarded(platform, where="id = 5")
    keep(platform, "expire")
    found = purged(platform, dry_run=True)
    assert found == Purge(rows=1, files_rewritten=1)
    assert 5 in in_files(platform)


def test_without_compaction_there_is_nothing_to_purge(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50))
    platform = loaded(project)
    discarded(platform)
    assert purged(platform) == Purge()


class Beside:
    """Does something when a flow comes to a step for the first time; `steps` are all it came to."""

    def __init__(self, step: str, does: Callable[[], object]) -> None:
        self.steps: list[str] = []
        self._step, self._does = step, does

    def __call__(self, now: str, _: str) -> None:
        self.steps.append(now)
        if now == self._step and self.steps.count(now) == 1:
            self._does()


@pytest.mark.parametrize("step", ["staged", "checked", "quarantine_committed"])
def test_a_purge_beside_a_replay_takes_nothing_away(platform: Platform, step: str) -> None:
    discarded(platform, where="id = 2")
    keep(platform, "expire")
    seen: list[Purge] = []
    purge = Beside(step, lambda: seen.append(purged(platform)))
    outcome = replay_table(Replay(platform, "orders", "replay", progress=purge))
    assert seen[0].rows == 2
    assert (outcome.rows_selected, outcome.rows_published, outcome.rows_held) == (2, 1, 1)
    assert (ids(platform), held(platform)) == ([1, 4, 5], [3])
    assert purge.steps.count("staged") == 1


@pytest.mark.parametrize("step", ["staged", "checked", "quarantine_committed"])
def test_a_purge_beside_a_load_takes_nothing_away(
    project: Project, platform: Platform, step: str
) -> None:
    discarded(platform, where="id = 2")
    keep(platform, "expire")
    deliver(project, "c", (6, 6), (7, 700))
    seen: list[Purge] = []
    purge = Beside(step, lambda: seen.append(purged(platform)))
    outcome = load_table(platform, "orders", "load", purge)
    assert seen[0].rows == 2
    assert (outcome.rows_published, outcome.rows_quarantined) == (1, 1)
    assert (ids(platform), held(platform)) == ([1, 4, 6], [3, 5, 7])
    assert purge.steps.count("staged") == 1


def test_the_command_line_knows_every_task_in_its_order() -> None:
    assert tuple(task.value for task in TaskName) == TASKS
