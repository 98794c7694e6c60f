"""Rows that are gone at the source leave the table: by a flag, or by comparison."""

from __future__ import annotations

from typing import Any

import pytest
from support.loads import loaded, told
from support.memory_source import MemorySource
from support.project import (
    Project,
    column_of,
    integer,
    key,
    number,
    predicate,
    rows_of_table,
    text,
)

from quality_platform.errors import ConfigurationError, PublishBlockedError, RunnerFileError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform
from quality_platform.flows.requests import Request
from quality_platform.history.records import latest_runs

COLUMNS = {"id": key(integer()), "name": text(required=True), "op": text()}
BY_FLAG = {
    "mode": "merge",
    "batch": "file",
    "deletes": {"by": "flag", "column": "op", "value": "D"},
}
BY_COMPARISON = {"mode": "merge", "deletes": {"by": "comparison"}}


def ids(platform: Platform) -> list[Any]:
    return column_of(platform, "shop.orders", "id")


def row(n: int, name: str | None = "x") -> dict[str, Any]:
    return {"id": n, "name": name, "op": None}


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> MemorySource:
    return MemorySource().install(monkeypatch)


def test_a_flagged_row_removes_the_row_with_its_key(project: Project) -> None:
    project.table("orders", COLUMNS, load=BY_FLAG)
    project.deliver("orders/a.csv", "id,name,op\n1,a,I\n2,b,I\n3,c,I\n")
    platform = project.open()
    loaded(platform)
    project.deliver("orders/b.csv", "id,name,op\n2,,D\n9,z,D\n")
    # What was not there cannot be deleted.
    assert told(loaded(platform)) == {"read": 2, "deleted": 1, "superseded": 1}
    assert ids(platform) == [1, 3]


def test_a_delete_is_judged_by_no_rule_but_needs_its_key(project: Project) -> None:
    rules = [predicate("short", "length(name) < 3"), predicate("never_d", "op <> 'D'")]
    project.table("orders", COLUMNS, load=BY_FLAG, quality=rules)
    project.deliver("orders/a.csv", "id,name,op\n1,a,I\n2,b,I\n")
    platform = project.open()
    loaded(platform)
    project.deliver("orders/b.csv", "id,name,op\n1,much too long,D\n,b,D\nx,b,D\n")
    assert told(loaded(platform)) == {"read": 3, "deleted": 1, "quarantined": 2}
    assert ids(platform) == [2]


def test_the_last_of_an_insert_and_a_delete_of_one_key_counts(project: Project) -> None:
    project.table("orders", COLUMNS, load=BY_FLAG)
    # The row that is held back between them must not change their order.
    project.deliver(
        "orders/a.csv", "id,name,op\n1,a,D\n7,,I\n1,b,I\n2,a,I\n2,,D\n3,c,I\n3,c,D\n3,d,I\n"
    )
    platform = project.open()
    assert told(loaded(platform)) == {
        "read": 8, "published": 2, "superseded": 5, "quarantined": 1
    }  # fmt: skip
    assert {r["id"]: r["name"] for r in rows_of_table(platform, "shop.orders")} == {1: "b", 3: "d"}


def test_a_comparison_removes_what_a_whole_read_did_not_find(
    project: Project, source: MemorySource
) -> None:
    platform = project.table("orders", COLUMNS, load=BY_COMPARISON).open()
    source.rows = [row(1), row(2), row(3), row(4)]
    loaded(platform)
    source.rows = [row(1), row(2, "y"), row(5)]
    assert told(loaded(platform)) == {
        "read": 3, "published": 2, "updated": 1, "unchanged": 1, "deleted": 2
    }  # fmt: skip
    assert ids(platform) == [1, 2, 5]


def test_a_row_that_is_held_back_is_not_gone(project: Project, source: MemorySource) -> None:
    platform = project.table("orders", COLUMNS, load=BY_COMPARISON).open()
    source.rows = [row(1), row(2), row(3)]
    loaded(platform)
    source.rows = [row(1), row(2, None)]
    assert told(loaded(platform)) == {
        "read": 2, "unchanged": 1, "deleted": 1, "quarantined": 1
    }  # fmt: skip
    assert ids(platform) == [1, 2]


