"""A whole run: tables after those that they need, and nothing after what failed."""

from __future__ import annotations

import pytest
from support.project import Project, csv_text, foreign_key, integer, key, row_count, text

from quality_platform.errors import HeaderError, MaterializationError, RunnerFileError
from quality_platform.flows.materialize_features import materialize_feature_view
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.flows.run_platform import StepOutcome, has_failed_checks, run_platform
from quality_platform.history.records import latest_runs

ORDERS = {"id": key(integer()), "customer": text(required=True)}


def chain(project: Project) -> Project:
    """orders need shops need regions; planets stand alone."""
    shop = text(**foreign_key("shops.code", "shop_known"))
    region = text(**foreign_key("regions.name", "region_known"))
    project.table("orders", {"id": key(integer()), "shop": shop})
    project.table("shops", {"code": key(text()), "region": region}, quality=[row_count(2)])
    project.table("regions", {"name": key(text())})
    project.table("planets", {"name": key(text())})
    project.deliver("orders/a.csv", "id,shop\n1,N\n2,S\n3,\n4,X\n")
    project.deliver("shops/a.csv", "code,region\nN,north\nS,south\n")
    project.deliver("regions/a.csv", "name\nnorth\nsouth\n")
    project.deliver("planets/a.csv", "name\nMars\n")
    return project


def steps(platform: Platform, *names: str) -> dict[str, StepOutcome]:
    found = run_platform(platform, names, "run-1", lambda name, step, detail: None)
    return {step.name: step for step in found}


def test_a_run_takes_tables_in_the_order_in_which_they_need_each_other(project: Project) -> None:
    found = steps(chain(project).open())
    assert list(found) == ["regions", "shops", "orders", "planets"]
    assert all(step.succeeded for step in found.values())
    orders = found["orders"].outcome
    assert isinstance(orders, TableOutcome)
    assert (orders.rows_published, orders.rows_quarantined) == (3, 1)
    assert has_failed_checks(list(found.values()))
    assert not has_failed_checks(list(steps(chain(project).open()).values()))


def test_what_needs_a_blocked_table_is_skipped_and_the_rest_still_runs(project: Project) -> None:
    project = chain(project)
    project.deliver("shops/a.csv", "code,region\nN,north\n")
    found = steps(project.open())
    assert isinstance(found["shops"].outcome, TableOutcome)
    assert found["shops"].outcome.state == "blocked"
    assert not found["shops"].succeeded
    assert found["orders"].skipped == "shops did not succeed"
    assert found["planets"].succeeded


def test_what_needs_a_failed_table_is_skipped_down_the_chain(project: Project) -> None:
    project = chain(project)
    project.deliver("regions/a.csv", "nmae\nnorth\n")
    found = steps(project.open())
    assert isinstance(found["regions"].error, HeaderError)
    assert found["shops"].skipped == "regions did not succeed"
    assert found["orders"].skipped == "shops did not succeed"
    assert found["planets"].succeeded


def test_only_the_tables_named_are_run(project: Project) -> None:
    platform = chain(project).open()
    assert list(steps(platform, "planets", "regions")) == ["regions", "planets"]
    with pytest.raises(RunnerFileError) as caught:
        steps(platform, "planet")
    assert "did you mean" in str(caught.value)


def test_progress_is_told_step_by_step(project: Project) -> None:
    told: list[tuple[str, str]] = []
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n2,\n")
    list(run_platform(platform, (), "r", lambda name, step, _: told.append((name, step))))
    names = ("reading", "staged", "checked", "quarantine_committed", "published")
    assert told == [("orders", step) for step in names]


def test_a_drift_test_of_severity_error_stops_every_later_materialization(
    project: Project,
) -> None:
    columns = {
        "id": key(integer()),
        "day": {"logicalType": "date", "required": True},
        "n": integer(),
    }
    project.table("orders", columns)
    rows = [(i, f"2024-0{1 + i % 2}-{1 + i % 28:02d}", i % 9 + 100 * (i % 2)) for i in range(1000)]
    project.deliver("orders/a.csv", csv_text("id,day,n", rows))
    view = {
        "id": key(integer()),
        "at": {"logicalType": "timestamp", "required": True},
        "n": integer(),
    }
    drift = {
        "columns": ["n"],
        "reference": {"start": "2024-01-01", "end": "2024-02-01"},
        "severity": "error",
    }
    settings = {
        "inputs": ["orders"],
        "entities": [{"name": "thing", "join_key": "id"}],
        "event_timestamp": "at",
        "drift": drift,
    }
    sql = "SELECT id, CAST(day AS TIMESTAMPTZ) AS at, n FROM orders"
    platform = project.view("daily", sql, view, settings).open()
    first, second = steps(platform), steps(platform)
    assert first["online.daily"].skipped == "daily did not succeed"
    # The view is up to date now, and still nobody may materialize it.
    assert second["daily"].succeeded
    assert isinstance(second["online.daily"].error, MaterializationError)
    with pytest.raises(MaterializationError, match="drift test"):
        materialize_feature_view(platform, "daily", "run-3")
    latest = latest_runs(platform.lake, platform.engine)
    assert (latest["daily"]["state"], latest["online.daily"]["state"]) == ("published", "failed")
