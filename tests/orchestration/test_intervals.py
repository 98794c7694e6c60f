"""Intervals: exact slots, by cron where it can say them, else by a sensor that runs each once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from croniter import croniter
from support.dagster_daemon import Daemon, running_daemon
from support.project import Project

from quality_platform.config.schedule_models import LEAST_INTERVAL_SECONDS, ScheduleConfig
from quality_platform.errors import RunnerFileError
from quality_platform.orchestration import schedules
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.slots import Slots

NOON = int(datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp())


def slots(interval: int, timezone: str = "UTC") -> Slots:
    return Slots.of(ScheduleConfig(interval_seconds=interval, timezone=timezone))


def by_cron(crons: tuple[str, ...], start: int, end: int) -> list[int]:
    """Every time after `start` and up to `end` that one of the expressions says, in order."""
    found: list[int] = []
    for cron in crons:
        times = croniter(cron, datetime.fromtimestamp(start, UTC))
        while (time := round(times.get_next(float))) <= end:
            found.append(time)
    return sorted(found)


DIVISORS = [60 * n for n in range(1, 1441) if 1440 % n == 0]


@pytest.mark.parametrize("interval", DIVISORS)
@pytest.mark.parametrize("timezone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_cron_says_exactly_the_slots_of_an_interval_that_divides_a_day(
    interval: int, timezone: str
) -> None:
    found = slots(interval, timezone)
    first = found.latest(NOON)
    expected = list(range(first + interval, NOON + 2 * 86400 + 1, interval))
    assert by_cron(found.crons, first, NOON + 2 * 86400) == expected


def test_an_interval_of_ninety_minutes_is_not_an_hour() -> None:
    assert slots(5400).crons == ("0 */3 * * *", "30 1,4,7,10,13,16,19,22 * * *")


@pytest.mark.parametrize("interval", [10, 30, 45, 90, 420, 6000, 25200, 129600, 604800])
def test_cron_cannot_say_seconds_nor_what_does_not_divide_a_day(interval: int) -> None:
    assert slots(interval).crons == ()


def test_an_anchor_between_minutes_cannot_be_said_by_cron() -> None:
    # Monrovia was 44 minutes and 30 seconds behind UTC in 1970.
    assert slots(3600, "Africa/Monrovia").crons == ()


@pytest.mark.parametrize(("timezone", "hour"), [("UTC", 0), ("America/New_York", 5)])
def test_slots_are_counted_from_midnight_in_the_time_zone(timezone: str, hour: int) -> None:
    daily = slots(86400, timezone)
    assert datetime.fromtimestamp(daily.latest(NOON), UTC).hour == hour


def test_slots_do_not_move_when_clocks_do() -> None:
    every = slots(7 * 3600, "America/New_York")
    before = every.latest(datetime(2026, 3, 8, tzinfo=UTC).timestamp())
    after = every.latest(datetime(2026, 3, 9, tzinfo=UTC).timestamp())
    assert (after - before) % (7 * 3600) == 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time that the sensors believe it to be."""

    def set_to(now: float) -> None:
        monkeypatch.setattr(schedules, "time", SimpleNamespace(time=lambda: now))

    return set_to


class Interval:
    """The sensor of an interval of 45 seconds, looked at by a daemon that keeps its cursor."""

    def __init__(self, shop: Project, instance: dg.DagsterInstance, **settings: Any) -> None:
        config = {"interval_seconds": 45, "targets": ["customers"], **settings}
        shop.settings["schedules"] = {"often": config}
        self.definitions = build_definitions(shop.open())
        self.sensor = self.definitions.resolve_sensor_def("often")
        self.instance = instance
        self.cursor: str | None = None
        self.switched_on = 0.0

    def look(self, *, keep: bool = True) -> dg.SensorResult:
        context = dg.build_sensor_context(
            self.instance,
            cursor=self.cursor,
            definitions=self.definitions,
            last_sensor_start_time=self.switched_on,
        )
        result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        if keep and result.cursor is not None:
            self.cursor = result.cursor
        return result

    def keys(self) -> list[str | None]:
        return [request.run_key for request in self.look().run_requests or ()]


