"""Runs of tables in Dagster: what is materialized, what the checks say, what stops."""

from __future__ import annotations

import dagster as dg
import pytest
from support.dagster_runs import (
    evaluations,
    events_of,
    failure,
    materialized,
    metadata,
    run,
    run_checks,
)
from support.project import Project, column_of
from support.shop import CUSTOMERS, orders_csv

from quality_platform.lake.reading import rows_of, snapshot_of

ALL_ASSETS = [
    "shop/customers",
    "quarantine/customers",
    "shop/orders",
    "quarantine/orders",
    "features/totals",
    "quarantine/totals",
]


def test_a_run_materializes_tables_quarantines_and_views(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    result = run(shop.open(), instance)
    assert result.success
    assert materialized(result) == ALL_ASSETS
    assert instance.get_run_by_id(result.run_id).job_name == "everything"


def test_a_materialization_tells_counts_snapshot_and_loads(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.deliver("orders/february.csv", orders_csv(11, 5, -1, 7))
    platform = shop.open()
    told = metadata(run(platform, instance), "shop/orders")
    snapshot = snapshot_of(platform.lake.table("shop.orders"))
    assert told["dagster/row_count"] == rows_of(snapshot) == 5
    assert told["dagster/table_name"] == "shop.orders"
    assert told["snapshot_id"] == str(snapshot.snapshot_id)
    assert (told["rows_read"], told["rows_published"], told["rows_quarantined"]) == (6, 5, 1)
    assert told["loads"].count("\n") == 3
    assert "february.csv | 3 | 2 | 1 |" in told["loads"]
    pin = snapshot_of(platform.lake.table("shop.customers")).snapshot_id
    assert f"| customers | {pin} |" in told["read_with"]


def test_a_quarantine_tells_how_many_rows_and_why(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.deliver("orders/february.csv", orders_csv(11, 5, -1, -7, 8))
    told = metadata(run(shop.open(), instance), "quarantine/orders")
    assert told["rows_quarantined"] == 2
    assert "| amount_is_not_negative | 2 |" in told["reasons"]
    assert "quality-platform quarantine orders" in told["how_to_look"]


def test_every_check_has_a_result_with_its_numbers(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.deliver("customers/all.csv", "id,name\n1,Ada\n3,Grace\n")
    shop.deliver("orders/february.csv", orders_csv(11, 5, -1, 7))
    platform = shop.open()
    found = evaluations(run(platform, instance), "shop/orders")
    assert set(found) == {spec.name for spec in platform.tables["orders"].all_checks}
    broken = found["amount_is_not_negative"]
    assert (broken.passed, broken.severity) == (False, dg.AssetCheckSeverity.ERROR)
    numbers = {name: value.value for name, value in broken.metadata.items()}
    assert (numbers["rows_failing"], numbers["rows_judged"]) == (1, 6)
    assert numbers["share_failing"] == pytest.approx(1 / 6)
    assert numbers["verdict"] == "fail"
    assert numbers["sample"].records[0].data["amount"] == -1
    assert "quarantine.orders" in numbers["query"]
    warned = found["customer_is_known"]
    assert (warned.passed, warned.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found["row_count"].passed


def test_restricted_values_are_masked_in_samples(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.contract(
        "customers",
        {
            "id": {"logicalType": "integer", "required": True},
            "name": {
                "logicalType": "string",
                "classification": "restricted",
                "logicalTypeOptions": {"maxLength": 3},
            },
        },
    )
    found = evaluations(run(shop.open(), instance), "shop/customers")["name_length"]
    assert [r.data["name"] for r in found.metadata["sample"].value.records] == ["***"]


def test_results_belong_to_the_materialization_of_their_run(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = shop.open()
    run(platform, instance)
    shop.deliver("orders/february.csv", orders_csv(11, 1, 2))
    second = run(platform, instance)
    targets = {
        e.target_materialization_data.run_id
        for e in evaluations(second, "shop/orders").values()
        if e.target_materialization_data
    }
    assert targets == {second.run_id}


def test_a_second_run_finds_nothing_new_and_says_so(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = shop.open()
    first = metadata(run(platform, instance), "shop/orders")
    second_run = run(platform, instance)
    second = metadata(second_run, "shop/orders")
    assert second_run.success
    assert second["nothing_new"] is True
    assert "nothing_new" not in first
    assert second["snapshot_id"] == first["snapshot_id"]
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3]


def test_results_that_still_stand_are_carried_over_and_name_their_run(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.deliver("orders/february.csv", orders_csv(11, 5, -1, 7))
    platform = shop.open()
    first = run(platform, instance)
    run(platform, instance)
    third = evaluations(run(platform, instance), "shop/orders")
    broken = third["amount_is_not_negative"]
    assert not broken.passed
    assert broken.metadata["result_of_run"].value == first.run_id
    assert broken.metadata["rows_failing"].value == 1
    assert (broken.description or "").count("Nothing new") == 1
    assert set(third) == set(evaluations(first, "shop/orders"))


def test_a_new_version_of_the_contract_has_its_results_from_an_audit(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    run(shop.open(), instance)
    shop.contract("customers", CUSTOMERS, version="2.0.0")
    platform = shop.open()
    result = run(platform, instance, ["shop/customers"])
    judged = {e.metadata["judged"].value for e in evaluations(result, "shop/customers").values()}
    assert judged == {"published rows"}


def test_a_blocked_publish_publishes_nothing_and_stops_what_is_downstream(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = shop.open()
    run(platform, instance)
    shop.deliver("orders/short.csv", orders_csv(11, 5))
    result = run(platform, instance)
    assert not result.success
    assert materialized(result) == ["shop/customers"]
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3]
    assert events_of(result, "STEP_FAILURE") == ["load_orders"]
    assert "compute_totals" not in events_of(result, "STEP_START")


def test_a_blocked_publish_is_not_retried_and_tells_what_to_do(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.deliver("orders/january.csv", orders_csv(1, 5))
    platform = shop.open()
    result = run(platform, instance)
    message, told = failure(result, "load_orders")
    assert events_of(result, "STEP_UP_FOR_RETRY") == []
    assert "QP501" in message
    assert "january.csv" in message
    assert "row_count" in message
    assert platform.lake.table("shop.orders").refs().keys() >= {told["branch"]}
    assert told["load_id"] in told["branch"]
    assert told["branch"] in told["what_to_do"]
    found = evaluations(result, "shop/orders")["row_count"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)


def test_loads_before_a_blocked_one_are_told_of(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.deliver("orders/short.csv", orders_csv(11, 5))
    platform = shop.open()
    result = run(platform, instance)
    assert not result.success
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3]
    told = metadata(result, "shop/orders")
    assert (told["rows_read"], told["rows_published"]) == (4, 3)
    assert "blocked: audit-" in told["loads"]
    assert "compute_totals" not in events_of(result, "STEP_START")


def test_results_of_a_blocked_batch_are_not_carried_over(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = shop.open()
    first = run(platform, instance)
    short = shop.deliver("orders/short.csv", orders_csv(11, 5))
    run(platform, instance)
    short.unlink()
    third = run(platform, instance)
    assert third.success
    found = evaluations(third, "shop/orders")["row_count"]
    assert found.passed
    assert found.metadata["result_of_run"].value == first.run_id


def test_checks_alone_judge_the_published_rows_and_load_nothing(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = shop.open()
    run(platform, instance)
    shop.deliver("orders/february.csv", orders_csv(11, 1, 2))
    result = run_checks(platform, instance, "shop/orders", "row_count", "id_not_null")
    assert result.success
    assert materialized(result) == []
    found = evaluations(result, "shop/orders")
    assert set(found) == {"row_count", "id_not_null"}
    assert {e.metadata["judged"].value for e in found.values()} == {"published rows"}
    assert found["id_not_null"].metadata["rows_judged"].value == 3
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3]


def test_checks_alone_fail_the_run_when_a_gate_does_not_hold(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    run(shop.open(), instance)
    shop.contract(
        "customers",
        {"id": {"logicalType": "integer"}},
        quality=[{"name": "many", "metric": "rowCount", "mustBeGreaterThan": 5}],
    )
    result = run_checks(shop.open(), instance, "shop/customers", "many")
    assert not result.success
    assert not evaluations(result, "shop/customers")["many"].passed
    assert events_of(result, "STEP_UP_FOR_RETRY") == []


def test_the_quarantine_alone_still_tells_of_the_rows_that_were_published(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = shop.open()
    run(platform, instance, ["shop/customers"])
    shop.deliver("orders/february.csv", orders_csv(11, 5, -1, 7))
    result = run(platform, instance, ["quarantine/orders"])
    assert result.success
    assert metadata(result, "quarantine/orders")["rows_quarantined"] == 1
    assert metadata(result, "shop/orders")["dagster/row_count"] == 5


def test_the_sources_are_looked_at_before_tables_load(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    run(shop.open(), instance)
    record = instance.fetch_observations(dg.AssetKey(["landing", "orders"]), limit=1).records[0]
    observation = record.asset_observation
    assert observation is not None
    assert observation.metadata["files"].value == 1
    assert observation.metadata["bytes"].value == len(orders_csv(1, 10, 20, 30).encode())
