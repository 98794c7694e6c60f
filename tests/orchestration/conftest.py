"""A small shop, and a Dagster instance of its own for every test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from support.project import Project
from support.shop import furnish

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shop(project: Project) -> Project:
    """Customers, orders that refer to them, and a feature view over the orders; all delivered."""
    return furnish(project)


@pytest.fixture
def dagster_home(tmp_path: Path) -> Path:
    """A folder with the repository's dagster.yaml."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    shutil.copy(ROOT / "dagster.yaml", folder)
    return folder


@pytest.fixture
def instance(dagster_home: Path) -> Iterator[dg.DagsterInstance]:
    """An instance as `make run` makes it."""
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        yield instance