def test_a_run_is_asked_for_at_every_slot_once_however_often_and_late_it_is_looked_at(
    shop: Project, instance: dg.DagsterInstance, clock: Callable[[float], None]
) -> None:
    interval = Interval(shop, instance)
    clock(NOON + 1)
    assert interval.keys() == []
    found = []
    # Looks every 7.3 seconds for an hour: no slot is hit exactly.
    for n in range(1, 495):
        clock(NOON + 1 + 7.3 * n)
        found += interval.keys()
    slots = [int(str(key).rpartition("-")[2]) for key in found]
    assert slots == list(range(NOON + 45, NOON + 3601, 45))


def test_the_first_look_only_begins_to_count(
    shop: Project, instance: dg.DagsterInstance, clock: Callable[[float], None]
) -> None:
    clock(NOON + 1)
    result = Interval(shop, instance).look()
    assert not result.run_requests
    assert "the next run is due at 2026-05-01 12:00:45 UTC" in str(result.skip_reason)


def test_slots_that_were_missed_are_run_once(
    shop: Project, instance: dg.DagsterInstance, clock: Callable[[float], None]
) -> None:
    interval = Interval(shop, instance)
    clock(NOON)
    interval.look()
    clock(NOON + 450)
    assert interval.keys() == [f"often-{NOON + 450}"]
    assert interval.keys() == []


def test_a_daemon_that_dies_before_it_keeps_the_cursor_asks_by_the_same_key_again(
    shop: Project, instance: dg.DagsterInstance, clock: Callable[[float], None]
) -> None:
    interval = Interval(shop, instance)
    clock(NOON)
    interval.look()
    clock(NOON + 46)
    lost = interval.look(keep=False)
    clock(NOON + 60)
    assert [r.run_key for r in lost.run_requests or ()] == interval.keys()


def test_what_was_due_while_it_was_switched_off_is_not_made_up_for(
    shop: Project, instance: dg.DagsterInstance, clock: Callable[[float], None]
) -> None:
    interval = Interval(shop, instance)
    clock(NOON)
    interval.look()
    interval.switched_on = NOON + 3605.0
    clock(NOON + 3600 + 10)
    assert interval.keys() == []
    clock(NOON + 3600 + 50)
    assert interval.keys() == [f"often-{NOON + 3645}"]


def test_the_run_has_the_assets_and_tags_of_the_schedule(
    shop: Project, instance: dg.DagsterInstance, clock: Callable[[float], None]
) -> None:
    interval = Interval(shop, instance, tags={"team": "crm"})
    clock(NOON)
    interval.look()
    clock(NOON + 45)
    (request,) = interval.look().run_requests or ()
    assert {key.to_user_string() for key in request.asset_selection or ()} == {
        "landing/customers",
        "shop/customers",
        "quarantine/customers",
    }
    assert request.tags == request.tags | {
        "team": "crm",
        "quality-platform/schedule": "often",
        "quality-platform/due": str(NOON + 45),
    }


def test_a_slot_is_passed_over_while_the_schedules_run_is_unfinished(
    shop: Project, instance: dg.DagsterInstance, clock: Callable[[float], None]
) -> None:
    interval = Interval(shop, instance)
    clock(NOON)
    interval.look()
    job = interval.definitions.resolve_job_def("everything")
    run = instance.create_run_for_job(job, tags={"quality-platform/schedule": "often"})
    clock(NOON + 45)
    result = interval.look()
    assert not result.run_requests
    assert "2026-05-01 12:00:45 UTC: 1 run of this schedule not finished yet" in str(
        result.skip_reason
    )
    instance.report_run_canceled(run)
    assert interval.keys() == []
    clock(NOON + 90)
    assert interval.keys() == [f"often-{NOON + 90}"]


