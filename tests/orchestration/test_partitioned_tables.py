"""Partitioned tables in Dagster: runs for partitions, and runs that are asked for none."""

from __future__ import annotations

from typing import Any

import dagster as dg
from support.dagster_runs import QUIET, evaluations, failure, run, run_checks
from support.partitioned import by_day, deliver, held, ids
from support.project import Project, row_count

from quality_platform.flows.platform import Platform
from quality_platform.orchestration.build import build_definitions

ORDERS, QUARANTINE = dg.AssetKey(["shop", "orders"]), dg.AssetKey(["quarantine", "orders"])
DUE = dg.AssetKey(["due", "orders"])
FIRST, LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def run_days(
    platform: Platform, instance: dg.DagsterInstance, first: int, last: int
) -> dg.ExecuteInProcessResult:
    """One run for some days, as Dagster makes it of a backfill."""
    tags = {FIRST: f"2024-01-{first:02d}", LAST: f"2024-01-{last:02d}"}
    asked: dict[str, Any] = {"tags": tags} if first != last else {"partition_key": tags[FIRST]}
    job = build_definitions(platform).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        run_config=QUIET,
        instance=instance,
        raise_on_error=False,
        asset_selection=[ORDERS, QUARANTINE],
        **asked,
    )


def told(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str | None, dict[str, Any]]:
    """The metadata of each partition of an asset that a run materialized."""
    return {
        event.partition: {k: v.value for k, v in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key == key
    }


def test_one_run_for_several_partitions_tells_of_each(
    project: Project, instance: dg.DagsterInstance
) -> None:
    deliver(project, 1, (1, 10), (2, -1))
    deliver(project, 2, (3, 30))
    platform = by_day(project).open()

    result = run_days(platform, instance, 1, 2)

    assert result.success
    orders = told(result, ORDERS)
    assert {key: found["dagster/partition_row_count"] for key, found in orders.items()} == {
        "2024-01-01": 1,
        "2024-01-02": 1,
    }
    assert {k: f["rows_quarantined"] for k, f in told(result, QUARANTINE).items()} == {
        "2024-01-01": 1,
        "2024-01-02": 0,
    }
    check = evaluations(result, "shop/orders")["amount_is_positive"]
    assert check.metadata["partition"].value == "2024-01-01...2024-01-02"
    assert check.metadata["rows_judged"].value == 3
    assert ids(platform) == [1, 3]


def test_a_run_for_one_partition_judges_the_rows_of_it_alone(
    project: Project, instance: dg.DagsterInstance
) -> None:
    deliver(project, 1, (1, 10), (2, -1))
    deliver(project, 2, (3, 30))
    platform = by_day(project).open()
    run_days(platform, instance, 1, 2)

    result = run_days(platform, instance, 2, 2)

    assert list(told(result, ORDERS)) == ["2024-01-02"]
    check = evaluations(result, "shop/orders")["amount_is_positive"]
    assert (check.passed, check.metadata["rows_judged"].value) == (True, 1)
    assert check.metadata["partition"].value == "2024-01-02"
    assert ids(platform) == [1, 3]
    assert held(platform) == [("2024-01-01/a.csv", 2)]


def test_everything_loads_what_is_due_and_tells_of_each_partition(
    project: Project, instance: dg.DagsterInstance
) -> None:
    deliver(project, 1, (1, 10), (2, -1))
    deliver(project, 3, (3, 30))
    platform = by_day(project).open()

    result = run(platform, instance)

    assert result.success
    assert set(told(result, ORDERS)) == {"2024-01-01", "2024-01-03"}
    assert set(told(result, DUE)) == {None}
    assert instance.get_materialized_partitions(ORDERS) == {"2024-01-01", "2024-01-03"}
    check = evaluations(result, "shop/orders")["amount_is_positive"]
    assert check.metadata["partition"].value == "2024-01-01...2024-01-03"
    assert told(run(platform, instance), DUE)[None]["nothing_new"] is True


def test_a_blocked_partition_stops_the_run_and_is_not_materialized(
    project: Project, instance: dg.DagsterInstance
) -> None:
    deliver(project, 1, (1, 10), (2, 20))
    deliver(project, 2, (3, 30))
    deliver(project, 3, (4, 40), (5, 50))
    platform = by_day(project, backfill="each", quality=[row_count(2)]).open()

    for result, op in (
        (run(platform, instance), "due_orders"),
        (run_days(platform, instance, 1, 3), "load_orders"),
    ):
        assert not result.success
        assert list(told(result, ORDERS)) == ["2024-01-01"]
        assert "2024-01-02: nothing of this load was published" in failure(result, op)[0]
        assert ids(platform) == [1, 2]


def test_a_partitioned_table_does_not_run_without_partitions(
    project: Project, instance: dg.DagsterInstance
) -> None:
    deliver(project, 1, (1, 10))
    job = build_definitions(by_day(project).open()).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        run_config=QUIET, instance=instance, raise_on_error=False, asset_selection=[ORDERS]
    )
    assert "choose partitions, or materialize due/orders" in failure(result, "load_orders")[0]


def test_checks_alone_judge_the_partitions_that_are_asked_for_or_all(
    project: Project, instance: dg.DagsterInstance
) -> None:
    deliver(project, 1, (1, 10), (2, -1))
    deliver(project, 2, (3, 30), (4, 40))
    platform = by_day(project, quality=[row_count(1)]).open()
    run_days(platform, instance, 1, 2)

    whole = run_checks(platform, instance, "shop/orders", "row_count", "amount_is_positive")
    job = build_definitions(platform).resolve_implicit_global_asset_job_def()
    one = job.get_subset(
        asset_selection=set(), asset_check_selection={dg.AssetCheckKey(ORDERS, "row_count")}
    ).execute_in_process(
        run_config=QUIET, instance=instance, raise_on_error=False, partition_key="2024-01-02"
    )

    found = evaluations(whole, "shop/orders")
    assert found["row_count"].metadata["value"].value == 4
    assert found["amount_is_positive"].metadata["rows_judged"].value == 3
    found = evaluations(one, "shop/orders")
    assert found["row_count"].metadata["value"].value == 2
    assert found["row_count"].metadata["partition"].value == "2024-01-02"
