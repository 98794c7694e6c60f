"""The model of a feature view's `skew` in runner.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from quality_platform.config.base_models import Model

Share = Annotated[float, Field(ge=0, le=1)]


class SkewConfig(Model):
    """A comparison of what the online store gives with the published table, for some entities."""

    sample: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """How many entities are compared: the same ones for the same snapshot, others for another."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0
    """How far a number with a fraction may be from the published one, as a share of that."""
    max_different: Share = 0
    """The share of entities for which a value may differ though both are of the same time."""
    max_stale: Share = 0
    """The share of entities whose online values may be older than the published ones."""
    max_missing: Share = 0
    """The share of entities that may be absent online."""
    max_ahead: Share = 0
    """The share of entities whose online values may be of a later time than anything published."""
    severity: Literal["error", "warning"] = "error"
    """How Dagster shows a check that fails. What is online stays there."""