def test_nothing_is_deleted_where_the_key_of_a_held_row_cannot_be_read(
    project: Project, source: MemorySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = {"id": key(number("decimal(4,1)")), "name": text(), "op": text()}
    platform = project.table("orders", columns, load=BY_COMPARISON).open()
    source.rows = [row(1), row(2), row(3)]
    loaded(platform)
    source.rows = [row(1), row(2)]
    source.texts = {"id": ["1", "two"]}
    load = loaded(platform)
    assert told(load) == {"read": 2, "unchanged": 1, "quarantined": 1}
    (note,) = load.notes
    assert note.startswith("nothing was deleted: the key of 1 quarantined rows cannot be read")
    assert latest_runs(platform.lake, platform.engine)["orders"]["message"] == note
    assert len(ids(platform)) == 3


def test_a_comparison_that_would_delete_more_than_it_may_publishes_nothing(
    project: Project, source: MemorySource
) -> None:
    platform = project.table("orders", COLUMNS, load=BY_COMPARISON).open()
    source.rows = [row(n) for n in range(4)]
    loaded(platform)
    source.rows = [row(0), row(9)]
    with pytest.raises(PublishBlockedError, match="1 of the table's 4 rows: 3 would be deleted"):
        loaded(platform)
    assert ids(platform) == [0, 1, 2, 3]
    source.rows = []
    with pytest.raises(PublishBlockedError):
        loaded(platform)
    source.rows = [row(0), row(9)]
    assert told(loaded(platform, Request(full_refresh=True))) == {"read": 2, "published": 2}
    assert ids(platform) == [0, 9]


def test_files_that_are_loads_of_their_own_cannot_be_compared(project: Project) -> None:
    project.table("orders", COLUMNS, load={**BY_COMPARISON, "batch": "file"})
    project.deliver("orders/a.csv", "id,name,op\n1,a,\n")
    project.deliver("orders/b.csv", "id,name,op\n2,a,\n")
    with pytest.raises(RunnerFileError, match="a comparison needs all rows of the source"):
        loaded(project.open())


def test_all_files_together_are_compared(project: Project) -> None:
    project.table("orders", COLUMNS, load=BY_COMPARISON)
    first = project.deliver("orders/a.csv", "id,name,op\n1,a,\n2,b,\n")
    platform = project.open()
    loaded(platform)
    project.deliver("orders/b.csv", "id,name,op\n3,c,\n")
    assert told(loaded(platform)) == {"read": 3, "published": 1, "unchanged": 2}
    first.unlink()
    project.deliver("orders/c.csv", "id,name,op\n2,b,\n")
    assert told(loaded(platform)) == {"read": 2, "unchanged": 2, "deleted": 1}
    assert ids(platform) == [2, 3]
    assert load_table(platform, "orders", "run").state == "nothing_new"


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        ({"mode": "merge", "key": ["nr"]}, "tables.orders.load.key: the contract has no column"),
        ({"mode": "merge", "order_by": "nam"}, "load.order_by: the contract has no column 'nam'"),
        (
            {"mode": "merge", "deletes": {"by": "flag", "column": "op", "value": True}},
            "load.deletes.value: the value that marks a deleted row is no value of its column",
        ),
        (
            {"mode": "snapshot", "deletes": {"by": "flag", "column": "x"}},
            "load.deletes.column: the contract has no column 'x'",
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_told_with_their_line(
    project: Project, load: dict[str, Any], expected: str
) -> None:
    project.table("orders", COLUMNS, load=load)
    with pytest.raises(ConfigurationError) as caught:
        project.open()
    assert expected in str(caught.value)
    assert "runner.yaml:" in str(caught.value)


def test_a_merge_needs_a_key(project: Project) -> None:
    project.table("orders", {"id": integer()}, load={"mode": "merge"})
    with pytest.raises(ConfigurationError, match="the contract has no primary key"):
        project.open()
