"""Runs of tenants: their tags, and what a run with a tag may be about."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support.dagster_runs import QUIET, materialized, run
from support.sensors import looked
from support.tenants import Tenants, load, tenants_in
from support.webhook import receiver

from quality_platform.flows.load_table import load_table
from quality_platform.flows.tenant_names import names_of_tenant
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.launch import launch

TAG = "quality-platform/tenant"


@pytest.fixture
def tenants(home: Path, tmp_path: Path) -> Tenants:
    return tenants_in(tmp_path)


def executed(
    tenants: Tenants,
    instance: dg.DagsterInstance,
    job: str,
    tag: str,
    **asked: Any,
) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(tenants.sound())
    config = {**QUIET, **asked.pop("run_config", {})}
    return definitions.resolve_job_def(job).execute_in_process(
        run_config=config, instance=instance, tags={TAG: tag}, raise_on_error=False, **asked
    )


def reasons(result: dg.ExecuteInProcessResult) -> str:
    """Why the steps failed."""
    failed = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return "\n".join(
        str((data.user_failure_data and data.user_failure_data.description) or data.error)
        for data in failed
    )


def test_assets_have_the_tag_and_groups_of_their_tenant(tenants: Tenants):
    graph = build_definitions(tenants.sound()).resolve_asset_graph()
    keys = {"acme/acme__orders", "quarantine/acme__orders", "landing/acme__orders"}
    keys |= {"acme__features/acme__totals"}
    found = {node.key.to_user_string(): node for node in graph.asset_nodes}
    assert {key for key, node in found.items() if node.tags.get(TAG) == "acme"} >= keys
    assert found["acme/acme__orders"].group_name == "acme"
    assert found["quarantine/acme__orders"].group_name == "acme__quarantine"
    assert TAG not in found["main/countries"].tags


def test_the_run_of_a_tenants_schedule_has_the_tag(tenants: Tenants, instance: dg.DagsterInstance):
    definitions = build_definitions(tenants.sound())
    repository = definitions.get_repository_def()
    schedule = repository.get_schedule_def("acme__nightly")
    with dg.build_schedule_context(instance=instance, repository_def=repository) as context:
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert request.tags[TAG] == "acme"


def test_a_broken_table_of_a_tenant_stays_the_tenants(
    tenants: Tenants, instance: dg.DagsterInstance
):
    tenants.table("acme", "orders")["contract"] = "contracts/none.odcs.yaml"
    definitions = build_definitions(tenants.open())
    repository = definitions.get_repository_def()
    schedule = repository.get_schedule_def("acme__nightly")
    with dg.build_schedule_context(instance=instance, repository_def=repository) as context:
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert request.tags[TAG] == "acme"
    result = definitions.resolve_job_def("everything").execute_in_process(
        run_config=QUIET,
        instance=instance,
        tags={TAG: "acme"},
        raise_on_error=False,
        asset_selection=[dg.AssetKey(["acme", "acme__orders"])],
    )
    assert "there is no such contract file" in reasons(result)


def test_a_tenants_run_may_be_about_its_own_tables(tenants: Tenants, instance: dg.DagsterInstance):
    load_table(tenants.sound(), "countries", "run")
    keys = [dg.AssetKey([a, "acme__customers"]) for a in ("landing", "acme", "quarantine")]
    result = executed(tenants, instance, "everything", "acme", asset_selection=keys)
    assert result.success
    assert "acme/acme__customers" in materialized(result)


@pytest.mark.parametrize(
    "key",
    [
        "acme/acme__customers",
        "landing/acme__customers",
        "main/countries",
        "acme__features/acme__totals",
    ],
)
def test_a_run_with_the_tag_of_another_does_nothing(
    tenants: Tenants, instance: dg.DagsterInstance, key: str
):
    asked = [dg.AssetKey(key.split("/"))]
    result = executed(tenants, instance, "everything", "globex", asset_selection=asked)
    assert not result.success
    assert materialized(result) == []
    assert "this run is the tenant globex's, and" in reasons(result)


@pytest.mark.parametrize(
    ("job", "op", "config"),
    [
        ("replay", "replay_rows", {}),
        ("release", "release_rows", {"reason": "r"}),
        ("discard", "discard_rows", {"reason": "r"}),
        ("backfill", "backfill_rows", {"full_refresh": True}),
        ("rollback", "roll_back", {"to": "1"}),
    ],
)
def test_the_configuration_of_a_run_names_no_table_of_another(
    tenants: Tenants, instance: dg.DagsterInstance, job: str, op: str, config: dict[str, Any]
):
    asked = {"ops": {op: {"config": {"table": "acme__orders", **config}}}}
    result = executed(tenants, instance, job, "globex", run_config=asked)
    assert not result.success
    assert "this run is the tenant globex's, and acme__orders is not" in reasons(result)


def test_upkeep_with_the_tag_of_another_does_nothing(
    tenants: Tenants, instance: dg.DagsterInstance
):
    for name in ("acme__orders", "_history"):
        asked = [dg.AssetKey(["maintenance", name])]
        result = executed(tenants, instance, "maintenance", "globex", asset_selection=asked)
        assert not result.success
        assert "this run is the tenant globex's" in reasons(result)


def test_a_launch_for_a_tenant_runs_all_that_is_its_and_nothing_else(
    tenants: Tenants, dagster_home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    tenants.table("acme", "customers")["contract"] = "contracts/none.odcs.yaml"
    load_table(tenants.open(), "countries", "run")
    platform = tenants.open()
    names = names_of_tenant(platform, "acme")
    steps = {s.name: s for s in launch(platform, lambda *_: None, lambda _: None, names)}
    assert set(steps) == {"acme__customers", "acme__orders", "acme__totals"}
    assert "none.odcs.yaml" in str(steps["acme__customers"].error)
    tenants.table("acme", "customers")["contract"] = "contracts/customers.odcs.yaml"
    platform = tenants.sound()
    steps = {s.name: s for s in launch(platform, lambda *_: None, lambda _: None, names)}
    assert {name: step.succeeded for name, step in steps.items()} == dict.fromkeys(names, True)
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        assert [run.tags[TAG] for run in instance.get_runs()] == ["acme", "acme"]
    assert platform.lake.find_table("globex.globex__customers") is None


def test_an_alert_says_whose_table_it_is_about_whoever_runs_it(
    tenants: Tenants, instance: dg.DagsterInstance
):
    with receiver() as hears:
        hook = {"type": "webhook", "url": hears.url, "events": ["check_failed"]}
        tenants.root["alerts"] = {"hooks": {"pager": hook}}
        platform = tenants.sound()
        before = looked(platform, instance, "alert_pager").cursor
        # A run of everything is of those who run the platform.
        assert run(platform, instance).success
        looked(platform, instance, "alert_pager", before)
    found = {alert["table"]: alert["tenant"] for alert in hears.alerts}
    assert found == {"acme__orders": "acme", "globex__orders": "globex"}


def test_a_sensor_of_all_tables_passes_over_a_warehouse_that_cannot_be_read(
    tenants: Tenants, instance: dg.DagsterInstance
):
    tenants.root["tenants"]["acme"]["warehouse"] = "lake_of_acme"
    tenants.root["sensors"] = {"contracts": {"type": "contract_changed"}}
    load(tenants, *(f"{t}__{name}" for t in ("acme", "globex") for name in ("customers", "orders")))
    before = looked(tenants.sound(), instance, "contracts").cursor
    shutil.rmtree(tenants.folder / "lake_of_acme")
    for tenant in ("acme", "globex"):
        contract = tenants.home(tenant) / "contracts/orders.odcs.yaml"
        contract.write_text(contract.read_text() + "\ndomain: sales\n")
    found = looked(tenants.sound(), instance, "contracts", before)
    asked = [
        request.tags["quality-platform/replayed-table"] for request in found.run_requests or ()
    ]
    assert asked == ["globex__orders"]
    # The contract of the others is still to be looked at.
    digests = [json.loads(cursor or "{}") for cursor in (before, found.cursor)]
    assert digests[0]["acme__orders"] == digests[1]["acme__orders"]
    assert digests[0]["globex__orders"] != digests[1]["globex__orders"]
