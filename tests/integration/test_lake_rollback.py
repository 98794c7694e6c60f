"""Going back to an earlier state of a table: its rows, and what counts as loaded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.lake_tables import SCHEMA, ids_of, open_lake, staged

from quality_platform.errors import ConcurrentLoadError, RollbackError
from quality_platform.lake import commits, rollback
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.position import Position

ORDERS = "shop.orders"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(tmp_path)


def load(lake: Lake, source: str, version: str, ids: list[int], *, replace: bool = False) -> int:
    """Publishes rows as the load of one source; returns the snapshot id."""
    table = lake.ensure_table(ORDERS, SCHEMA)
    attempt = f"a{len(Position.of(table.properties).attempts)}{version}"
    position = Position.of(table.properties).advanced(
        {source: version}, f"load-{attempt}", attempt, replace=replace
    )
    summary = {commits.LOAD_ID: f"load-{attempt}", commits.ATTEMPT: attempt}
    files = staged(table, ids)
    return commits.publish(lake, table, files, position, summary, replace=replace).snapshot_id


def position_of(table: Table) -> Position:
    return Position.of(table.properties)


def go_back(lake: Lake, to: str) -> None:
    table = lake.table(ORDERS)
    rollback.set_back(lake, table, rollback.find_state(table, to))


def test_rows_and_position_go_back_together(lake: Lake) -> None:
    first = load(lake, "f1", "v1", [1])
    then = position_of(lake.table(ORDERS))
    load(lake, "f2", "v1", [2])
    load(lake, "f3", "v1", [3])
    go_back(lake, str(first))
    assert ids_of(lake, ORDERS) == [1]
    assert position_of(lake.table(ORDERS)) == then


def test_the_version_of_a_source_that_a_load_replaced_comes_back(lake: Lake) -> None:
    first = load(lake, "cursor", "10", [1])
    load(lake, "cursor", "20", [2])
    go_back(lake, str(first))
    assert position_of(lake.table(ORDERS)).sources["cursor"].version == "10"


def test_sources_that_a_replacing_load_forgot_come_back(lake: Lake) -> None:
    load(lake, "f1", "v1", [1])
    second = load(lake, "f2", "v1", [2])
    then = position_of(lake.table(ORDERS))
    load(lake, "f3", "v1", [3], replace=True)
    go_back(lake, str(second))
    assert ids_of(lake, ORDERS) == [1, 2]
    assert position_of(lake.table(ORDERS)) == then


def test_a_rollback_can_be_undone(lake: Lake) -> None:
    first = load(lake, "f1", "v1", [1])
    second = load(lake, "f2", "v1", [2])
    then = position_of(lake.table(ORDERS))
    go_back(lake, str(first))
    go_back(lake, str(second))
    assert ids_of(lake, ORDERS) == [1, 2]
    assert position_of(lake.table(ORDERS)) == then


def test_loads_after_a_rollback_do_not_bring_back_what_was_undone(lake: Lake) -> None:
    first = load(lake, "f1", "v1", [1])
    load(lake, "f2", "v1", [2])
    go_back(lake, str(first))
    third = load(lake, "f3", "v1", [3])
    assert ids_of(lake, ORDERS) == [1, 3]
    assert set(position_of(lake.table(ORDERS)).sources) == {"f1", "f3"}
    go_back(lake, str(first))
    go_back(lake, str(third))
    assert set(position_of(lake.table(ORDERS)).sources) == {"f1", "f3"}


def test_a_load_that_began_before_the_rollback_is_not_published(lake: Lake) -> None:
    first = load(lake, "f1", "v1", [1])
    load(lake, "f2", "v1", [2])
    table = lake.table(ORDERS)
    files = staged(table, [3])
    position = position_of(table).advanced({"f3": "v1"}, "late", "late", replace=False)
    go_back(lake, str(first))
    with pytest.raises(ConcurrentLoadError):
        commits.publish(lake, table, files, position, {})
    assert ids_of(lake, ORDERS) == [1]


def test_a_time_means_what_readers_saw_then(lake: Lake) -> None:
    load(lake, "f1", "v1", [1])
    at = lake.table(ORDERS).metadata.last_updated_ms
    while datetime.now(UTC).timestamp() * 1000 <= at + 1:
        pass
    load(lake, "f2", "v1", [2])
    go_back(lake, datetime.fromtimestamp(at / 1000, UTC).isoformat())
    assert ids_of(lake, ORDERS) == [1]


def test_a_tag_is_found_by_its_name(lake: Lake) -> None:
    first = load(lake, "f1", "v1", [1])
    lake.table(ORDERS).manage_snapshots().create_tag(first, "release-1").commit()
    load(lake, "f2", "v1", [2])
    go_back(lake, "release-1")
    assert ids_of(lake, ORDERS) == [1]


@pytest.mark.parametrize("to", ["no-such-tag", "123", "1999-01-01"])
def test_what_is_not_there_is_refused(lake: Lake, to: str) -> None:
    load(lake, "f1", "v1", [1])
    with pytest.raises(RollbackError):
        go_back(lake, to)


def test_the_state_of_a_blocked_load_cannot_be_gone_back_to(lake: Lake) -> None:
    load(lake, "f1", "v1", [1])
    table = lake.table(ORDERS)
    blocked = commits.stage_on_branch(lake, table, "audit-x", staged(table, [9]), {})
    with pytest.raises(RollbackError, match="what was loaded"):
        go_back(lake, str(blocked))


def test_a_snapshot_of_an_older_version_of_the_platform_ends_what_can_be_told(lake: Lake) -> None:
    first = load(lake, "f1", "v1", [1])
    table = lake.table(ORDERS)
    with table.transaction() as transaction:
        told = {commits.ATTEMPT: "old"}
        transaction.update_snapshot(snapshot_properties=told).fast_append().commit()
    last = load(lake, "f2", "v1", [2])
    found = {state.snapshot_id: state for state in rollback.states(lake.table(ORDERS))}
    assert not found[first].can_be_restored
    assert found[last].is_current
    with pytest.raises(RollbackError):
        go_back(lake, str(first))
