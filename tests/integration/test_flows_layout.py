"""Tables with partitions and a sort order, from runner.yaml to the files in the lake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyiceberg.expressions import EqualTo
from support.project import (
    Project,
    column_of,
    csv_text,
    data_files,
    integer,
    key,
    number,
    predicate,
    row_count,
    text,
)

from quality_platform.errors import ConfigurationError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform

COLUMNS = {
    "id": key(integer()),
    "region": text(),
    "day": {"logicalType": "date"},
    "price": number(),
    "place": {"logicalType": "object", "properties": [{"name": "city", **text()}]},
}
PLAIN = {name: column for name, column in COLUMNS.items() if name != "place"}


def orders(first: int, count: int) -> str:
    rows = [(n, "ABC"[n % 3], f"2024-0{n % 4 + 1}-10", n) for n in range(first, first + count)]
    return csv_text("id,region,day,price", rows)


def with_layout(project: Project, name: str = "orders", **layout: Any) -> Project:
    project.tables[name].update(layout)
    return project


def partitions_of(platform: Platform) -> list[tuple[Any, ...]]:
    tasks = platform.lake.table("shop.orders").scan().plan_files()
    return sorted((*(file.partition[n] for n in range(len(file.partition))),) for file in
                  (task.file for task in tasks))  # fmt: skip


def test_a_load_is_divided_as_runner_yaml_says(project: Project) -> None:
    rules = [predicate("cheap", "price < 20")]
    project.table("orders", PLAIN, quality=rules)
    platform = with_layout(project, partition_by=["region"], sort_by=["id desc"]).open()
    project.deliver("orders/a.csv", orders(0, 30))
    outcome = load_table(platform, "orders", "run-1")
    assert (outcome.rows_read, outcome.rows_published, outcome.rows_quarantined) == (30, 20, 10)
    assert partitions_of(platform) == [("A",), ("B",), ("C",)]
    table = platform.lake.table("shop.orders")
    task, *others = table.scan(EqualTo("region", "B")).plan_files()
    assert not others
    assert task.file.sort_order_id == 1
    found = table.scan(EqualTo("region", "B")).to_arrow()["id"].to_pylist()
    assert found == [19, 16, 13, 10, 7, 4, 1]
    # What was staged before the arranging is gone.
    assert len(data_files(platform, "shop/**/*.parquet")) == 3
    project.deliver("orders/b.csv", orders(12, 3) + "\n100,A,2024-01-01,1\n")
    assert load_table(platform, "orders", "run-2").rows_published == 1
    assert sorted(column_of(platform, "shop.orders", "id")) == [*range(20), 100]


def test_rows_found_bad_late_leave_the_right_partitions(project: Project) -> None:
    project.table("orders", {**PLAIN, "id": integer(unique=True)})
    platform = with_layout(project, partition_by=["day(day)", "bucket(2, id)"]).open()
    project.deliver("orders/a.csv", orders(0, 20) + "3,A,2024-01-01,1\n")
    outcome = load_table(platform, "orders", "run-1")
    assert outcome.rows_quarantined == 2
    assert sorted(column_of(platform, "shop.orders", "id")) == [n for n in range(20) if n != 3]


def test_a_blocked_load_stands_on_its_branch_in_partitions(project: Project) -> None:
    project.table("orders", PLAIN, quality=[row_count(100)])
    platform = with_layout(project, partition_by=["region"]).open()
    project.deliver("orders/a.csv", orders(0, 30))
    (load,) = load_table(platform, "orders", "run-1").loads
    assert load.branch
    assert column_of(platform, "shop.orders", "id") == []
    assert len(column_of(platform, "shop.orders", "id", load.branch)) == 30


def test_the_partition_keys_of_the_contract_count_where_runner_yaml_has_none(
    project: Project,
) -> None:
    columns = {
        **PLAIN,
        "region": text(partitioned=True, partitionKeyPosition=2),
        "day": {"logicalType": "date", "partitioned": True, "partitionKeyPosition": 1},
    }
    platform = project.table("orders", columns).open()
    project.deliver("orders/a.csv", orders(0, 3))
    load_table(platform, "orders", "run-1")
    assert [len(partition) for partition in partitions_of(platform)] == [2, 2, 2]
    assert {partition[1] for partition in partitions_of(platform)} == {"A", "B", "C"}
    platform = with_layout(project, partition_by=[]).open()
    project.deliver("orders/b.csv", orders(3, 3))
    load_table(platform, "orders", "run-2")
    assert sorted(len(partition) for partition in partitions_of(platform)) == [0, 2, 2, 2]
    assert sorted(column_of(platform, "shop.orders", "id")) == list(range(6))


def test_a_merge_keeps_to_partitions_before_and_after_they_change(project: Project) -> None:
    project.table("orders", PLAIN, load={"mode": "merge"})
    platform = with_layout(project, partition_by=["region"], sort_by=["id"]).open()
    project.deliver("orders/a.csv", orders(0, 9))
    load_table(platform, "orders", "run-1")
    # One row moves from A to B, one stays where it is, one is new.
    project.deliver("orders/b.csv", "id,region,day,price\n0,B,,1\n1,B,,2\n9,D,,3\n")
    load_table(platform, "orders", "run-2")
    table = platform.lake.table("shop.orders")
    found = {r: table.scan(EqualTo("region", r)).to_arrow()["id"] for r in "ABCD"}
    regions = {region: sorted(ids.to_pylist()) for region, ids in found.items()}
    assert regions == {"A": [3, 6], "B": [0, 1, 4, 7], "C": [2, 5, 8], "D": [9]}
    platform = with_layout(project, partition_by=["bucket(2, id)"]).open()
    project.deliver("orders/c.csv", "id,region,day,price\n3,C,,1\n")
    load_table(platform, "orders", "run-3")
    table = platform.lake.table("shop.orders")
    assert table.scan(EqualTo("region", "A")).to_arrow()["id"].to_pylist() == [6]
    assert table.scan(EqualTo("id", 3)).to_arrow()["region"].to_pylist() == ["C"]
    assert sorted(column_of(platform, "shop.orders", "id")) == list(range(10))


def test_replacing_a_partitioned_table_leaves_nothing_of_before(project: Project) -> None:
    project.table("orders", PLAIN, load={"mode": "replace"})
    platform = with_layout(project, partition_by=["region"]).open()
    path = project.deliver("orders/a.csv", orders(0, 9))
    load_table(platform, "orders", "run-1")
    path.write_text(orders(9, 2))
    load_table(platform, "orders", "run-2")
    assert sorted(column_of(platform, "shop.orders", "id")) == [9, 10]


@pytest.mark.parametrize(
    ("key_", "term", "message"),
    [
        ("partition_by", "regon", "the contract has no column 'regon'"),
        ("partition_by", "week(day)", "there is no transform 'week'"),
        ("partition_by", "bucket(id)", "bucket takes a number above 0, then the column"),
        ("partition_by", "bucket(0, id)", "bucket takes a number above 0, then the column"),
        ("partition_by", "day(3, day)", "day takes a column and nothing else"),
        ("partition_by", "day(day", "within [ ] a comma divides terms"),
        ("partition_by", "hour(day)", "hour() takes no column of type date32[day]"),
        ("partition_by", "price", "a partition takes no column of type double"),
        ("partition_by", "bucket(4, price)", "bucket() takes no column of type double"),
        ("partition_by", "place", "a partition takes no column of type struct"),
        ("partition_by", "truncate(4, day)", "truncate() takes no column of type date32[day]"),
        ("partition_by", "month(region)", "month() takes no column of type string"),
        ("partition_by", "place.street", "the contract has no column 'place.street'"),
        ("sort_by", "id down", "a sort key is a column, with `desc` where it descends"),
        ("sort_by", "when", "the contract has no column 'when'"),
        ("sort_by", "place", "a sort order takes no column of type struct"),
    ],
)
def test_a_layout_that_cannot_be_is_told_with_its_line(
    project: Project, key_: str, term: str, message: str
) -> None:
    project.table("orders", COLUMNS)
    with pytest.raises(ConfigurationError) as caught:
        with_layout(project, **{key_: ["id", term]}).open()
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    assert problem.location is not None
    line = Path(problem.location.file).read_text().splitlines()[problem.location.line - 1]
    assert term in line
    assert problem.field == f"tables.orders.{key_}.1"


@pytest.mark.parametrize("terms", [["day(day)", "month(day)"], ["id", "id"]])
def test_a_partition_that_repeats_another_is_refused(project: Project, terms: list[str]) -> None:
    project.table("orders", COLUMNS)
    with pytest.raises(ConfigurationError, match="the partition repeats"):
        with_layout(project, partition_by=terms).open()


@pytest.mark.parametrize("column", [number(), {"logicalType": "timestamp"}])
def test_a_partition_key_of_the_contract_that_cannot_be_is_told_with_the_contracts_line(
    project: Project, column: dict[str, Any]
) -> None:
    project.table("orders", {**PLAIN, "price": {**column, "partitioned": True}})
    with pytest.raises(ConfigurationError) as caught:
        project.open()
    (problem,) = caught.value.problems
    assert problem.location is not None
    assert problem.location.file.endswith("odcs.yaml")
    assert "set partition_by" in problem.action
