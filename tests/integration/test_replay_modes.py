"""Replays in every mode of loading: nothing is counted twice, and nothing newer is overwritten."""

from __future__ import annotations

from typing import Any

import pytest
from support.memory_source import MemorySource
from support.project import (
    Project,
    foreign_key,
    integer,
    key,
    row_count,
    rows_of_table,
    text,
)
from support.replays import changed, deliver, held, ids, loaded, orders, released, replayed

from quality_platform.errors import TableSchemaError
from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform
from quality_platform.flows.requests import Request

BY_TIME = {"mode": "merge", "batch": "file", "order_by": "at"}
BY_KEY = {"mode": "merge", "batch": "file"}
HEADER = "id,amount,at"


def dated(maximum: int = 10) -> dict[str, Any]:
    return orders(maximum, at=integer())


def published(platform: Platform) -> list[tuple[int, int]]:
    return sorted((r["id"], r["amount"]) for r in rows_of_table(platform, "shop.orders"))


def test_an_older_row_never_takes_the_place_of_a_newer_one(project: Project) -> None:
    deliver(project, "a", (1, 50, 1), (2, 50, 1), (3, 50, 3), header=HEADER)
    loaded(project, dated(), load=BY_TIME)
    deliver(project, "b", (1, 5, 2), (3, 5, 2), header=HEADER)
    platform = changed(project, dated(100), load=BY_TIME)
    load_table(platform, "orders", "second")
    outcome = replayed(platform)
    assert (outcome.rows_published, outcome.rows_superseded, outcome.rows_held) == (2, 1, 0)
    assert outcome.rows_updated == 1
    assert published(platform) == [(1, 5), (2, 50), (3, 50)]
    assert held(platform) == []


def test_of_two_held_rows_the_newer_is_published(project: Project) -> None:
    deliver(project, "a", (1, 50, 2), (1, 60, 1), (1, 70, 1), header=HEADER)
    loaded(project, dated(), load=BY_TIME)
    platform = changed(project, dated(100), load=BY_TIME)
    outcome = replayed(platform)
    assert (outcome.rows_published, outcome.rows_superseded) == (1, 2)
    assert published(platform) == [(1, 50)]


@pytest.mark.parametrize("load", [BY_TIME, BY_KEY])
def test_where_nothing_tells_which_is_newer_a_person_must(
    project: Project, load: dict[str, str]
) -> None:
    deliver(project, "a", (1, 50, 1), (2, 50, 1), header=HEADER)
    loaded(project, dated(), load=load)
    deliver(project, "b", (1, 5, 1), header=HEADER)
    platform = changed(project, dated(100), load=load)
    load_table(platform, "orders", "second")
    outcome = replayed(platform)
    assert (outcome.rows_published, outcome.rows_held) == (1, 1)
    assert published(platform) == [(1, 5), (2, 50)]
    assert held(platform, "_broken_rules") == [["is_newer_than_published"]]
    assert replayed(platform).rows_held == 1
    assert released(platform).rows_updated == 1
    assert published(platform) == [(1, 50), (2, 50)]


def test_a_held_row_that_the_table_has_already_is_unchanged(project: Project) -> None:
    deliver(project, "a", (1, 50, 1), header=HEADER)
    loaded(project, dated(), load=BY_KEY)
    deliver(project, "b", (1, 50, 1), header=HEADER)
    platform = changed(project, dated(100), load=BY_KEY)
    load_table(platform, "orders", "second")
    outcome = replayed(platform)
    assert (outcome.rows_unchanged, outcome.rows_published, outcome.rows_held) == (1, 0, 0)
    assert published(platform) == [(1, 50)]


@pytest.mark.parametrize(("load", "left"), [(BY_TIME, []), (BY_KEY, [(1, 5)])])
def test_a_delete_that_can_be_read_now_is_done_if_it_is_newer(
    project: Project, load: dict[str, str], left: list[tuple[int, int]]
) -> None:
    columns = {"id": key(integer()), "amount": integer(), "at": integer(), "op": text()}
    load = {**load, "deletes": {"by": "flag", "column": "op", "value": "D"}}  # type: ignore[dict-item]
    deliver(project, "a", (1, 5, 1, ""), (1, "1_0", 2, "D"), header=f"{HEADER},op")
    loaded(project, columns, load=load)
    platform = project.open()
    assert replayed(platform).rows_held == 1
    project.tables["orders"]["source"]["null_strings"] = ["", "1_0"]
    platform = project.open()
    outcome = replayed(platform)
    assert published(platform) == left
    assert (outcome.rows_deleted, outcome.rows_held) == (1 - len(left), len(left))


def test_versions_are_kept_of_what_a_replay_publishes(project: Project) -> None:
    load = {"mode": "snapshot", "batch": "file", "order_by": "at"}
    deliver(project, "a", (1, 5, 1), (1, 50, 2), header=HEADER)
    loaded(project, dated(), load=load)
    platform = changed(project, dated(100), load=load)
    assert replayed(platform).rows_updated == 1
    rows = rows_of_table(platform, "shop.orders")
    assert sorted((r["amount"], r["_valid_to"] is None) for r in rows) == [(5, False), (50, True)]


def test_rows_of_a_batch_that_was_replaced_are_not_brought_back(project: Project) -> None:
    load = {"mode": "replace", "batch": "all"}
    deliver(project, "a", (1, 50), (2, 5))
    loaded(project, load=load)
    deliver(project, "a", (3, 60), (4, 5))
    platform = changed(project, orders(100), load=load)
    project.contract("orders", orders(55))
    platform = project.open()
    load_table(platform, "orders", "second")
    platform = changed(project, orders(100), load=load)
    outcome = replayed(platform)
    assert (outcome.rows_selected, outcome.rows_published, outcome.rows_outdated) == (1, 1, 1)
    assert (ids(platform), held(platform)) == ([3, 4], [1])


