"""Schedules: what runner.yaml says is what Dagster does, and what the real daemon starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

# The times at which the daemon evaluates a schedule; there is no public way to ask for them.
from dagster._utils.schedules import schedule_execution_time_iterator
from support.dagster_daemon import Daemon, running_daemon
from support.dagster_runs import run
from support.project import Project

from quality_platform.config.models import RetryConfig
from quality_platform.config.schedule_models import ScheduleConfig
from quality_platform.errors import RunnerFileError
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.slots import Slots

PEOPLE = {"landing/customers", "shop/customers", "quarantine/customers"}


@pytest.fixture
def scheduled(shop: Project) -> Project:
    shop.settings["schedules"] = {
        "nightly": {
            "cron": "15 3 * * *",
            "timezone": "Europe/Berlin",
            "description": "Every night.",
        },
        "people": {
            "cron": "@daily",
            "targets": ["customers"],
            "enabled": True,
            "tags": {"team": "crm"},
        },
        "twice": {"cron": "@hourly", "targets": ["orders"], "max_concurrent_runs": 2},
        "upkeep": {"cron": "@weekly", "job": "maintenance", "targets": ["orders"]},
    }
    return shop


def evaluated(
    project: Project, name: str, instance: dg.DagsterInstance
) -> dg.RunRequest | dg.SkipReason:
    """What a tick of the schedule does."""
    definitions = build_definitions(project.open())
    context = dg.build_schedule_context(
        instance,
        scheduled_execution_time=datetime(2026, 5, 1, tzinfo=UTC),
        repository_def=definitions.get_repository_def(),
    )
    data = definitions.resolve_schedule_def(name).evaluate_tick(context)
    return data.run_requests[0] if data.run_requests else dg.SkipReason(data.skip_message)


def unfinished(project: Project, name: str, instance: dg.DagsterInstance) -> dg.DagsterRun:
    """A run of the schedule that has not begun yet."""
    job = build_definitions(project.open()).resolve_job_def("everything")
    return instance.create_run_for_job(job, tags={"quality-platform/schedule": name})


def test_a_schedule_has_the_cron_and_time_zone_of_runner_yaml(scheduled: Project) -> None:
    nightly = build_definitions(scheduled.open()).resolve_schedule_def("nightly")
    assert nightly.cron_schedule == "15 3 * * *"
    assert nightly.execution_timezone == "Europe/Berlin"
    assert nightly.job_name == "everything"
    assert nightly.description == "Every night. Runs everything."
    assert nightly.default_status is dg.DefaultScheduleStatus.STOPPED


def test_every_schedule_runs_its_own_targets(
    scheduled: Project, instance: dg.DagsterInstance
) -> None:
    found = {name: evaluated(scheduled, name, instance) for name in ("people", "twice", "nightly")}
    keys = {
        name: {key.to_user_string() for key in getattr(request, "asset_selection", None) or ()}
        for name, request in found.items()
    }
    assert keys["people"] == PEOPLE
    assert keys["twice"] == {"landing/orders", "shop/orders", "quarantine/orders"}
    assert keys["nightly"] == set()


def test_upkeep_is_the_job_of_upkeep(scheduled: Project, instance: dg.DagsterInstance) -> None:
    upkeep = build_definitions(scheduled.open()).resolve_schedule_def("upkeep")
    request: Any = evaluated(scheduled, "upkeep", instance)
    assert upkeep.job_name == "maintenance"
    assert request.asset_selection == [dg.AssetKey(["maintenance", "orders"])]


def test_the_tags_of_a_schedule_are_on_its_runs(
    scheduled: Project, instance: dg.DagsterInstance
) -> None:
    request: Any = evaluated(scheduled, "people", instance)
    assert request.tags["team"] == "crm"
    assert request.tags["quality-platform/schedule"] == "people"


def test_schedules_need_no_jobs_of_their_own(scheduled: Project) -> None:
    jobs = build_definitions(scheduled.open()).get_repository_def().get_all_jobs()
    assert not [job.name for job in jobs if "people" in job.name]


def test_a_tick_starts_no_more_runs_than_are_allowed_at_once(
    scheduled: Project, instance: dg.DagsterInstance
) -> None:
    first = unfinished(scheduled, "twice", instance)
    assert isinstance(evaluated(scheduled, "twice", instance), dg.RunRequest)
    unfinished(scheduled, "twice", instance)
    skipped = evaluated(scheduled, "twice", instance)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == (
        "2 runs of this schedule not finished yet, and max_concurrent_runs is 2"
    )
    instance.report_run_canceled(first)
    assert isinstance(evaluated(scheduled, "twice", instance), dg.RunRequest)


def test_runs_of_other_schedules_do_not_count(
    scheduled: Project, instance: dg.DagsterInstance
) -> None:
    unfinished(scheduled, "twice", instance)
    assert isinstance(evaluated(scheduled, "people", instance), dg.RunRequest)


def test_a_run_that_waits_for_its_retry_is_not_finished(
    scheduled: Project, instance: dg.DagsterInstance
) -> None:
    lost = unfinished(scheduled, "people", instance)
    instance.report_run_failed(lost)
    instance.add_run_tags(lost.run_id, {"dagster/will_retry": "true"})
    assert isinstance(evaluated(scheduled, "people", instance), dg.SkipReason)
    instance.add_run_tags(lost.run_id, {"dagster/auto_retry_run_id": "of-the-next"})
    assert isinstance(evaluated(scheduled, "people", instance), dg.RunRequest)


def test_a_schedule_with_the_name_of_a_sensor_is_an_error(scheduled: Project) -> None:
    watch = {"type": "file_arrival", "table": "orders"}
    scheduled.settings["sensors"] = {"people": watch}
    with pytest.raises(RunnerFileError, match="the name of a schedule and of a sensor"):
        scheduled.open()


def test_the_examples_of_the_docs_can_be_written_as_they_stand() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scheduling.md").read_text()
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    (schedules,) = [example["schedules"] for example in examples if "schedules" in example]
    (retries,) = [example["retries"] for example in examples if "retries" in example]
    read = {name: ScheduleConfig(**settings) for name, settings in schedules.items()}
    assert Slots.of(read["often"]).crons == ("0 */3 * * *", "30 1,4,7,10,13,16,19,22 * * *")
    written = RetryConfig(**retries)
    assert written == RetryConfig(retryable_error_patterns=written.retryable_error_patterns)


def times(cron: str, start: datetime) -> Iterator[str]:
    """When Dagster runs a schedule in New York from a time on: day and time in UTC."""
    found = schedule_execution_time_iterator(start.timestamp(), cron, "America/New_York")
    return (f"{time.astimezone(UTC):%d %H:%M}" for time in found)


SPRING = datetime(2027, 3, 13, 12, tzinfo=UTC)
AUTUMN = datetime(2027, 11, 6, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "start", "expected"),
    [
        # 2:00 to 3:00 is left out on the 14th: what is due then runs at 3:00, once.
        ("30 2 * * *", SPRING, ["14 07:00", "15 06:30"]),
        ("0 3 * * *", SPRING, ["14 07:00", "15 07:00"]),
        ("30 1 * * *", SPRING, ["14 06:30", "15 05:30"]),
        # 1:00 to 2:00 comes twice on the 7th: what is due then runs the second time, once.
        ("30 1 * * *", AUTUMN, ["07 06:30", "08 06:30"]),
        ("30 2 * * *", AUTUMN, ["07 07:30", "08 07:30"]),
        # What is due every hour comes every hour.
        ("0 * * * *", datetime(2027, 3, 14, 6, tzinfo=UTC), ["14 06:00", "14 07:00", "14 08:00"]),
        ("0 * * * *", datetime(2027, 11, 7, 5, tzinfo=UTC), ["07 05:00", "07 06:00", "07 07:00"]),
    ],
)
def test_no_day_is_left_out_or_run_twice_when_clocks_change(
    cron: str, start: datetime, expected: list[str]
) -> None:
    assert list(islice(times(cron, start), len(expected))) == expected


def test_the_daemon_starts_what_is_due_and_nothing_else(
    scheduled: Project, dagster_home: Path, instance: dg.DagsterInstance
) -> None:
    assert run(scheduled.open(), instance, ["shop/customers", "quarantine/customers"]).success
    due = {"cron": "30 2 * * *", "timezone": "America/New_York", "enabled": True}
    scheduled.settings["schedules"] = {
        "spring": {**due, "targets": ["customers"], "tags": {"team": "crm"}},
        "switched_off": {**due, "targets": ["orders"]},
        "busy": {**due, "targets": ["orders"]},
        "later": {**due, "cron": "0 4 * * *", "targets": ["orders"]},
        "off": {**due, "enabled": False, "targets": ["orders"]},
    }
    waiting = unfinished(scheduled, "busy", instance)
    change = datetime(2027, 3, 14, 6, 59, 57, tzinfo=UTC)
    with running_daemon(scheduled, dagster_home, clock=change, off=["switched_off"]) as daemon:
        daemon.wait_for("the tick", lambda: _done(daemon, "spring") and _done(daemon, "busy"))
        (tick,) = daemon.ticks("spring")
        ended = daemon.finished(tick.run_ids[0])
        (skipped,) = daemon.ticks("busy")
        others = [daemon.ticks(name) for name in ("switched_off", "later", "off")]
    assert tick.timestamp == datetime(2027, 3, 14, 7, tzinfo=UTC).timestamp()
    assert ended.status is dg.DagsterRunStatus.SUCCESS
    assert (ended.tags["team"], ended.tags["dagster/schedule_name"]) == ("crm", "spring")
    assert skipped.skip_reason == (
        "1 run of this schedule not finished yet, and max_concurrent_runs is 1"
    )
    assert others == [[], [], []]
    assert {r.run_id for r in instance.get_runs()} >= {ended.run_id, waiting.run_id}
    _holds_nothing_new(instance, ended)


def _done(daemon: Daemon, schedule: str) -> bool:
    ticks = daemon.ticks(schedule)
    return bool(ticks) and ticks[-1].status.value != "STARTED"


def _holds_nothing_new(instance: dg.DagsterInstance, ended: dg.DagsterRun) -> None:
    """A run that finds no new rows succeeds at the first attempt, with all its checks."""
    events = [e.dagster_event for e in instance.all_logs(ended.run_id) if e.dagster_event]
    kinds = [event.event_type_value for event in events]
    assert "STEP_UP_FOR_RETRY" not in kinds
    assert kinds.count("ASSET_CHECK_EVALUATION") > 0
    (made,) = [
        event.event_specific_data.materialization  # type: ignore[union-attr]
        for event in events
        if event.event_type_value == "ASSET_MATERIALIZATION"
    ]
    assert made.metadata["nothing_new"].value is True
