"""Tables that follow their contracts: what readers see after a change, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from support.evolving import ORDERS, SHOP_SETTINGS, SHOP_SIZES, orders_1_0, shops_1_0, shops_1_1
from support.problems import problems_of
from support.project import (
    Project,
    column_of,
    counts,
    foreign_key,
    integer,
    key,
    number,
    predicate,
    row_count,
    rows_of_table,
    text,
    verdicts,
)

from quality_platform.errors import TableSchemaError
from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform
from quality_platform.flows.table_status import quarantined_rows, table_statuses
from quality_platform.history.records import latest_runs


def sales(project: Project, column: str) -> Project:
    """Sales that refer to the shops by this column."""
    return project.table(
        "sales",
        {"id": key(integer()), "shop": text(**foreign_key(f"shops.{column}", "shop_known"))},
    )


@pytest.fixture
def evolved(project: Project) -> Platform:
    """Loaded under 1.0 and, after the contract had changed to 1.1, once more."""
    shops_1_0(project).deliver(
        "shops/a.csv", "code,size,rent,city\nA,1,1000.50,X\nB,-2,2,Y\nC,3,,Z\n"
    )
    first = project.open()
    load_table(first, "shops", "run-1")
    compute_feature_view(first, "sizes", "run-1")
    shops_1_1(project).deliver(
        "shops/b.csv",
        f"shop_code,size,rent,city,floor\nD,{2**40},1234567890.25,,7\nA,9,1,X,1\nE,-1,,X,2\n",
    )
    second = project.open()
    load_table(second, "shops", "run-2")
    return second


def test_rows_of_before_and_after_are_read_as_one_table(evolved: Platform) -> None:
    rows = rows_of_table(evolved, "shop.shops")
    assert [list(row) for row in rows] == [["city", "shop_code", "size", "rent", "floor"]] * 3
    found = sorted(tuple(str(value) for value in row.values()) for row in rows)
    assert found == [
        ("None", "D", str(2**40), "1234567890.25", "7"),
        ("X", "A", "1", "1000.50", "None"),
        ("Z", "C", "3", "None", "None"),
    ]


def test_a_key_published_before_its_column_was_renamed_still_counts(evolved: Platform) -> None:
    held = {row["shop_code"]: row["_broken_rules"] for row in quarantined_rows(evolved, "shops")}
    assert held == {
        "A": ["primary_key_unique"],
        "B": ["size_is_positive"],
        "E": ["size_is_positive"],
    }


def test_a_foreign_key_sees_keys_from_before_and_after_the_rename(
    evolved: Platform, project: Project
) -> None:
    sales(project, "shop_code").deliver("sales/a.csv", "id,shop\n1,A\n2,D\n3,B\n")
    outcome = load_table(project.open(), "sales", "run-3")
    assert counts(outcome)["shop_known"] == 1
    assert column_of(project.open(), "shop.sales", "shop") == ["A", "D"]


def test_a_feature_view_sees_all_rows(evolved: Platform) -> None:
    outcome = compute_feature_view(evolved, "sizes", "run-3")
    assert outcome.state == "published"
    assert column_of(evolved, "features.sizes", "size") == [1, 3, 2**40]


def test_a_feature_view_follows_its_own_contract(evolved: Platform, project: Project) -> None:
    compute_feature_view(evolved, "sizes", "run-3")
    columns = {**SHOP_SIZES, "rent": number("decimal(12,2)")}
    sql = project.folder / "sizes.sql"
    sql_text = sql.read_text().replace("size FROM", "size, rent FROM")
    project.view("sizes", sql_text, columns, SHOP_SETTINGS, version="1.2.0")
    outcome = compute_feature_view(project.open(), "sizes", "run-4")
    assert outcome.state == "published"
    rents = {row["size"]: row["rent"] for row in rows_of_table(project.open(), "features.sizes")}
    assert rents == {1: Decimal("1000.50"), 3: None, 2**40: Decimal("1234567890.25")}


def test_an_audit_judges_all_rows(evolved: Platform) -> None:
    results = {result.spec.name: result for result in audit_table(evolved, "shops")}
    assert {result.verdict.value for result in results.values()} == {"pass"}
    assert results["size_is_positive"].rows == 3


def test_status_and_history_go_on(evolved: Platform) -> None:
    (status, *_) = table_statuses(evolved)
    assert (status.rows, status.quarantined) == (3, 3)
    assert latest_runs(evolved.lake, evolved.engine)["shops"]["run_id"] == "run-2"


def test_the_table_says_which_version_of_the_contract_it_fits(
    evolved: Platform, project: Project
) -> None:
    table = evolved.lake.table("shop.shops")
    assert table.properties["quality-platform.contract-version"] == "1.1.0"
    shops_1_1(project)
    contract = project.folder / "contracts" / "shops.odcs.yaml"
    contract.write_text(contract.read_text().replace("1.1.0", "1.1.1"))
    load_table(project.open(), "shops", "run-3")
    table = evolved.lake.table("shop.shops")
    assert table.properties["quality-platform.contract-version"] == "1.1.1"


def test_a_table_that_fits_its_contract_is_not_touched(evolved: Platform) -> None:
    before = evolved.lake.table("shop.shops").metadata_location
    load_table(evolved, "shops", "run-3")
    assert evolved.lake.table("shop.shops").metadata_location == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"note": None}, "note: removed, string"),
        ({"amount": number("decimal(6,2)")}, "amount: decimal(8, 2) becomes decimal(6, 2)"),
        ({"amount": number("decimal(10,3)")}, "amount: decimal(8, 2) becomes decimal(10, 3)"),
        ({"amount": text()}, "amount: decimal(8, 2) becomes string"),
        ({"id": key(integer(physicalType="int"))}, "id: long becomes int"),
        (
            {"customer": text(required=True)},
            "customer: optional (1 rows have no value) becomes required",
        ),
        ({"channel": text(required=True)}, "channel: new, required string"),
        # Without an id it is another column.
        ({"note": None, "remark": text()}, "note: removed, string"),
    ],
)
def test_a_change_that_would_break_readers_is_refused_before_any_data_moves(
    project: Project, change: dict[str, Any], told: str
) -> None:
    before = orders_1_0(project).lake.table("shop.orders").metadata_location
    columns = {name: column for name, column in {**ORDERS, **change}.items() if column}
    project.table("orders", columns, version="1.1.0")
    project.deliver("orders/b.csv", "nonsense\n")
    platform = project.open()
    (problem,) = problems_of(TableSchemaError, lambda: load_table(platform, "orders", "run-2"))
    assert told in problem.message
    assert problem.field in {*change}
    assert problem.location is not None
    line = (project.folder / "contracts" / "orders.odcs.yaml").read_text().splitlines()
    where = line[problem.location.line - 1]
    assert problem.field in where or where.strip() == "- name: orders"
    assert "raise the contract's version to 2.0.0" in problem.action
    assert platform.lake.table("shop.orders").metadata_location == before


def test_every_breaking_change_is_listed_and_none_of_the_others_is_made(project: Project) -> None:
    orders_1_0(project)
    columns = {"id": key(integer()), "customer": integer(), "amount": text(), "extra": text()}
    project.table("orders", columns)
    platform = project.open()
    problems = problems_of(TableSchemaError, lambda: load_table(platform, "orders", "run-2"))
    assert sorted(problem.field for problem in problems) == ["amount", "customer", "note"]
    assert "extra" not in platform.lake.table("quarantine.orders").schema().column_names


def test_a_column_without_gaps_may_become_required(project: Project) -> None:
    orders_1_0(project, "1,x,1.50,n\n")
    project.table("orders", {**ORDERS, "customer": text(required=True)}, version="1.0.1")
    project.deliver("orders/b.csv", "id,customer,amount,note\n4,,1,n\n5,z,1,n\n")
    platform = project.open()
    assert verdicts(load_table(platform, "orders", "run-2"))["customer_not_null"] == "fail"
    assert column_of(platform, "shop.orders", "customer") == ["x", "z"]


def test_names_may_be_exchanged_where_ids_tell_the_columns(project: Project) -> None:
    project.table("pairs", {"id": key(integer()), "a": text(id="first"), "b": text(id="second")})
    project.deliver("pairs/a.csv", "id,a,b\n1,one,two\n")
    load_table(project.open(), "pairs", "run-1")
    project.table("pairs", {"id": key(integer()), "b": text(id="first"), "a": text(id="second")})
    project.deliver("pairs/b.csv", "id,b,a\n2,three,four\n")
    load_table(project.open(), "pairs", "run-2")
    rows = rows_of_table(project.open(), "shop.pairs")
    assert sorted((row["id"], row["b"], row["a"]) for row in rows) == [
        (1, "one", "two"),
        (2, "three", "four"),
    ]


def test_a_table_that_was_never_published_to_follows_any_change(project: Project) -> None:
    blocking = [predicate("never", "id < 0"), {**row_count(100), "severity": "error"}]
    named = {**ORDERS, "note": text(required=True, id="note")}
    project.table("orders", named, quality=blocking)
    project.deliver("orders/a.csv", "id,customer,amount,note\n1,x,1.50,n\n")
    assert load_table(project.open(), "orders", "run-1").state == "blocked"
    # One name is now that of another column.
    columns = {
        "amount": text(id="note"),
        "id": key(integer(physicalType="int")),
        "new": text(required=True),
    }
    project.table("orders", columns)
    project.deliver("orders/a.csv", "id,amount,new\n1,cheap,x\n,bad,x\n")
    platform = project.open()
    load_table(platform, "orders", "run-2")
    assert rows_of_table(platform, "shop.orders") == [{"amount": "cheap", "id": 1, "new": "x"}]
    assert [row["amount"] for row in quarantined_rows(platform, "orders")] == ["bad"]


def test_before_its_next_run_a_table_is_shown_and_says_what_it_lacks(project: Project) -> None:
    orders_1_0(project)
    project.table("orders", {**ORDERS, "more": text()}, version="1.1.0")
    platform = project.open()
    (status,) = table_statuses(platform)
    assert (status.rows, status.quarantined) == (2, 1)
    for look in (
        lambda: list(quarantined_rows(platform, "orders")),
        lambda: audit_table(platform, "orders"),
    ):
        (problem,) = problems_of(TableSchemaError, look)
        assert "no column 'more' yet" in problem.message