@pytest.mark.parametrize(("interval", "look"), [(10, 5), (45, 5), (420, 5), (6000, 30)])
def test_short_intervals_are_looked_at_as_often_as_the_daemon_looks(
    shop: Project, instance: dg.DagsterInstance, interval: int, look: int
) -> None:
    sensor = Interval(shop, instance, interval_seconds=interval).sensor
    assert sensor.minimum_interval_seconds == look
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED


def test_an_interval_that_cron_can_say_is_a_schedule_in_utc(shop: Project) -> None:
    settings = {"interval_seconds": 5400, "timezone": "America/New_York", "enabled": True}
    shop.settings["schedules"] = {"often": settings}
    definitions = build_definitions(shop.open())
    schedule = definitions.resolve_schedule_def("often")
    # Midnight in New York was 5:00 in UTC.
    assert list(schedule.cron_schedule) == ["0 2,5,8,11,14,17,20,23 * * *", "30 */3 * * *"]
    assert schedule.execution_timezone == "UTC"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert "often" not in {sensor.name for sensor in definitions.sensors or ()}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"interval_seconds": LEAST_INTERVAL_SECONDS - 1}, "greater than or equal to 10"),
        ({"interval_seconds": 0}, "greater than or equal to 10"),
        ({"interval_seconds": 90.5}, "interval_seconds"),
        ({"interval_seconds": 60, "cron": "@daily"}, "either `cron` or `interval_seconds`"),
        ({}, "either `cron` or `interval_seconds`"),
        ({"cron": "@daily", "max_concurrent_runs": 0}, "greater than or equal to 1"),
        ({"cron": "@daily", "tags": {"dagster/x": "1"}}, "not yours"),
        ({"interval_seconds": 60, "timezone": "Mars/Olympus"}, "no such time zone"),
    ],
)
def test_a_rhythm_that_cannot_be_kept_is_an_error_with_its_line(
    shop: Project, settings: dict[str, Any], told: str
) -> None:
    shop.settings["schedules"] = {"often": settings}
    with pytest.raises(RunnerFileError) as caught:
        shop.open()
    assert told in str(caught.value)
    assert f"{shop.runner}:" in str(caught.value)
    assert "schedules.often" in str(caught.value)


def test_slots_between_looks_are_counted() -> None:
    every = slots(60)
    assert [every.between(NOON, NOON + s) for s in (0, 60, 120, 600)] == [0, 0, 1, 9]
    assert every.latest(NOON + timedelta(seconds=59.9).total_seconds()) == NOON


def test_a_daemon_that_is_killed_and_started_again_starts_each_slot_once(
    shop: Project, dagster_home: Path
) -> None:
    often = {"interval_seconds": LEAST_INTERVAL_SECONDS, "targets": ["customers"], "enabled": True}
    shop.settings["schedules"] = {"often": {**often, "max_concurrent_runs": 99}}
    with running_daemon(shop, dagster_home) as daemon:
        daemon.wait_for("the first run", daemon.runs)
        daemon.kill()
        before = daemon.runs()
    # As if the daemon had died after it had queued the run, and before it kept the cursor.
    with running_daemon(shop, dagster_home) as daemon:
        _forget(daemon, LEAST_INTERVAL_SECONDS)
        daemon.wait_for("two further runs", lambda: len(daemon.runs()) >= len(before) + 2)
        daemon.kill()
        runs = daemon.runs()
    due = [int(run.tags["quality-platform/due"]) for run in runs]
    assert len(set(due)) == len(due)
    assert all(slot % LEAST_INTERVAL_SECONDS == 0 for slot in due)
    assert due == sorted(due)


def _forget(daemon: Daemon, seconds: int) -> None:
    """Sets the sensor's cursor back by one slot."""
    (state,) = [s for s in daemon.instance.all_instigator_state() if s.instigator_name == "often"]
    data = state.instigator_data
    cursor = str(int(data.cursor) - seconds)
    daemon.instance.update_instigator_state(state.with_data(data._replace(cursor=cursor)))
