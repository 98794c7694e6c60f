"""Runs of the command line as traces, at a real receiver of OpenTelemetry's protocol."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from support.command_line import call
from support.otlp_receiver import Received, values
from support.project import Project, integer, key
from support.shop import furnish, orders_csv
from support.telemetry import traced

from quality_platform.telemetry.traces import RunIds


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Received:
    with traced(monkeypatch) as found:
        yield found


def test_a_run_is_one_trace_with_a_span_for_each_table_and_each_of_its_phases(
    project: Project, received: Received
) -> None:
    furnish(project).deliver("orders/february.csv", orders_csv(4, 40, -1))
    assert call("run", "-r", project.write_runner()).code == 0
    root = received.one("run")
    run_id = values(root.attributes)["run_id"]
    ids = RunIds.of(run_id)
    assert {span.trace_id for span in received.spans} == {ids.trace_id.to_bytes(16)}
    assert root.span_id == ids.span_id.to_bytes(8)
    assert root.parent_span_id == b""
    steps = received.children(root)
    assert [step.name for step in steps] == ["customers", "orders", "totals"]
    for step in steps:
        assert root.start_time_unix_nano <= step.start_time_unix_nano
        assert step.end_time_unix_nano <= root.end_time_unix_nano
    orders = received.one("orders")
    told = values(orders.attributes)
    assert (told["table"], told["namespace"], told["run_id"]) == ("orders", "shop", run_id)
    assert (told["rows_read"], told["rows_published"], told["rows_quarantined"]) == (5, 4, 1)
    assert (told["loads"], told["batches"], told["state"]) == (2, 2, "published")
    assert (told["checks_fail"], told["checks_error"]) == (1, 0)
    assert told["contract_version"] == "1.0.0"
    assert told["bytes_read"] > 0 < told["bytes_written"]
    assert orders.status.code == Status.STATUS_CODE_UNSET
    phases = received.children(orders)
    one_load = ["read", "check", "commit", "finish"]
    assert [phase.name for phase in phases] == ["open", *one_load, *one_load]
    reads = [values(phase.attributes) for phase in phases if phase.name == "read"]
    assert [(read["rows_read"], read["batches"]) for read in reads] == [(2, 1), (3, 1)]
    assert len({read["load_id"] for read in reads}) == 2
    events = [values(event.attributes) for event in orders.events]
    assert [event["load_id"] for event in events] == [read["load_id"] for read in reads]
    assert [event["rows_quarantined"] for event in events] == [1, 0]
    service = received.resources[0]
    assert (service["service.name"], service["service.version"]) == ("quality-platform", "0.1.0")


def test_a_step_that_fails_tells_the_code_of_its_error_and_nothing_else_of_it(
    project: Project, received: Received
) -> None:
    project.table("orders", {"id": key(integer())})
    project.deliver("orders/a.csv", "nonsense-1f0e\n1\n")
    assert call("run", "-r", project.write_runner()).code == 2
    orders, root = received.one("orders"), received.one("run")
    for span in (orders, root, received.one("read")):
        assert span.status.code == Status.STATUS_CODE_ERROR
        assert span.status.message == "QP203"
        assert values(span.attributes)["error.type"] == "QP203"
    assert not any(b"nonsense-1f0e" in body for body in received.bodies)


def test_a_blocked_load_is_an_error_of_its_step(project: Project, received: Received) -> None:
    furnish(project).deliver("orders/january.csv", orders_csv(1, 1))
    assert call("run", "-r", project.write_runner(), "customers", "orders").code == 1
    orders = received.one("orders")
    assert orders.status.message == "QP501"
    assert values(orders.attributes)["state"] == "blocked"
    assert received.one("run").status.code == Status.STATUS_CODE_ERROR


def test_a_collector_that_is_down_fails_no_run_and_is_told_of_once(
    project: Project, received: Received, caplog: pytest.LogCaptureFixture
) -> None:
    received.code = 400
    furnish(project)
    with caplog.at_level(logging.WARNING):
        assert call("run", "-r", project.write_runner()).code == 0
    assert received.spans == []
    assert [record.getMessage().partition(" ")[2] for record in caplog.records] == [
        "spans could not be sent to the collector and are dropped; no more are sent for 60 s"
    ]
    assert len(received.headers) == 1


def test_opentelemetry_variables_name_the_service_and_switch_everything_off(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(project)
    variables = {"OTEL_SERVICE_NAME": "shop", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=abc"}
    with traced(monkeypatch, **variables) as received:
        call("run", "-r", project.write_runner(), "customers")
        assert received.resources[0]["service.name"] == "shop"
        assert received.headers[0]["x-key"] == "abc"
    for name, value in {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none"}.items():
        with monkeypatch.context() as patch, traced(patch, **{name: value}) as received:
            call("run", "-r", project.write_runner(), "customers")
            assert received.headers == []


def test_variables_that_opentelemetry_refuses_fail_no_run(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    furnish(project)
    with traced(monkeypatch, OTEL_SPAN_EVENT_COUNT_LIMIT="canary") as received:
        assert call("run", "-r", project.write_runner(), "customers").code == 0
        assert received.headers == []
    (told,) = caplog.messages
    assert told.startswith("nothing is traced")
    assert "canary" not in told


def test_no_key_of_the_collector_is_told_when_it_does_not_answer(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    furnish(project)
    caplog.set_level(logging.DEBUG)
    headers = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=canary-1,canary-3 no header"}
    with traced(monkeypatch, **headers) as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{received.url}/?key=canary-2")
        received.code = 503
        ended = call("run", "-r", project.write_runner(), "customers")
        assert ended.code == 0
        assert received.headers[0]["authorization"] == "canary-1"
    captured = capfd.readouterr()
    own = [r.getMessage() for r in caplog.records if not r.name.startswith("urllib3")]
    assert "canary" not in "".join([ended.text, captured.out, captured.err, *own])
    assert "could not be sent" in "".join(own)


def test_a_sampler_keeps_or_drops_a_run_as_a_whole(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(project)
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}
    with traced(monkeypatch, **sampler, OTEL_TRACES_SAMPLER_ARG="0") as received:
        call("run", "-r", project.write_runner(), "customers")
        assert received.headers == []


def test_without_a_collector_nothing_of_opentelemetry_is_imported() -> None:
    code = (
        "import sys; import quality_platform.definitions, quality_platform.orchestration.steps, "
        "quality_platform.telemetry.command_runs; "
        "sys.exit(any(m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter', "
        "'prometheus_client')) for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
