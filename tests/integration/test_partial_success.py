"""Files that cannot be loaded are passed over where the table says so, and told until mended."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from support.command_line import call
from support.project import Project, column_of, integer, key, row_count, text

from quality_platform.checks.results import Verdict
from quality_platform.errors import (
    EmptySourceError,
    HeaderError,
    MalformedSourceError,
    RunnerFileError,
)
from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.flows.requests import Request
from quality_platform.history.records import latest_results, latest_runs

ORDERS = {"order_id": key(integer()), "status": text()}
CONTINUE = {"mode": "append", "batch": "file", "on_file_error": "continue"}
TABLE = "shop.orders"


def orders(project: Project, **load: Any) -> Project:
    return project.table("orders", ORDERS, load={**CONTINUE, **load})


def run(platform: Platform) -> TableOutcome:
    return load_table(platform, "orders", "run-1")


def deliver_good_and_bad(project: Project) -> None:
    project.deliver("orders/a.csv", "order_id,status\n1,new\n")
    project.deliver("orders/b.csv", "order_id,state\n2,new\n")
    project.deliver("orders/c.csv", "")
    project.deliver("orders/d.csv.gz", gzip.compress(b"order_id,status\n4,new\n" * 99)[:-9])
    project.deliver("orders/e.csv", "order_id,status\n5,new\n")


def test_good_files_are_published_and_each_bad_one_is_told_with_its_reason(
    project: Project,
) -> None:
    orders(project)
    project.tables["orders"]["source"]["path"] = "landing/orders/*"
    deliver_good_and_bad(project)
    platform = project.open()
    outcome = run(platform)
    assert outcome.state == "partly_published"
    assert column_of(platform, TABLE, "order_id") == [1, 5]
    assert [(file.name, file.code) for file in outcome.failed] == [
        ("b.csv", "QP203"),
        ("c.csv", "QP202"),
        ("d.csv.gz", "QP204"),
    ]
    assert "'status'" in outcome.failed[0].message
    assert outcome.rows_read == outcome.rows_published + outcome.rows_quarantined == 2


def test_a_file_that_was_passed_over_is_told_by_every_run_until_it_is_mended(
    project: Project,
) -> None:
    orders(project)
    project.deliver("orders/a.csv", "order_id,status\n1,new\n")
    project.deliver("orders/b.csv", "order_id,state\n2,new\n")
    platform = project.open()
    assert run(platform).state == "partly_published"
    again = run(platform)
    assert (again.state, again.loads) == ("partly_published", ())
    assert [file.name for file in again.failed] == ["b.csv"]
    project.deliver("orders/b.csv", "order_id,status\n2,new\n")
    mended = run(platform)
    assert (mended.state, mended.failed) == ("published", ())
    assert column_of(platform, TABLE, "order_id") == [1, 2]
    assert run(platform).state == "nothing_new"


def test_a_file_that_changed_after_it_was_loaded_is_passed_over_and_stays_as_it_was(
    project: Project,
) -> None:
    orders(project)
    project.deliver("orders/a.csv", "order_id,status\n1,new\n")
    platform = project.open()
    assert run(platform).state == "published"
    project.deliver("orders/a.csv", "order_id,status\n1,new\n7,late\n")
    project.deliver("orders/b.csv", "order_id,status\n2,new\n")
    outcome = run(platform)
    assert [(file.name, file.code) for file in outcome.failed] == [("a.csv", "QP205")]
    assert column_of(platform, TABLE, "order_id") == [1, 2]


def test_where_nothing_was_ever_published_the_run_fails_with_the_problems_of_all_files(
    project: Project,
) -> None:
    orders(project)
    project.deliver("orders/a.csv", "order_id,state\n1,new\n")
    project.deliver("orders/b.csv", 'order_id,status\n2,"new\n')
    platform = project.open()
    with pytest.raises(HeaderError) as caught:
        run(platform)
    assert {p.location.file.rpartition("/")[2] for p in caught.value.problems if p.location} == {
        "a.csv",
        "b.csv",
    }


@pytest.mark.parametrize("load", [{"on_file_error": "stop"}, {}])
def test_a_run_stops_at_the_first_bad_file_where_nothing_else_is_said(
    project: Project, load: dict[str, str]
) -> None:
    project.table("orders", ORDERS, load={"mode": "append", "batch": "file", **load})
    project.deliver("orders/a.csv", "order_id,status\n1,new\n")
    project.deliver("orders/b.csv", 'order_id,status\n2,"new\n')
    project.deliver("orders/c.csv", "order_id,status\n3,new\n")
    platform = project.open()
    with pytest.raises(MalformedSourceError):
        run(platform)
    assert column_of(platform, TABLE, "order_id") == [1]


def test_a_blocked_file_still_ends_the_run_and_is_no_file_that_was_passed_over(
    project: Project,
) -> None:
    project.table("orders", ORDERS, load=CONTINUE, quality=[row_count(2)])
    project.deliver("orders/a.csv", "order_id,state\n1,new\n")
    project.deliver("orders/b.csv", "order_id,status\n2,new\n")
    project.deliver("orders/c.csv", "order_id,status\n3,new\n4,new\n")
    outcome = run(project.open())
    assert outcome.state == "blocked"
    assert [load.files for load in outcome.loads] == [("b.csv",)]
    assert [file.name for file in outcome.failed] == ["a.csv"]


def test_a_full_refresh_is_one_load_and_passes_nothing_over(project: Project) -> None:
    orders(project)
    project.deliver("orders/a.csv", "order_id,status\n1,new\n")
    platform = project.open()
    run(platform)
    project.deliver("orders/a.csv", "order_id,status\n1,new\n8,new\n")
    project.deliver("orders/b.csv", "")
    with pytest.raises(EmptySourceError):
        load_table(platform, "orders", "run-2", request=Request(full_refresh=True))
    assert column_of(platform, TABLE, "order_id") == [1]


def test_the_history_has_the_state_the_files_and_the_warning(project: Project) -> None:
    orders(project)
    project.deliver("orders/a.csv", "order_id,status\n1,new\n")
    project.deliver("orders/b.csv", "order_id,state\n2,new\n")
    platform = project.open()
    run(platform)
    latest = latest_runs(platform.lake, platform.engine)["orders"]
    assert (latest["state"], latest["rows_published"]) == ("partly_published", 1)
    assert "b.csv was passed over: QP203" in latest["message"]
    (warned,) = latest_results(platform.lake, platform.engine, "orders", verdicts=[Verdict.WARN])
    assert warned["check"] == "source_files_all_loaded"


def test_the_command_line_tells_the_files_and_ends_with_1(project: Project) -> None:
    orders(project)
    project.deliver("orders/a.csv", "order_id,status\n1,new\n")
    project.deliver("orders/b.csv", "order_id,state\n2,new\n")
    project.write_runner()
    ended = call("run", "--runner", project.runner)
    assert ended.code == 1
    assert re.search(r"! orders: 1 rows read, 1 published", ended.text)
    assert "b.csv was passed over: QP203" in ended.text


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ({"batch": "all"}, "needs batch: file"),
        ({"mode": "merge"}, "needs `order_by`"),
    ],
)
def test_files_are_not_passed_over_where_that_could_undo_later_ones(
    project: Project, load: dict[str, str], message: str
) -> None:
    orders(project, **load)
    with pytest.raises(RunnerFileError, match=message):
        project.open()
