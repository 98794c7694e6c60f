"""The models of `schedules` in runner.yaml."""

from __future__ import annotations

from typing import Literal

from quality_platform.config.base_models import Model, Name, Timezone


class ScheduleConfig(Model):
    """A cron schedule that runs tables and feature views, or looks after them."""

    cron: str
    """Five fields, or `@daily` and the like."""
    timezone: Timezone = "UTC"
    """IANA time zone of the cron expression."""
    job: Literal["load", "maintenance"] = "load"
    """`load` loads and computes; `maintenance` deletes rows past retention, puts small files
    together, and removes old snapshots and orphans."""
    targets: tuple[Name, ...] = ()
    """Tables and feature views; all of them where left out. What a feature view reads is not run
    by naming the view."""
    enabled: bool = False
    """Whether it runs without being switched on in the UI first. The switch in the UI wins."""
    description: str = ""
    """Shown in the UI."""
