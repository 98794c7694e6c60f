"""Reruns after failed checks and after drift, on a real instance."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from support.dagster_runs import materialized, run, run_checks
from support.project import Project, integer, number, row_count
from support.sensors import keys_of, looked, obeyed
from support.shop import orders_csv

from quality_platform.flows.platform import open_platform

ORDERS = ["landing/orders", "shop/orders", "quarantine/orders"]


def watched(shop: Project, **settings: Any) -> Project:
    """The shop with a sensor of failed checks that does not wait."""
    shop.settings["sensors"] = {
        "again": {"type": "check_failed", "delay_seconds": 0, "max_reruns": 2, **settings}
    }
    return shop


def spoil(shop: Project) -> None:
    """A file with fewer rows than the contract asks for."""
    shop.deliver("orders/february.csv", orders_csv(11, 1))


def repair(shop: Project) -> None:
    shop.deliver("orders/february.csv", orders_csv(11, 1, 2))


@pytest.fixture
def failing(shop: Project, instance: dg.DagsterInstance) -> tuple[Project, str | None]:
    """A shop whose orders are blocked by the row count, and the sensor's cursor before that."""
    watched(shop)
    before = looked(shop.open(), instance, "again").cursor
    spoil(shop)
    assert not run(shop.open(), instance).success
    return shop, before


