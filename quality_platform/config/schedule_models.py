"""The models of `schedules` in runner.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from quality_platform.config.base_models import Model, Name, Timezone
from quality_platform.config.tenant_models import Tenants

LEAST_INTERVAL_SECONDS = 10
"""The daemon looks every five seconds: of a shorter interval it would miss slots."""

_RESERVED_TAGS = ("dagster/", "quality-platform/", ".dagster/")


def _own_tags(tags: dict[str, str]) -> dict[str, str]:
    for key in tags:
        if key.startswith(_RESERVED_TAGS):
            raise ValueError(f"tags that begin with {', '.join(_RESERVED_TAGS)} are not yours")
        if not key.strip():
            raise ValueError("a tag needs a key")
    return tags


class ScheduleConfig(Model):
    """Runs tables and feature views, or looks after them, at times or every so many seconds."""

    tenant: Name | None = None
    """The tenant that the schedule is of: all its targets are, and all that are its where none is
    named."""
    tenants: Tenants = ()
    """In place of `tenant`, several of which each has such a schedule, as in a table."""
    cron: str | None = None
    """Five fields, or `@daily` and the like. Either this or `interval_seconds`."""
    interval_seconds: Annotated[int, Field(ge=LEAST_INTERVAL_SECONDS)] | None = None
    """Seconds from one run to the next, exactly: slots are counted from the midnight of 1970-01-01
    in the time zone, whatever a run takes ([schedules](scheduling.md#intervals))."""
    timezone: Timezone = "UTC"
    """IANA time zone of the cron expression, or of the midnight that an interval is counted from.
    """
    job: Literal["load", "maintenance", "training_sets"] = "load"
    """`load` loads and computes; `maintenance` deletes rows past retention, puts small files
    together, and removes old snapshots and orphans; `training_sets` makes a version of each
    [training set](training-sets.md) whose inputs have changed."""
    targets: tuple[Name, ...] = ()
    """Tables and feature views, or training sets for `job: training_sets`; all of them where left
    out. What a feature view reads is not run by naming the view."""
    max_concurrent_runs: Annotated[int, Field(ge=1)] = 1
    """Runs of this schedule that may be unfinished at once, those in the queue included. A tick
    that comes while there are so many starts none, and says so."""
    tags: Annotated[dict[str, str], AfterValidator(_own_tags)] = Field(default_factory=dict)
    """Tags of its runs, to find them by and for `concurrency.runs.tag_concurrency_limits` of
    dagster.yaml."""
    enabled: bool = False
    """Whether it runs without being switched on in the UI first. The switch in the UI wins."""
    description: str = ""
    """Shown in the UI."""

    @model_validator(mode="after")
    def _has_one_rhythm(self) -> ScheduleConfig:
        if (self.cron is None) == (self.interval_seconds is None):
            raise ValueError("say either `cron` or `interval_seconds`")
        return self
