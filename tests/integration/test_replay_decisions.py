"""Decisions of people about quarantined rows: released, discarded, told, and undone."""

from __future__ import annotations

import pytest
from support.project import Project, predicate, rows_of_table, text
from support.replays import (
    changed,
    deliver,
    discarded,
    held,
    ids,
    loaded,
    orders,
    released,
    replayed,
)

from quality_platform.errors import ConfigurationError, RollbackError
from quality_platform.flows.decisions import Decision
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform
from quality_platform.flows.replay import Replay, discard_rows, release_rows
from quality_platform.flows.roll_back import plan_rollback, roll_back, table_states
from quality_platform.flows.table_status import quarantined_rows
from quality_platform.lake.position import Position
from quality_platform.lake.reading import snapshot_of, summary_of


def back_by(platform: Platform, snapshots: int) -> None:
    """Sets the orders back by so many snapshots."""
    to = table_states(platform, "orders")[snapshots].snapshot_id
    roll_back(platform, plan_rollback(platform, "orders", str(to)), "rollback")


def test_released_rows_are_published_although_they_break_rules(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, "x"), ("", 5), (5, 500))
    platform = loaded(project)
    outcome = released(platform, where="id != 5 OR id IS NULL")
    assert (outcome.rows_selected, outcome.rows_published, outcome.rows_held) == (3, 1, 2)
    assert ids(platform) == [1, 2]
    by_line = {row["_source_line"]: row for row in quarantined_rows(platform, "orders")}
    assert {line: row["_broken_rules"] for line, row in by_line.items()} == {
        4: ["conforms_to_schema"],
        5: ["id_not_null"],
        6: ["amount_in_range"],
    }


def test_released_duplicates_are_in_the_table_twice(project: Project) -> None:
    deliver(project, "a", (1, 5), (1, 6), (2, 7))
    platform = loaded(project)
    assert released(platform).rows_published == 2
    assert ids(platform) == [1, 1, 2]


