"""A drift check in the Dagster UI: a person sees both distributions, and no restricted value."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from support.dagster_runs import run
from support.project import Project
from support.readings import JANUARY, days_csv, readings, wild
from support.webserver import running_webserver
from ui.browser import Page

from quality_platform.orchestration.instance_file import InstanceFile

ROOT = Path(__file__).parents[2]
CHECK = "/assets/shop/readings?view=checks&checkDetail={}_has_not_drifted"
CHARTS = "[...document.querySelectorAll('img')].filter(i => i.src.startsWith('data:image'))"


@pytest.fixture
def drifted(project: Project, tmp_path: Path) -> Iterator[str]:
    """The address of the UI over readings that have drifted."""
    readings(project, {"columns": ["value", "owner"], "reference": JANUARY})
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    project.deliver("readings/2.csv", days_csv("2026-02-01", 10, wild))
    home = tmp_path / "dagster"
    InstanceFile(home, ROOT / "dagster.yaml", "").write()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert run(project.open(), instance).success
    with running_webserver(project, home) as server:
        yield server.address


def test_a_drift_check_shows_both_distributions(drifted: str, page: Page) -> None:
    page.complaints.clear()
    page.visit(f"{drifted}{CHECK.format('value')}", "Failed", "PSI", "out_of_range_share")
    page.click("[Show Markdown]")
    page.shows("what moved most", "2026-01-01 to 2026-02-01 (exclusive)", "Kolmogorov-Smirnov")
    deadline = time.monotonic() + 10
    while not page.evaluate(f"{CHARTS}.some(i => i.complete && i.naturalWidth > 100)"):
        assert time.monotonic() < deadline, "the chart is not drawn"
    assert page.complaints == []
