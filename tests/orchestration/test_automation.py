"""Sensors of files: what runner.yaml says is what Dagster does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support.project import Project
from support.shop import orders_csv

from quality_platform.orchestration.build import build_definitions


@pytest.fixture
def automated(shop: Project) -> Project:
    shop.settings |= {
        "sensors": {
            "arrival": {
                "type": "file_arrival",
                "table": "orders",
                "interval_seconds": 45,
                "settle_seconds": 0,
            }
        },
    }
    return shop


def evaluate(project: Project, cursor: str | None = None, **settings: Any) -> dg.SensorResult:
    """Evaluates the sensor on a new context."""
    project.settings["sensors"]["arrival"].update(settings)
    sensor = build_definitions(project.open()).resolve_sensor_def("arrival")
    result = sensor(dg.build_sensor_context(cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    return result


def run_keys(result: dg.SensorResult) -> list[str | None]:
    return [request.run_key for request in result.run_requests or ()]


def change_time(path: Path, seconds: int) -> None:
    now = path.stat().st_mtime_ns
    os.utime(path, ns=(now, now + seconds * 10**9))


def test_a_new_file_asks_for_one_run_of_its_table(automated: Project) -> None:
    result = evaluate(automated)
    assert len(run_keys(result)) == 1
    assert result.cursor
    assert "january.csv" in result.cursor


def test_a_state_that_was_seen_asks_for_nothing(automated: Project) -> None:
    first = evaluate(automated)
    second = evaluate(automated, first.cursor)
    assert run_keys(second) == []
    assert second.skip_reason is not None
    assert "none of 1 files is new or changed" in str(second.skip_reason)


def test_the_same_state_has_the_same_run_key(automated: Project) -> None:
    assert run_keys(evaluate(automated)) == run_keys(evaluate(automated))


def test_a_changed_file_asks_for_another_run(automated: Project) -> None:
    first = evaluate(automated)
    change_time(automated.folder / "landing/orders/january.csv", 1)
    second = evaluate(automated, first.cursor)
    assert len(run_keys(second)) == 1
    assert run_keys(second) != run_keys(first)


def test_several_new_files_ask_for_one_run(automated: Project) -> None:
    first = evaluate(automated)
    automated.deliver("orders/february.csv", orders_csv(11, 1, 2))
    automated.deliver("orders/march.csv", orders_csv(21, 1, 2))
    assert len(run_keys(evaluate(automated, first.cursor))) == 1


def test_a_file_that_may_still_be_written_to_is_waited_for(automated: Project) -> None:
    result = evaluate(automated, settle_seconds=60)
    assert run_keys(result) == []
    assert "january.csv changed less than 60 s ago" in str(result.skip_reason)
    assert result.cursor is None


def test_a_file_with_an_old_date_that_has_just_been_copied_is_waited_for(
    automated: Project,
) -> None:
    change_time(automated.folder / "landing/orders/january.csv", -3600)
    assert run_keys(evaluate(automated, settle_seconds=60)) == []


def test_a_folder_that_is_missing_is_no_error(automated: Project) -> None:
    (automated.folder / "landing/orders/january.csv").unlink()
    (automated.folder / "landing/orders").rmdir()
    result = evaluate(automated)
    assert run_keys(result) == []
    assert "no file has arrived yet" in str(result.skip_reason)


def test_hidden_and_temporary_files_are_not_seen(automated: Project) -> None:
    first = evaluate(automated)
    for name in (".february.csv", "_february.csv", "february.csv.tmp"):
        automated.deliver(f"orders/{name}", orders_csv(11, 1, 2))
    assert run_keys(evaluate(automated, first.cursor)) == []


def test_a_file_that_is_gone_matters_only_where_the_source_replaces_the_table(
    automated: Project,
) -> None:
    extra = automated.deliver("orders/february.csv", orders_csv(11, 1, 2))
    first = evaluate(automated)
    extra.unlink()
    assert run_keys(evaluate(automated, first.cursor)) == []
    automated.tables["orders"]["load"] = {"mode": "replace", "batch": "all"}
    assert len(run_keys(evaluate(automated, first.cursor))) == 1


def test_files_that_are_again_what_they_were_ask_for_a_run_of_their_own(
    automated: Project,
) -> None:
    automated.tables["orders"]["load"] = {"mode": "replace", "batch": "all"}
    cursor, keys = None, []
    for _ in range(3):
        found = evaluate(automated, cursor)
        keys += run_keys(found)
        extra = automated.deliver("orders/february.csv", orders_csv(11, 1, 2))
        os.utime(extra, ns=(0, 0))
        more = evaluate(automated, found.cursor)
        keys += run_keys(more)
        cursor = more.cursor
        extra.unlink()
    assert len(keys) == len(set(keys)) == 6


def test_a_cursor_of_an_older_version_is_understood(automated: Project) -> None:
    file = automated.folder / "landing/orders/january.csv"
    now = file.stat()
    old = json.dumps({str(file): [now.st_mtime_ns, now.st_size]})
    assert run_keys(evaluate(automated, old)) == []


def test_the_sensor_has_the_interval_of_runner_yaml(automated: Project) -> None:
    sensor = build_definitions(automated.open()).resolve_sensor_def("arrival")
    assert sensor.minimum_interval_seconds == 45
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
