"""What remains of runs: history, status, audits; and a whole run over tables that need others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.project import (
    Project,
    csv_text,
    foreign_key,
    integer,
    key,
    predicate,
    row_count,
    rows_of_table,
    text,
)

from quality_platform.checks.results import CheckResult, Verdict
from quality_platform.errors import (
    ConcurrentLoadError,
    HeaderError,
    MaterializationError,
    RunnerFileError,
    TableNotFoundError,
)
from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.load_table import load_table
from quality_platform.flows.materialize_features import materialize_feature_view
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.flows.recording import starting_over
from quality_platform.flows.run_platform import StepOutcome, has_failed_checks, run_platform
from quality_platform.flows.table_status import quarantined_rows, table_statuses
from quality_platform.history.records import latest_results, latest_runs
from quality_platform.lake import commits

ORDERS = {"id": key(integer()), "customer": text(required=True)}


def run(platform: Platform, name: str = "orders", run_id: str = "run-1") -> TableOutcome:
    return load_table(platform, name, run_id)


def runs_of(platform: Platform) -> list[dict[str, Any]]:
    return sorted(rows_of_table(platform, "history.runs"), key=lambda row: row["ended_at"])


# History


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
    }
    results = {row["check"]: row for row in rows_of_table(platform, "history.check_results")}
    assert set(results) == {result.spec.name for result in outcome.results}
    small, gate = results["small"], results["row_count"]
    assert (small["verdict"], small["severity"], small["scope"]) == ("warn", "warning", "row")
    assert (small["count"], small["rows"], small["threshold"]) == (1, 3, "= 0")
    assert (gate["verdict"], gate["scope"], gate["value"]) == ("pass", "gate", 3.0)
    assert gate["threshold"] == "between 1 and 1000000"
    assert gate["message"] == "a.csv: 3, must be between 1 and 1000000"


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


# Status


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


# Audits: the checks alone


def by_name(results: tuple[CheckResult, ...]) -> dict[str, CheckResult]:
    return {result.spec.name: result for result in results}


def test_an_audit_judges_published_rows_and_each_batch_as_it_was_read(project: Project) -> None:
    quality = [
        row_count(3, 4),
        predicate("small", "id < 10", "warning"),
        {"name": "max_id", "type": "sql", "query": "SELECT max(id) FROM {object}", "mustBe": 30},
    ]
    platform = project.table("orders", ORDERS, quality=quality).open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n2,\nz,z\n30,y\n")
    project.deliver("orders/b.csv", "id,customer\n4,\n5,y\n30,x\n")
    loaded = run(platform)
    before = {path: path.stat().st_mtime_ns for path in platform.home.rglob("*")}
    audited = by_name(audit_table(platform, "orders"))
    assert {path: path.stat().st_mtime_ns for path in platform.home.rglob("*")} == before

    assert set(audited) == set(by_name(loaded.results))
    # Rows that were held are not published: those rules are kept now.
    assert {n: r.verdict.value for n, r in audited.items()} == {
        "conforms_to_schema": "pass",
        "id_not_null": "pass",
        "customer_not_null": "pass",
        "primary_key_unique": "pass",
        "row_count": "pass",
        "small": "warn",
        "max_id": "pass",
    }
    assert (audited["small"].count, audited["small"].rows) == (1, 3)
    assert audited["small"].sample == ({"id": 30},)
    # Gates: batches of four and three records, of which one could not be read into values.
    assert audited["row_count"].rows == 6
    assert list(by_name(audit_table(platform, "orders", ["small", "row_count"]))) == [
        "small",
        "row_count",
    ]


def test_an_audit_finds_what_has_become_wrong_since(project: Project) -> None:
    shop = text(**foreign_key("shops.code", "shop_known"))
    project.table("shops", {"code": key(text())}, load={"mode": "replace", "batch": "all"})
    project.table("orders", {"id": key(integer()), "shop": shop})
    project.deliver("shops/a.csv", "code\nN\nS\n")
    project.deliver("orders/a.csv", "id,shop\n1,N\n2,S\n")
    platform = project.open()
    run(platform, "shops")
    assert run(platform).rows_published == 2
    project.deliver("shops/a.csv", "code\nN\n")
    run(platform, "shops")
    result = by_name(audit_table(platform, "orders"))["shop_known"]
    assert (result.verdict, result.count, result.sample) == ("fail", 1, ({"id": 2, "shop": "S"},))


def test_an_audit_counts_a_load_once_that_was_published_twice(project: Project) -> None:
    load = {"mode": "replace", "batch": "all"}
    platform = project.table("orders", ORDERS, quality=[row_count(1)], load=load).open()
    with_bad, without = "id,customer\n1,x\n2,\n", "id,customer\n1,x\n"
    for content in (with_bad, without, with_bad):
        project.deliver("orders/a.csv", content)
        run(platform)
    result = by_name(audit_table(platform, "orders"))["row_count"]
    assert (result.rows, result.value) == (2, 2)


def test_an_audit_of_a_table_without_rows_still_judges_its_gates(project: Project) -> None:
    project.table("orders", ORDERS, quality=[row_count(0)])
    project.deliver("orders/a.csv", "id,customer\n")
    run(project.open())
    project.table("orders", ORDERS, quality=[row_count(1)])
    audited = by_name(audit_table(project.open(), "orders"))
    assert audited["row_count"].verdict == "fail"
    assert audited["primary_key_unique"].verdict == "pass"


def test_there_is_nothing_to_audit_before_the_first_publish(project: Project) -> None:
    platform = project.table("orders", ORDERS, quality=[row_count(5)]).open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n")
    for _ in range(2):
        with pytest.raises(TableNotFoundError):
            audit_table(platform, "orders")
        assert run(platform).state == "blocked"


# A whole run


def chain(project: Project) -> Project:
    """orders need shops need regions; planets stand alone."""
    shop = text(**foreign_key("shops.code", "shop_known"))
    region = text(**foreign_key("regions.name", "region_known"))
    project.table("orders", {"id": key(integer()), "shop": shop})
    project.table("shops", {"code": key(text()), "region": region}, quality=[row_count(2)])
    project.table("regions", {"name": key(text())})
    project.table("planets", {"name": key(text())})
    project.deliver("orders/a.csv", "id,shop\n1,N\n2,S\n3,\n4,X\n")
    project.deliver("shops/a.csv", "code,region\nN,north\nS,south\n")
    project.deliver("regions/a.csv", "name\nnorth\nsouth\n")
    project.deliver("planets/a.csv", "name\nMars\n")
    return project


def steps(platform: Platform, *names: str) -> dict[str, StepOutcome]:
    found = run_platform(platform, names, "run-1", lambda name, step, detail: None)
    return {step.name: step for step in found}


def test_a_run_takes_tables_in_the_order_in_which_they_need_each_other(project: Project) -> None:
    found = steps(chain(project).open())
    assert list(found) == ["regions", "shops", "orders", "planets"]
    assert all(step.succeeded for step in found.values())
    orders = found["orders"].outcome
    assert isinstance(orders, TableOutcome)
    assert (orders.rows_published, orders.rows_quarantined) == (3, 1)
    assert has_failed_checks(list(found.values()))
    assert not has_failed_checks(list(steps(chain(project).open()).values()))


def test_what_needs_a_blocked_table_is_skipped_and_the_rest_still_runs(project: Project) -> None:
    project = chain(project)
    project.deliver("shops/a.csv", "code,region\nN,north\n")
    found = steps(project.open())
    assert isinstance(found["shops"].outcome, TableOutcome)
    assert found["shops"].outcome.state == "blocked"
    assert not found["shops"].succeeded
    assert found["orders"].skipped == "shops did not succeed"
    assert found["planets"].succeeded


def test_what_needs_a_failed_table_is_skipped_down_the_chain(project: Project) -> None:
    project = chain(project)
    project.deliver("regions/a.csv", "nmae\nnorth\n")
    found = steps(project.open())
    assert isinstance(found["regions"].error, HeaderError)
    assert found["shops"].skipped == "regions did not succeed"
    assert found["orders"].skipped == "shops did not succeed"
    assert found["planets"].succeeded


def test_only_the_tables_named_are_run(project: Project) -> None:
    platform = chain(project).open()
    assert list(steps(platform, "planets", "regions")) == ["regions", "planets"]
    with pytest.raises(RunnerFileError) as caught:
        steps(platform, "planet")
    assert "did you mean" in str(caught.value)


def test_progress_is_told_step_by_step(project: Project) -> None:
    told: list[tuple[str, str]] = []
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n2,\n")
    list(run_platform(platform, (), "r", lambda name, step, _: told.append((name, step))))
    names = ("reading", "staged", "checked", "quarantine_committed", "published")
    assert told == [("orders", step) for step in names]


def test_a_drift_test_of_severity_error_stops_every_later_materialization(
    project: Project,
) -> None:
    columns = {
        "id": key(integer()),
        "day": {"logicalType": "date", "required": True},
        "n": integer(),
    }
    project.table("orders", columns)
    rows = [(i, f"2024-0{1 + i % 2}-{1 + i % 28:02d}", i % 9 + 100 * (i % 2)) for i in range(1000)]
    project.deliver("orders/a.csv", csv_text("id,day,n", rows))
    view = {
        "id": key(integer()),
        "at": {"logicalType": "timestamp", "required": True},
        "n": integer(),
    }
    drift = {
        "columns": ["n"],
        "reference": {"start": "2024-01-01", "end": "2024-02-01"},
        "severity": "error",
    }
    settings = {
        "inputs": ["orders"],
        "entities": [{"name": "thing", "join_key": "id"}],
        "event_timestamp": "at",
        "drift": drift,
    }
    sql = "SELECT id, CAST(day AS TIMESTAMPTZ) AS at, n FROM orders"
    platform = project.view("daily", sql, view, settings).open()
    first, second = steps(platform), steps(platform)
    assert first["online.daily"].skipped == "daily did not succeed"
    # The view is up to date now, and still nobody may materialize it.
    assert second["daily"].succeeded
    assert isinstance(second["online.daily"].error, MaterializationError)
    with pytest.raises(MaterializationError, match="drift test"):
        materialize_feature_view(platform, "daily", "run-3")
    latest = latest_runs(platform.lake, platform.engine)
    assert (latest["daily"]["state"], latest["online.daily"]["state"]) == ("published", "failed")
