"""Runs in Dagster that pass files over, or whose source has drifted: both are seen, none is red."""

from __future__ import annotations

import dagster as dg
import pytest
from support.dagster_runs import evaluations, materialized, metadata, run, run_checks
from support.project import Project, column_of, integer, key, text

ORDERS = {"order_id": key(integer()), "status": text()}
FILES, COLUMNS = "source_files_all_loaded", "source_columns_as_contracted"
LOAD = {"batch": "file", "on_file_error": "continue", "schema_drift": "evolve"}


@pytest.fixture
def orders(project: Project) -> Project:
    return project.table("orders", ORDERS, load=LOAD)


def warned(evaluation: dg.AssetCheckEvaluation) -> bool:
    return not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.WARN


def test_files_that_are_passed_over_are_a_warning_and_metadata_of_what_is_published(
    orders: Project, instance: dg.DagsterInstance
) -> None:
    orders.deliver("orders/a.csv", "order_id,status\n1,new\n")
    orders.deliver("orders/b.csv", "")
    platform = orders.open()
    result = run(platform, instance)
    assert result.success
    assert "shop/orders" in materialized(result)
    assert (
        "| b.csv | QP202 the file has no bytes |" in metadata(result, "shop/orders")["files_failed"]
    )
    found = evaluations(result, "shop/orders")
    assert warned(found[FILES])
    assert "b.csv was passed over" in (found[FILES].description or "")
    assert found[COLUMNS].passed


def test_the_warning_comes_again_with_nothing_new_and_goes_when_the_file_is_mended(
    orders: Project, instance: dg.DagsterInstance
) -> None:
    orders.deliver("orders/a.csv", "order_id,status\n1,new\n")
    orders.deliver("orders/b.csv", "")
    platform = orders.open()
    run(platform, instance)
    again = run(platform, instance)
    assert again.success
    found = evaluations(again, "shop/orders")
    assert set(found) == {spec.name for spec in platform.tables["orders"].all_checks}
    assert warned(found[FILES])
    orders.deliver("orders/b.csv", "order_id,status\n2,new\n")
    mended = evaluations(run(platform, instance), "shop/orders")
    assert mended[FILES].passed
    assert column_of(platform, "shop.orders", "order_id") == [1, 2]
    nothing_new = evaluations(run(platform, instance), "shop/orders")
    assert nothing_new[FILES].passed


def test_columns_that_differ_are_a_warning_and_metadata(
    orders: Project, instance: dg.DagsterInstance
) -> None:
    orders.deliver("orders/a.csv", "order_id,channel\n1,web\n")
    result = run(orders.open(), instance)
    assert result.success
    drift = metadata(result, "shop/orders")["schema_drift"]
    assert "has no column 'status'" in drift
    assert "has a further column 'channel'" in drift
    assert warned(evaluations(result, "shop/orders")[COLUMNS])


def test_checks_alone_judge_the_published_rows_and_say_nothing_of_the_source(
    orders: Project, instance: dg.DagsterInstance
) -> None:
    orders.deliver("orders/a.csv", "order_id,status\n1,new\n")
    platform = orders.open()
    run(platform, instance)
    result = run_checks(platform, instance, "shop/orders", FILES, "order_id_not_null")
    assert result.success
    assert set(evaluations(result, "shop/orders")) == {"order_id_not_null"}


def test_a_run_of_which_no_file_could_be_loaded_fails(
    orders: Project, instance: dg.DagsterInstance
) -> None:
    orders.deliver("orders/a.csv", "")
    assert not run(orders.open(), instance).success
