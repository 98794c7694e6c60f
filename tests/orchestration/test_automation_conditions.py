"""`automate: eager` on a real instance: what has changed for the good runs what reads it."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from support.dagster_runs import evaluations, materialized, run
from support.project import Project
from support.shop import orders_csv

from quality_platform.orchestration.build import build_definitions


class Automation:
    """The daemon's evaluation of all conditions, each from where the one before ended."""

    def __init__(self, shop: Project, instance: dg.DagsterInstance) -> None:
        self.shop = shop
        self.instance = instance
        self.cursor: Any = None

    def tick(self) -> list[str]:
        """The assets that are asked for."""
        definitions = build_definitions(self.shop.open())
        sensor = definitions.resolve_sensor_def("automation")
        assert isinstance(sensor, dg.AutomationConditionSensorDefinition)
        found = dg.evaluate_automation_conditions(
            defs=definitions,
            instance=self.instance,
            asset_selection=sensor.asset_selection,
            cursor=self.cursor,
        )
        self.cursor = found.cursor
        keys = sensor.asset_selection.resolve(definitions.resolve_asset_graph())
        return sorted(key.to_user_string() for key in keys if found.get_num_requested(key))


@pytest.fixture
def automation(shop: Project, instance: dg.DagsterInstance) -> Automation:
    """A shop whose view computes itself, after one run of everything."""
    shop.views["totals"]["automate"] = "eager"
    found = Automation(shop, instance)
    found.tick()
    assert run(shop.open(), instance).success
    found.tick()
    return found


def loaded(automation: Automation) -> dg.ExecuteInProcessResult:
    keys = ["shop/customers", "shop/orders"]
    return run(automation.shop.open(), automation.instance, keys)


def test_a_view_is_computed_once_when_its_input_was_published(automation: Automation) -> None:
    assert automation.tick() == []
    automation.shop.deliver("orders/february.csv", orders_csv(11, 1, 2))
    assert loaded(automation).success
    assert automation.tick() == ["features/totals"]
    result = run(automation.shop.open(), automation.instance, ["features/totals"])
    assert materialized(result) == ["features/totals", "quarantine/totals"]
    assert evaluations(result, "features/totals")
    assert automation.tick() == []


def test_a_view_that_was_asked_for_is_not_asked_for_again(automation: Automation) -> None:
    automation.shop.deliver("orders/february.csv", orders_csv(11, 1, 2))
    loaded(automation)
    assert automation.tick() == ["features/totals"]
    # Its run has not begun, or has failed: what it reads has not changed since.
    assert automation.tick() == []


def test_an_input_that_changes_soon_after_the_view_was_computed_is_not_forgotten(
    automation: Automation,
) -> None:
    shop, instance = automation.shop, automation.instance
    shop.deliver("orders/february.csv", orders_csv(11, 1, 2))
    loaded(automation)
    assert automation.tick() == ["features/totals"]
    assert run(shop.open(), instance, ["features/totals"]).success
    # Before the next tick.
    shop.deliver("orders/march.csv", orders_csv(21, 1, 2))
    assert loaded(automation).success
    assert automation.tick() == ["features/totals"]


def test_a_run_of_everything_leaves_nothing_to_do(automation: Automation) -> None:
    automation.shop.deliver("orders/february.csv", orders_csv(11, 1, 2))
    assert run(automation.shop.open(), automation.instance).success
    assert automation.tick() == []


def test_a_blocked_input_keeps_the_view_as_it_is_until_it_is_good_again(
    automation: Automation,
) -> None:
    shop = automation.shop
    # Each file is a load of its own: February is published, March is blocked.
    shop.deliver("orders/february.csv", orders_csv(11, 1, 2))
    shop.deliver("orders/march.csv", orders_csv(21, 1))
    assert not loaded(automation).success
    assert automation.tick() == []
    shop.deliver("orders/march.csv", orders_csv(21, 1, 2))
    assert loaded(automation).success
    assert automation.tick() == ["features/totals"]


def test_warnings_and_rows_held_back_do_not_keep_it(automation: Automation) -> None:
    shop = automation.shop
    shop.deliver("customers/all.csv", "id,name\n1,Ada\n")
    shop.deliver("orders/february.csv", orders_csv(11, 1, 2, -3))
    result = loaded(automation)
    assert result.success
    found = evaluations(result, "shop/orders")
    assert not found["customer_is_known"].passed
    assert not found["amount_is_not_negative"].passed
    assert automation.tick() == ["features/totals"]


def test_what_a_replay_publishes_is_a_change(automation: Automation) -> None:
    shop, instance = automation.shop, automation.instance
    shop.deliver("orders/february.csv", orders_csv(11, 1, 2, -3))
    loaded(automation)
    automation.tick()
    run(shop.open(), instance, ["features/totals"])
    contract = shop.folder / "contracts/orders.odcs.yaml"
    contract.write_text(contract.read_text().replace("amount >= 0", "amount >= -5"))
    job = build_definitions(shop.open()).resolve_job_def("replay")
    config = {"ops": {"replay_rows": {"config": {"table": "orders"}}}}
    assert job.execute_in_process(config, instance=instance).success
    assert automation.tick() == ["features/totals"]


def test_a_table_runs_when_one_that_it_refers_to_has_changed(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.tables["orders"]["automate"] = "eager"
    automation = Automation(shop, instance)
    automation.tick()
    assert run(shop.open(), instance).success
    automation.tick()
    shop.deliver("customers/all.csv", "id,name\n1,Ada\n2,Grace\n3,Edsger\n")
    assert run(shop.open(), instance, ["shop/customers"]).success
    assert automation.tick() == ["shop/orders"]


def test_a_table_runs_when_its_source_was_seen_to_have_changed(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.tables["orders"]["automate"] = "eager"
    automation = Automation(shop, instance)
    automation.tick()
    assert run(shop.open(), instance).success
    automation.tick()
    shop.deliver("orders/february.csv", orders_csv(11, 1, 2))
    assert run(shop.open(), instance, ["landing/orders"]).success
    assert automation.tick() == ["shop/orders"]


def test_the_sensor_of_automation_is_there_where_something_automates_itself(
    shop: Project,
) -> None:
    names = {sensor.name for sensor in build_definitions(shop.open()).sensors or ()}
    assert "automation" not in names
    shop.views["totals"]["automate"] = "eager"
    sensor = build_definitions(shop.open()).resolve_sensor_def("automation")
    assert isinstance(sensor, dg.AutomationConditionSensorDefinition)
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
