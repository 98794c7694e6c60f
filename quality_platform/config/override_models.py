"""The model of `tables.NAME.overrides` in runner.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from quality_platform.config.base_models import Model


class OverridesConfig(Model):
    """What is said of a table over its contract, which may serve several tables or environments."""

    classification: dict[str, str] = Field(default_factory=dict)
    """Classifications of columns; `default` is that of all columns that have none. Values of
    columns that are classified as personal are masked wherever rows are shown."""
    owner: str | None = None
    """Who owns the table."""
    retention_days: Annotated[int, Field(ge=0)] | None = None
    """How long rows are kept."""
    properties: dict[str, str] = Field(default_factory=dict)
    """Further custom properties of the contract, by name, such as `finops.cost_center`."""
