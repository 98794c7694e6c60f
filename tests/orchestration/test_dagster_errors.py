"""Errors in Dagster: which are retried, and what a person reads."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support.dagster_runs import events_of, failure, materialized, run
from support.project import Project, column_of
from support.shop import orders_csv

from quality_platform.config.models import RetryConfig
from quality_platform.flows.platform import Platform
from quality_platform.flows.retries import delay_of
from quality_platform.orchestration.steps import Nobody


class Mender(Nobody):
    """Takes away what stands in the place of the catalog's database, once told of a failure."""

    def __init__(self, obstacle: Path) -> None:
        self.obstacle = obstacle
        self.told: list[str] = []

    def progress(self, name: str, step: str, text: str) -> None:
        if step == "failed":
            self.told.append(text)
            self.obstacle.rmdir()


@pytest.fixture
def unreachable(shop: Project, home: Path) -> tuple[Platform, Path]:
    """A platform in whose catalog's place stands a folder."""
    home.mkdir()
    obstacle = home / "catalog.db"
    obstacle.mkdir()
    return shop.open(), obstacle


def causes(error: Any) -> list[Any]:
    """Every error that an error tells of as its cause or context."""
    told = [cause for cause in (error.cause, error.context) if cause is not None]
    return [*told, *(further for cause in told for further in causes(cause))]


def test_delays_double_and_are_spread_by_up_to_a_half() -> None:
    steady = RetryConfig(initial_delay_seconds=2, jitter=False)
    assert [delay_of(steady, retry) for retry in range(4)] == [2, 4, 8, 16]
    spread = [delay_of(RetryConfig(initial_delay_seconds=2), 1) for _ in range(200)]
    assert 2 <= min(spread) < 3.5
    assert 4.5 < max(spread) <= 6


def test_a_transient_error_is_retried_until_it_is_gone(
    unreachable: tuple[Platform, Path], instance: dg.DagsterInstance
) -> None:
    platform, obstacle = unreachable
    mender = Mender(obstacle)
    result = run(platform, instance, ["shop/customers"], mender)
    assert result.success
    assert events_of(result, "STEP_UP_FOR_RETRY") == ["load_customers"]
    assert "shop/customers" in materialized(result)
    assert len(mender.told) == 1
    assert "will be tried again" in mender.told[0]


def test_a_transient_error_that_stays_fails_after_the_configured_retries(
    unreachable: tuple[Platform, Path], instance: dg.DagsterInstance
) -> None:
    platform, _ = unreachable
    result = run(platform, instance, ["shop/customers"])
    assert not result.success
    assert events_of(result, "STEP_UP_FOR_RETRY") == ["load_customers"] * 2
    message, told = failure(result, "load_customers")
    assert message.startswith("QP301 ")
    assert (told["code"], told["transient"]) == ("QP301", True)


def test_a_retry_tells_the_run_and_the_asset_which_attempt_failed_why_and_when_the_next_begins(
    unreachable: tuple[Platform, Path], instance: dg.DagsterInstance
) -> None:
    platform, _ = unreachable
    result = run(platform, instance, ["shop/customers", "quarantine/customers"])
    records = instance.fetch_observations(dg.AssetKey(["shop", "customers"]), limit=9).records
    observed = [record.asset_observation for record in records if record.asset_observation][::-1]
    assert [o.metadata["attempt"].value for o in observed] == ["1 of 3", "2 of 3"]
    assert str(observed[0].metadata["reason"].value).startswith("QP301 ")
    assert {str(o.metadata["run"].value) for o in observed} == {result.run_id}
    ups = [e for e in result.all_events if e.event_type_value == "STEP_UP_FOR_RETRY"]
    data: Any = ups[0].event_specific_data
    assert data.seconds_to_wait == pytest.approx(0.05)
    assert "CatalogUnreachableError" in str(data.error.cause or data.error)
    logged = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert any(
        "attempt 2 of 3 failed" in text and "tried again in 0.1 s" in text for text in logged
    )
    _, told = failure(result, "load_customers")
    assert told["attempts"] == 3


def test_a_pattern_of_runner_yaml_makes_an_error_worth_a_retry(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.settings["retries"]["retryable_error_patterns"] = ["DOES NOT EXIST"]
    platform = shop.open()
    shutil.rmtree(shop.folder / "landing" / "customers")
    result = run(platform, instance, ["shop/customers"])
    assert events_of(result, "STEP_UP_FOR_RETRY") == ["load_customers"] * 2
    _, told = failure(result, "load_customers")
    assert (told["transient"], told["attempts"]) == (True, 3)


def test_a_permanent_error_is_not_retried_and_reads_as_the_platform_wrote_it(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = shop.open()
    shutil.rmtree(shop.folder / "landing" / "customers")
    result = run(platform, instance)
    assert not result.success
    assert events_of(result, "STEP_UP_FOR_RETRY") == []
    message, told = failure(result, "load_customers")
    assert message.startswith(f"QP201 {shop.runner}:")
    assert "does not exist" in message
    assert "to do: " in message
    assert (told["code"], told["transient"]) == ("QP201", False)
    assert "find_files" in told["raised_at"]


def test_neither_cause_nor_context_of_an_error_is_recorded(
    unreachable: tuple[Platform, Path], instance: dg.DagsterInstance
) -> None:
    platform, _ = unreachable
    result = run(platform, instance, ["shop/customers"])
    errors = [
        getattr(event.event_specific_data, "error", None)
        for event in result.all_events
        if event.event_type_value in {"STEP_FAILURE", "STEP_UP_FOR_RETRY"}
    ]
    assert len(errors) == 3
    chain = [cause for error in errors if error for cause in (error, *causes(error))]
    assert {error.cls_name for error in chain} <= {
        "Failure",
        "RetryRequested",
        "CatalogUnreachableError",
    }


def test_what_depends_on_a_failure_does_not_run_and_the_rest_does(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.deliver("orders/january.csv", "")
    result = run(shop.open(), instance)
    assert materialized(result) == ["shop/customers", "quarantine/customers"]
    assert events_of(result, "STEP_FAILURE") == ["load_orders"]
    assert "compute_totals" not in events_of(result, "STEP_START")


def test_a_corrected_source_is_loaded_by_the_next_run(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.deliver("orders/january.csv", "")
    platform = shop.open()
    run(platform, instance)
    shop.deliver("orders/january.csv", orders_csv(1, 10, 20))
    assert run(platform, instance).success
    assert column_of(platform, "shop.orders", "id") == [1, 2]


def test_the_log_of_the_run_tells_the_steps_of_the_flow(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    result = run(shop.open(), instance, ["shop/customers"])
    logged = [
        entry.user_message
        for entry in instance.all_logs(result.run_id)
        if not entry.is_dagster_event and entry.level == logging.INFO
    ]
    assert "customers: reading: all.csv" in logged
    assert "customers: staged: 2 rows read" in logged
