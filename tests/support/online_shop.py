"""The small shop with its totals online, run up to the online store."""

from __future__ import annotations

from typing import Any

from support.project import Project
from support.shop import TOTALS, TOTALS_SQL, furnish

from quality_platform.flows.platform import Platform
from quality_platform.flows.run_platform import run_platform


def online_shop(project: Project, **view: Any) -> Project:
    """The shop, whose view `totals` is materialized; `view` are further settings of it."""
    furnish(project)
    settings = {
        "inputs": ["orders"],
        "entities": [{"name": "customer", "join_key": "customer"}],
        "event_timestamp": "placed_at",
        **view,
    }
    return project.view("totals", TOTALS_SQL, TOTALS, settings)


def run_all(platform: Platform, *names: str) -> dict[str, Any]:
    """The outcome of each step of a run, none of which may fail."""
    steps = list(run_platform(platform, names, "run-1", lambda name, step, text: None))
    assert all(step.succeeded for step in steps), [step.error for step in steps if step.error]
    return {step.name: step.outcome for step in steps}
