"""A real daemon with runs whose steps live in processes of their own: one trace, and JSON lines."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from support.dagster_daemon import running_daemon
from support.otlp_receiver import values
from support.project import Project
from support.shop import orders_csv
from support.telemetry import lines_of, logged_as_json, traced

from quality_platform.telemetry.traces import RunIds


def test_steps_of_many_processes_are_one_trace_below_the_span_of_their_run(
    shop: Project, dagster_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.deliver("orders/february.csv", orders_csv(4, 40, -1))
    with (
        logged_as_json(monkeypatch),
        traced(monkeypatch) as received,
        running_daemon(shop, dagster_home) as daemon,
    ):
        daemon.wait_for("the first look of the sensor", lambda: daemon.ticks("run_traces"))
        run_id = daemon.launch("everything", ["shop/customers", "shop/orders"])
        assert daemon.finished(run_id).status is dg.DagsterRunStatus.SUCCESS
        daemon.wait_for("the span of the run", lambda: received.named("everything"))
        root = received.one("everything")
    ids = RunIds.of(run_id)
    assert root.trace_id == ids.trace_id.to_bytes(16)
    assert values(root.attributes) == {"run_id": run_id, "job": "everything"}
    assert root.status.code == Status.STATUS_CODE_UNSET
    steps = received.children(root)
    assert [step.name for step in steps] == ["customers", "orders"]
    assert {span.trace_id for span in received.spans} == {root.trace_id}
    told = values(steps[1].attributes)
    assert (told["rows_read"], told["rows_quarantined"], told["job"]) == (5, 1, "everything")
    written = [
        lines_of(file.read_text()) for file in dagster_home.rglob("*.err") if run_id in str(file)
    ]
    lines = {line["message"]: line for found in written for line in found}
    ended = lines["orders: ended: published"]
    assert (ended["run"], ended["table"], ended["tenant"]) == (run_id, "orders", "")
    assert (ended["rows_published"], ended["level"], ended["step"]) == (4, "info", "published")
    assert ended["trace_id"] == ids.trace
    loads = {line["load"] for line in lines.values() if line["table"] == "orders"}
    assert len(loads - {""}) == 2
