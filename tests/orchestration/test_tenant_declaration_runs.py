"""Assets, tags and runs of what is declared once for two tenants."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from support.dagster_runs import QUIET, materialized
from support.declared_tenants import BOTH, declared_in
from support.project import Project, column_of

from quality_platform.flows.platform import open_platform
from quality_platform.orchestration.build import build_definitions

TAG = "quality-platform/tenant"


@pytest.fixture
def declared(home: Path, tmp_path: Path) -> Project:
    return declared_in(tmp_path)


def requested(
    definitions: dg.Definitions, instance: dg.DagsterInstance, schedule: str
) -> dg.RunRequest:
    """The run that a tick of the schedule asks for."""
    repository = definitions.get_repository_def()
    with dg.build_schedule_context(instance=instance, repository_def=repository) as context:
        found = repository.get_schedule_def(schedule).evaluate_tick(context).run_requests
    (request,) = found or ()
    return request


def executed(
    definitions: dg.Definitions, instance: dg.DagsterInstance, request: dg.RunRequest
) -> dg.ExecuteInProcessResult:
    """The run that was asked for, in this process."""
    job = definitions.resolve_job_def(request.job_name or "everything")
    return job.execute_in_process(
        run_config={**QUIET, **request.run_config},
        instance=instance,
        tags=request.tags,
        raise_on_error=False,
        asset_selection=request.asset_selection,
    )


def test_each_tenant_has_assets_in_its_own_group_with_its_tag(declared: Project):
    graph = build_definitions(declared.open()).resolve_asset_graph()
    nodes = {node.key.to_user_string(): node for node in graph.asset_nodes}
    for tenant in BOTH:
        orders = nodes[f"{tenant}__shop/{tenant}__orders"]
        totals = nodes[f"{tenant}__features/{tenant}__totals"]
        assert orders.group_name == f"{tenant}__shop"
        assert {orders.tags[TAG], totals.tags[TAG]} == {tenant}
        assert {key.to_user_string() for key in totals.parent_keys} == {orders.key.to_user_string()}
    # Two tables: no load of one waits for that of the other.
    pools = [nodes[f"{tenant}__shop/{tenant}__orders"].pools for tenant in BOTH]
    assert not set.intersection(*map(set, pools))


def test_a_schedule_of_each_tenant_runs_its_own_tables(
    declared: Project, instance: dg.DagsterInstance
):
    platform = declared.open()
    definitions = build_definitions(platform)
    request = requested(definitions, instance, "acme__nightly")
    assert request.tags[TAG] == "acme"
    result = executed(definitions, instance, request)
    assert result.success
    assert {name for name in materialized(result) if "globex" in name} == set()
    assert column_of(platform, "acme__shop.acme__orders", "amount") == [10] * 3
    assert platform.lake.find_table("globex__shop.globex__orders") is None
    assert requested(definitions, instance, "globex__nightly").tags[TAG] == "globex"


def test_a_schedule_of_nobody_runs_the_tables_of_all(
    declared: Project, instance: dg.DagsterInstance
):
    declared.settings["schedules"]["all"] = {"cron": "@daily", "targets": ["orders"]}
    definitions = build_definitions(declared.open())
    request = requested(definitions, instance, "all")
    # A run about several tenants is none's: it has the rights of the platform.
    assert TAG not in request.tags
    done = set(materialized(executed(definitions, instance, request)))
    assert {f"{tenant}__shop/{tenant}__orders" for tenant in BOTH} <= done


def test_a_tenant_whose_table_is_broken_breaks_no_other(
    declared: Project, instance: dg.DagsterInstance
):
    declared.tables["orders"]["contract"] = "contracts/{tenant}.odcs.yaml"
    written = (declared.folder / "contracts/orders.odcs.yaml").read_text()
    (declared.folder / "contracts/acme.odcs.yaml").write_text(written)
    definitions = build_definitions(open_platform(declared.write_runner()))
    done = executed(definitions, instance, requested(definitions, instance, "acme__nightly"))
    assert "acme__shop/acme__orders" in materialized(done)
    failed = executed(definitions, instance, requested(definitions, instance, "globex__nightly"))
    assert not failed.success
    assert materialized(failed) == []


def test_the_run_of_one_tenant_refuses_the_table_of_the_other(
    declared: Project, instance: dg.DagsterInstance
):
    definitions = build_definitions(declared.open())
    result = definitions.resolve_job_def("everything").execute_in_process(
        run_config=QUIET,
        instance=instance,
        tags={TAG: "globex"},
        raise_on_error=False,
        asset_selection=[dg.AssetKey(["acme__shop", "acme__orders"])],
    )
    assert not result.success
    assert materialized(result) == []
