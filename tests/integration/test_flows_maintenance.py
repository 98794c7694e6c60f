"""Upkeep and rollback of whole tables: loads go on as if nothing had been, and count the same."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.command_line import call
from support.project import (
    Project,
    column_of,
    csv_text,
    integer,
    key,
    predicate,
    row_count,
)
from support.shop import furnish, orders_csv

from quality_platform.errors import ConcurrentLoadError, RollbackError, RunnerFileError
from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import HISTORY, Task, Upkeep, Wanted, maintain
from quality_platform.flows.platform import Platform
from quality_platform.flows.roll_back import plan_rollback, roll_back, table_states
from quality_platform.flows.table_status import quarantined_rows
from quality_platform.history.records import latest_runs

NOT_FIVE = predicate("not_a_multiple_of_five", "id % 5 <> 0")
AT: dict[str, Any] = {"logicalType": "timestamp"}
SHORT = {"keep_snapshots": "0s", "keep_at_least": 1, "orphans_after": "0s"}


def deliver(project: Project, *numbers: int) -> None:
    """A file of ten rows for each number, of which two are held back."""
    for n in numbers:
        rows = [(n * 10 + k,) for k in range(10)]
        project.deliver(f"orders/f{n:02d}.csv", csv_text("id", rows))


def orders(project: Project, files: int = 3, **settings: Any) -> Platform:
    """A table whose files were loaded one by one."""
    project.settings["maintenance"] = {**SHORT, **settings}
    project.table("orders", {"id": key(integer())}, quality=[NOT_FIVE])
    deliver(project, *range(files))
    platform = project.open()
    load_table(platform, "orders", "run-0")
    return platform


def assert_each_row_once(platform: Platform, files: int) -> None:
    everything = range(files * 10)
    assert column_of(platform, "shop.orders", "id") == [n for n in everything if n % 5]
    held = sorted(row["id"] for row in quarantined_rows(platform, "orders"))
    assert held == [n for n in everything if n % 5 == 0]


def keep(platform: Platform, *tasks: Task, names: Sequence[str] = ("orders",)) -> list[Upkeep]:
    wanted = Wanted(tasks or Wanted().tasks, force=True)
    done = list(maintain(platform, names, wanted))
    assert [upkeep.error for upkeep in done] == [None] * len(done)
    return done


def test_all_tasks_leave_the_rows_and_what_was_loaded_as_they_were(project: Project) -> None:
    platform = orders(project)
    main, held = keep(platform)
    assert main.compact is not None
    assert main.compact.files_after == 1
    assert held.compact is not None
    assert held.compact.files_after == 1
    assert main.expire is not None
    assert main.expire.files > 3
    assert_each_row_once(platform, 3)
    assert load_table(platform, "orders", "again").state == "nothing_new"
    deliver(project, 3)
    load_table(platform, "orders", "more")
    keep(platform)
    assert_each_row_once(platform, 4)


def test_after_all_tasks_the_warehouse_holds_one_copy(project: Project) -> None:
    platform = orders(project)
    keep(platform)
    warehouse = platform.home / "warehouse"
    assert len(list(warehouse.glob("shop/orders/data/**/*.parquet"))) == 1
    assert len(list(warehouse.glob("quarantine/orders/data/**/*.parquet"))) == 1


def test_what_loads_may_still_need_is_spared(project: Project) -> None:
    platform = orders(project)
    done = list(maintain(platform, ["orders"]))
    assert done[0].expire is not None
    assert done[0].expire.snapshots == ()
    assert done[0].orphans is not None
    assert done[0].orphans.files == ()
    assert len(table_states(platform, "orders")) == 4


def test_a_dry_run_tells_the_same_and_changes_nothing(project: Project) -> None:
    platform = orders(project)
    wanted = Wanted(dry_run=True, force=True)
    planned = list(maintain(platform, ["orders"], wanted))
    assert planned[0].compact is not None
    assert planned[0].compact.files_before == 3
    assert len(table_states(platform, "orders")) == 3
    assert_each_row_once(platform, 3)


def test_only_the_wanted_tasks_are_done(project: Project) -> None:
    platform = orders(project)
    (main, _) = keep(platform, "compact")
    assert main.compact is not None
    assert (main.retention, main.expire, main.orphans) == (None, None, None)


def test_the_history_is_looked_after_with_all_tables(project: Project) -> None:
    platform = orders(project)
    deliver(project, 3)
    load_table(platform, "orders", "run-1")
    runs = sorted(latest_runs(platform.lake, platform.engine))
    done = keep(platform, names=())
    # Nobody has decided anything: that part of the history is not there yet.
    assert [u.table for u in done if u.table.startswith("history.")] == list(HISTORY)[:2]
    assert done[-1].compact is not None
    assert done[-1].compact.files_after == 1
    assert sorted(latest_runs(platform.lake, platform.engine)) == runs


def test_an_unknown_table_is_refused_before_anything_is_done(project: Project) -> None:
    platform = orders(project)
    with pytest.raises(RunnerFileError):
        list(maintain(platform, ["orders", "ordres"]))
    assert len(table_states(platform, "orders")) == 3


def test_tables_that_were_never_loaded_are_passed_over(project: Project) -> None:
    project.table("orders", {"id": key(integer())})
    assert list(maintain(project.open())) == []


def test_rows_past_the_contracts_retention_are_gone_with_those_held_back(project: Project) -> None:
    now = datetime.now(UTC)
    old, new = (now - timedelta(days=n) for n in (40, 1))
    project.settings["maintenance"] = SHORT
    project.table("visits", {"id": key(integer()), "at": AT}, quality=[NOT_FIVE])
    contract = project.folder / "contracts/visits.odcs.yaml"
    promise = "slaProperties:\n- {property: retention, value: 30, unit: d, element: visits.at}\n"
    contract.write_text(contract.read_text() + promise)
    rows = [(n, at.isoformat()) for n, at in ((1, old), (2, new), (5, old), (10, new))]
    project.deliver("visits/all.csv", csv_text("id,at", rows))
    platform = project.open()
    load_table(platform, "visits", "run")
    main, held = keep(platform, "retention", names=["visits"])
    assert main.retention is not None
    assert main.retention.rows == 1
    assert held.retention is not None
    assert held.retention.rows == 1
    assert column_of(platform, "shop.visits", "id") == [2]
    assert [row["id"] for row in quarantined_rows(platform, "visits")] == [10]
    assert len(table_states(platform, "visits")) == 1
    assert load_table(platform, "visits", "again").state == "nothing_new"


def test_loads_and_upkeep_at_once_keep_every_row_once(project: Project) -> None:
    platform = orders(project, files=1)
    ended = threading.Event()
    problems: list[BaseException] = []

    def keep_on() -> None:
        own = project.open()
        while not ended.is_set():
            for upkeep in maintain(own, ["orders"], Wanted(("compact", "expire", "orphans"))):
                if upkeep.error is not None:
                    problems.append(upkeep.error)

    keeper = threading.Thread(target=keep_on)
    keeper.start()
    try:
        for n in range(1, 5):
            deliver(project, n)
            load_table(platform, "orders", f"run-{n}")
    finally:
        ended.set()
        keeper.join()
    assert problems == []
    keep(platform)
    assert_each_row_once(platform, 5)


def test_a_rollback_makes_the_next_run_load_again_what_was_undone(project: Project) -> None:
    platform = orders(project)
    first = table_states(platform, "orders")[-1]
    plan = plan_rollback(platform, "orders", str(first.snapshot_id))
    assert (plan.now.rows, plan.then.rows) == (24, 8)
    assert (plan.rows_quarantined_now, plan.rows_quarantined_then) == (6, 2)
    assert len(plan.undone) == 2
    assert [Path(source).name for source in plan.sources_forgotten] == ["f01.csv", "f02.csv"]
    roll_back(platform, plan, "back")
    assert_each_row_once(platform, 1)
    assert latest_runs(platform.lake, platform.engine)["orders"]["state"] == "rolled_back"
    outcome = load_table(platform, "orders", "again")
    assert outcome.rows_read == 20
    assert_each_row_once(platform, 3)


def test_a_rollback_of_a_compacted_table_leaves_out_what_was_held_back_since(
    project: Project,
) -> None:
    platform = orders(project)
    keep(platform, "compact")
    first = table_states(platform, "orders")[-1]
    roll_back(platform, plan_rollback(platform, "orders", str(first.snapshot_id)), "back")
    assert_each_row_once(platform, 1)
    load_table(platform, "orders", "again")
    assert_each_row_once(platform, 3)


def test_a_rollback_is_undone_as_long_as_nothing_was_loaded(project: Project) -> None:
    platform = orders(project)
    last, *_, first = table_states(platform, "orders")
    roll_back(platform, plan_rollback(platform, "orders", str(first.snapshot_id)), "back")
    plan = plan_rollback(platform, "orders", str(last.snapshot_id))
    assert len(plan.restored) == 2
    roll_back(platform, plan, "forth")
    assert_each_row_once(platform, 3)
    assert load_table(platform, "orders", "again").state == "nothing_new"


def test_what_was_held_back_and_is_removed_cannot_be_restored(project: Project) -> None:
    platform = orders(project)
    last, *_, first = table_states(platform, "orders")
    roll_back(platform, plan_rollback(platform, "orders", str(first.snapshot_id)), "back")
    load_table(platform, "orders", "again")
    with pytest.raises(RollbackError, match="held back"):
        plan_rollback(platform, "orders", str(last.snapshot_id))


def test_a_rollback_whose_plan_is_old_is_not_done(project: Project) -> None:
    platform = orders(project)
    plan = plan_rollback(platform, "orders", str(table_states(platform, "orders")[-1].snapshot_id))
    deliver(project, 3)
    load_table(platform, "orders", "meanwhile")
    with pytest.raises(ConcurrentLoadError):
        roll_back(platform, plan, "back")
    assert_each_row_once(platform, 4)


def test_the_command_shows_what_was_done(project: Project) -> None:
    orders(project)
    ended = call("maintain", "--runner", project.runner, "--dry-run", "--force")
    assert ended.code == 0, ended.text
    assert "What would be done" in ended.out
    assert "shop.orders" in ended.out
    ended = call("maintain", "orders", "--runner", project.runner, "--json", "--force")
    main, held = json.loads(ended.out)
    assert main["table"] == "shop.orders"
    assert main["compact"]["files_before"] == 3
    assert held["error"] is None
    ended = call("maintain", "orders", "-r", project.runner, "--only", "compact")
    assert "nothing to do" in ended.out


def test_the_commands_list_snapshots_and_roll_back(project: Project) -> None:
    platform = orders(project)
    listed = json.loads(call("snapshots", "orders", "-r", project.runner, "--json").out)
    assert [state["rows"] for state in listed] == [24, 16, 8]
    assert listed[0]["is_current"]
    assert call("snapshots", "orders", "-r", project.runner).out.count("append") == 3
    to = str(listed[-1]["snapshot_id"])
    shown = call("rollback", "orders", "--to", to, "-r", project.runner, "--dry-run")
    assert "rows: 24 -> 8" in shown.out
    assert_each_row_once(platform, 3)
    done = call("rollback", "orders", "--to", to, "-r", project.runner, "--yes")
    assert done.code == 0, done.text
    assert_each_row_once(platform, 1)
    again = call("rollback", "orders", "--to", to, "-r", project.runner)
    assert "already" in again.out
    assert call("rollback", "orders", "--to", "nowhere", "-r", project.runner).code == 2


def test_files_that_nobody_needs_are_swept_once_they_are_old(project: Project) -> None:
    platform = orders(project)
    data = next(iter((platform.home / "warehouse").glob("shop/orders/data")))
    stray = data / "dead-process-00000.parquet"
    stray.write_bytes(b"x" * 100)
    (main, _) = list(maintain(platform, ["orders"], Wanted(("orphans",))))
    assert main.orphans is not None
    assert main.orphans.files == ()
    os.utime(stray, (0, 0))
    (main, _) = list(maintain(platform, ["orders"], Wanted(("orphans",))))
    assert main.orphans is not None
    assert main.orphans.bytes == 100
    assert not stray.exists()
    assert_each_row_once(platform, 3)


def gate(platform: Platform) -> tuple[str, int]:
    """How the audit judges the number of rows of each load."""
    (result,) = audit_table(platform, "orders", ["row_count"])
    return result.verdict.value, result.rows


def test_an_audit_judges_each_load_as_it_was_read_also_after_a_compaction(
    project: Project,
) -> None:
    project.settings["maintenance"] = SHORT
    quality = [NOT_FIVE, row_count(9, 11)]
    project.table("orders", {"id": key(integer())}, quality=quality)
    deliver(project, 0, 1, 2)
    platform = project.open()
    load_table(platform, "orders", "run-0")
    keep(platform, "compact")
    assert gate(platform) == ("pass", 30)
    keep(platform, "expire")
    assert gate(platform)[0] == "error"
    deliver(project, 3)
    load_table(platform, "orders", "run-1")
    keep(platform, "compact")
    # Of the files that were put together first, nothing tells the loads any more.
    assert gate(platform) == ("pass", 10)


def test_an_error_of_one_table_does_not_stop_the_others(project: Project) -> None:
    project.table("broken", {"id": key(integer())})
    project.deliver("broken/a.csv", "id\n1\n")
    project.deliver("broken/b.csv", "id\n2\n")
    platform = orders(project, files=2)
    load_table(platform, "broken", "run")
    next((platform.home / "warehouse/shop/broken/data").glob("*.parquet")).unlink()
    ended = call("maintain", "broken", "orders", "-r", project.runner, "--json")
    assert ended.code == 2
    assert "QP305" in ended.err
    done = {upkeep["table"]: upkeep for upkeep in json.loads(ended.out)}
    assert "QP305" in done["shop.broken"]["error"]
    assert done["shop.orders"]["compact"]["files_after"] == 1


def test_upkeep_gives_way_to_loads_that_are_always_faster(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = orders(project, files=2)
    tried: list[str] = []

    def too_late(*_: object, **__: object) -> None:
        tried.append("compact")
        raise ConcurrentLoadError("a load was faster")

    monkeypatch.setattr("quality_platform.flows.maintain.compact", too_late)
    (main, held) = keep(platform, "compact", "orphans")
    assert (main.gave_way, held.gave_way) == (("compact",), ("compact",))
    assert main.orphans is not None
    assert len(tried) == 6
    ended = call("maintain", "orders", "-r", project.runner, "--only", "compact")
    assert (ended.code, ended.out.count("try again later")) == (0, 2)


def test_the_status_tells_that_a_table_was_rolled_back(project: Project) -> None:
    platform = orders(project, files=2)
    first = table_states(platform, "orders")[-1]
    roll_back(platform, plan_rollback(platform, "orders", str(first.snapshot_id)), "back")
    assert "rolled back shop.orders: from snapshot" in " ".join(
        call("status", "-r", project.runner).out.split()
    )


def test_the_snapshot_that_a_feature_view_was_computed_from_is_kept(project: Project) -> None:
    platform = furnish(project).open()
    for name in ("customers", "orders"):
        load_table(platform, name, "run")
    compute_feature_view(platform, "totals", "run")
    used = table_states(platform, "orders")[0].snapshot_id
    project.deliver("orders/february.csv", orders_csv(4, 40))
    load_table(platform, "orders", "run")
    project.deliver("orders/march.csv", orders_csv(5, 50))
    load_table(platform, "orders", "run")
    project.settings["maintenance"] = SHORT
    keep(project.open(), "expire")
    assert [state.snapshot_id for state in table_states(platform, "orders")][1:] == [used]
