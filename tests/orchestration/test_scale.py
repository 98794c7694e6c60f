"""What must not grow with the number of tables; how long it takes is for benchmarks/scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scale.location import write_location
from quality_platform.config import base_models
from quality_platform.flows.platform import open_platform
from quality_platform.orchestration.build import build_definitions


def shared(folder: Path, tables: int) -> tuple[list[str], list[str], int]:
    """The jobs and sensors of a location with a schedule for each table, and its schedules."""
    platform = open_platform(write_location(folder, tables), strict=True)
    repository = build_definitions(platform).get_repository_def()
    jobs = sorted(job.name for job in repository.get_all_jobs())
    sensors = sorted(sensor.name for sensor in repository.sensor_defs)
    return jobs, sensors, len(repository.schedule_defs)


def test_jobs_and_sensors_do_not_grow_with_tables_and_their_schedules(
    tmp_path: Path, home: Path
) -> None:
    few, many = shared(tmp_path / "few", 2), shared(tmp_path / "many", 6)
    assert (few[2], many[2]) == (2, 6)
    assert many[:2] == few[:2]


def test_time_zones_are_listed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed: list[None] = []

    def all_of_them() -> set[str]:
        listed.append(None)
        return {"UTC"}

    monkeypatch.setattr(base_models, "available_timezones", all_of_them)
    base_models.timezones.cache_clear()
    try:
        runner = write_location(tmp_path, 5)
        assert len(open_platform(runner, strict=True).runner.config.schedules) == 5
        assert len(listed) == 1
    finally:
        base_models.timezones.cache_clear()
