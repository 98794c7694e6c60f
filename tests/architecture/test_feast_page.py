"""docs/feast.md: its YAML is what runner.yaml takes, and its commands and types are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.command_line import call
from support.runner_text import ORDERS, load_runner_text

from quality_platform.config.skew_models import SkewConfig
from quality_platform.errors import FeatureStoreUnreachableError
from quality_platform.flows.skew_checks import ONLINE_AS_PUBLISHED

PAGE = (Path(__file__).parents[2] / "docs" / "feast.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
VIEW = {
    "contract": "a.odcs.yaml",
    "sql": "a.sql",
    "inputs": ["orders"],
    "entities": [{"name": "carrier", "join_key": "carrier"}],
    "event_timestamp": "at",
}
AROUND: dict[str, Any] = {
    **yaml.safe_load(ORDERS),
    "feature_views": {"carrier_delays": VIEW, "airport_weather": VIEW},
    "on_demand_feature_views": {
        "expected": {"request": {"a": "double"}, "python": "a:b", "features": {"c": "double"}}
    },
}
AROUND["tables"]["flights"] = AROUND["tables"]["orders"]


@pytest.mark.parametrize("block", BLOCKS)
def test_an_example_is_valid(block: str, tmp_path: Path) -> None:
    written = yaml.safe_load(block)
    text = yaml.safe_dump({**AROUND, **written})
    config = load_runner_text(tmp_path, text, {"PASSWORD": "x"}).config
    for section in written:
        assert getattr(config, section)


def test_there_is_an_example_of_everything() -> None:
    sections = {section for block in BLOCKS for section in yaml.safe_load(block)}
    wanted = {"feature_store", "feature_services", "on_demand_feature_views", "feature_views"}
    assert wanted <= sections


def test_the_function_of_the_page_gives_what_the_page_declares() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    [code] = [block for block in blocks if block.startswith("def ")]
    names: dict[str, Any] = {}
    exec(code, names)  # the page's own text
    given = names["expected_delay"](
        {"mean_dep_delay": [4.0, 4.0, None], "departs_at_night": [True, False, True]}
    )
    assert given == {"expected_delay": [2.0, 4.0, None]}
    declared = next(yaml.safe_load(b) for b in BLOCKS if "expected_delay" in b)
    [view] = declared["on_demand_feature_views"].values()
    assert list(view["features"]) == list(given)


def test_its_commands_names_and_limits_are_those_of_the_code() -> None:
    commands = set(re.findall(r"^\$ quality-platform (\S+)", PAGE, re.MULTILINE))
    assert commands == {"register-features", "feast", "skew"}
    shown = call("--help").out
    assert all(command in shown for command in commands)
    assert f"`{ONLINE_AS_PUBLISHED}`" in PAGE
    limits = {name for name in SkewConfig.model_fields if name.startswith("max_")}
    assert limits == set(re.findall(r"`(max_\w+)` \|", PAGE))
    assert FeatureStoreUnreachableError.code in PAGE
