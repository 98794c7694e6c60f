"""Several runs of one table at once: nothing doubled, nothing lost, and each knows what it did."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.project import (
    Project,
    column_of,
    csv_text,
    integer,
    key,
    predicate,
    rows_of_table,
    text,
)

from quality_platform.errors import ConcurrentLoadError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.flows.table_status import quarantined_rows
from quality_platform.lake import commits

RACER = Path(__file__).parents[1] / "support" / "racing_run.py"
NOT_FIVE = predicate("not_a_multiple_of_five", "id % 5 <> 0")


def orders(project: Project, files: int, rows: int = 20) -> Project:
    for n in range(files):
        content = csv_text("id", [(n * rows + k,) for k in range(rows)])
        project.deliver(f"orders/f{n:02d}.csv", content)
    project.table("orders", {"id": key(integer())}, quality=[NOT_FIVE]).write_runner()
    return project


def assert_each_row_once(platform: Platform, files: int, rows: int = 20) -> None:
    everything = range(files * rows)
    published = column_of(platform, "shop.orders", "id")
    assert published == [n for n in everything if n % 5]
    held = sorted(row["id"] for row in quarantined_rows(platform, "orders"))
    assert held == [n for n in everything if n % 5 == 0]


def assert_history_adds_up(platform: Platform, files: int) -> None:
    runs = rows_of_table(platform, "history.runs")
    assert {run["state"] for run in runs} == {"published"}
    assert sum(run["rows_read"] for run in runs) == files * 20
    results = [(r["run_id"], r["check"]) for r in rows_of_table(platform, "history.check_results")]
    assert len(results) == len(set(results)) == 4 * len(runs)


def test_two_processes_share_the_files_of_one_table(project: Project, tmp_path: Path) -> None:
    rounds, files = 3, 4
    projects = [Project(tmp_path / f"round{n}") for n in range(rounds)]
    for one in projects:
        one.folder.mkdir()
        one.settings["lake"] = {
            "catalog": {"uri": f"sqlite:///{one.folder}/catalog.db"},
            "warehouse": "warehouse",
        }
        orders(one, files)
    runners = [str(one.runner) for one in projects]
    with ExitStack() as stack:
        racers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(RACER), f"run-{n}", "orders", *runners],
                    text=True,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            for n in range(2)
        ]
        for one in projects:
            outcomes = race(racers)
            platform = one.open()
            assert_each_row_once(platform, files)
            assert_history_adds_up(platform, files)
            # Every file was published by exactly one of them, and it says so.
            claimed = [name for outcome in outcomes for name in outcome["published"]]
            assert sorted(claimed) == [f"f{n:02d}.csv" for n in range(files)]
    assert [racer.returncode for racer in racers] == [0, 0]


def race(racers: list[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    """Lets the processes run at the same moment; what each of them says that it did."""
    assert [line(racer) for racer in racers] == ["ready\n"] * 2
    start = time.time() + 0.05
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(f"{start}\n")
        racer.stdin.flush()
    return [json.loads(line(racer)) for racer in racers]


def line(racer: subprocess.Popen[str]) -> str:
    """The next line of a process; "" when it has died."""
    assert racer.stdout is not None
    return racer.stdout.readline()


def test_four_threads_share_the_files_of_one_table(project: Project) -> None:
    files = 4
    orders(project, files)
    together, outcomes = threading.Barrier(4), dict[int, TableOutcome | BaseException]()

    def race(number: int) -> None:
        # Each has a platform of its own, as each process would.
        platform = open_platform(project.runner)
        together.wait()
        try:
            outcomes[number] = load_table(platform, "orders", f"run-{number}")
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            outcomes[number] = error

    threads = [threading.Thread(target=race, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(isinstance(outcome, TableOutcome) for outcome in outcomes.values()), outcomes
    platform = project.open()
    assert_each_row_once(platform, files)
    assert_history_adds_up(platform, files)


def at_the_publish(monkeypatch: pytest.MonkeyPatch, meanwhile: Any) -> None:
    """Lets something happen just before the next publish of a load, once."""
    original = commits.publish
    done: list[int] = []

    def publish(*arguments: Any, **more: Any) -> Any:
        if not done:
            done.append(1)
            meanwhile()
        return original(*arguments, **more)

    monkeypatch.setattr(commits, "publish", publish)


def test_a_run_that_is_overtaken_between_its_two_commits_starts_over(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = orders(project, 1).open(), project.open()
    seen: list[tuple[int, str]] = []

    def overtake() -> None:
        # The slow run has committed its quarantine; the fast one takes it for dead.
        assert len(rows_of_table(fast, "quarantine.orders")) == 4
        outcome = load_table(fast, "orders", "fast")
        seen.append((outcome.rows_published, outcome.state))

    at_the_publish(monkeypatch, overtake)
    outcome = load_table(slow, "orders", "slow")
    assert seen == [(16, "published")]
    assert (outcome.state, outcome.loads) == ("nothing_new", ())
    platform = project.open()
    assert_each_row_once(platform, 1)
    assert len(rows_of_table(platform, "quarantine.orders")) == 4
    assert {row["_run_id"] for row in quarantined_rows(platform, "orders")} == {"fast"}


def test_a_run_that_is_overtaken_before_it_opens_the_table_starts_over(project: Project) -> None:
    slow, fast = orders(project, 2).open(), project.open()
    seen: list[int] = []

    def overtake(step: str, detail: str) -> None:
        # The slow run has decided what is new, and has not yet looked at the table to add it to.
        if (step, detail) == ("reading", "f01.csv") and not seen:
            seen.append(load_table(fast, "orders", "fast").rows_published)

    outcome = load_table(slow, "orders", "slow", overtake)
    assert seen == [16]
    assert [load.files for load in outcome.loads] == [("f00.csv",)]
    platform = project.open()
    assert_each_row_once(platform, 2)
    assert_history_adds_up(platform, 2)


def test_a_run_that_was_fenced_does_its_load_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = orders(project, 1).open()

    def clean_up_and_die() -> None:
        lake = project.open().lake
        held = lake.table("quarantine.orders")
        assert commits.drop_uncommitted_attempts(lake, lake.table("shop.orders"), held) == 4

    at_the_publish(monkeypatch, clean_up_and_die)
    outcome = load_table(slow, "orders", "slow")
    assert (outcome.rows_published, outcome.rows_quarantined) == (16, 4)
    platform = project.open()
    assert_each_row_once(platform, 1)
    assert len(rows_of_table(platform, "quarantine.orders")) == 4


def test_a_publish_beside_a_run_that_stages_a_blocked_load_succeeds(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = orders(project, 1).open()

    def stage_a_branch() -> None:
        lake = project.open().lake
        commits.stage_on_branch(lake, lake.table("shop.orders"), "audit-other", (), {})

    at_the_publish(monkeypatch, stage_a_branch)
    assert load_table(platform, "orders", "run-1").rows_published == 16
    assert_each_row_once(project.open(), 1)
    # It is newer than what was blocked: see test_flows_gates.
    assert set(platform.lake.table("shop.orders").refs()) == {"main"}


def test_a_branch_that_another_run_removed_first_does_not_undo_a_publish(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = orders(project, 1).open()
    calls: list[str] = []

    def already_gone(*arguments: Any) -> None:
        calls.append(arguments[-1])
        raise ConcurrentLoadError("as if another run had removed it")

    table = platform.lake.ensure_table("shop.orders", platform.tables["orders"].schema)
    commits.stage_on_branch(platform.lake, table, "audit-other", (), {})
    monkeypatch.setattr(commits, "remove_branch", already_gone)
    outcome = load_table(platform, "orders", "run-1")
    assert calls == ["audit-other"]
    assert outcome.rows_published == 16
    assert_each_row_once(project.open(), 1)


def test_many_tables_write_their_history_at_the_same_moment(project: Project) -> None:
    names = [f"t{n}" for n in range(6)]
    for name in names:
        project.table(name, {"id": key(integer()), "name": text()})
        project.deliver(f"{name}/a.csv", "id,name\n1,x\n")
    project.write_runner()
    errors: list[BaseException] = []
    together = threading.Barrier(len(names))

    def race(name: str) -> None:
        platform = open_platform(project.runner)
        together.wait()
        try:
            load_table(platform, name, f"run of {name}")
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=race, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    platform = project.open()
    assert sorted(r["table"] for r in rows_of_table(platform, "history.runs")) == names
    results = [(r["table"], r["check"]) for r in rows_of_table(platform, "history.check_results")]
    assert len(results) == len(set(results)) == 3 * len(names)
