"""What traces and logs tell of single steps of Dagster, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from support.dagster_runs import run, run_checks
from support.otlp_receiver import Received, values
from support.project import Project
from support.shop import orders_csv
from support.telemetry import lines_of, logged_as_json, traced

from quality_platform.errors import SourceUnreachableError
from quality_platform.flows import load_table
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.launch import launch
from quality_platform.orchestration.run_traces import RUN_TRACES


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    with logged_as_json(monkeypatch), traced(monkeypatch) as found:
        yield found


def phases(received: Received, step: Any) -> list[str]:
    return [phase.name for phase in received.children(step)]


def test_every_attempt_is_a_span_and_the_error_of_each_is_told(
    shop: Project,
    instance: dg.DagsterInstance,
    received: Received,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    original, calls = load_table.open_source, []

    def down_at_first(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise SourceUnreachableError("the source does not answer")
        return original(*arguments)

    monkeypatch.setattr(load_table, "open_source", down_at_first)
    shop.settings["retries"]["opening_seconds"] = 0
    result = run(shop.open(), instance, ["shop/customers"])
    assert result.success
    first, second = received.named("customers")
    assert [values(span.attributes)["retry"] for span in (first, second)] == [0, 1]
    assert [span.status.message for span in (first, second)] == [SourceUnreachableError.code, ""]
    assert phases(received, first) == ["open"]
    assert phases(received, second) == ["open", "read", "check", "commit", "finish"]
    lines = lines_of(capfd.readouterr().err)
    (warning,) = [line for line in lines if line["level"] == "warning"]
    assert (warning["code"], warning["retried"]) == (SourceUnreachableError.code, True)
    assert warning["run"] == result.run_id


def test_a_blocked_load_and_an_audit_are_spans_of_their_table(
    shop: Project, instance: dg.DagsterInstance, received: Received
) -> None:
    run(shop.open(), instance, ["shop/customers", "shop/orders"])
    shop.deliver("orders/february.csv", orders_csv(9, 1))
    assert not run(shop.open(), instance, ["shop/orders"]).success
    blocked = received.named("orders")[1]
    assert blocked.status.code == Status.STATUS_CODE_ERROR
    (load,) = [values(event.attributes) for event in blocked.events]
    assert load["branch"].startswith("audit-")
    run_checks(shop.open(), instance, "shop/orders", "row_count")
    audit = received.named("orders")[2]
    assert phases(received, audit) == ["open", "audit"]


def test_a_defect_tells_its_type_and_not_its_text(
    shop: Project,
    instance: dg.DagsterInstance,
    received: Received,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("canary-value")

    monkeypatch.setattr(load_table, "open_source", broken)
    assert not run(shop.open(), instance, ["shop/customers"]).success
    assert received.one("customers").status.message == "ZeroDivisionError"
    assert not any(b"canary-value" in body for body in received.bodies)
    lines = lines_of(capfd.readouterr().err)
    (error,) = [line for line in lines if line.get("code") == "ZeroDivisionError"]
    assert "canary-value" not in str(error)


def test_a_launch_from_the_terminal_tells_the_span_of_its_run_itself(
    shop: Project, dagster_home: Path, received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    launch(shop.open(), lambda *_: None, lambda _: None)
    root = received.one("everything")
    steps = received.children(root)
    assert [step.name for step in steps] == ["customers", "orders", "totals"]
    assert {span.trace_id for span in received.spans} == {root.trace_id}
    assert root.start_time_unix_nano < steps[0].start_time_unix_nano
    assert steps[-1].end_time_unix_nano < root.end_time_unix_nano


def test_the_sensor_of_run_spans_is_there_where_a_collector_is(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sensors() -> set[str]:
        return {sensor.name for sensor in build_definitions(shop.open()).sensors or ()}

    assert RUN_TRACES not in sensors()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/v1/traces")
    assert RUN_TRACES in sensors()