def test_rows_that_a_full_refresh_read_again_are_published_once(project: Project) -> None:
    deliver(project, "a", (1, 50), (2, 5))
    platform = loaded(project)
    load_table(platform, "orders", "again", request=Request(full_refresh=True))
    assert held(platform) == [1, 1]
    platform = changed(project, orders(100))
    assert (replayed(platform).rows_outdated, ids(platform)) == (1, [1, 2])
    assert replayed(platform).rows_selected == 0


def test_only_held_rows_of_a_range_that_was_read_again_are_outdated(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MemorySource().install(monkeypatch)
    load = {"mode": "append", "incremental": {"cursor": "at"}}
    columns = {"id": integer(), "amount": integer(logicalTypeOptions={"maximum": 10})}
    columns["at"] = integer()
    source.rows = [{"id": n, "amount": 50, "at": n} for n in range(1, 5)]
    loaded(project, columns, load=load)
    platform = project.open()
    load_table(platform, "orders", "range", request=Request.of(start="2", end="4"))
    assert held(platform) == [1, 2, 2, 3, 3, 4]
    higher = {**columns, "amount": integer(logicalTypeOptions={"maximum": 100})}
    outcome = replayed(changed(project, higher, load=load))
    assert (outcome.rows_published, outcome.rows_outdated) == (4, 2)
    assert (ids(platform), held(platform)) == ([1, 2, 3, 4], [2, 3])


def test_a_replayed_row_must_not_repeat_a_key_that_was_published_since(project: Project) -> None:
    deliver(project, "a", (1, 50), (2, 60))
    platform = loaded(project)
    deliver(project, "b", (1, 5))
    load_table(platform, "orders", "second")
    platform = changed(project, orders(100))
    outcome = replayed(platform)
    assert (outcome.rows_published, outcome.rows_held) == (1, 1)
    assert held(platform, "_broken_rules") == [["primary_key_unique"]]
    assert ids(platform) == [1, 2]


def test_rows_pass_once_what_they_refer_to_is_published(project: Project) -> None:
    project.table("customers", {"id": key(integer())})
    project.deliver("customers/a.csv", "id\n1\n")
    columns = orders(customer=integer(**foreign_key("customers.id", "known_customer")))
    deliver(project, "a", (1, 5, 1), (2, 5, 2), header="id,amount,customer")
    platform = project.table("orders", columns).open()
    load_table(platform, "customers", "run")
    load_table(platform, "orders", "run")
    assert held(platform) == [2]
    project.deliver("customers/b.csv", "id\n2\n")
    load_table(platform, "customers", "run")
    assert replayed(platform).rows_published == 1
    assert (ids(platform), held(platform)) == ([1, 2], [])


def test_a_check_that_cannot_run_leaves_everything_as_it_is(project: Project) -> None:
    project.table("customers", {"id": key(integer())})
    deliver(project, "a", (1, 50, 1), header="id,amount,customer")
    loaded(project, orders(customer=integer()))
    columns = orders(100, customer=integer(**foreign_key("customers.id", "known_customer")))
    platform = changed(project, columns)
    outcome = replayed(platform)
    assert outcome.state == "blocked"
    assert "nothing has been published to customers" in outcome.errors[0]
    assert (ids(platform), held(platform)) == ([], [1])


def test_gates_judge_the_batch_that_was_read_and_no_replay(project: Project) -> None:
    deliver(project, "a", (1, 50), (2, 5), (3, 6))
    loaded(project, quality=[row_count(3, 4)])
    platform = changed(project, orders(100), quality=[row_count(3, 4)])
    assert replayed(platform).rows_published == 1
    verdicts = {r.spec.name: r.verdict.value for r in audit_table(platform, "orders")}
    assert verdicts["row_count"] == "pass"


def test_a_blocked_load_can_still_be_looked_at_after_a_replay(project: Project) -> None:
    deliver(project, "a", (1, 50), (2, 5), (3, 6))
    platform = loaded(project, quality=[row_count(3, 4)])
    deliver(project, "b", (4, 5))
    assert load_table(platform, "orders", "second").state == "blocked"
    platform = changed(project, orders(100), quality=[row_count(3, 4)])
    assert replayed(platform).rows_published == 1
    refs = platform.lake.table("shop.orders").refs()
    assert [name for name in refs if name.startswith("audit-")]


def test_columns_that_the_contract_has_got_since_are_null_in_replayed_rows(
    project: Project,
) -> None:
    deliver(project, "a", (1, 5), (2, 50))
    loaded(project)
    platform = changed(project, orders(100, note=text()))
    assert replayed(platform).rows_published == 1
    rows = rows_of_table(platform, "shop.orders")
    assert sorted((r["id"], r["note"]) for r in rows) == [(1, None), (2, None)]


def test_a_replay_never_begins_a_new_table(project: Project) -> None:
    load = {"mode": "append", "batch": "file", "on_breaking": "new_table"}
    deliver(project, "a", (1, 5), (2, 50))
    loaded(project, load=load)
    project.table("orders", {**orders(100), "amount": text()}, version="2.0.0", load=load)
    with pytest.raises(TableSchemaError):
        replayed(project.open())
    assert len(rows_of_table(project.open(), "shop.orders")) == 1
