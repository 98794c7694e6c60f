"""Replay, release and discard as Dagster jobs, and the sensor of changed contracts."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from support.dagster_runs import QUIET
from support.project import Project
from support.replays import changed, deliver, held, ids, loaded, orders

from quality_platform.flows.platform import Platform
from quality_platform.orchestration.build import build_definitions

SENSOR = {"type": "contract_changed"}


def executed(
    platform: Platform, instance: dg.DagsterInstance, job: str, **config: Any
) -> dg.ExecuteInProcessResult:
    ops = {"ops": {f"{job}_rows": {"config": {"table": "orders", **config}}}}
    found = build_definitions(platform).resolve_job_def(job)
    return found.execute_in_process({**QUIET, **ops}, instance=instance, raise_on_error=False)


@pytest.fixture
def instance() -> Any:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def platform(project: Project) -> Platform:
    """Orders of which 2 and 3 were held back, and a contract under which 2 passes."""
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    loaded(project)
    return changed(project, orders(100))


def test_the_job_replay_publishes_what_passes_and_tells_both_assets(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    result = executed(platform, instance, "replay")
    assert result.success
    assert (ids(platform), held(platform)) == ([1, 2], [3])
    told = {
        event.asset_key.to_user_string(): event.materialization.metadata["rows_published"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert told == {"shop/orders": 1, "quarantine/orders": 1}


def test_a_dry_run_of_the_job_materializes_nothing(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    result = executed(platform, instance, "replay", dry_run=True)
    assert result.success
    assert not result.get_asset_materialization_events()
    assert held(platform) == [2, 3]


def test_the_jobs_release_and_discard_are_decisions(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    decided = {"reason": "confirmed", "by": "Grace"}
    assert executed(platform, instance, "release", where="id = 3", **decided).success
    assert executed(platform, instance, "discard", **decided).success
    assert (ids(platform), held(platform)) == ([1, 3], [])


@pytest.mark.parametrize(
    "config", [{"table": "nothing"}, {"reason": 1}, {"dry_run": "perhaps"}, {"rows": "all"}]
)
def test_the_launchpad_refuses_what_the_jobs_do_not_know(
    platform: Platform, config: dict[str, Any]
) -> None:
    job = build_definitions(platform).resolve_job_def("release")
    told = {"table": "orders", "reason": "confirmed", **config}
    run_config = {"ops": {"release_rows": {"config": told}}}
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, run_config)


def test_a_release_without_a_reason_cannot_be_launched(platform: Platform) -> None:
    job = build_definitions(platform).resolve_job_def("release")
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, {"ops": {"release_rows": {"config": {"table": "orders"}}}})


def test_a_selection_that_cannot_be_understood_fails_the_run(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    result = executed(platform, instance, "replay", since="yesterday")
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "this is no time" in str(failure.step_failure_data.user_failure_data)


def looked(project: Project, cursor: str | None = None, **settings: Any) -> dg.SensorResult:
    """What the sensor finds."""
    project.settings["sensors"] = {"repaired": {**SENSOR, **settings}}
    sensor = build_definitions(project.open()).resolve_sensor_def("repaired")
    result = sensor(dg.build_sensor_context(cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    return result


def test_a_changed_contract_asks_for_one_replay_that_publishes_the_repaired_rows(
    project: Project, instance: dg.DagsterInstance
) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    loaded(project)
    before = looked(project)
    assert not before.run_requests
    changed(project, orders(100))
    found = looked(project, before.cursor)
    (request,) = found.run_requests or ()
    assert request.tags["quality-platform/replayed-table"] == "orders"
    platform = project.open()
    job = build_definitions(platform).resolve_job_def("replay")
    assert job.execute_in_process({**QUIET, **request.run_config}, instance=instance).success
    assert (ids(platform), held(platform)) == ([1, 2], [3])
    assert not looked(project, found.cursor).run_requests
    # A daemon that lost the cursor, and the request, makes the same one again.
    assert not looked(project).run_requests


def test_the_first_look_replays_what_another_version_held_back(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50))
    loaded(project)
    changed(project, orders(100))
    first = looked(project, table="orders")
    again = looked(project, table="orders")
    keys = [[request.run_key for request in found.run_requests or ()] for found in (first, again)]
    assert len(keys[0]) == 1
    assert keys[0] == keys[1]


def test_a_table_without_quarantined_rows_is_not_replayed(project: Project) -> None:
    deliver(project, "a", (1, 5))
    loaded(project)
    before = looked(project)
    changed(project, orders(100))
    assert not looked(project, before.cursor).run_requests


def test_a_contract_that_is_being_written_is_looked_at_again(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50))
    loaded(project)
    before = looked(project)
    platform = project.open()
    sensor = build_definitions(platform).resolve_sensor_def("repaired")
    path = changed(project, orders(100)).runner.resolve("contracts/orders.odcs.yaml")
    text = path.read_text()
    path.write_text(text + "schema: [")
    broken = sensor(dg.build_sensor_context(cursor=before.cursor))
    assert isinstance(broken, dg.SensorResult)
    assert (broken.run_requests, broken.cursor) == ([], before.cursor)
    path.write_text(text)
    whole = sensor(dg.build_sensor_context(cursor=broken.cursor))
    assert isinstance(whole, dg.SensorResult)
    assert len(whole.run_requests or ()) == 1
