"""Audits: the checks alone, on what is published."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.project import (
    Project,
    foreign_key,
    integer,
    key,
    predicate,
    row_count,
    text,
)

from quality_platform.checks.results import CheckResult
from quality_platform.errors import TableNotFoundError
from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform

ORDERS = {"id": key(integer()), "customer": text(required=True)}


def run(platform: Platform, name: str = "orders") -> TableOutcome:
    return load_table(platform, name, "run-1")


def by_name(results: tuple[CheckResult, ...]) -> dict[str, CheckResult]:
    return {result.spec.name: result for result in results}


def test_an_audit_judges_published_rows_and_each_batch_as_it_was_read(project: Project) -> None:
    quality = [
        row_count(3, 4),
        predicate("small", "id < 10", "warning"),
        {"name": "max_id", "type": "sql", "query": "SELECT max(id) FROM {object}", "mustBe": 30},
    ]
    platform = project.table("orders", ORDERS, quality=quality).open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n2,\nz,z\n30,y\n")
    project.deliver("orders/b.csv", "id,customer\n4,\n5,y\n30,x\n")
    loaded = run(platform)
    before = {path: path.stat().st_mtime_ns for path in platform.home.rglob("*")}
    audited = by_name(audit_table(platform, "orders"))
    assert {path: path.stat().st_mtime_ns for path in platform.home.rglob("*")} == before

    assert set(audited) == set(by_name(loaded.results))
    # Rows that were held are not published: those rules are kept now.
    assert {n: r.verdict.value for n, r in audited.items()} == {
        "conforms_to_schema": "pass",
        "id_not_null": "pass",
        "customer_not_null": "pass",
        "primary_key_unique": "pass",
        "row_count": "pass",
        "small": "warn",
        "max_id": "pass",
    }
    assert (audited["small"].count, audited["small"].rows) == (1, 3)
    assert audited["small"].sample == ({"id": 30},)
    # Gates: batches of four and three records, of which one could not be read into values.
    assert audited["row_count"].rows == 6
    assert list(by_name(audit_table(platform, "orders", ["small", "row_count"]))) == [
        "small",
        "row_count",
    ]


def test_an_audit_finds_what_has_become_wrong_since(project: Project) -> None:
    shop = text(**foreign_key("shops.code", "shop_known"))
    project.table("shops", {"code": key(text())}, load={"mode": "replace", "batch": "all"})
    project.table("orders", {"id": key(integer()), "shop": shop})
    project.deliver("shops/a.csv", "code\nN\nS\n")
    project.deliver("orders/a.csv", "id,shop\n1,N\n2,S\n")
    platform = project.open()
    run(platform, "shops")
    assert run(platform).rows_published == 2
    project.deliver("shops/a.csv", "code\nN\n")
    run(platform, "shops")
    result = by_name(audit_table(platform, "orders"))["shop_known"]
    assert (result.verdict, result.count, result.sample) == ("fail", 1, ({"id": 2, "shop": "S"},))


def test_an_audit_counts_a_load_once_that_was_published_twice(project: Project) -> None:
    load = {"mode": "replace", "batch": "all"}
    platform = project.table("orders", ORDERS, quality=[row_count(1)], load=load).open()
    with_bad, without = "id,customer\n1,x\n2,\n", "id,customer\n1,x\n"
    for content in (with_bad, without, with_bad):
        project.deliver("orders/a.csv", content)
        run(platform)
    result = by_name(audit_table(platform, "orders"))["row_count"]
    assert (result.rows, result.value) == (2, Decimal(2))


def test_an_audit_of_a_table_without_rows_still_judges_its_gates(project: Project) -> None:
    project.table("orders", ORDERS, quality=[row_count(0)])
    project.deliver("orders/a.csv", "id,customer\n")
    run(project.open())
    project.table("orders", ORDERS, quality=[row_count(1)])
    audited = by_name(audit_table(project.open(), "orders"))
    assert audited["row_count"].verdict == "fail"
    assert audited["primary_key_unique"].verdict == "pass"


def test_there_is_nothing_to_audit_before_the_first_publish(project: Project) -> None:
    platform = project.table("orders", ORDERS, quality=[row_count(5)]).open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n")
    for _ in range(2):
        with pytest.raises(TableNotFoundError):
            audit_table(platform, "orders")
        assert run(platform).state == "blocked"
