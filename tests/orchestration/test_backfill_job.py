"""The job of the launchpad that reads a table again."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support.dagster_runs import QUIET, evaluations, metadata, run
from support.project import Project, column_of, integer, key, predicate, row_count, text

from quality_platform.orchestration.build import build_definitions


@pytest.fixture
def project_of_ids(project: Project, tmp_path: Path) -> Project:
    """Orders of a SQLite database, which are followed by their ids."""
    path = tmp_path / "shop.db"
    change(path, "CREATE TABLE orders (id INTEGER, name TEXT)")
    change(path, "INSERT INTO orders VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    project.settings["connections"] = {"shop": {"url": f"sqlite:///{path}"}}
    project.table(
        "orders",
        {"id": key(integer()), "name": text()},
        quality=[row_count(2), predicate("name_is_small", "name = lower(name)")],
    )
    project.tables["orders"] |= {
        "source": {"type": "sql", "connection": "shop", "table": "orders"},
        "load": {"mode": "append", "incremental": {"cursor": "id"}},
    }
    return project


def change(database: Path, statement: str) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(statement)
    connection.close()


def database(project: Project) -> Path:
    return Path(project.settings["connections"]["shop"]["url"].removeprefix("sqlite:///"))


def backfilled(
    project: Project, instance: dg.DagsterInstance, **config: Any
) -> dg.ExecuteInProcessResult:
    job = build_definitions(project.open()).resolve_job_def("backfill")
    ops = {"ops": {"backfill_rows": {"config": {"table": "orders", **config}}}}
    return job.execute_in_process({**QUIET, **ops}, instance=instance, raise_on_error=False)


def test_a_range_is_read_again_and_told_as_the_table_itself_tells(
    project_of_ids: Project, instance: dg.DagsterInstance
) -> None:
    platform = project_of_ids.open()
    assert run(platform, instance, ["shop/orders"]).success
    change(database(project_of_ids), "UPDATE orders SET name = 'B' WHERE id = 2")
    change(database(project_of_ids), "UPDATE orders SET name = 'z' WHERE id = 3")
    result = backfilled(
        project_of_ids, instance, **{"from": "2", "to": "4"}, reason="Late corrections."
    )
    assert result.success
    assert column_of(platform, "shop.orders", "name") == ["a", "z"]
    told = metadata(result, "shop/orders")
    assert (told["rows_read"], told["rows_published"], told["rows_quarantined"]) == (2, 1, 1)
    assert told["reason"] == "Late corrections."
    assert metadata(result, "quarantine/orders")["rows_quarantined"] == 1
    found = evaluations(result, "shop/orders")
    assert set(found) == {spec.name for spec in platform.tables["orders"].all_checks}
    assert not found["name_is_small"].passed
    latest = instance.get_latest_materialization_event(dg.AssetKey(["shop", "orders"]))
    assert latest is not None
    assert latest.run_id == result.run_id


def test_everything_is_read_again(project_of_ids: Project, instance: dg.DagsterInstance) -> None:
    platform = project_of_ids.open()
    run(platform, instance, ["shop/orders"])
    change(database(project_of_ids), "DELETE FROM orders WHERE id = 1")
    assert backfilled(project_of_ids, instance, full_refresh=True).success
    assert column_of(platform, "shop.orders", "id") == [2, 3]


def test_a_blocked_backfill_fails_with_the_results_of_its_checks(
    project_of_ids: Project, instance: dg.DagsterInstance
) -> None:
    platform = project_of_ids.open()
    run(platform, instance, ["shop/orders"])
    change(database(project_of_ids), "DELETE FROM orders WHERE id > 1")
    result = backfilled(project_of_ids, instance, full_refresh=True)
    assert not result.success
    assert not evaluations(result, "shop/orders")["row_count"].passed
    assert result.get_asset_materialization_events() == []
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3]


def test_everything_and_a_range_at_once_are_refused(
    project_of_ids: Project, instance: dg.DagsterInstance
) -> None:
    result = backfilled(project_of_ids, instance, full_refresh=True, **{"from": "2"})
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "a full refresh reads everything" in str(failure.step_failure_data.user_failure_data)


@pytest.mark.parametrize("config", [{"table": "nothing"}, {"from": 3}, {"rows": "all"}])
def test_the_launchpad_refuses_what_the_job_does_not_know(
    project_of_ids: Project, config: dict[str, Any]
) -> None:
    job = build_definitions(project_of_ids.open()).resolve_job_def("backfill")
    told = {"table": "orders", **config}
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, {"ops": {"backfill_rows": {"config": told}}})
