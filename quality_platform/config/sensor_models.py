"""The models of `sensors` in runner.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from quality_platform.config.base_models import Duration, Model, Name, seconds
from quality_platform.config.tenant_models import Tenants

LONGEST_QUESTION_SECONDS = 20
"""Connecting and asking may take so long each: Dagster stops a tick after a minute."""


def _short(duration: str) -> str:
    if not 0 < seconds(duration) <= LONGEST_QUESTION_SECONDS:
        raise ValueError(f"write a duration of 1s to {LONGEST_QUESTION_SECONDS}s")
    return duration


class TenantSensorConfig(Model):
    """Base of all sensors."""

    tenant: Name | None = None
    """The tenant that the sensor is of: it watches nothing else, and all that is its where no table
    is named."""
    tenants: Tenants = ()
    """In place of `tenant`, several of which each has such a sensor, as in a table."""


class FileArrivalSensorConfig(TenantSensorConfig):
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


class ContractChangedSensorConfig(TenantSensorConfig):
    """Replays quarantined rows when the contract that held them back has changed."""

    type: Literal["contract_changed"]
    """`contract_changed`."""
    table: Name | None = None
    """The table whose contract is watched; all tables where left out."""
    interval_seconds: Annotated[int, Field(ge=5)] = 60
    """Least time between two looks."""
    enabled: bool = False
    """Whether it runs without being switched on in the UI first. The switch in the UI wins."""


class DatabaseChangedSensorConfig(TenantSensorConfig):
    """Runs a table when a cheap question to its database has another answer than before."""

    type: Literal["database_changed"]
    """`database_changed`."""
    table: Name
    """The table whose source is asked."""
    query: Annotated[str, Field(min_length=1)] | None = None
    """A SELECT of one column in the database's SQL, such as `SELECT max(changed_at) FROM orders`;
    of several rows the greatest value counts. The greatest value of the table's incremental cursor
    where left out."""
    timeout: Annotated[Duration, AfterValidator(_short)] = "15s"
    """How long connecting, and then the question, may take: 20s at most."""
    interval_seconds: Annotated[int, Field(ge=5)] = 60
    """Least time between two looks."""
    enabled: bool = False
    """Whether it runs without being switched on in the UI first. The switch in the UI wins."""


class CheckFailedSensorConfig(TenantSensorConfig):
    """Runs a table again some time after checks of it failed, so many times and no more."""

    type: Literal["check_failed"]
    """`check_failed`."""
    tables: tuple[Name, ...] = ()
    """Tables and feature views; all of them where left out."""
    checks: tuple[str, ...] = ()
    """The checks that count, by their names; those that stop a publish where left out."""
    max_reruns: Annotated[int, Field(ge=1, le=20)] = 3
    """So many reruns, until the checks that failed have passed once."""
    delay_seconds: Annotated[float, Field(ge=0)] = 300
    """Seconds from the end of a run whose checks failed to its rerun."""
    multiplier: Annotated[float, Field(ge=1, le=10)] = 2
    """By how much the delay grows with each further rerun."""
    max_delay_seconds: Annotated[float, Field(ge=0)] = 86_400
    """The longest delay."""
    interval_seconds: Annotated[int, Field(ge=5)] = 30
    """Least time between two looks."""
    enabled: bool = False
    """Whether it runs without being switched on in the UI first. The switch in the UI wins."""


class DriftSensorConfig(TenantSensorConfig):
    """Acts when the drift test of a table or feature view finds drift."""

    type: Literal["drift"]
    """`drift`."""
    table: Name | None = None
    """The table whose drift test is watched; this or `view`."""
    view: Name | None = None
    """The feature view whose drift test is watched; this or `table`."""
    action: Literal["recompute", "alert"]
    """`recompute` loads what is new of all that the view reads, and computes the view again; a
    table it loads again. `alert` tells a hook."""
    hook: Name | None = None
    """The hook of `alerts.hooks` that is told, with `alert`."""
    max_reruns: Annotated[int, Field(ge=1, le=20)] = 1
    """So many times it is run again, with `recompute`, until the columns that drifted no longer
    do."""
    delay_seconds: Annotated[float, Field(ge=0)] = 0
    """Seconds from the end of the run to the next, with `recompute`."""
    interval_seconds: Annotated[int, Field(ge=5)] = 30
    """Least time between two looks."""
    enabled: bool = False
    """Whether it runs without being switched on in the UI first. The switch in the UI wins."""

    @property
    def tested(self) -> str:
        """The table or feature view whose drift test is watched."""
        return self.table or self.view or ""

    @model_validator(mode="after")
    def _watches_one(self) -> DriftSensorConfig:
        if (self.table is None) == (self.view is None):
            raise ValueError("say `table` or `view`, and not both")
        return self

    @model_validator(mode="after")
    def _has_its_hook(self) -> DriftSensorConfig:
        if (self.action == "alert") != (self.hook is not None):
            raise ValueError("`hook` belongs to `action: alert`, and to nothing else")
        return self


SensorConfig = Annotated[
    FileArrivalSensorConfig
    | ContractChangedSensorConfig
    | DatabaseChangedSensorConfig
    | CheckFailedSensorConfig
    | DriftSensorConfig,
    Field(discriminator="type"),
]
