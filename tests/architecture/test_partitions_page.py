"""docs/partitions.md: what it shows of runner.yaml is what runner.yaml takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from quality_platform.config.partition_models import (
    PLACEHOLDER,
    PartitionsConfig,
    ViewPartitionsConfig,
    unsaid,
)

PAGE = Path(__file__).parents[2] / "docs" / "partitions.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def settings(entry: Any, key: str) -> Iterator[Any]:
    """What stands under a key, at any depth."""
    if isinstance(entry, dict):
        for name, value in entry.items():
            if name == key:
                yield value
            yield from settings(value, key)


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if "partitions:" in b and "partition:%" not in b]
)
def test_an_example_is_valid(block: str) -> None:
    (found,) = settings(yaml.safe_load(block), "partitions")
    model = ViewPartitionsConfig if "feature_views" in block else PartitionsConfig
    assert model.model_validate(found).every == "day"


def test_the_path_of_the_page_is_of_days() -> None:
    (path,) = [p for block in BLOCKS for p in settings(yaml.safe_load(block), "path")]
    assert PLACEHOLDER.search(path)
    assert unsaid(path, "day") == ()


def test_the_page_has_an_example_of_a_table_of_late_rows_and_of_a_view() -> None:
    assert len([block for block in BLOCKS if "partitions:" in block]) >= 3
