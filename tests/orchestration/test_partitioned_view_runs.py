"""Partitioned feature views in Dagster: beside partitioned tables, and by their own cadence."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
from support.dagster_runs import QUIET, materialized, run
from support.partitioned import AT, by_day, deliver
from support.project import Project, integer, key, number, rows_of_table

from quality_platform.flows.platform import Platform
from quality_platform.orchestration.build import build_definitions

ORDERS, TOTALS = dg.AssetKey(["shop", "orders"]), dg.AssetKey(["features", "totals"])
COLUMNS = {"id": key(integer()), "at": AT, "amount": number()}


def furnished(project: Project, **partitions: object) -> Platform:
    """Orders by days, and a view over them by other partitions."""
    settings = {
        "inputs": ["orders"],
        "entities": [{"name": "order", "join_key": "id"}],
        "event_timestamp": "at",
        "online": False,
        "partitions": {"start": "2024-01-01", **partitions},
    }
    project.view("totals", 'SELECT id, "at", amount FROM orders', COLUMNS, settings)
    return by_day(project).open()


def test_everything_makes_what_is_due_in_the_order_of_its_inputs(
    project: Project, instance: dg.DagsterInstance
) -> None:
    deliver(project, 1, (1, 10))
    deliver(project, 2, (2, 20), (3, -1))
    platform = furnished(project, every="month", end="2024-03-01")

    result = run(platform, instance)

    assert result.success
    told = materialized(result)
    assert told.index("due/orders") < told.index("due/totals")
    assert instance.get_materialized_partitions(ORDERS) == {"2024-01-01", "2024-01-02"}
    assert instance.get_materialized_partitions(TOTALS) == {"2024-01-01", "2024-02-01"}
    assert [row["id"] for row in rows_of_table(platform, "features.totals")] == [1, 2]


def test_a_partition_of_a_view_runs_by_itself(
    project: Project, instance: dg.DagsterInstance
) -> None:
    deliver(project, 1, (1, 10))
    platform = furnished(project, every="week")
    run(platform, instance, ["due/orders"])
    job = build_definitions(platform).resolve_implicit_global_asset_job_def()

    result = job.execute_in_process(
        run_config=QUIET,
        instance=instance,
        raise_on_error=False,
        asset_selection=[TOTALS, dg.AssetKey(["quarantine", "totals"])],
        partition_key="2024-01-01",
    )

    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == TOTALS]
    assert event.partition == "2024-01-01"
    assert event.materialization.metadata["rows_published"].value == 1


def upstream(platform: Platform, key: str) -> list[str]:
    """The days of the orders that a partition of the view is computed from, by the lineage."""
    graph = build_definitions(platform).resolve_asset_graph()
    mapping = graph.get_partition_mapping(TOTALS, ORDERS)
    theirs, ours = graph.get(ORDERS).partitions_def, graph.get(TOTALS).partitions_def
    assert theirs is not None
    assert ours is not None
    found = mapping.get_upstream_mapped_partitions_result_for_partitions(
        ours.subset_with_partition_keys([key]),
        ours,
        theirs,
        current_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return sorted(found.partitions_subset.get_partition_keys())


def test_the_lineage_knows_the_days_of_a_week_and_those_that_it_looks_back_at(
    project: Project,
) -> None:
    week = [f"2024-01-{day:02d}" for day in range(1, 8)]
    assert upstream(furnished(project, every="week"), "2024-01-01") == week
    platform = furnished(project, every="day", reads_back=2)
    assert upstream(platform, "2024-01-04") == ["2024-01-02", "2024-01-03", "2024-01-04"]
    assert upstream(platform, "2024-01-01") == ["2024-01-01"]
