"""Upkeep and rollback as Dagster runs."""

from __future__ import annotations

import dagster as dg
import pytest
from support.dagster_runs import QUIET, metadata
from support.project import Project, column_of

from quality_platform.flows.load_table import load_table
from quality_platform.flows.roll_back import table_states
from quality_platform.orchestration.build import build_definitions


def job(project: Project, name: str) -> dg.JobDefinition:
    return build_definitions(project.open()).resolve_job_def(name)


def test_the_maintenance_of_a_table_tells_what_it_did(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = shop.open()
    load_table(platform, "customers", "run")
    for n in range(1, 3):
        rows = f"id,customer,amount,placed_at\n{n}1,1,5,2026-02-01T00:00:00Z\n"
        shop.deliver(f"orders/{n}.csv", rows + rows.splitlines()[1].replace(f"{n}1", f"{n}2", 1))
    load_table(platform, "orders", "run")
    result = job(shop, "maintenance").execute_in_process(
        QUIET, instance=instance, asset_selection=[dg.AssetKey(["maintenance", "orders"])]
    )
    assert result.success
    told = metadata(result, "maintenance/orders")
    assert (told["files_before"], told["files_after"]) == (3, 1)
    assert told["rows_deleted"] == 0
    assert "shop.orders" in told["what"]
    assert len(column_of(platform, "shop.orders", "id")) == 7


def test_the_job_everything_does_no_upkeep_and_the_job_maintenance_nothing_else(
    shop: Project,
) -> None:
    everything = job(shop, "everything").asset_layer.executable_asset_keys
    upkeep = job(shop, "maintenance").asset_layer.executable_asset_keys
    assert {key.path[0] for key in upkeep} == {"maintenance"}
    assert {key.path[-1] for key in upkeep} == {"customers", "orders", "totals", "_history"}
    assert not everything & upkeep


@pytest.mark.parametrize("targets", [[], ["orders"]])
def test_a_schedule_can_be_one_of_upkeep(shop: Project, targets: list[str]) -> None:
    shop.settings["schedules"] = {
        "sundays": {"cron": "@weekly", "job": "maintenance", "targets": targets}
    }
    definitions = build_definitions(shop.open())
    schedule = definitions.resolve_schedule_def("sundays")
    assert schedule.job_name == "maintenance"
    keys = definitions.resolve_job_def(schedule.job_name).asset_layer.executable_asset_keys
    assert {key.path[0] for key in keys} == {"maintenance"}


def test_the_job_rollback_sets_a_table_back(shop: Project, instance: dg.DagsterInstance) -> None:
    platform = shop.open()
    load_table(platform, "customers", "run")
    (first,) = table_states(platform, "customers")
    shop.deliver("customers/all.csv", "id,name\n3,Alan\n")
    load_table(platform, "customers", "run")
    config = {"table": "customers", "to": str(first.snapshot_id)}
    ops = {"ops": {"roll_back": {"config": config}}}
    result = job(shop, "rollback").execute_in_process({**QUIET, **ops}, instance=instance)
    assert result.success
    assert column_of(platform, "shop.customers", "id") == [1, 2]


def test_a_rollback_to_nowhere_fails_with_the_platforms_message(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    load_table(shop.open(), "customers", "run")
    ops = {"ops": {"roll_back": {"config": {"table": "customers", "to": "nowhere"}}}}
    result = job(shop, "rollback").execute_in_process(
        {**QUIET, **ops}, instance=instance, raise_on_error=False
    )
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "QP306" in str(failure.step_failure_data.user_failure_data)
