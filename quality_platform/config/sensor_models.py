"""The models of `sensors` in runner.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from quality_platform.config.base_models import Model, Name


class FileArrivalSensorConfig(Model):
    """Runs a table when files appear or change."""

    type: Literal["file_arrival"]
    """`file_arrival`."""
    table: Name
    """The table whose source is watched."""
    interval_seconds: Annotated[int, Field(ge=5)] = 30
    """Least time between two looks."""
    settle_seconds: Annotated[int, Field(ge=0)] = 5
    """A file counts once it has not changed for this long: somebody may still be writing it."""
    enabled: bool = False
    """Whether it runs without being switched on in the UI first. The switch in the UI wins."""


class ContractChangedSensorConfig(Model):
    """Replays quarantined rows when the contract that held them back has changed."""

    type: Literal["contract_changed"]
    """`contract_changed`."""
    table: Name | None = None
    """The table whose contract is watched; all tables where left out."""
    interval_seconds: Annotated[int, Field(ge=5)] = 60
    """Least time between two looks."""
    enabled: bool = False
    """Whether it runs without being switched on in the UI first. The switch in the UI wins."""


SensorConfig = Annotated[
    FileArrivalSensorConfig | ContractChangedSensorConfig, Field(discriminator="type")
]
