"""Sensors under a real daemon: each fires once, and once only when the daemon is killed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from support.dagster_daemon import Daemon, running_daemon
from support.project import Project, column_of, integer, key, row_count, text
from support.webhook import Receiver, receiver

COLUMNS = {"id": key(integer()), "name": text()}
TIME = {"logicalType": "timestamp", "required": True}
ONE = "id,name,at\n1,Ada,2026-01-01T00:00:00Z\n"
TWO = f"{ONE}2,Grace,2026-01-02T00:00:00Z\n"
VIEW = {
    "inputs": ["people"],
    "entities": [{"name": "person", "join_key": "id"}],
    "event_timestamp": "at",
    "online": False,
    "automate": "eager",
}


@pytest.fixture
def hears() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def execute(database: Path, *statements: str) -> None:
    with sqlite3.connect(database) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    execute(
        path, "CREATE TABLE orders (id INTEGER, name TEXT)", "INSERT INTO orders VALUES (1, 'a')"
    )
    return path


@pytest.fixture
def watched(project: Project, database: Path, hears: Receiver) -> Project:
    """People in files, orders in a database: both watched, with reruns, a hook, and a view."""
    project.settings = {
        "connections": {"shop": {"url": f"sqlite:///{database}"}},
        "retries": {"max_retries": 0, "opening_seconds": 0},
        "sensors": {
            "arrival": {"type": "file_arrival", "table": "people", "settle_seconds": 0},
            "changed": {"type": "database_changed", "table": "orders"},
            "again": {"type": "check_failed", "delay_seconds": 0, "max_reruns": 1},
        },
        "alerts": {
            "hooks": {
                "pager": {
                    "type": "webhook",
                    "url": hears.url,
                    "events": ["check_failed", "run_failed"],
                    "interval_seconds": 5,
                }
            }
        },
    }
    for sensor in project.settings["sensors"].values():
        sensor |= {"interval_seconds": 5, "enabled": True}
    people = {**COLUMNS, "at": TIME}
    project.table("people", people, quality=[row_count(2)])
    project.view("seen", "SELECT * FROM people", people, VIEW)
    project.table("orders", COLUMNS)
    project.tables["orders"] |= {
        "source": {"type": "sql", "connection": "shop", "table": "orders"},
        "load": {"mode": "append", "incremental": {"cursor": "id"}},
    }
    return project


def runs_of(daemon: Daemon, sensor: str) -> list[dg.DagsterRun]:
    return daemon.runs(**{"dagster/sensor_name": sensor})


def wait_for_looks(daemon: Daemon, sensor: str, looks: int = 2) -> None:
    """Waits until a sensor has looked so many times more."""
    before = len(daemon.ticks(sensor))
    daemon.wait_for(
        f"looks of {sensor}", lambda: len(daemon.ticks(sensor)) >= before + looks or None
    )


def finished(daemon: Daemon, sensor: str, number: int) -> list[dg.DagsterRun]:
    """The runs that a sensor asked for, once there are so many and all have ended."""

    def ended() -> list[dg.DagsterRun] | None:
        runs = runs_of(daemon, sensor)
        return runs if len(runs) >= number and all(run.is_finished for run in runs) else None

    return daemon.wait_for(f"{number} runs of {sensor}", ended)


def forget(daemon: Daemon, sensor: str, cursor: str | None) -> None:
    """Sets a sensor's cursor back: the daemon was killed before it could save the one after."""
    for state in daemon.instance.all_instigator_state():
        if state.instigator_name == sensor:
            data = state.instigator_data
            daemon.instance.update_instigator_state(state.with_data(data._replace(cursor=cursor)))


def cursor_of(daemon: Daemon, sensor: str) -> str | None:
    found = [s for s in daemon.instance.all_instigator_state() if s.instigator_name == sensor]
    return found[0].instigator_data.cursor if found and found[0].instigator_data else None


def test_sensors_fire_once_and_failed_checks_are_run_again_and_told(
    watched: Project, database: Path, dagster_home: Path, hears: Receiver
) -> None:
    with running_daemon(watched, dagster_home) as daemon:
        (loaded,) = finished(daemon, "changed", 1)
        assert loaded.status is dg.DagsterRunStatus.SUCCESS, daemon.told()
        daemon.wait_for("the first look of the hook", lambda: cursor_of(daemon, "alert_pager"))
        daemon.wait_for("the first look at runs", lambda: cursor_of(daemon, "again"))
        # One row is too few: the load is blocked, and so is its one rerun.
        watched.deliver("people/a.csv", ONE)
        finished(daemon, "arrival", 1)
        (rerun,) = finished(daemon, "again", 1)
        daemon.wait_for("four alerts", lambda: len(hears.bodies) >= 4)
        for sensor in ("arrival", "changed", "again", "alert_pager"):
            wait_for_looks(daemon, sensor)
        daemon.kill()
        (first,) = runs_of(daemon, "arrival")
        assert first.status is dg.DagsterRunStatus.FAILURE
        assert rerun.tags["quality-platform/rerun-of"] == first.run_id
        told = [(event, table) for event, table, _ in hears.heard]
        assert told == [("check_failed", "people"), ("run_failed", "people")] * 2
        assert [alert["run"]["attempt"] for alert in hears.alerts] == [0, 0, 1, 1]
        assert runs_of(daemon, "automation") == []
        # The daemon was killed before it could save what its sensors had seen.
        forget(daemon, "arrival", None)
        forget(daemon, "changed", None)
        before = {name: len(runs_of(daemon, name)) for name in ("arrival", "changed", "again")}
    with running_daemon(watched, dagster_home) as daemon:
        for sensor in before:
            wait_for_looks(daemon, sensor)
        assert {name: len(runs_of(daemon, name)) for name in before} == before
        # What happens now is seen by the daemon that came after.
        execute(database, "INSERT INTO orders VALUES (2, 'b')")
        watched.deliver("people/a.csv", TWO)
        finished(daemon, "changed", 2)
        loaded = finished(daemon, "arrival", 2)[-1]
        (computed,) = finished(daemon, "automation", 1)
    assert [loaded.status, computed.status] == [dg.DagsterRunStatus.SUCCESS] * 2
    assert len(hears.bodies) == 4
    platform = watched.open()
    assert column_of(platform, "shop.orders", "id") == [1, 2]
    assert column_of(platform, "shop.people", "name") == ["Ada", "Grace"]
    assert column_of(platform, "features.seen", "name") == ["Ada", "Grace"]
