"""The training set of a tenant in Dagster: whose it is, and who may run it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from support.dagster_runs import QUIET, failure, metadata
from support.tenants import ACME, Tenants, load, tenants_in

from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.run_queue import TENANT

KEY = dg.AssetKey(["acme__training_sets", "acme__churn"])


@pytest.fixture
def platform(home: Path, tmp_path: Path) -> Platform:
    tenants: Tenants = tenants_in(tmp_path)
    orders = {"table": "acme__orders", "event_timestamp": "placed_at"}
    sets = {"acme__churn": {"features": ["acme__totals"], "entities": orders}}
    tenants.files[ACME]["training_sets"] = sets
    schedule = {"cron": "@daily", "job": "training_sets"}
    tenants.files[ACME]["schedules"]["acme__monthly"] = schedule
    load(tenants, "acme__customers", "acme__orders")
    compute_feature_view(tenants.sound(), "acme__totals", "run")
    return tenants.sound()


def test_its_runs_are_tagged_as_the_tenants_and_those_of_others_refused(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    definitions = build_definitions(platform)
    [spec] = [spec for spec in definitions.resolve_all_asset_specs() if spec.key == KEY]
    assert (spec.group_name, spec.tags[TENANT]) == ("acme__training_sets", ACME)
    schedule = definitions.resolve_schedule_def("acme__monthly")
    with dg.build_schedule_context(instance) as context:
        (asked,) = schedule.evaluate_tick(context).run_requests or ()
    assert (list(asked.asset_selection or ()), asked.tags[TENANT]) == ([KEY], ACME)
    job = definitions.resolve_job_def("training_sets")
    good = job.execute_in_process(QUIET, instance=instance, tags={TENANT: ACME})
    assert metadata(good, KEY.to_user_string())["dagster/row_count"] == 3
    bad = job.execute_in_process(
        QUIET, instance=instance, tags={TENANT: "globex"}, raise_on_error=False
    )
    text, _ = failure(bad, "make_training_set_acme__churn")
    assert "this run is the tenant globex's, and acme__churn is not" in text
