"""New major versions that begin new tables, and runs that are killed while tables change."""

from __future__ import annotations

from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from support.evolving import NEW_TABLE, ORDERS, orders_1_0, orders_2_0, shops_1_0, shops_1_1
from support.problems import problems_of
from support.project import Project, column_of, integer, key, rows_of_table, text

from quality_platform.errors import TableSchemaError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.table_status import quarantined_rows
from quality_platform.lake import evolution


def test_a_new_major_version_alone_does_not_begin_a_new_table(project: Project) -> None:
    orders_1_0(project)
    platform = orders_2_0(project, {"mode": "append", "batch": "file"})
    problems = problems_of(TableSchemaError, lambda: load_table(platform, "orders", "run-2"))
    assert {problem.action for problem in problems} == {
        "restore the column; or set on_breaking: new_table in runner.yaml, "
        "which loads everything anew"
    }


def test_a_minor_version_does_not_begin_a_new_table(project: Project) -> None:
    orders_1_0(project)
    project.table("orders", {"id": key(integer())}, load=NEW_TABLE, version="1.9.0")
    problems_of(TableSchemaError, lambda: load_table(project.open(), "orders", "run-2"))


def test_a_new_major_version_begins_a_new_table_where_that_is_allowed(project: Project) -> None:
    orders_1_0(project)
    platform = orders_2_0(project, NEW_TABLE)
    outcome = load_table(platform, "orders", "run-2")
    assert (outcome.rows_read, outcome.total_rows) == (2, 1)
    assert rows_of_table(platform, "shop.orders") == [{"id": 1, "customer": 10}]
    assert [row["id"] for row in quarantined_rows(platform, "orders")] == [2]
    assert column_of(platform, "shop.orders_v1", "id") == [2, 3]
    assert column_of(platform, "quarantine.orders_v1", "id") == [1]
    old, new = (platform.lake.table(f"shop.{name}") for name in ("orders_v1", "orders"))
    assert old.location() != new.location()
    assert load_table(platform, "orders", "run-3").state == "nothing_new"


def test_a_third_major_version_keeps_both_tables_before(project: Project) -> None:
    orders_1_0(project)
    load_table(orders_2_0(project, NEW_TABLE), "orders", "run-2")
    project.table("orders", {"id": key(text())}, load=NEW_TABLE, version="3.0.0")
    project.deliver("orders/a.csv", "id\nA\n")
    platform = project.open()
    load_table(platform, "orders", "run-3")
    names = ("orders_v1", "orders_v2", "orders")
    assert [column_of(platform, f"shop.{name}", "id") for name in names] == [[2, 3], [1], ["A"]]
    assert len({platform.lake.table(f"shop.{name}").location() for name in names}) == 3


def test_a_table_is_not_set_aside_over_another(project: Project) -> None:
    platform = orders_1_0(project)
    platform.lake.create_table("shop.orders_v1", platform.tables["orders"].schema, {})
    platform = orders_2_0(project, NEW_TABLE)
    (problem,) = problems_of(TableSchemaError, lambda: load_table(platform, "orders", "run-2"))
    assert problem.received == "shop.orders_v1"
    assert column_of(platform, "shop.orders", "id") == [2, 3]
    assert column_of(platform, "quarantine.orders", "id") == [1]


class Killed(BaseException):
    """What stands for the end of the process."""


def killed_after(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, calls: int) -> None:
    """The process ends as soon as this method has been called so many times."""
    original, seen = getattr(owner, name), []

    def counted(*arguments: Any, **more: Any) -> Any:
        result = original(*arguments, **more)
        seen.append(name)
        if len(seen) == calls:
            raise Killed
        return result

    monkeypatch.setattr(owner, name, counted)


@pytest.mark.parametrize("commits", [1, 2])
def test_a_run_killed_between_the_two_tables_is_finished_by_the_next(
    project: Project, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    shops_1_0(project).deliver("shops/a.csv", "code,size,rent,city\nA,1,1,X\nB,-2,2,Y\n")
    load_table(project.open(), "shops", "run-1")
    shops_1_1(project).deliver("shops/b.csv", "shop_code,size,rent,city,floor\nC,1,1,,1\n")
    with monkeypatch.context() as patched:
        killed_after(patched, SqlCatalog, "commit_table", commits)
        with pytest.raises(Killed):
            load_table(project.open(), "shops", "run-2")
    platform = project.open()
    load_table(platform, "shops", "run-3")
    assert column_of(platform, "shop.shops", "shop_code") == ["A", "C"]
    assert [row["shop_code"] for row in quarantined_rows(platform, "shops")] == ["B"]


@pytest.mark.parametrize(
    ("method", "calls"), [("rename_table", 1), ("rename_table", 2), ("create_table", 1)]
)
def test_a_run_killed_while_it_sets_tables_aside_is_finished_by_the_next(
    project: Project, monkeypatch: pytest.MonkeyPatch, method: str, calls: int
) -> None:
    orders_1_0(project)
    platform = orders_2_0(project, NEW_TABLE)
    with monkeypatch.context() as patched:
        killed_after(patched, SqlCatalog, method, calls)
        with pytest.raises(Killed):
            load_table(platform, "orders", "run-2")
    load_table(project.open(), "orders", "run-3")
    names = ("shop.orders", "quarantine.orders", "shop.orders_v1", "quarantine.orders_v1")
    assert [column_of(platform, name, "id") for name in names] == [[1], [2], [2, 3], [1]]


def test_a_contract_restored_after_a_kill_finds_its_quarantine_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders_1_0(project)
    platform = orders_2_0(project, NEW_TABLE)
    with monkeypatch.context() as patched:
        killed_after(patched, SqlCatalog, "rename_table", 1)
        with pytest.raises(Killed):
            load_table(platform, "orders", "run-2")
    project.table("orders", ORDERS)
    project.deliver("orders/a.csv", "id,customer,amount,note\n1,x,1.50,\n2,,3,n\n3,y,3,n\n")
    load_table(project.open(), "orders", "run-3")
    assert [row["id"] for row in quarantined_rows(project.open(), "orders")] == [1]


def test_a_quarantine_that_was_left_behind_follows_its_table(project: Project) -> None:
    # What two runs can leave that set tables aside at the same moment.
    platform = orders_1_0(project)
    platform.lake.catalog.rename_table("shop.orders", "shop.orders_v1")
    platform = orders_2_0(project, NEW_TABLE)
    load_table(platform, "orders", "run-2")
    assert column_of(platform, "quarantine.orders_v1", "id") == [1]
    assert column_of(platform, "quarantine.orders", "id") == [2]


def test_a_run_that_was_slower_to_set_tables_aside_starts_over(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders_1_0(project)
    platform = orders_2_0(project, NEW_TABLE)
    original, raced = evolution._set_aside, []

    def overtaken(*arguments: Any) -> None:
        if not raced:
            raced.append(True)
            load_table(project.open(), "orders", "run-2")
        original(*arguments)

    monkeypatch.setattr(evolution, "_set_aside", overtaken)
    assert load_table(platform, "orders", "run-3").state == "nothing_new"
    assert column_of(platform, "shop.orders_v1", "id") == [2, 3]
    assert column_of(platform, "shop.orders", "id") == [1]
