"""Hooks on a real instance: each event is told once, in order, and never too early."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from support.dagster_runs import run
from support.project import Project
from support.sensors import looked
from support.shop import orders_csv
from support.webhook import Receiver, receiver

from quality_platform.errors import AlertError

EVERYTHING = ["run_failed", "check_failed", "drift"]


@pytest.fixture
def hears() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def hooked(shop: Project, hears: Receiver, **hook: Any) -> Project:
    shop.settings["alerts"] = {
        "dagster_url": "https://dagster.example.com/",
        "hooks": {
            "pager": {
                "type": "webhook",
                "url": hears.url,
                "events": EVERYTHING,
                "timeout_seconds": 5,
                **hook,
            }
        },
    }
    return shop


def begun(shop: Project, instance: dg.DagsterInstance) -> str | None:
    """The cursor of the hook's first look."""
    return looked(shop.open(), instance, "alert_pager").cursor


def spoil(shop: Project) -> None:
    shop.deliver("orders/february.csv", orders_csv(11, 1))


def test_a_blocked_load_is_told_as_a_failed_check_and_a_failed_run_once(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    before = begun(hooked(shop, hears), instance)
    spoil(shop)
    platform = shop.open()
    run(platform, instance)
    found = looked(platform, instance, "alert_pager", before)
    assert hears.heard == [("check_failed", "orders", "row_count"), ("run_failed", "orders", "")]
    assert "2 events told" in str(found.skip_reason)
    again = looked(platform, instance, "alert_pager", found.cursor)
    assert len(hears.bodies) == 2
    assert "nothing to tell" in str(again.skip_reason)


def test_an_alert_has_what_a_person_needs_and_no_value_of_a_row(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    contract = shop.folder / "contracts/orders.odcs.yaml"
    contract.write_text(
        contract.read_text() + "team:\n- {username: ada@example.com, role: Owner}\n"
    )
    before = begun(hooked(shop, hears, events=["check_failed"]), instance)
    shop.deliver("orders/january.csv", orders_csv(1, 10, -4711.25, 30))
    platform = shop.open()
    result = run(platform, instance)
    assert result.success
    looked(platform, instance, "alert_pager", before)
    (alert,) = hears.alerts
    assert alert.pop("id")
    assert alert.pop("at").endswith("+00:00")
    assert alert == {
        "version": 1,
        "event": "check_failed",
        "severity": "error",
        "message": "orders: amount_is_not_negative failed",
        "run": {
            "id": result.run_id,
            "job": "everything",
            "url": f"https://dagster.example.com/runs/{result.run_id}",
            "attempt": 0,
        },
        "table": "orders",
        "identifier": "shop.orders",
        "tenant": "",
        "contract": {
            "id": "contract-of-orders",
            "version": "1.0.0",
            "owners": list(platform.tables["orders"].contract.owners),
        },
        "check": {
            "name": "amount_is_not_negative",
            "verdict": "fail",
            "dimension": "",
            "threshold": "",
            "rows_failing": 1,
            "rows_judged": 3,
            "share_failing": pytest.approx(1 / 3),
            "drift": None,
        },
    }
    assert b"4711" not in hears.bodies[0]


def test_what_happened_before_the_first_look_is_told_to_nobody(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    spoil(hooked(shop, hears))
    run(shop.open(), instance)
    looked(shop.open(), instance, "alert_pager", begun(shop, instance))
    assert hears.bodies == []


def test_a_hook_hears_only_of_its_events_and_tables(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    before = begun(hooked(shop, hears, events=["run_failed"]), instance)
    spoil(shop)
    run(shop.open(), instance)
    looked(shop.open(), instance, "alert_pager", before)
    assert [event for event, _, _ in hears.heard] == ["run_failed"]
    hooked(shop, hears, tables=["customers"])
    looked(shop.open(), instance, "alert_pager", before)
    assert len(hears.bodies) == 1


def test_warnings_are_told_to_those_who_ask_for_them(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    before = begun(hooked(shop, hears), instance)
    shop.deliver("customers/all.csv", "id,name\n1,Ada\n")
    assert run(shop.open(), instance).success
    looked(shop.open(), instance, "alert_pager", before)
    assert hears.heard == []
    looked(hooked(shop, hears, severity="warning").open(), instance, "alert_pager", before)
    assert hears.heard == [("check_failed", "orders", "customer_is_known")]
    assert hears.alerts[0]["severity"] == "warning"


def test_a_hook_that_fails_is_told_again_and_nothing_is_told_twice(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    before = begun(hooked(shop, hears), instance)
    spoil(shop)
    platform = shop.open()
    run(platform, instance)
    hears.answers = [503]
    with pytest.raises(AlertError, match="HTTP 503"):
        looked(platform, instance, "alert_pager", before)
    assert hears.bodies == []
    hears.answers = [200, 500]
    found = looked(platform, instance, "alert_pager", before)
    assert "1 events told; the hook pager could not be told" in str(found.skip_reason)
    looked(platform, instance, "alert_pager", found.cursor)
    assert [event for event, _, _ in hears.heard] == ["check_failed", "run_failed"]


def test_the_same_event_has_the_same_id_when_the_cursor_was_lost(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    before = begun(hooked(shop, hears), instance)
    spoil(shop)
    run(shop.open(), instance)
    for _ in range(2):
        looked(shop.open(), instance, "alert_pager", before)
    ids = [alert["id"] for alert in hears.alerts]
    assert ids[:2] == ids[2:]
    assert [headers["Idempotency-Key"] for headers in hears.headers] == ids


def test_an_event_that_is_too_old_is_given_up(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    before = begun(hooked(shop, hears, keep_trying="0s"), instance)
    spoil(shop)
    run(shop.open(), instance)
    hears.answers = [500, 200]
    looked(shop.open(), instance, "alert_pager", before)
    assert [event for event, _, _ in hears.heard] == ["run_failed"]


def test_a_run_that_dagster_runs_again_is_told_when_the_last_one_fails(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    before = begun(hooked(shop, hears, events=["run_failed"]), instance)
    spoil(shop)
    run(shop.open(), instance)
    (first,) = instance.get_runs()
    instance.add_run_tags(first.run_id, {"dagster/will_retry": "true"})
    found = looked(shop.open(), instance, "alert_pager", before)
    assert hears.bodies == []
    run(shop.open(), instance)
    second = next(r for r in instance.get_runs() if r.run_id != first.run_id)
    instance.add_run_tags(second.run_id, {"dagster/will_retry": "false"})
    looked(shop.open(), instance, "alert_pager", found.cursor)
    assert [alert["run"]["id"] for alert in hears.alerts] == [second.run_id]


def test_a_run_that_fails_as_a_whole_is_told_whatever_the_tables(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    before = begun(hooked(shop, hears, tables=["customers"]), instance)
    run(shop.open(), instance)
    # Dagster would run it again by itself, and tell of it only if that fails too.
    never = {"dagster/max_retries": "0"}
    status = dg.DagsterRunStatus.STARTED
    lost = instance.create_run_for_job(_job(shop), tags=never, status=status)
    instance.report_run_failed(lost, "the process is gone")
    looked(shop.open(), instance, "alert_pager", before)
    assert hears.heard == [("run_failed", "", "")]
    assert hears.alerts[0]["contract"] is None


def _job(shop: Project) -> dg.JobDefinition:
    from quality_platform.orchestration.build import build_definitions

    return build_definitions(shop.open()).resolve_job_def("everything")


def test_drift_is_told_by_a_hook_or_by_the_hook_of_its_sensor(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    hooked(shop, hears, events=[])
    shop.settings["sensors"] = {
        "moved": {"type": "drift", "view": "totals", "action": "alert", "hook": "pager"}
    }
    shop.views["totals"]["drift"] = {
        "columns": ["total"],
        "reference": {"start": "2026-01-01", "end": "2026-01-15"},
        "current": {"start": "2026-01-15", "end": "2026-02-01"},
    }
    sql = "SELECT id AS customer, placed_at, amount AS total FROM orders"
    (shop.folder / "totals.sql").write_text(sql)
    amounts = [float(n % 28 + (1000 if n % 28 > 13 else 0)) for n in range(560)]
    shop.deliver("orders/january.csv", orders_csv(1, *amounts))
    before = looked(shop.open(), instance, "moved").cursor
    run(shop.open(), instance)
    looked(shop.open(), instance, "moved", before)
    alert, overall = sorted(hears.alerts, key=lambda told: str(told["message"]), reverse=True)
    assert overall["message"] == "totals: no_drift_overall has found drift"
    assert (alert["event"], alert["severity"], alert["table"]) == ("drift", "warning", "totals")
    assert alert["check"]["drift"] > 0.2
    assert alert["message"] == "totals: total_has_not_drifted has found drift"
    hooked(shop, hears, events=["drift"])
    looked(shop.open(), instance, "alert_pager", before)
    assert len(hears.bodies) == 4


def test_drift_of_a_table_is_told_by_the_hook_of_its_sensor(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    hooked(shop, hears, events=[])
    shop.settings["sensors"] = {
        "moved": {"type": "drift", "table": "orders", "action": "alert", "hook": "pager"}
    }
    shop.tables["orders"]["drift"] = {
        "columns": ["amount"],
        "event_timestamp": "placed_at",
        "reference": {"start": "2026-01-01", "end": "2026-01-15"},
        "current": {"start": "2026-01-15", "end": "2026-02-01"},
    }
    amounts = [float(n % 28 + (1000 if n % 28 > 13 else 0)) for n in range(560)]
    shop.deliver("orders/january.csv", orders_csv(1, *amounts))
    before = looked(shop.open(), instance, "moved").cursor
    run(shop.open(), instance)
    looked(shop.open(), instance, "moved", before)
    assert sorted((alert["table"], alert["check"]["name"]) for alert in hears.alerts) == [
        ("orders", "amount_has_not_drifted"),
        ("orders", "no_drift_overall"),
    ]


def test_what_kept_a_whole_drift_test_from_running_is_told_once(
    shop: Project, instance: dg.DagsterInstance, hears: Receiver
) -> None:
    shop.tables["orders"]["drift"] = {
        "columns": ["amount", "id"],
        "reference": {"tag": "nowhere"},
        "current": "snapshot",
    }
    before = begun(hooked(shop, hears, events=["check_failed"]), instance)
    run(shop.open(), instance)
    looked(shop.open(), instance, "alert_pager", before)
    assert hears.heard == [("check_failed", "orders", "no_drift_overall")]
