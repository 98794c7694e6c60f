"""Drift tests in Dagster: what a person sees of them, and what they stop."""

from __future__ import annotations

import dagster as dg
import pytest
from support.dagster_runs import evaluations, events_of, materialized, run, run_checks
from support.project import Project, integer, key, number
from support.readings import JANUARY, days_csv, readings, wild

DRIFT = {"columns": ["value", "owner"], "reference": JANUARY}
LATEST_SQL = 'SELECT id, max("at") AS "at", max(value) AS value FROM readings GROUP BY id'


@pytest.fixture
def moved(project: Project) -> Project:
    """Readings of which those of February are unlike those of January, and a view of them."""
    readings(project, DRIFT)
    columns = {
        "id": key(integer()),
        "at": {"logicalType": "timestamp", "required": True},
        "value": number(),
    }
    settings = {
        "inputs": ["readings"],
        "entities": [{"name": "reading", "join_key": "id"}],
        "event_timestamp": "at",
        "online": False,
    }
    project.view("latest", LATEST_SQL, columns, settings)
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    project.deliver("readings/2.csv", days_csv("2026-02-01", 10, wild))
    return project


def test_a_check_shows_what_was_compared_and_no_restricted_value(
    moved: Project, instance: dg.DagsterInstance
) -> None:
    result = run(moved.open(), instance)
    assert result.success
    found = evaluations(result, "shop/readings")
    value, owner = found["value_has_not_drifted"], found["owner_has_not_drifted"]
    told = {name: entry.value for name, entry in value.metadata.items()}
    assert (value.passed, value.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert (told["ks"], told["ks_threshold"], told["out_of_range_share"]) == (1.0, 0.15, 1.0)
    assert (told["reference_rows"], told["current_rows"]) == (620, 200)
    assert told["reference"] == "2026-01-01 to 2026-02-01 (exclusive)"
    assert told["reference_snapshot"].isdigit()
    assert "| reference | 620 | 2026-01-01 to 2026-02-01 (exclusive) |" in told["detail"]
    assert owner.passed
    assert "person" not in str(owner.metadata)
    overall = found["no_drift_overall"]
    assert (overall.passed, overall.metadata["columns_drifted"].value) == (False, 1)
    assert "1 of 2 columns have drifted" in (overall.description or "")


def test_a_table_that_has_drifted_by_an_error_stops_what_reads_it(
    moved: Project, instance: dg.DagsterInstance
) -> None:
    moved.tables["readings"]["drift"] = {**DRIFT, "columns": ["value"], "severity": "error"}
    platform = moved.open()
    result = run(platform, instance)
    assert not result.success
    assert "shop/readings" in materialized(result)
    assert "compute_latest" not in events_of(result, "STEP_START")
    again = run_checks(platform, instance, "shop/readings", "value_has_not_drifted")
    (found,) = again.get_asset_check_evaluations()
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
