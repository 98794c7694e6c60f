"""What became of the rows of a load, for tests of the load modes."""

from __future__ import annotations

from typing import Any

from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import LoadOutcome
from quality_platform.flows.platform import Platform
from quality_platform.flows.requests import Request


def loaded(platform: Platform, request: Request | None = None) -> LoadOutcome:
    """One run of the table `orders`, which is one load."""
    (load,) = load_table(platform, "orders", "run", request=request or Request()).loads
    return load


def told(load: LoadOutcome) -> dict[str, int]:
    """The load's counts that are not zero, by their words."""
    counts: dict[str, Any] = {"read": load.rows_read, "published": load.rows_published}
    counts |= {**load.row_counts, "quarantined": load.rows_quarantined}
    return {word: number for word, number in counts.items() if number}
