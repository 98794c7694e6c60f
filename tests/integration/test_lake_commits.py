"""Commits: what a reader sees, what two writers do to each other, what the dead leave."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.lake_tables import SCHEMA, ids_of, open_lake, staged

from quality_platform.errors import AccountingError, ConcurrentLoadError
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.position import Position
from quality_platform.lake.reading import (
    files_of,
    published_snapshot,
    rows_of,
    snapshot_of,
    summary_of,
)

MAIN, HELD = "shop.orders", "quarantine.orders"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(tmp_path / "lake")


@pytest.fixture
def table(lake: Lake) -> Table:
    return lake.ensure_table(MAIN, SCHEMA)


@pytest.fixture
def quarantine(lake: Lake) -> Table:
    return lake.ensure_table(HELD, SCHEMA)


def position(attempt: str, file: str = "a.csv") -> Position:
    return Position().advanced({file: "sha"}, f"load of {file}", attempt, replace=False)


def metadata_versions(tmp_path: Path) -> int:
    return len(list((tmp_path / "lake" / "warehouse" / "shop").rglob("*.metadata.json")))


def test_publish_adds_rows_and_position_in_one_commit(
    lake: Lake, table: Table, tmp_path: Path
) -> None:
    before = metadata_versions(tmp_path)
    snapshot = commits.publish(lake, table, staged(table, [1, 2]), position("a1"), {"who": "me"})
    assert metadata_versions(tmp_path) == before + 1
    assert ids_of(lake, MAIN) == [1, 2]
    seen = lake.table(MAIN)
    assert Position.of(seen.properties) == position("a1")
    assert summary_of(snapshot)["who"] == "me"
    assert rows_of(snapshot_of(seen)) == 2


def test_publish_of_more_keeps_what_was_there(lake: Lake, table: Table) -> None:
    commits.publish(lake, table, staged(table, [1]), position("a1"), {})
    snapshot = commits.publish(lake, table, staged(table, [2, 3]), position("a2", "b.csv"), {})
    assert ids_of(lake, MAIN) == [1, 2, 3]
    assert summary_of(snapshot)["added-records"] == "2"
    assert snapshot.summary is not None
    assert snapshot.summary.operation.value == "append"


def test_replace_puts_new_rows_in_place_of_all_and_counts_only_the_new(
    lake: Lake, table: Table
) -> None:
    first = commits.publish(lake, table, staged(table, [1, 2, 3]), position("a1"), {})
    second = commits.publish(lake, table, staged(table, [7]), position("a2"), {}, replace=True)
    assert ids_of(lake, MAIN) == [7]
    assert (summary_of(second)["added-records"], rows_of(second)) == ("1", 1)
    third = commits.publish(lake, table, (), position("a3"), {}, replace=True)
    assert (ids_of(lake, MAIN), rows_of(third)) == ([], 0)
    # Time travel: what was pinned stays readable.
    assert len(files_of(table, first.snapshot_id)) == 1


def test_publish_without_rows_still_writes_the_position(lake: Lake, table: Table) -> None:
    snapshot = commits.publish(lake, table, (), position("a1"), {})
    assert rows_of(snapshot) == 0
    assert Position.of(lake.table(MAIN).properties).attempts == ("a1",)


@pytest.mark.parametrize("published_before", [False, True])
@pytest.mark.parametrize("replace", [False, True])
def test_the_second_of_two_handles_fails_and_changes_nothing(
    lake: Lake, table: Table, published_before: bool, replace: bool
) -> None:
    if published_before:
        commits.publish(lake, table, staged(table, [1]), position("a0"), {})
    one, two = lake.table(MAIN), lake.table(MAIN)
    won = commits.publish(lake, one, staged(one, [2], "l-one"), position("a1"), {})
    before = ids_of(lake, MAIN)
    with pytest.raises(ConcurrentLoadError) as caught:
        commits.publish(lake, two, staged(two, [3], "l-two"), position("a2"), {}, replace=replace)
    assert caught.value.transient
    seen = lake.table(MAIN)
    assert ids_of(lake, MAIN) == before
    assert Position.of(seen.properties) == position("a1")
    head = snapshot_of(seen)
    assert head is not None
    assert head.snapshot_id == won.snapshot_id


def test_append_has_the_same_compare_and_swap(lake: Lake, table: Table) -> None:
    one, two = lake.table(MAIN), lake.table(MAIN)
    commits.append(lake, one, staged(one, [1]), {})
    with pytest.raises(ConcurrentLoadError):
        commits.append(lake, two, staged(two, [2], "l-two"), {})
    assert ids_of(lake, MAIN) == [1]


def test_a_publish_after_another_run_staged_a_branch_starts_over(lake: Lake, table: Table) -> None:
    commits.publish(lake, table, staged(table, [1]), position("a1"), {})
    one, two = lake.table(MAIN), lake.table(MAIN)
    commits.stage_on_branch(lake, one, "audit-x", staged(one, [2], "x-one"), {})
    # pyiceberg says it with a ValueError about sequence numbers.
    with pytest.raises(ConcurrentLoadError):
        commits.publish(lake, two, staged(two, [3], "y-two"), position("a2"), {})
    assert ids_of(lake, MAIN) == [1]
    again = lake.table(MAIN)
    commits.publish(lake, again, staged(again, [3], "y-three"), position("a2"), {})
    assert ids_of(lake, MAIN) == [1, 3]


def test_a_branch_on_an_empty_table_holds_the_rows_and_publishes_nothing(
    lake: Lake, table: Table
) -> None:
    head = commits.stage_on_branch(lake, table, "audit-x", staged(table, [1, 2]), {"k": "v"})
    assert ids_of(lake, MAIN, "audit-x") == [1, 2]
    assert ids_of(lake, MAIN) == []
    seen = lake.table(MAIN)
    assert published_snapshot(seen) is None
    assert published_snapshot(None) is None
    on_branch = snapshot_of(seen, "audit-x")
    assert on_branch is not None
    assert (on_branch.snapshot_id, summary_of(on_branch)["k"]) == (head, "v")
    assert on_branch.parent_snapshot_id is not None


@pytest.mark.parametrize(("replace", "expected"), [(False, [1, 2, 5]), (True, [5])])
def test_a_branch_holds_what_main_would_have_held(
    lake: Lake, table: Table, replace: bool, expected: list[int]
) -> None:
    commits.publish(lake, table, staged(table, [1, 2]), position("a1"), {})
    commits.stage_on_branch(lake, table, "audit-x", staged(table, [5], "x-a"), {}, replace=replace)
    assert ids_of(lake, MAIN, "audit-x") == expected
    assert ids_of(lake, MAIN) == [1, 2]
    assert published_snapshot(lake.table(MAIN)) is not None


def test_a_branch_of_the_same_name_is_replaced_and_can_be_removed_twice(
    lake: Lake, table: Table
) -> None:
    commits.stage_on_branch(lake, table, "audit-x", staged(table, [1], "x-a"), {})
    commits.stage_on_branch(lake, table, "audit-x", staged(table, [2], "x-b"), {})
    assert ids_of(lake, MAIN, "audit-x") == [2]
    for _ in range(2):
        commits.remove_branch(lake, table, "audit-x")
        assert set(lake.table(MAIN).refs()) == {"main"}


def test_a_load_published_while_a_branch_is_staged_is_not_lost(lake: Lake, table: Table) -> None:
    commits.publish(lake, table, staged(table, [1]), position("a1"), {})
    one, two = lake.table(MAIN), lake.table(MAIN)
    commits.publish(lake, two, staged(two, [2], "y-b"), position("a2"), {})
    commits.stage_on_branch(lake, one, "audit-x", staged(one, [9], "x-a"), {})
    assert ids_of(lake, MAIN) == [1, 2]
    assert 9 in ids_of(lake, MAIN, "audit-x")


def test_what_a_dead_attempt_left_in_quarantine_is_removed_and_nothing_else(
    lake: Lake, table: Table, quarantine: Table
) -> None:
    commits.append(lake, quarantine, staged(quarantine, [10], "l1-a1"), {})
    commits.publish(lake, table, staged(table, [1], "l1-a1"), position("a1"), {})
    commits.append(lake, quarantine, staged(quarantine, [20, 21], "l2-a2"), {})
    table, quarantine = lake.table(MAIN), lake.table(HELD)
    committed = Position.of(table.properties).attempts
    assert commits.has_uncommitted_attempts(quarantine, committed)
    assert commits.drop_uncommitted_attempts(lake, table, quarantine) == 2
    assert ids_of(lake, HELD) == [10]
    assert ids_of(lake, MAIN) == [1]
    assert Position.of(lake.table(MAIN).properties) == position("a1")
    assert not commits.has_uncommitted_attempts(lake.table(HELD), committed)
    assert commits.drop_uncommitted_attempts(lake, lake.table(MAIN), lake.table(HELD)) == 0


def test_an_attempt_that_is_still_alive_is_fenced_before_its_quarantine_is_removed(
    lake: Lake, table: Table, quarantine: Table
) -> None:
    commits.publish(lake, table, staged(table, [1], "l1-a1"), position("a1"), {})
    # A has committed its quarantine and not yet main.
    a_main, a_held = lake.table(MAIN), lake.table(HELD)
    commits.append(lake, a_held, staged(a_held, [20], "l2-aa"), {})
    # B begins, and takes A for dead.
    b_main, b_held = lake.table(MAIN), lake.table(HELD)
    assert commits.drop_uncommitted_attempts(lake, b_main, b_held) == 1
    # A lives: its publish must fail, or its quarantine rows would be missing.
    with pytest.raises(ConcurrentLoadError):
        commits.publish(lake, a_main, staged(a_main, [2], "l2-aa"), position("aa"), {})
    assert (ids_of(lake, MAIN), ids_of(lake, HELD)) == ([1], [])
    # B goes on with the handles that it has.
    held = commits.append(lake, b_held, staged(b_held, [20], "l2-bb"), {})
    main = commits.publish(lake, b_main, staged(b_main, [2], "l2-bb"), position("bb"), {})
    commits.assert_accounted(2, main, held)
    assert (ids_of(lake, MAIN), ids_of(lake, HELD)) == ([1, 2], [20])


def test_a_clean_up_that_comes_too_late_removes_nothing(
    lake: Lake, table: Table, quarantine: Table
) -> None:
    # B loads main, A commits both, B loads the quarantine: to B, A's rows look left behind.
    b_main = lake.table(MAIN)
    commits.append(lake, quarantine, staged(quarantine, [20], "l2-aa"), {})
    commits.publish(lake, table, staged(table, [2], "l2-aa"), position("aa"), {})
    with pytest.raises(ConcurrentLoadError):
        commits.drop_uncommitted_attempts(lake, b_main, lake.table(HELD))
    assert (ids_of(lake, MAIN), ids_of(lake, HELD)) == ([2], [20])


def test_rows_that_are_not_accounted_for_are_an_error(lake: Lake, table: Table) -> None:
    snapshot = commits.publish(lake, table, staged(table, [1, 2]), position("a1"), {})
    commits.assert_accounted(2, snapshot, None)
    with pytest.raises(AccountingError, match="3 rows were read, but 2 published and 0"):
        commits.assert_accounted(3, snapshot, None)


def test_a_file_name_tells_its_attempt() -> None:
    assert commits.attempt_of("file:///w/orders/data/load-attempt-00001.parquet") == "attempt"
    assert commits.attempt_of("file:///w/orders/data/load-attempt-split-00001.parquet") == "attempt"
    assert commits.attempt_of("file:///w/orders/data/some.parquet") == ""


def test_a_replaced_position_forgets_sources_and_keeps_attempts() -> None:
    first = Position().advanced({"a": "1", "b": "1"}, "l1", "x", replace=False)
    second = first.advanced({"b": "2"}, "l2", "y", replace=True)
    assert set(second.sources) == {"b"}
    assert second.attempts == ("x", "y")
    assert Position.of(second.as_properties()) == second
    assert Position.of({}) == Position()
