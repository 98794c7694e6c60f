"""The sensor of a database's changes, on a real instance and a real SQLite."""

from __future__ import annotations

import sqlite3
import traceback
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support.dagster_runs import evaluations, run
from support.project import Project, column_of, integer, key, text
from support.sensors import keys_of, looked, obeyed

from quality_platform.errors import SourceError
from quality_platform.orchestration.build import build_definitions


def execute(database: Path, *statements: str) -> None:
    with sqlite3.connect(database) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    execute(
        path,
        "CREATE TABLE orders (id INTEGER, name TEXT)",
        "INSERT INTO orders VALUES (1, 'a'), (2, 'b')",
    )
    return path


def watching(project: Project, url: str, **sensor: Any) -> Project:
    load = {"mode": "append", "incremental": {"cursor": "id"}}
    project.settings["connections"] = {"shop": {"url": url}}
    project.table("orders", {"id": key(integer()), "name": text()}, load=load)
    source = {"type": "sql", "connection": "shop", "table": "orders"}
    project.tables["orders"]["source"] = source
    project.settings["sensors"] = {
        "changed": {"type": "database_changed", "table": "orders", **sensor}
    }
    return project


def test_each_change_asks_for_one_run_of_the_table_alone(
    project: Project, database: Path, instance: dg.DagsterInstance
) -> None:
    platform = watching(project, f"sqlite:///{database}").open()
    first = looked(platform, instance, "changed")
    assert len(keys_of(first)) == 1
    assert run(platform, instance, ["shop/orders"]).success
    second = looked(platform, instance, "changed", first.cursor)
    assert keys_of(second) == []
    assert "nothing has changed" in str(second.skip_reason)
    execute(database, "INSERT INTO orders VALUES (3, 'c')")
    third = looked(platform, instance, "changed", first.cursor)
    assert len({*keys_of(first), *keys_of(third)}) == 2
    assert run(platform, instance, ["shop/orders"]).success
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3]


def test_a_daemon_that_lost_the_cursor_asks_for_the_same_run(
    project: Project, database: Path, instance: dg.DagsterInstance
) -> None:
    platform = watching(project, f"sqlite:///{database}").open()
    first, again = (looked(platform, instance, "changed") for _ in range(2))
    assert keys_of(first) == keys_of(again)


def test_an_empty_table_asks_for_nothing(
    project: Project, database: Path, instance: dg.DagsterInstance
) -> None:
    execute(database, "DELETE FROM orders")
    platform = watching(project, f"sqlite:///{database}").open()
    assert keys_of(looked(platform, instance, "changed")) == []


def test_a_database_that_fails_fails_the_look_without_a_secret(
    project: Project, instance: dg.DagsterInstance
) -> None:
    url = "postgresql+psycopg2://somebody:canary-4711@127.0.0.1:1/shop"
    platform = watching(project, url, timeout="1s").open()
    with pytest.raises(SourceError, match="connection shop") as raised:
        looked(platform, instance, "changed")
    assert raised.value.__suppress_context__
    assert "canary" not in "".join(traceback.format_exception(raised.value))


def test_the_sensor_runs_the_table_with_its_source_quarantine_and_checks(
    project: Project, database: Path, instance: dg.DagsterInstance
) -> None:
    project = watching(project, f"sqlite:///{database}", interval_seconds=120, enabled=True)
    definitions = build_definitions(project.open())
    sensor = definitions.resolve_sensor_def("changed")
    assert sensor.minimum_interval_seconds == 120
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    (request,) = looked(project.open(), instance, "changed").run_requests or ()
    assert sensor.job_name == "everything"
    assert {key.to_user_string() for key in request.asset_selection or ()} == {
        "landing/orders",
        "shop/orders",
        "quarantine/orders",
    }
    result = obeyed(project.open(), instance, request)
    assert set(evaluations(result, "shop/orders")) == {
        spec.name for spec in project.open().tables["orders"].all_checks
    }
