"""What remains of runs: their history, and where every table stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from support.project import (
    Project,
    foreign_key,
    integer,
    key,
    predicate,
    row_count,
    rows_of_table,
    text,
)

from quality_platform.checks.results import Verdict
from quality_platform.errors import (
    ConcurrentLoadError,
    HeaderError,
    RunnerFileError,
)
from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import MERGED, TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.flows.recording import starting_over
from quality_platform.flows.table_status import quarantined_rows, table_statuses
from quality_platform.history.records import RETRIES, RUNS_SCHEMA, latest_results, latest_runs
from quality_platform.lake import commits

ORDERS = {"id": key(integer()), "customer": text(required=True)}


def run(platform: Platform, name: str = "orders", run_id: str = "run-1") -> TableOutcome:
    return load_table(platform, name, run_id)


def runs_of(platform: Platform) -> list[dict[str, Any]]:
    return sorted(rows_of_table(platform, "history.runs"), key=lambda row: row["ended_at"])


def test_every_run_and_every_result_is_in_the_history(project: Project) -> None:
    quality = [predicate("small", "id < 10", "warning"), row_count(1)]
    platform = project.table("orders", ORDERS, quality=quality).open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n2,\n30,y\n")
    before = datetime.now(UTC)
    outcome = run(platform)
    (recorded,) = runs_of(platform)
    assert before <= recorded.pop("started_at") < recorded.pop("ended_at") <= datetime.now(UTC)
    assert recorded == {
        "table": "orders",
        "run_id": "run-1",
        "state": "published",
        "rows_read": 3,
        "rows_published": 2,
        "rows_quarantined": 1,
        "checks_passed": 4,
        "checks_warned": 1,
        "checks_failed": 1,
        "checks_in_error": 0,
        "snapshot_id": outcome.snapshot_id,
        "message": "",
        "rows_updated": 0,
        "rows_unchanged": 0,
        "rows_superseded": 0,
        "rows_deleted": 0,
        "partition": None,
        "bytes_read": outcome.bytes_read,
        "bytes_written": sum(
            file["file_size_in_bytes"]
            for table in ("shop.orders", "quarantine.orders")
            for file in platform.lake.table(table).inspect.files().to_pylist()
        ),
        "tenant": "",
    }
    # Two numbers of 8 bytes, and texts; one row was held back of the three.
    assert 3 * 8 <= outcome.bytes_read < 100
    results = {row["check"]: row for row in rows_of_table(platform, "history.check_results")}
    assert set(results) == {result.spec.name for result in outcome.results}
    small, gate = results["small"], results["row_count"]
    assert (small["verdict"], small["severity"], small["scope"]) == ("warn", "warning", "row")
    assert (small["count"], small["rows"], small["threshold"]) == (1, 3, "= 0")
    assert (gate["verdict"], gate["scope"], gate["value"]) == ("pass", "gate", 3.0)
    assert gate["threshold"] == "between 1 and 1000000"
    assert gate["message"] == "a.csv: 3, must be between 1 and 1000000"


def test_a_history_that_is_older_than_a_column_gets_it(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    first = RUNS_SCHEMA.names.index(f"rows_{MERGED[0]}")
    old = pa.schema(list(RUNS_SCHEMA)[:first])
    table = platform.lake.create_table("history.runs", old, RETRIES)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    row = dict.fromkeys(old.names, 1) | {"table": "visits", "run_id": "run-0", "state": "published"}
    row |= {"started_at": long_ago, "ended_at": long_ago, "message": ""}
    table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))
    project.deliver("orders/a.csv", "id,customer\n1,x\n")
    run(platform)
    recorded = runs_of(platform)[1]
    assert (recorded["rows_published"], recorded["rows_deleted"]) == (1, 0)
    latest = latest_runs(platform.lake, platform.engine)
    assert (latest["visits"]["rows_read"], latest["visits"]["rows_deleted"]) == (1, None)
    assert latest["orders"]["rows_deleted"] == 0


def test_a_run_that_finds_nothing_new_leaves_no_record(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n")
    run(platform)
    run(platform, run_id="run-2")
    assert [row["run_id"] for row in runs_of(platform)] == ["run-1"]


def test_a_run_that_fails_records_its_error_and_what_it_had_published(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n2,\n")
    project.deliver("orders/b.csv", "nonsense\n")
    with pytest.raises(HeaderError):
        run(platform)
    (recorded,) = runs_of(platform)
    assert recorded["state"] == "failed"
    assert "QP203" in recorded["message"]
    assert "b.csv" in recorded["message"]
    counted = ("rows_read", "rows_published", "rows_quarantined", "checks_passed", "checks_failed")
    assert [recorded[name] for name in counted] == [2, 1, 1, 3, 1]
    snapshot = platform.lake.table("shop.orders").current_snapshot()
    assert snapshot is not None
    assert recorded["snapshot_id"] == snapshot.snapshot_id
    assert len(rows_of_table(platform, "history.check_results")) == 4


def test_the_record_of_a_run_counts_loads_from_before_another_run_was_faster(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n")
    project.deliver("orders/b.csv", "id,customer\n2,x\n")
    original, calls = commits.publish, []

    def overtaken(*arguments: Any, **more: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise ConcurrentLoadError("as if another run had been faster")
        return original(*arguments, **more)

    monkeypatch.setattr(commits, "publish", overtaken)
    outcome = run(platform)
    assert [load.files for load in outcome.loads] == [("a.csv",), ("b.csv",)]
    assert (outcome.rows_published, runs_of(platform)[0]["rows_published"]) == (2, 2)


def test_a_flow_gives_up_after_a_number_of_lost_races(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("quality_platform.flows.recording.time.sleep", pauses.append)
    tries: list[int] = []

    def always_late() -> None:
        tries.append(1)
        raise ConcurrentLoadError("late")

    with pytest.raises(ConcurrentLoadError):
        starting_over(always_late)
    assert len(tries) == len(pauses) + 1 == 20
    assert pauses[0] < 0.11
    assert max(pauses) <= 2


def test_the_latest_run_of_each_table_and_its_results_can_be_asked_for(project: Project) -> None:
    project.table("orders", ORDERS, quality=[row_count(2)])
    project.table("shops", {"code": key(text())})
    platform = project.open()
    assert latest_runs(platform.lake, platform.engine) == {}
    project.deliver("shops/a.csv", "code\nN\n")
    run(platform, "shops")
    project.deliver("orders/a.csv", "id,customer\n1,x\n2,y\n")
    run(platform)
    project.deliver("orders/b.csv", "id,customer\n3,\n")
    run(platform, run_id="run-2")
    latest = latest_runs(platform.lake, platform.engine)
    assert {name: row["state"] for name, row in latest.items()} == {
        "orders": "blocked",
        "shops": "published",
    }
    assert latest["orders"]["run_id"] == "run-2"
    failed = latest_results(
        platform.lake, platform.engine, "orders", verdicts=[Verdict.FAIL, Verdict.ERROR]
    )
    assert [row["check"] for row in failed] == ["customer_not_null", "row_count"]
    assert latest_results(platform.lake, platform.engine, "none", verdicts=list(Verdict)) == []


def test_the_status_says_where_every_table_stands(project: Project) -> None:
    shop = text(**foreign_key("shops.code", "shop_known"))
    project.table("orders", {"id": key(integer()), "shop": shop})
    project.table("shops", {"code": key(text())})
    project.table("never", ORDERS)
    project.deliver("shops/a.csv", "code\nN\n")
    project.deliver("orders/a.csv", "id,shop\n1,N\n2,X\n")
    platform = project.open()
    for name in ("shops", "orders"):
        run(platform, name)
    statuses = {status.name: status for status in table_statuses(platform)}
    # In the order in which they run.
    assert list(statuses) == ["shops", "orders", "never"]
    orders, never = statuses["orders"], statuses["never"]
    assert (orders.rows, orders.quarantined, orders.kind) == (1, 1, "table")
    assert orders.latest_run is not None
    assert orders.latest_run["state"] == "published"
    assert orders.published_at is not None
    assert (never.rows, never.quarantined, never.snapshot_id, never.latest_run) == (
        0,
        0,
        None,
        None,
    )


def test_rows_of_attempts_that_died_before_their_publish_are_not_shown(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n2,\n")
    run(platform)
    project.deliver("orders/b.csv", "id,customer\n3,\n4,y\n")

    def dies(*arguments: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(commits, "publish", dies)
        with pytest.raises(KeyboardInterrupt):
            run(platform)
    assert len(rows_of_table(platform, "quarantine.orders")) == 2
    assert [row["id"] for row in quarantined_rows(platform, "orders")] == [2]
    assert table_statuses(platform)[0].quarantined == 1
    # The next run removes them and does the load again.
    outcome = run(platform)
    assert (outcome.rows_published, outcome.rows_quarantined) == (1, 1)
    assert sorted(row["id"] for row in quarantined_rows(platform, "orders")) == [2, 3]
    assert len(rows_of_table(platform, "quarantine.orders")) == 2


def test_the_quarantine_of_a_table_that_never_ran_is_empty(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    assert list(quarantined_rows(platform, "orders")) == []
    with pytest.raises(RunnerFileError, match="ordesr") as caught:
        list(quarantined_rows(platform, "ordesr"))
    assert "orders" in str(caught.value)
