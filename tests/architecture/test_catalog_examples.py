"""The examples of docs/catalogs.md are sections of a runner.yaml that can be used."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from support.runner_text import ORDERS, load_runner_text

PAGE = Path(__file__).parents[2] / "docs" / "catalogs.md"
EXAMPLES = re.findall(r"## (.+)\n(?:(?!## )[\s\S])*?```yaml\n([\s\S]+?)```", PAGE.read_text())
NAMES = [
    "SQLite",
    "PostgreSQL",
    "Nessie",
    "Polaris",
    "Lakekeeper",
    "Glue",
    "S3 and MinIO",
]


def test_every_catalog_has_an_example() -> None:
    assert [name for name, _ in EXAMPLES] == NAMES


@pytest.mark.parametrize("example", [text for _, text in EXAMPLES], ids=NAMES)
def test_the_example_is_valid(example: str, tmp_path: Path) -> None:
    names = re.findall(r"\$\{(\w+)\}", example)
    variables = defaultdict(str, {name: "value" for name in names if "HOME" not in name})
    lake = load_runner_text(tmp_path, ORDERS + example, variables).config.lake
    assert lake.warehouse
    assert "${" not in str(lake.warehouse)
