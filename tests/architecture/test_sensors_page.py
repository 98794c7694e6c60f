"""docs/sensors.md: its examples load, and its JSON is what hooks are told."""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from support.runner_text import load_runner_text

from quality_platform.config.alert_models import AlertEvent
from quality_platform.config.sensor_models import SensorConfig
from quality_platform.flows.alerts import Alert, AlertCheck, AlertContract, AlertRun

PAGE = (Path(__file__).parents[2] / "docs/sensors.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "tables:" in text]


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_loads(text: str, tmp_path: Path):
    load_runner_text(tmp_path, text)


def test_every_type_of_sensor_and_hook_has_an_example():
    documents = [yaml.safe_load(text) for text in EXAMPLES]
    sensors = [s for document in documents for s in document.get("sensors", {}).values()]
    union, _ = get_args(SensorConfig)
    known = {get_args(model.model_fields["type"].annotation)[0] for model in get_args(union)}
    assert {sensor["type"] for sensor in sensors} == known
    hooks = [h for d in documents for h in d.get("alerts", {}).get("hooks", {}).values()]
    assert {hook["type"] for hook in hooks} == {"webhook", "command", "log"}
    assert {event for hook in hooks for event in hook.get("events", ())} == {*get_args(AlertEvent)}


def test_the_json_has_the_keys_that_a_hook_is_told():
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    shown = json.loads(text)
    alert = Alert(
        "check_failed",
        "error",
        "2026-11-21T05:00:41+00:00",
        "orders: row_count failed",
        AlertRun("1", "everything"),
        contract=AlertContract("orders", "1.2.0"),
        check=AlertCheck("row_count", "fail"),
    )
    assert shape(shown) == shape(json.loads(alert.to_json()))


def test_every_key_of_the_json_that_is_not_plain_is_told_of():
    table = PAGE.partition("### What a hook is told")[2].partition("## Automation")[0]
    for name in ("version", "id", "at", "tenant", "contract", "check", "run.attempt", "run.url"):
        assert f"`{name}`" in table
    assert all(is_dataclass(kind) and fields(kind) for kind in (Alert, AlertRun, AlertCheck))


def shape(data: Any) -> Any:
    """The keys, nested as they are."""
    return {key: shape(value) for key, value in data.items()} if isinstance(data, dict) else None


def test_the_backfill_of_the_page_is_one_that_the_launchpad_takes():
    from quality_platform.orchestration.assets import LOAD_CONFIG

    (text,) = [t for t in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "backfill_rows" in t]
    config = yaml.safe_load(text)["ops"]["backfill_rows"]["config"]
    assert set(config) <= {"table", "reason", *LOAD_CONFIG}
