"""The ids that all processes of a run agree on, and what is traced."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quality_platform.flows.facts import tell_facts, told_to
from quality_platform.telemetry import traces
from quality_platform.telemetry.observing import _BEGINS_LOAD, _SAME_PHASE, PHASES
from quality_platform.telemetry.traces import RunIds, is_traced

PACKAGE = Path(traces.__file__).parents[1]


def test_the_ids_of_a_run_are_the_first_bytes_of_the_sha_256_of_its_id() -> None:
    # printf %s 8f14e45f-ceea-467f-a8b5-41d7c1c4b5e2 | sha256sum
    ids = RunIds.of("8f14e45f-ceea-467f-a8b5-41d7c1c4b5e2")
    assert ids.trace == "aa017890c265e48e62ac88c43fca6ab6"
    assert f"{ids.span_id:016x}" == "c528822a6b5b21f5"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_runs_are_traced_where_a_collector_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, expected: bool
) -> None:
    for name in (*traces.ENDPOINTS, "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_traced() == expected


def test_the_steps_that_are_known_are_steps_that_flows_tell_of() -> None:
    texts = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    told = set(re.findall(r'progress\(\s*(?:name, |EVERYTHING, )?"(\w+)"', texts))
    told |= set(re.findall(r'partial\((?:self\.)?progress, "(\w+)"\)', texts))
    assert {*PHASES, *_SAME_PHASE, *_BEGINS_LOAD} <= told


def test_facts_go_to_who_listens_now_and_to_nobody_else() -> None:
    outer: list[object] = []
    inner: list[object] = []
    tell_facts(rows=1)
    with told_to(outer.append):
        tell_facts(rows=2)
        with told_to(inner.append):
            tell_facts(rows=3, load_id="a")
        tell_facts(rows=4)
    tell_facts(rows=5)
    assert outer == [{"rows": 2}, {"rows": 4}]
    assert inner == [{"rows": 3, "load_id": "a"}]
