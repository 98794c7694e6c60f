"""The command line's log as JSON lines on standard error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.command_line import call
from support.project import Project, integer, key
from support.shop import furnish, orders_csv
from support.telemetry import lines_of, logged_as_json


@pytest.fixture(autouse=True)
def _json(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with logged_as_json(monkeypatch):
        yield


def test_every_line_says_which_run_table_step_and_load_it_is_about(project: Project) -> None:
    furnish(project).deliver("orders/february.csv", orders_csv(4, 40, -1))
    ended = call("run", "-r", project.write_runner())
    assert ended.code == 0
    lines = lines_of(ended.err)
    assert len(lines) == len(ended.err.splitlines()) > 0
    assert {line["level"] for line in lines} == {"info"}
    (run_id,) = {line["run"] for line in lines}
    assert run_id.startswith("cli-")
    of_orders = [line for line in lines if line["table"] == "orders"]
    assert {line["tenant"] for line in of_orders} == {""}
    load = ["reading", "staged", "checked", "published"]
    steps = [line["step"] for line in of_orders]
    assert steps == [
        "open",
        *load[:3],
        "quarantine_committed",
        "published",
        *load,
        "published",
    ]
    # Which load it is, is known once it has begun to read.
    by_step = [(line["step"], line["load"]) for line in of_orders]
    assert by_step[0] == ("open", "")
    first, second = by_step[2][1], by_step[-2][1]
    assert first != second
    assert len(first) == len(second) == 16
    assert by_step[6] == ("reading", "")
    ended_line = of_orders[-1]
    assert ended_line["message"] == "orders: ended: published"
    assert (ended_line["rows_read"], ended_line["rows_quarantined"]) == (5, 1)
    assert "trace_id" not in ended_line


def test_an_error_is_a_line_with_its_code(project: Project) -> None:
    project.table("orders", {"id": key(integer())})
    project.deliver("orders/a.csv", "nonsense\n1\n")
    lines = lines_of(call("run", "-r", project.write_runner()).err)
    (error,) = [line for line in lines if line["level"] == "error"]
    assert (error["table"], error["code"], error["step"]) == ("orders", "QP203", "reading")
    assert "a.csv:1" in error["message"]


def test_an_error_of_a_command_is_a_line_too(project: Project) -> None:
    ended = call("status", "-r", project.folder / "nowhere.yaml")
    (line,) = lines_of(ended.err)
    assert (ended.code, line["level"]) == (2, "error")
    assert line["code"].startswith("QP1")
    assert "nowhere.yaml" in line["message"]
    assert len(ended.err.splitlines()) == 1


def test_a_wrong_format_is_an_error_of_every_command(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUALITY_PLATFORM_LOG_FORMAT", "xml")
    ended = call("status", "-r", project.write_runner())
    assert ended.code == 2
    assert "QUALITY_PLATFORM_LOG_FORMAT" in ended.err


def test_the_lines_about_a_tenants_table_say_whose_it_is(project: Project) -> None:
    project.settings = {"tenants": {"acme": {}}}
    project.table("orders", {"id": key(integer())})
    project.tables["orders"]["tenant"] = "acme"
    project.deliver("orders/a.csv", "id\n1\n")
    lines = lines_of(call("run", "-r", project.write_runner()).err)
    assert {line["tenant"] for line in lines} == {"acme"}
