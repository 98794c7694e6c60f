"""What was added to a table between two snapshots, by its history."""

from __future__ import annotations

import pytest
from support.incremental import ORDERS, at, deliver
from support.project import Project

from quality_platform.errors import Location, SourceChangedError, TableSchemaError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform
from quality_platform.flows.requests import Request
from quality_platform.lake import commits
from quality_platform.lake.appended import (
    RowsSince,
    appended_batches,
    appended_since,
    rows_since,
)
from quality_platform.lake.catalog import Table
from quality_platform.lake.position import Position
from quality_platform.lake.reading import snapshot_of


class Orders:
    """A table of orders that gets one more with each load."""

    def __init__(self, project: Project) -> None:
        self.project = project
        project.table("orders", ORDERS)
        self.platform: Platform = project.open()
        self.number = 0

    def load(self, **request: bool) -> int:
        """Loads one more order, and gives the snapshot."""
        self.number += 1
        deliver(self.project, f"f{self.number}", [(self.number, 1, 1, at(1))])
        load_table(self.platform, "orders", "r", request=Request(**request))
        return self.head

    @property
    def table(self) -> Table:
        return self.platform.lake.table("shop.orders")

    @property
    def head(self) -> int:
        snapshot = snapshot_of(self.table)
        assert snapshot is not None
        return int(snapshot.snapshot_id)

    def maintain(self, task: str) -> None:
        wanted = Wanted((task,), force=True)  # type: ignore[arg-type]
        assert all(done.error is None for done in maintain(self.platform, ["orders"], wanted))

    def since(self, snapshot: int) -> RowsSince:
        head = snapshot_of(self.table)
        assert head is not None
        return rows_since(self.table, head, snapshot)

    def added(self, snapshot: int) -> list[int]:
        """The orders that came after a snapshot."""
        batches = appended_batches(self.table, self.since(snapshot), ["id"])
        return sorted(row["id"] for batch in batches for row in batch.to_pylist())


@pytest.fixture
def orders(project: Project) -> Orders:
    return Orders(project)


def test_the_rows_of_each_load_since_are_the_added_ones(orders: Orders) -> None:
    first, second, third = (orders.load() for _ in range(3))
    assert [orders.added(n) for n in (first, second, third)] == [[2, 3], [3], []]
    assert orders.since(third) == RowsSince(third, third)
    assert [s.snapshot_id for s in orders.since(first).added] == [second, third]


def test_files_that_are_put_together_and_empty_commits_add_nothing(orders: Orders) -> None:
    orders.load()
    second = orders.load()
    orders.maintain("compact")
    table = orders.table
    commits.publish(orders.platform.lake, table, (), Position.of(table.properties), {})
    assert orders.head != second
    assert orders.since(second).is_same
    orders.load()
    assert orders.added(second) == [3]


def test_added_rows_are_told_from_those_that_were_put_together_with_them(orders: Orders) -> None:
    first = orders.load()
    orders.load()
    orders.load()
    orders.maintain("compact")
    orders.load()
    assert orders.added(first) == [2, 3, 4]


def test_rows_that_were_replaced_cannot_be_told(orders: Orders) -> None:
    first = orders.load()
    orders.load(full_refresh=True)
    orders.load()
    found = orders.since(first)
    assert not found.is_same
    assert "changed or removed rows" in found.broken
    with pytest.raises(SourceChangedError, match="changed or removed rows"):
        appended_since(orders.table, snapshot_of(orders.table), first, Location("x"))  # type: ignore[arg-type]


def test_what_came_after_a_snapshot_that_is_gone_cannot_be_told(orders: Orders) -> None:
    orders.load()
    assert "is no longer in its history" in orders.since(1).broken


def test_a_column_that_is_not_there_is_told(orders: Orders) -> None:
    first = orders.load()
    with pytest.raises(TableSchemaError, match="'when'"):
        list(appended_batches(orders.table, orders.since(first), ["when"]))
