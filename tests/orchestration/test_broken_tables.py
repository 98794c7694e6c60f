"""A broken part of runner.yaml: everything else goes on, and it is seen as what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from support.dagster_runs import failure, materialized, run
from support.project import Project, rows_of_table

from quality_platform.errors import RunnerFileError
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.flows.run_platform import StepOutcome
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.keys import EVERYTHING, MAINTENANCE
from quality_platform.orchestration.launch import launch

EXTRA = {"id": {"logicalType": "integer", "required": True}}


@pytest.fixture
def extra(shop: Project) -> Project:
    """The shop, and a table that nothing depends on."""
    shop.table("extra", EXTRA)
    shop.deliver("extra/a.csv", "id\n1\n")
    return shop


def opened(project: Project, **changes: Any) -> Platform:
    """The platform of a runner.yaml of which some sections are others."""
    path = project.write_runner()
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))
    return open_platform(path)


def broken_extra(project: Project) -> Platform:
    """The platform with a contract of `extra` that is none."""
    (project.folder / "contracts" / "extra.odcs.yaml").write_text("kind: DataContract\n")
    return opened(project)


def asset(platform: Platform, key: str) -> Any:
    graph = build_definitions(platform).get_repository_def().asset_graph
    return graph.get(dg.AssetKey(key.split("/")))


def test_a_broken_table_is_seen_under_its_own_key_with_what_is_wrong(extra: Project) -> None:
    found = asset(broken_extra(extra), "shop/extra")
    assert (found.group_name, found.kinds) == ("broken", {"broken"})
    assert "This table is broken" in found.description
    assert "extra.odcs.yaml" in found.description
    assert "QP" not in found.description


def test_a_run_of_everything_loads_all_others_and_fails_with_the_broken_one(
    extra: Project, instance: dg.DagsterInstance
) -> None:
    platform = broken_extra(extra)
    result = run(platform, instance)
    assert not result.success
    assert {"shop/customers", "shop/orders", "features/totals"} <= set(materialized(result))
    message, metadata = failure(result, "load_extra")
    assert "extra.odcs.yaml" in message
    assert (metadata["code"], metadata["transient"]) == ("QP102", False)


def test_a_run_of_the_broken_table_alone_fails_with_what_is_wrong(
    extra: Project, instance: dg.DagsterInstance
) -> None:
    result = run(broken_extra(extra), instance, ["shop/extra"])
    assert not result.success
    assert "this version of the standard is not supported" in failure(result, "load_extra")[0]


def test_once_mended_the_same_asset_is_loaded_with_its_history(
    extra: Project, instance: dg.DagsterInstance
) -> None:
    assert run(opened(extra), instance, ["shop/extra"]).success
    assert not run(broken_extra(extra), instance, ["shop/extra"]).success
    extra.contract("extra", EXTRA)
    extra.deliver("extra/b.csv", "id\n2\n")
    assert run(opened(extra), instance, ["shop/extra"]).success
    assert len(rows_of_table(opened(extra), "shop.extra")) == 2
    key = dg.AssetKey(["shop", "extra"])
    assert len(instance.fetch_materializations(key, limit=10).records) == 2


def test_what_needs_a_broken_table_says_so_and_stands_after_it(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    (shop.folder / "contracts" / "customers.odcs.yaml").unlink()
    platform = opened(shop)
    orders, totals = asset(platform, "shop/orders"), asset(platform, "features/totals")
    assert "depends on the table 'customers', which is broken" in orders.description
    assert "depends on the table 'orders', which is broken" in totals.description
    assert [key.to_user_string() for key in orders.parent_keys] == ["shop/customers"]
    assert [key.to_user_string() for key in totals.parent_keys] == ["shop/orders"]
    result = run(platform, instance, ["shop/orders"])
    assert "depends on the table 'customers'" in failure(result, "load_orders")[0]


def test_a_location_in_which_every_table_is_broken_loads(
    project: Project, instance: dg.DagsterInstance
) -> None:
    project.table("extra", EXTRA)
    platform = broken_extra(project)
    assert platform.tables == {}
    result = run(platform, instance)
    assert "extra.odcs.yaml" in failure(result, "load_extra")[0]


def test_the_upkeep_of_a_broken_table_fails_and_that_of_the_others_does_not(
    extra: Project, instance: dg.DagsterInstance
) -> None:
    assert run(opened(extra), instance).success
    job = build_definitions(broken_extra(extra)).resolve_job_def(MAINTENANCE)
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    assert "maintenance/orders" in materialized(result)
    assert "extra.odcs.yaml" in failure(result, "maintain_extra")[0]


def test_a_launch_names_the_broken_table_and_loads_the_others(
    extra: Project, dagster_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    ended: list[StepOutcome] = []
    steps = {s.name: s for s in launch(broken_extra(extra), lambda *_: None, ended.append)}
    assert set(steps) == {"customers", "orders", "extra", "totals"}
    assert steps["orders"].succeeded
    assert "extra.odcs.yaml" in str(steps["extra"].error)


# Schedules and sensors


def schedule_of(platform: Platform, name: str) -> dg.ScheduleDefinition:
    return build_definitions(platform).get_repository_def().get_schedule_def(name)


def test_a_schedule_of_a_broken_table_runs_its_rest_and_the_broken_one_fails_in_it(
    extra: Project, instance: dg.DagsterInstance
) -> None:
    (extra.folder / "contracts" / "extra.odcs.yaml").unlink()
    schedule = {"cron": "0 5 * * *", "targets": ["customers", "extra"]}
    platform = opened(extra, schedules={"nightly": schedule})
    definitions = build_definitions(platform)
    repository = definitions.get_repository_def()
    found = repository.get_schedule_def("nightly")
    with dg.build_schedule_context(instance=instance, repository_def=repository) as context:
        (request,) = found.evaluate_tick(context).run_requests or ()
    assert dg.AssetKey(["shop", "extra"]) in (request.asset_selection or ())
    result = definitions.resolve_job_def(EVERYTHING).execute_in_process(
        instance=instance, asset_selection=list(request.asset_selection or ()), raise_on_error=False
    )
    assert "shop/customers" in materialized(result)
    assert not {"shop/orders", "shop/extra"} & set(materialized(result))
    assert "there is no such contract file" in failure(result, "load_extra")[0]


def test_every_tick_of_a_broken_schedule_fails_with_what_is_wrong(shop: Project) -> None:
    broken = {"cron": "0 5 * * *", "timezone": "Mars/Olympus", "enabled": True}
    platform = opened(shop, schedules={"nightly": broken, "hourly": {"cron": "@hourly"}})
    found = schedule_of(platform, "nightly")
    assert found.cron_schedule == "0 5 * * *"
    assert found.default_status is dg.DefaultScheduleStatus.RUNNING
    assert "This schedule is broken" in (found.description or "")
    with (
        dg.build_schedule_context() as context,
        pytest.raises(RunnerFileError, match="no such time zone"),
    ):
        found.evaluate_tick(context)
    assert schedule_of(platform, "hourly").cron_schedule == "@hourly"


def test_a_broken_schedule_without_a_time_ticks_every_hour(shop: Project) -> None:
    platform = opened(shop, schedules={"nightly": {"cron": "at night"}})
    found = schedule_of(platform, "nightly")
    assert found.cron_schedule == "0 * * * *"
    assert found.default_status is dg.DefaultScheduleStatus.STOPPED


def test_every_tick_of_a_broken_sensor_fails_with_what_is_wrong(shop: Project) -> None:
    sensor = {"type": "file_arrival", "table": "nothing", "enabled": True}
    platform = opened(shop, sensors={"arrival": sensor})
    found = build_definitions(platform).get_repository_def().get_sensor_def("arrival")
    assert found.default_status is dg.DefaultSensorStatus.RUNNING
    with (
        dg.build_sensor_context() as context,
        pytest.raises(RunnerFileError, match="there is no such table in this file"),
    ):
        found.evaluate_tick(context)


def test_a_sensor_of_a_broken_table_is_broken(shop: Project) -> None:
    (shop.folder / "contracts" / "orders.odcs.yaml").unlink()
    platform = opened(shop, sensors={"arrival": {"type": "file_arrival", "table": "orders"}})
    found = build_definitions(platform).get_repository_def().get_sensor_def("arrival")
    assert "depends on the table 'orders', which is broken" in (found.description or "")


# Other parts


def test_names_that_dagster_does_not_take_are_told_apart(shop: Project) -> None:
    settings = shop.tables["customers"]
    platform = opened(shop, tables={**shop.tables, "a-b": settings, "a.b": settings})
    definitions = build_definitions(platform)
    keys = definitions.get_repository_def().asset_graph.get_all_asset_keys()
    found = [key.path[1] for key in keys if key.path[0] == "shop" and key.path[1].startswith("a_b")]
    assert len(found) == 2


def test_an_included_file_that_is_no_yaml_is_an_asset_of_its_own(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    (shop.folder / "more.yaml").write_text("tables: [")
    platform = opened(shop, include=["more.yaml"])
    (found,) = [
        key
        for key in build_definitions(platform).get_repository_def().asset_graph.get_all_asset_keys()
        if key.path[0] == "broken"
    ]
    assert found.path[1].startswith("include_more_yaml")
    result = run(platform, instance)
    assert "shop/orders" in materialized(result)
    assert not result.success


def test_a_table_that_may_stand_in_a_file_that_cannot_be_read_fails_in_its_schedule(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    (shop.folder / "more.yaml").write_text("tables: [")
    schedule = {"cron": "0 5 * * *", "targets": ["customers", "items"]}
    platform = opened(shop, include=["more.yaml"], schedules={"nightly": schedule})
    result = run(platform, instance, ["shop/customers", "broken/items"])
    assert "shop/customers" in materialized(result)
    assert "may stand in more.yaml" in failure(result, "load_items")[0]


def test_a_broken_hook_is_a_sensor_whose_ticks_fail(shop: Project) -> None:
    platform = opened(shop, alerts={"hooks": {"chat": {"type": "webhook"}}})
    found = build_definitions(platform).get_repository_def().get_sensor_def("alert_chat")
    assert found.default_status is dg.DefaultSensorStatus.RUNNING
    with (
        dg.build_sensor_context() as context,
        pytest.raises(RunnerFileError, match="the key is missing"),
    ):
        found.evaluate_tick(context)
