"""Schedules whose names are those of sensors: Dagster knows both by one list of names."""

from __future__ import annotations

from quality_platform.config.models import RunnerConfig
from quality_platform.documents.yaml_documents import YamlDocument
from quality_platform.errors import Problem


def schedule_problems(config: RunnerConfig, document: YamlDocument) -> list[Problem]:
    """A problem for each schedule that has the name of a sensor."""
    return [
        Problem(
            message=f"{name!r} is the name of a schedule and of a sensor",
            location=document.location(("schedules", name)),
            field=f"schedules.{name}",
            action="rename one of them",
        )
        for name in config.schedules
        if name in config.sensors
    ]
