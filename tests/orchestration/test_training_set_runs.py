"""Training sets as assets on a real Dagster instance."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from support.dagster_runs import QUIET, failure, metadata
from support.project import Project
from support.training_sets import CHURN, TABLE, deliver_more, loaded, make, with_training_set

from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.orchestration.build import build_definitions

OP = "make_training_set_churn"
KEY = dg.AssetKey(["training_sets", "churn"])


@pytest.fixture
def sets(project: Project) -> Project:
    return with_training_set(project)


def run(project: Project, instance: dg.DagsterInstance, **asked: Any) -> dg.ExecuteInProcessResult:
    """Materializes the training set, as the UI does."""
    assets = build_definitions(project.open()).resolve_implicit_global_asset_job_def()
    config = {**QUIET, "ops": {OP: {"config": asked}}} if asked else QUIET
    return assets.execute_in_process(
        run_config=config, instance=instance, asset_selection=[KEY], raise_on_error=False
    )


def test_the_asset_tells_rows_digest_and_pins(sets: Project, instance: dg.DagsterInstance) -> None:
    platform = loaded(sets)
    result = run(sets, instance, tag="v1")
    assert result.success
    told = metadata(result, "training_sets/churn")
    made = make(platform).manifest
    assert (told["dagster/row_count"], told["tag"], told["sha256"]) == (3, "v1", made.digest)
    assert told["entity_rows"] == "shop.orders"
    for identifier, pinned in made.refs.items():
        assert f"| {identifier} | {pinned.snapshot_id} | {pinned.tag} |" in told["pins"]
    event = instance.get_latest_materialization_event(KEY)
    assert event is not None
    assert event.asset_materialization is not None
    assert (event.asset_materialization.tags or {})["dagster/data_version"] == made.digest


def test_a_version_survives_loads_and_upkeep_and_is_verified(
    sets: Project, instance: dg.DagsterInstance
) -> None:
    loaded(sets)
    first = metadata(run(sets, instance, tag="v1"), "training_sets/churn")
    sets.settings["maintenance"] = {"keep_snapshots": "0s", "keep_at_least": 1}
    platform = deliver_more(sets, 1)
    assert all(one.error is None for one in maintain(platform, (), Wanted(force=True)))
    again = metadata(run(sets, instance, tag="v1", verify=True), "training_sets/churn")
    assert (again["nothing_new"], again["verified"]) == (True, True)
    assert (again["sha256"], again["pins"]) == (first["sha256"], first["pins"])


def test_without_a_tag_only_new_inputs_make_a_version(
    sets: Project, instance: dg.DagsterInstance
) -> None:
    loaded(sets)
    first = metadata(run(sets, instance), "training_sets/churn")
    again = metadata(run(sets, instance), "training_sets/churn")
    deliver_more(sets, 1)
    other = metadata(run(sets, instance), "training_sets/churn")
    assert "nothing_new" not in first
    assert again["nothing_new"]
    assert again["tag"] == first["tag"] != other["tag"]
    assert other["dagster/row_count"] == 6


def test_what_is_refused_is_the_failure_of_the_step(
    sets: Project, instance: dg.DagsterInstance
) -> None:
    loaded(sets)
    run(sets, instance, tag="v1")
    sets.views["totals"]["ttl_days"] = 3
    text, entries = failure(run(sets, instance, tag="v1"), OP)
    assert entries["code"] == "QP603"
    assert "ttl_seconds" in text


def test_an_asset_depends_on_what_it_reads_and_runs_with_nothing_else(sets: Project) -> None:
    sets.settings["training_sets"]["loose"] = {"features": CHURN["features"]}
    definitions = build_definitions(sets.open())
    graph = definitions.resolve_asset_graph()
    parents = {key.to_user_string() for key in graph.get(KEY).parent_keys}
    assert parents == {"features/totals", "shop/orders"}
    assert dg.AssetKey(["training_sets", "loose"]) not in graph.get_all_asset_keys()
    (spec,) = [spec for spec in definitions.resolve_all_asset_specs() if spec.key == KEY]
    assert (spec.group_name, list(spec.owners)) == ("training_sets", ["ml@example.org"])
    assert spec.metadata["dagster/table_name"].value == TABLE
    for job in ("everything", "maintenance"):
        layer = definitions.resolve_job_def(job).asset_layer
        assert KEY not in layer.executable_asset_keys


def test_the_upkeep_of_the_history_looks_after_training_sets(
    sets: Project, instance: dg.DagsterInstance
) -> None:
    make(loaded(sets))
    job = build_definitions(sets.open()).resolve_job_def("maintenance")
    key = dg.AssetKey(["maintenance", "_history"])
    result = job.execute_in_process(QUIET, instance=instance, asset_selection=[key])
    assert TABLE in metadata(result, "maintenance/_history")["what"]


def test_a_broken_training_set_is_a_broken_asset(sets: Project) -> None:
    from quality_platform.flows.platform import open_platform

    sets.settings["training_sets"]["churn"]["features"] = ["totals:totl"]
    platform = open_platform(sets.write_runner())
    keys = build_definitions(platform).resolve_asset_graph().get_all_asset_keys()
    assert dg.AssetKey(["broken", "training_sets_churn"]) in keys
    assert dg.AssetKey(["features", "totals"]) in keys


@pytest.mark.parametrize("targets", [[], ["churn"]])
def test_a_schedule_can_make_training_sets(
    sets: Project, instance: dg.DagsterInstance, targets: list[str]
) -> None:
    loaded(sets)
    sets.settings["schedules"] = {
        "mondays": {"cron": "@weekly", "job": "training_sets", "targets": targets}
    }
    definitions = build_definitions(sets.open())
    schedule = definitions.resolve_schedule_def("mondays")
    assert schedule.job_name == "training_sets"
    with dg.build_schedule_context(instance) as context:
        (asked,) = schedule.evaluate_tick(context).run_requests or ()
    assert list(asked.asset_selection or ()) == ([KEY] if targets else [])
    job = definitions.resolve_job_def(schedule.job_name)
    assert job.asset_layer.executable_asset_keys == {KEY}
    result = job.execute_in_process(QUIET, instance=instance)
    assert metadata(result, "training_sets/churn")["tag"].startswith("auto-")


def test_a_schedule_of_a_broken_training_set_fails_and_says_why(
    sets: Project, instance: dg.DagsterInstance
) -> None:
    from quality_platform.flows.platform import open_platform

    schedule = {"cron": "@weekly", "job": "training_sets", "targets": ["churn"]}
    sets.settings["schedules"] = {"mondays": schedule}
    sets.settings["training_sets"]["churn"]["features"] = ["totals:totl"]
    definitions = build_definitions(open_platform(sets.write_runner()))
    assert definitions.resolve_schedule_def("mondays").job_name == "training_sets"
    job = definitions.resolve_job_def("training_sets")
    result = job.execute_in_process(QUIET, instance=instance, raise_on_error=False)
    (failed,) = result.get_step_failure_events()
    assert "no such feature" in str(failed.step_failure_data.user_failure_data)