def test_a_decision_is_told_in_the_history_and_in_the_snapshot(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    platform = loaded(project)
    released(platform, "by hand", where="id = 2")
    discarded(platform, "by hand too")
    told = [
        (row["kind"], row["table"], row["decided_by"], row["reason"], row["rows"], row["run_id"])
        for row in rows_of_table(platform, "history.decisions")
    ]
    reason = "the shop has confirmed them"
    assert sorted(told) == [
        ("discard", "orders", "Grace", reason, 1, "by hand too"),
        ("release", "orders", "Grace", reason, 1, "by hand"),
    ]
    head = snapshot_of(platform.lake.table("shop.orders"))
    assert head is not None
    summary = summary_of(head)
    assert summary["quality-platform.decided-by"] == "Grace"
    assert summary["quality-platform.reason"] == reason
    assert summary["quality-platform.kind"] == "discard"


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_decision_needs_a_reason(project: Project, reason: str) -> None:
    deliver(project, "a", (2, 50))
    asked = Replay(loaded(project), "orders", "run")
    for decide in (release_rows, discard_rows):
        with pytest.raises(ConfigurationError, match="for a reason"):
            decide(asked, Decision.of(reason))


def test_discarded_rows_are_gone_and_the_others_stay_as_they_were(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    platform = loaded(project)
    before = {row["id"]: row for row in quarantined_rows(platform, "orders")}
    outcome = discarded(platform, where="amount = 50")
    assert (outcome.rows_selected, outcome.rows_discarded) == (1, 1)
    (after,) = quarantined_rows(platform, "orders")
    assert {**after, "_attempt": ""} == {**before[3], "_attempt": ""}
    discarded(platform)
    load_table(platform, "orders", "next")
    assert (ids(platform), held(platform)) == ([1], [])


def test_a_duplicate_passes_once_the_other_is_discarded(project: Project) -> None:
    deliver(project, "a", (1, 5), (1, 6))
    platform = loaded(project)
    assert replayed(platform).rows_published == 0
    assert replayed(platform, where="amount = 5").rows_published == 0
    discarded(platform, where="amount = 6")
    assert replayed(platform).rows_published == 1
    assert (ids(platform), held(platform)) == ([1], [])


def test_a_replay_can_be_rolled_back_and_done_again(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    loaded(project)
    platform = changed(project, orders(100))
    replayed(platform)
    deliver(project, "b", (4, 4))
    load_table(platform, "orders", "later")
    back_by(platform, 2)
    assert (ids(platform), held(platform)) == ([1], [2, 3])
    assert replayed(platform).rows_published == 1
    load_table(platform, "orders", "later")
    assert (ids(platform), held(platform)) == ([1, 2, 4], [3])


def test_the_rollback_of_a_replay_can_be_undone(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    loaded(project)
    platform = changed(project, orders(100))
    replayed(platform)
    back_by(platform, 1)
    back_by(platform, 0)
    assert (ids(platform), held(platform)) == ([1, 2], [3])


def test_what_was_discarded_comes_back_with_a_rollback(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    platform = loaded(project)
    discarded(platform)
    deliver(project, "b", (4, 4))
    load_table(platform, "orders", "later")
    back_by(platform, 2)
    assert (ids(platform), held(platform)) == ([1], [2, 3])


def test_files_of_replayed_rows_go_once_no_snapshot_needs_them(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    loaded(project)
    platform = changed(project, orders(100))
    replayed(platform)
    # One file of the load, and one of the replay.
    assert len(rows_of_table(platform, "quarantine.orders")) == 3
    project.settings["maintenance"] = {"keep_snapshots": "0d", "keep_at_least": 1}
    platform = project.open()
    list(maintain(platform, ["orders"], Wanted(("expire",), force=True)))
    deliver(project, "b", (4, 4))
    load_table(platform, "orders", "later")
    assert len(rows_of_table(platform, "quarantine.orders")) == 1
    assert held(platform) == [3]


def test_rows_in_compacted_files_are_replayed_and_rolled_back_too(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    deliver(project, "b", (4, 40), (5, 5000))
    platform = loaded(project)
    list(maintain(platform, ["orders"], Wanted(("compact",), force=True)))
    platform = changed(project, orders(100))
    assert replayed(platform, where="id > 3").rows_published == 1
    assert (ids(platform), held(platform)) == ([1, 4], [2, 3, 5])
    list(maintain(platform, ["orders"], Wanted(("compact",), force=True)))
    assert replayed(platform).rows_published == 1
    assert (ids(platform), held(platform)) == ([1, 2, 4], [3, 5])


def test_what_a_table_cannot_hold_is_never_released(project: Project) -> None:
    columns = orders(note=text(required=True))
    rule = predicate("small", "amount < 3")
    deliver(project, "a", (1, 5, "a"), (2, 50, ""), (3, 1, "c"), header="id,amount,note")
    platform = loaded(project, columns, quality=[rule])
    outcome = released(platform)
    assert (outcome.rows_published, outcome.rows_held) == (1, 1)
    assert (ids(platform), held(platform)) == ([1, 3], [2])


def test_no_way_leads_back_before_a_replay_whose_rows_are_gone(project: Project) -> None:
    deliver(project, "a", (1, 5), (2, 50))
    loaded(project)
    platform = changed(project, orders(100))
    load = table_states(platform, "orders")[0].snapshot_id
    table = platform.lake.table("shop.orders")
    table.manage_snapshots().create_tag(load, "before").commit()
    replayed(platform)
    quarantine = platform.lake.table("quarantine.orders")
    quarantine.delete("id = 2")
    with pytest.raises(RollbackError, match="cannot go back so far"):
        plan_rollback(platform, "orders", "before")


def test_what_was_outdated_is_so_again_after_a_rollback(project: Project) -> None:
    load = {"mode": "replace", "batch": "all"}
    deliver(project, "a", (1, 50))
    platform = loaded(project, load=load)
    first = Position.of(platform.lake.table("shop.orders").properties)
    deliver(project, "a", (2, 50))
    load_table(platform, "orders", "second")
    assert replayed(platform).rows_outdated == 1
    back_by(platform, 2)
    assert Position.of(platform.lake.table("shop.orders").properties) == first
    assert replayed(platform).rows_outdated == 0
