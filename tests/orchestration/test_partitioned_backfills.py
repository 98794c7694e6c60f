"""Backfills as the UI starts them, under a real daemon: one run for all partitions, or one each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from support.dagster_daemon import Daemon, running_daemon
from support.partitioned import COLUMNS, PARTITIONS, POSITIVE, by_day
from support.project import Project, column_of, csv_text, rows_of_table

from quality_platform.orchestration.build import build_definitions

DAYS = [f"2024-01-{day:02d}" for day in range(1, 11)]
SOME = DAYS[:3]


def backfilled(daemon: Daemon, name: str, table: str, days: Sequence[str]) -> None:
    """Asks for days of a table, as the UI does."""
    # Only the webserver can ask for a backfill by public means, and it takes ten seconds to start.
    graph = build_definitions(daemon.project.open()).resolve_asset_graph()
    asked = {
        AssetKeyPartitionKey(dg.AssetKey([space, table]), day)
        for space in ("shop", "quarantine")
        for day in days
    }
    subset = AssetGraphSubset.from_asset_partition_set(asked, graph)
    daemon.instance.add_backfill(
        PartitionBackfill.from_asset_graph_subset(
            backfill_id=name,
            backfill_timestamp=time.time(),
            tags={},
            dynamic_partitions_store=daemon.instance,
            asset_graph_subset=subset,
            title=None,
            description=None,
            run_config=None,
        )
    )


def ended(daemon: Daemon, name: str) -> BulkActionStatus | None:
    found = daemon.instance.get_backfill(name)
    assert found is not None
    return found.status if found.status not in {BulkActionStatus.REQUESTED} else None


def test_partitions_are_one_run_or_one_each_that_never_overlap(
    project: Project, dagster_home: Path
) -> None:
    by_day(project)
    each = {**PARTITIONS, "backfill": "each"}
    path = "landing/visits/{partition:%Y-%m-%d}.csv"
    project.table("visits", COLUMNS, path=path, load={"mode": "append"}, quality=[POSITIVE])
    project.tables["visits"]["partitions"] = each
    for n, day in enumerate(DAYS):
        text = csv_text("id,amount,at", [(n, n, f"{day}T08:00:00Z"), (n + 100, 1, f"{day}T09:00Z")])
        project.deliver(f"orders/{day}/a.csv", text)
        project.deliver(f"visits/{day}.csv", text)

    with running_daemon(project, dagster_home) as daemon:
        backfilled(daemon, "together", "orders", DAYS)
        backfilled(daemon, "each", "visits", SOME)
        for name in ("together", "each"):
            status = daemon.wait_for(f"the end of {name}", lambda n=name: ended(daemon, n))
            assert status is BulkActionStatus.COMPLETED_SUCCESS, daemon.told()[-3000:]

        together = daemon.runs(**{"dagster/backfill": "together"})
        single = daemon.runs(**{"dagster/backfill": "each"})
        assert (len(together), len(single)) == (1, 3)
        assert {run.tags["dagster/asset_partition_range_start"] for run in single} == set(SOME)
        for table, days in (("orders", DAYS), ("visits", SOME)):
            key = dg.AssetKey(["shop", table])
            assert daemon.instance.get_materialized_partitions(key) == set(days)
        spans = sorted(
            (stats.start_time or 0, stats.end_time or 0)
            for run in single
            for stats in daemon.instance.get_run_step_stats(run.run_id, ["load_visits"])
        )

    platform = project.open()
    assert column_of(platform, "shop.orders", "id") == [*range(1, 10), *range(100, 110)]
    assert column_of(platform, "shop.visits", "id") == [1, 2, 100, 101, 102]
    assert len(rows_of_table(platform, "quarantine.visits")) == 1
    assert len(platform.lake.table("shop.orders").snapshots()) == 1
    assert len(platform.lake.table("shop.visits").snapshots()) == 3
    assert len(spans) == 3
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
