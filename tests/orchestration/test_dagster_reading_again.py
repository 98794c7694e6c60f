"""A run of Dagster can be asked to read a table again."""

from __future__ import annotations

from typing import Any

import dagster as dg
from support.dagster_runs import QUIET, failure, metadata
from support.project import Project

from quality_platform.flows.platform import Platform
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.keys import EVERYTHING, load_op


def run_with(
    platform: Platform, instance: dg.DagsterInstance, **config: Any
) -> dg.ExecuteInProcessResult:
    """Runs the table `orders` with this configuration of its op."""
    job = build_definitions(platform).resolve_job_def(EVERYTHING)
    return job.execute_in_process(
        run_config={**QUIET, "ops": {load_op("orders"): {"config": config}}},
        instance=instance,
        raise_on_error=False,
        asset_selection=[dg.AssetKey(["shop", "orders"])],
    )


def test_a_full_refresh_reads_everything_again(shop: Project, instance: dg.DagsterInstance) -> None:
    platform = shop.open()
    build_definitions(platform).resolve_job_def(EVERYTHING).execute_in_process(
        run_config=QUIET, instance=instance, raise_on_error=False
    )
    before = metadata(run_with(platform, instance), "shop/orders")
    assert before["nothing_new"]
    told = metadata(run_with(platform, instance, full_refresh=True), "shop/orders")
    assert told["rows_read"] > 0
    assert told["dagster/row_count"] == before["dagster/row_count"] == told["rows_published"]


def test_a_range_of_a_table_without_a_cursor_is_refused(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    result = run_with(shop.open(), instance, **{"from": "2024-01-01"})
    assert not result.success
    assert "it has no range to read again" in failure(result, load_op("orders"))[0]