def test_what_ended_before_the_first_look_is_not_run_again(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    spoil(watched(shop))
    run(shop.open(), instance)
    first = looked(shop.open(), instance, "again")
    assert keys_of(first) == []
    assert keys_of(looked(shop.open(), instance, "again", first.cursor)) == []


def test_a_table_is_run_again_after_a_blocking_check_failed_and_not_more_often_than_allowed(
    failing: tuple[Project, str | None], instance: dg.DagsterInstance
) -> None:
    shop, cursor = failing
    platform, root = shop.open(), instance.get_runs()[0].run_id
    for attempt in (1, 2):
        found = looked(platform, instance, "again", cursor)
        (request,) = found.run_requests or ()
        assert request.run_key == f"again-orders-{root}-{attempt}"
        assert request.tags["quality-platform/rerun-of"] == root
        assert request.tags["quality-platform/rerun-attempt"] == str(attempt)
        assert [key.to_user_string() for key in request.asset_selection or ()] == ORDERS
        # The rerun is under way: nothing else is asked for meanwhile.
        assert keys_of(looked(platform, instance, "again", found.cursor)) == []
        assert not obeyed(platform, instance, request).success
        cursor = found.cursor
    last = looked(platform, instance, "again", cursor)
    assert keys_of(last) == []
    assert "orders: 2 reruns so far" in str(last.skip_reason)


def test_a_rerun_that_succeeds_publishes_and_ends_it(
    failing: tuple[Project, str | None], instance: dg.DagsterInstance
) -> None:
    shop, cursor = failing
    platform = shop.open()
    found = looked(platform, instance, "again", cursor)
    repair(shop)
    result = obeyed(platform, instance, (found.run_requests or ())[0])
    assert result.success
    assert "shop/orders" in materialized(result)
    after = looked(platform, instance, "again", found.cursor)
    assert (keys_of(after), str(after.skip_reason)) == (
        [],
        "SkipReason(skip_message='no check that counts has failed')",
    )
    # What fails later begins anew.
    shop.deliver("orders/march.csv", orders_csv(21, 1))
    run(platform, instance)
    again = looked(platform, instance, "again", after.cursor)
    assert keys_of(again) == [f"again-orders-{instance.get_runs()[0].run_id}-1"]


def test_a_daemon_that_lost_the_cursor_asks_for_the_same_rerun(
    failing: tuple[Project, str | None], instance: dg.DagsterInstance
) -> None:
    shop, cursor = failing
    platform = shop.open()
    first = looked(platform, instance, "again", cursor)
    assert keys_of(looked(platform, instance, "again", cursor)) == keys_of(first)
    # The rerun has run meanwhile: the next one follows, not the same once more.
    obeyed(platform, instance, (first.run_requests or ())[0])
    (key,) = keys_of(looked(platform, instance, "again", cursor))
    assert key is not None
    assert key.endswith("-2")


def test_a_rerun_waits_for_its_delay(shop: Project, instance: dg.DagsterInstance) -> None:
    platform = watched(shop, delay_seconds=3600).open()
    before = looked(platform, instance, "again").cursor
    spoil(shop)
    run(platform, instance)
    found = looked(platform, instance, "again", before)
    assert keys_of(found) == []
    assert "orders: rerun 1 in 3" in str(found.skip_reason)


def test_rows_held_back_ask_for_no_rerun_but_checks_named_do(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.deliver("orders/january.csv", orders_csv(1, 10, -20, 30))
    platform = watched(shop).open()
    before = looked(platform, instance, "again").cursor
    assert run(platform, instance).success
    assert keys_of(looked(platform, instance, "again", before)) == []
    named = watched(shop, checks=["amount_is_not_negative"]).open()
    found = looked(named, instance, "again", before)
    assert len(keys_of(found)) == 1
    # The rerun finds nothing new: the result that it carries over is no other failure.
    obeyed(named, instance, (found.run_requests or ())[0])
    assert keys_of(looked(named, instance, "again", found.cursor)) == []


def test_only_the_tables_named_are_run_again(shop: Project, instance: dg.DagsterInstance) -> None:
    platform = watched(shop, tables=["customers"]).open()
    before = looked(platform, instance, "again").cursor
    spoil(shop)
    run(platform, instance)
    assert keys_of(looked(platform, instance, "again", before)) == []


def test_checks_alone_can_be_run_again_and_a_failed_audit_asks_for_a_rerun(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = watched(shop).open()
    assert run(platform, instance).success
    before = looked(platform, instance, "again").cursor
    assert run_checks(platform, instance, "shop/orders", "row_count").success
    found = looked(platform, instance, "again", before)
    assert keys_of(found) == []
    contract = shop.folder / "contracts/orders.odcs.yaml"
    contract.write_text(contract.read_text().replace("- 2\n", "- 200\n"))
    assert not run_checks(shop.open(), instance, "shop/orders", "row_count").success
    assert len(keys_of(looked(shop.open(), instance, "again", found.cursor))) == 1


def drifting(shop: Project, **sensor: Any) -> Project:
    """A view whose totals are other ones in February than in January."""
    shop.settings["sensors"] = {"drifted": {"type": "drift", "view": "totals", **sensor}}
    shop.views["totals"]["drift"] = {
        "columns": ["total"],
        "reference": {"start": "2026-01-01", "end": "2026-01-15"},
        "current": {"start": "2026-01-15", "end": "2026-02-01"},
    }
    sql = "SELECT id AS customer, placed_at, amount AS total FROM orders"
    (shop.folder / "totals.sql").write_text(sql)
    amounts = [float(n % 7) for n in range(14)] * 1 + [1000.0 + n for n in range(14)]
    many = [amounts[n % 28] for n in range(560)]
    shop.deliver("orders/january.csv", orders_csv(1, *many))
    return shop


def test_drift_computes_the_view_again_with_what_it_reads_once(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = drifting(shop, action="recompute").open()
    before = looked(platform, instance, "drifted").cursor
    result = run(platform, instance)
    assert result.success
    found = looked(platform, instance, "drifted", before)
    (request,) = found.run_requests or ()
    asked = {key.to_user_string() for key in request.asset_selection or ()}
    assert asked == {*ORDERS, "features/totals", "quarantine/totals"}
    obeyed(platform, instance, request)
    assert keys_of(looked(platform, instance, "drifted", found.cursor)) == []


def test_drift_of_a_table_loads_it_again_once(shop: Project, instance: dg.DagsterInstance) -> None:
    drifting(shop)
    shop.settings["sensors"] = {
        "drifted": {"type": "drift", "table": "orders", "action": "recompute"}
    }
    drift = shop.views["totals"].pop("drift")
    shop.tables["orders"]["drift"] = drift | {
        "columns": ["amount"],
        "event_timestamp": "placed_at",
    }
    platform = shop.open()
    before = looked(platform, instance, "drifted").cursor
    assert run(platform, instance).success
    found = looked(platform, instance, "drifted", before)
    (request,) = found.run_requests or ()
    assert [key.to_user_string() for key in request.asset_selection or ()] == ORDERS
    obeyed(platform, instance, request)
    assert keys_of(looked(platform, instance, "drifted", found.cursor)) == []


def test_a_broken_table_leaves_the_others_watched(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    watched(shop, tables=["customers", "orders"])
    shop.settings["alerts"] = {
        "hooks": {"audit": {"type": "log", "events": ["run_failed"], "tables": ["customers"]}}
    }
    shop.tables["customers"]["contract"] = "contracts/nowhere.odcs.yaml"
    shop.contract("orders", {"id": integer(), "amount": number()}, quality=[row_count(2)])
    del shop.views["totals"]
    platform = open_platform(shop.write_runner())
    before = looked(platform, instance, "again").cursor
    shop.deliver("orders/january.csv", "id,amount\n1,2.5\n")
    run(platform, instance, ["shop/orders"])
    assert len(keys_of(looked(platform, instance, "again", before))) == 1
