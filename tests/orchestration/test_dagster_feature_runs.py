"""Feature views in Dagster: drift checks, and what stops the online store."""

from __future__ import annotations

import dagster as dg
import pytest
from support.dagster_runs import evaluations, events_of, materialized, metadata, run
from support.project import Project
from support.shop import TOTALS, orders_csv

DRIFT = {
    "columns": ["total"],
    "reference": {"start": "2026-01-01", "end": "2026-02-01"},
    "current": {"start": "2026-02-01", "end": "2026-03-01"},
}


@pytest.fixture
def drifting(shop: Project) -> Project:
    """Totals by day, of which those of February are ten times those of January."""
    sql = "SELECT customer, placed_at, amount AS total FROM orders WHERE customer IS NOT NULL"
    settings = {key: value for key, value in shop.views["totals"].items() if key != "sql"}
    shop.view("totals", sql, TOTALS, settings | {"drift": DRIFT, "online": True})
    january = [20 + n % 7 for n in range(400)]
    february = [200 + n % 7 for n in range(400)]
    shop.deliver("orders/january.csv", orders_csv(1, *january))
    shop.deliver("orders/february.csv", orders_csv(1001, *february).replace("2026-01-", "2026-02-"))
    return shop


def test_a_drift_that_is_a_warning_lets_the_view_go_online(
    drifting: Project, instance: dg.DagsterInstance
) -> None:
    result = run(drifting.open(), instance)
    assert result.success
    drift = evaluations(result, "features/totals")["total_has_not_drifted"]
    assert (drift.passed, drift.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert drift.metadata["value"].value > 0.2
    assert "PSI" in (drift.description or "")
    assert "|" in drift.metadata["detail"].value
    assert materialized(result)[-1] == "online/totals"
    assert metadata(result, "online/totals")["entity_rows"] == 2


def test_a_drift_that_is_an_error_keeps_the_view_from_going_online_in_this_run_and_the_next(
    drifting: Project, instance: dg.DagsterInstance
) -> None:
    drifting.views["totals"]["drift"] = DRIFT | {"severity": "error"}
    platform = drifting.open()
    for _ in range(2):
        result = run(platform, instance)
        assert not result.success
        assert "features/totals" in materialized(result)
        assert not evaluations(result, "features/totals")["total_has_not_drifted"].passed
        assert events_of(result, "STEP_UP_FOR_RETRY") == []
        assert "materialize_totals" not in events_of(result, "STEP_START")


def test_a_view_is_computed_when_its_table_has_new_rows(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = shop.open()
    run(platform, instance)
    assert metadata(run(platform, instance), "features/totals")["nothing_new"]
    shop.deliver("orders/february.csv", orders_csv(11, 1, 2))
    told = metadata(run(platform, instance), "features/totals")
    assert told["rows_published"] == told["dagster/row_count"] == 2
