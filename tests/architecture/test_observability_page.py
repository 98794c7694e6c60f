"""The page, the dashboard and the alerts name the metrics, labels and attributes that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from quality_platform.flows.outcomes import LoadOutcome, TableOutcome
from quality_platform.telemetry.families import FAMILIES
from quality_platform.telemetry.log_lines import FORMAT_VARIABLE
from quality_platform.telemetry.observing import PHASES, Subject, load_facts, outcome_facts

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "quality-platform.json").read_text())
PROMETHEUS = ROOT / "deploy" / "prometheus"
BY_NAME = {family.full_name: family for family in FAMILIES}
FROM_PROMETHEUS = {"job", "instance"}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]
    for rule in alerts():
        yield rule["alert"], rule["expr"]


def named(expression: str) -> list[str]:
    return re.findall(r"quality_platform_\w+", expression)


def test_the_page_tells_of_every_metric() -> None:
    rows = re.findall(r"^\| `(quality_platform_\w+)` \| (\w+) \| (.*) \| (.*) \|$", PAGE, re.M)
    told = {name: (kind, re.findall(r"`(\w+)`", labels), text) for name, kind, labels, text in rows}
    assert told == {
        name: (family.kind, list(family.labels), family.help.rstrip("."))
        for name, family in BY_NAME.items()
    }


@pytest.mark.parametrize(("what", "expression"), list(expressions()))
def test_what_the_dashboard_and_the_alerts_ask_for_is_there(what: str, expression: str) -> None:
    metrics = named(expression)
    assert metrics
    assert set(metrics) <= set(BY_NAME)
    for metric, selector in re.findall(r"(quality_platform_\w+)\{([^}]*)\}", expression):
        labels = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)
        assert set(labels) <= set(BY_NAME[metric].labels) | FROM_PROMETHEUS, what
    known = {label for metric in metrics for label in BY_NAME[metric].labels}
    for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
        assert {label.strip() for label in grouped.split(",")} <= known, what
    for name in metrics:
        counts_up = re.search(rf"(?:increase|rate)\({name}", expression) is not None
        assert counts_up == (BY_NAME[name].kind == "counter"), what


def test_every_metric_of_tables_is_on_the_dashboard_or_in_an_alert() -> None:
    shown = {name for _, expression in expressions() for name in named(expression)}
    assert set(BY_NAME) - shown == {
        "quality_platform_check_results_total",
        "quality_platform_collected_timestamp_seconds",
        "quality_platform_last_publish_timestamp_seconds",
        "quality_platform_last_run_timestamp_seconds",
        "quality_platform_rows_materialized_total",
    }


def test_texts_of_panels_and_alerts_use_labels_that_their_metrics_have() -> None:
    for panel in panels():
        for target in panel["targets"]:
            labels = {label for name in named(target["expr"]) for label in BY_NAME[name].labels}
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert used <= labels | FROM_PROMETHEUS, panel["title"]
    for rule in alerts():
        labels = {label for name in named(rule["expr"]) for label in BY_NAME[name].labels}
        used = set(re.findall(r"\$labels\.(\w+)", "".join(rule["annotations"].values())))
        assert used <= labels, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")


def test_the_dashboard_can_be_imported_for_any_prometheus() -> None:
    assert DASHBOARD["schemaVersion"] >= 39
    assert "id" not in DASHBOARD
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$(\w+)", json.dumps(DASHBOARD)))
    assert used - {"__rate_interval", "__all"} <= variables | {""}


def test_prometheus_is_told_the_port_and_the_file_of_alerts() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert [(PROMETHEUS / name).exists() for name in config["rule_files"]] == [True]
    (job,) = config["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["localhost:9464"]}]
    assert "http://127.0.0.1:9464/metrics" in PAGE


def test_the_page_tells_of_every_attribute_and_every_phase() -> None:
    load = LoadOutcome("l", "a", (), 0, 0, 0, ())
    outcome = TableOutcome("t", "s.t", "r", "published", (load,), (), None, 0)
    facts = {*Subject("r", "t", "t").facts, *outcome_facts(outcome), *load_facts(load)}
    quoted = set(re.findall(r"`(\w+)`", PAGE))
    assert facts - quoted == set()
    told = PAGE.partition("## Traces")[2]
    assert {n for n in PHASES.values() if not re.search(rf"\b{n}\b", told)} == set()
    assert FORMAT_VARIABLE in PAGE
    states = {"partly_published", "blocked", "failed", "materialized", "replayed", "rolled_back"}
    assert states <= quoted
    assert {f.name for f in fields(Subject)} - {"name"} <= quoted
