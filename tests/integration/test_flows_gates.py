"""Gates: what stops a publish, what is left for inspection, and how a table comes free again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from support.project import (
    Project,
    column_of,
    csv_text,
    data_files,
    foreign_key,
    integer,
    key,
    predicate,
    row_count,
    rows_of_table,
    text,
    verdicts,
)

from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.flows.table_status import quarantined_rows, table_statuses

ORDERS = {"id": key(integer()), "customer": text(required=True)}


def run(platform: Platform, name: str = "orders") -> TableOutcome:
    return load_table(platform, name, "run-1")


def orders(*ids: int) -> str:
    return csv_text("id,customer", [(n, f"c{n}") for n in ids])


def branches(platform: Platform, name: str = "orders") -> set[str]:
    both = (platform.lake.table(f"shop.{name}"), platform.lake.table(f"quarantine.{name}"))
    return {branch for table in both for branch in table.refs()} - {"main"}


def messages(outcome: TableOutcome) -> dict[str, str]:
    return {r.spec.name: r.message for r in outcome.results if r.message}


def test_a_failed_gate_blocks_and_leaves_the_batch_on_a_branch(project: Project) -> None:
    platform = project.table("orders", ORDERS, quality=[row_count(3)]).open()
    project.deliver("orders/a.csv", orders(1, 2, 3) + ",nobody\n")
    first = run(platform)
    project.deliver("orders/b.csv", "id,customer\n4,c4\n5,\n")
    outcome = run(platform)
    (load,) = outcome.loads

    assert (outcome.state, load.blocked) == ("blocked", True)
    assert (load.rows_read, load.rows_published, load.rows_quarantined) == (2, 0, 0)
    assert load.branch == f"audit-{load.load_id}"
    assert verdicts(outcome)["row_count"] == "fail"
    assert messages(outcome)["row_count"] == "b.csv: 2, must be between 3 and 1000000"
    # Main and quarantine are what they were.
    assert outcome.snapshot_id == first.snapshot_id
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3]
    assert len(list(quarantined_rows(platform, "orders"))) == 1
    assert len(rows_of_table(platform, "quarantine.orders")) == 1
    # The branch holds what would have been published, and what would have been held.
    assert column_of(platform, "shop.orders", "id", load.branch) == [1, 2, 3, 4]
    held = rows_of_table(platform, "quarantine.orders", load.branch)
    assert [(row["id"], row["_broken_rules"]) for row in held if row["id"]] == [
        (5, ["customer_not_null"])
    ]
    (status,) = table_statuses(platform)
    assert status.blocked_branches == (load.branch,)


def test_a_corrected_file_of_the_same_name_is_published_and_clears_the_branch(
    project: Project,
) -> None:
    platform = project.table("orders", ORDERS, quality=[row_count(3)]).open()
    project.deliver("orders/a.csv", orders(1, 2))
    assert run(platform).state == "blocked"
    project.deliver("orders/a.csv", orders(1, 2, 3))
    outcome = run(platform)
    assert (outcome.state, outcome.rows_published) == ("published", 3)
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3]
    assert branches(platform) == set()
    (status,) = table_statuses(platform)
    assert status.blocked_branches == ()


def test_a_file_corrected_twice_leaves_only_its_last_branch(project: Project) -> None:
    platform = project.table("orders", ORDERS, quality=[row_count(3)]).open()
    project.deliver("orders/a.csv", orders(1))
    run(platform)
    project.deliver("orders/a.csv", orders(1, 2))
    (load,) = run(platform).loads
    assert branches(platform) == {load.branch}


def test_a_blocked_file_is_tried_again_and_stays_blocked(project: Project) -> None:
    platform = project.table("orders", ORDERS, quality=[row_count(3)]).open()
    project.deliver("orders/a.csv", orders(1, 2))
    first, second = run(platform).loads + run(platform).loads
    assert first.branch is not None
    assert first.branch == second.branch
    assert branches(platform) == {first.branch}
    assert column_of(platform, "shop.orders", "id", first.branch) == [1, 2]


def test_a_relaxed_contract_lets_the_same_file_through(project: Project) -> None:
    project.table("orders", ORDERS, quality=[row_count(3)])
    project.deliver("orders/a.csv", orders(1, 2))
    (blocked,) = run(project.open()).loads
    project.table("orders", ORDERS, quality=[row_count(2)])
    platform = project.open()
    (load,) = run(platform).loads
    assert load.load_id == blocked.load_id
    assert load.rows_published == 2
    assert branches(platform) == set()


def test_a_table_that_was_only_ever_blocked_counts_as_never_published(project: Project) -> None:
    project.table("shops", {"code": key(text())}, quality=[row_count(5)])
    shop = text(**foreign_key("shops.code", "shop_known"))
    project.table("orders", {"id": key(integer()), "shop": shop})
    project.deliver("shops/a.csv", "code\nN\n")
    project.deliver("orders/a.csv", "id,shop\n1,N\n2,\n")
    platform = project.open()
    blocked = run(platform, "shops")
    assert (blocked.state, blocked.snapshot_id, blocked.total_rows) == ("blocked", None, 0)
    status = table_statuses(platform)[0]
    assert (status.name, status.snapshot_id, status.published_at) == ("shops", None, None)
    # Not one shop is known: that must not read as "every shop is unknown".
    outcome = run(platform, "orders")
    assert outcome.state == "blocked"
    assert verdicts(outcome)["shop_known"] == "error"
    assert messages(outcome)["shop_known"] == (
        "could not run: nothing has been published to shops yet: run that table first"
    )
    project.deliver("shops/a.csv", "code\n" + "\n".join("NSWEX") + "\n")
    assert run(platform, "shops").state == "published"
    assert run(platform, "orders").rows_published == 2
    assert branches(platform) == set()


def test_a_blocked_replacement_shows_what_would_have_replaced(project: Project) -> None:
    load = {"mode": "replace", "batch": "all"}
    platform = project.table("orders", ORDERS, quality=[row_count(2)], load=load).open()
    project.deliver("orders/a.csv", orders(1, 2))
    run(platform)
    project.deliver("orders/a.csv", orders(9))
    (blocked,) = run(platform).loads
    assert blocked.branch is not None
    assert column_of(platform, "shop.orders", "id") == [1, 2]
    assert column_of(platform, "shop.orders", "id", blocked.branch) == [9]


def test_loads_before_the_blocked_one_stay_and_those_after_wait(project: Project) -> None:
    platform = project.table("orders", ORDERS, quality=[row_count(2)]).open()
    project.deliver("orders/a.csv", orders(1, 2))
    project.deliver("orders/b.csv", orders(3))
    project.deliver("orders/c.csv", orders(4, 5))
    outcome = run(platform)
    assert outcome.state == "blocked"
    assert [load.files for load in outcome.loads] == [("a.csv",), ("b.csv",)]
    assert (outcome.rows_read, outcome.rows_published) == (3, 2)
    assert column_of(platform, "shop.orders", "id") == [1, 2]
    project.deliver("orders/b.csv", orders(3, 6))
    again = run(platform)
    assert [load.files for load in again.loads] == [("b.csv",), ("c.csv",)]
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3, 4, 5, 6]
    assert branches(platform) == set()


def test_a_warning_gate_is_told_and_lets_pass(project: Project) -> None:
    quality = [row_count(3, severity="warning")]
    platform = project.table("orders", ORDERS, quality=quality).open()
    project.deliver("orders/a.csv", orders(1))
    outcome = run(platform)
    assert (outcome.state, verdicts(outcome)["row_count"]) == ("published", "warn")
    assert column_of(platform, "shop.orders", "id") == [1]


def metric(name: str, query: str, **threshold: Any) -> dict[str, Any]:
    return {"name": name, "type": "sql", "query": query, "severity": "error", **threshold}


def test_gates_judge_the_whole_batch_also_rows_that_are_held(project: Project) -> None:
    quality = [
        metric("customers", "SELECT count(customer) FROM {object}", mustBe=2),
        metric("ids", "SELECT sum(id) FROM {object}", mustBe=6),
        row_count(4, 5),
    ]
    platform = project.table("orders", ORDERS, quality=quality).open()
    # Of the record that cannot be read there are no values, but it is a record that was read.
    project.deliver("orders/a.csv", "id,customer\n1,x\n2,\n3,y\nz,z\n")
    outcome = run(platform)
    assert verdicts(outcome) | {
        "customers": "pass",
        "ids": "pass",
        "row_count": "pass",
    } == verdicts(outcome)
    assert (outcome.rows_published, outcome.rows_quarantined) == (2, 2)


@pytest.mark.parametrize(("maximum", "state"), [(50, "published"), (49, "blocked")])
def test_a_share_is_compared_with_its_limit_in_percent(
    project: Project, maximum: int, state: str
) -> None:
    columns = {"id": key(integer()), "customer": text()}
    share = {
        "name": "unnamed",
        "metric": "nullValues",
        "unit": "percent",
        "mustBeLessOrEqualTo": maximum,
        "severity": "error",
    }
    columns["customer"]["quality"] = [share]
    platform = project.table("orders", columns).open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n2,\n3,y\n4,\n")
    outcome = run(platform)
    assert outcome.state == state
    result = next(r for r in outcome.results if r.spec.name == "unnamed")
    assert (result.count, result.rows, result.value) == (2, 4, Decimal(50))
    shown = ({"id": 2, "customer": None}, {"id": 4, "customer": None})
    assert result.sample == (shown if state == "blocked" else ())


PATTERN = text(logicalTypeOptions={"pattern": "[a-"})


@pytest.mark.parametrize(
    ("customer", "quality", "name", "told"),
    [
        (PATTERN, [], "customer_pattern", "missing ]"),
        (
            text(),
            [metric("m", "SELECT sum(nope) FROM {object}", mustBe=0)],
            "m",
            '"nope" not found',
        ),
        (text(), [metric("m", "SELECT id FROM {object}", mustBe=0)], "m", "one finite number"),
        (text(), [metric("m", "SELECT max(id) FROM {object} WHERE id > 9", mustBe=0)], "m", "one"),
        (text(), [metric("m", "SELECT customer FROM {object} LIMIT 1", mustBe=0)], "m", ""),
        (text(), [predicate("m", "customer > 5")], "m", "Cannot compare"),
    ],
)
@pytest.mark.parametrize("severity", ["error", "warning"])
def test_a_check_that_cannot_run_blocks_whatever_its_severity(
    project: Project,
    customer: dict[str, Any],
    quality: list[dict[str, Any]],
    name: str,
    told: str,
    severity: str,
) -> None:
    rules = [{**rule, "severity": severity} for rule in quality]
    platform = project.table(
        "orders", {"id": key(integer()), "customer": customer}, quality=rules
    ).open()
    project.deliver("orders/a.csv", orders(1, 2))
    outcome = run(platform)
    assert outcome.state == "blocked"
    assert verdicts(outcome)[name] == "error"
    assert "could not run" in messages(outcome)[name]
    assert told in messages(outcome)[name]
    # The other checks gave their results.
    assert {v for n, v in verdicts(outcome).items() if n != name} == {"pass"}
    assert rows_of_table(platform, "shop.orders") == []


def test_a_rule_that_fails_on_a_value_blocks_the_load_and_is_told_without_the_value(
    project: Project,
) -> None:
    rules = [predicate("named", "customer <> ''"), predicate("m", "CAST(customer AS INTEGER) > 0")]
    platform = project.table("orders", ORDERS, quality=rules).open()
    project.deliver("orders/a.csv", orders(1, 2))
    outcome = run(platform)
    assert outcome.state == "blocked"
    assert verdicts(outcome)["m"] == "error"
    assert {v for n, v in verdicts(outcome).items() if n != "m"} == {"pass"}
    assert "cannot judge a value" in messages(outcome)["m"]
    customers = orders(1, 2).splitlines()[1:]
    assert not any(line.split(",")[1] in messages(outcome)["m"] for line in customers)
    assert rows_of_table(platform, "shop.orders") == []


def test_a_blocked_load_stages_its_rows_once(project: Project) -> None:
    platform = project.table("orders", ORDERS, quality=[row_count(9)]).open()
    project.deliver("orders/a.csv", orders(1, 2))
    run(platform)
    assert len(data_files(platform, "shop/**/*.parquet")) == 1
