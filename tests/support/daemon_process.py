"""Dagster's own daemon, `dagster-daemon run`, with a clock that may be set and quicker looks.

`daemon_process.py CLOCK LOOK ARGUMENTS...` gives ARGUMENTS to `dagster-daemon`. Its scheduler
believes that it is CLOCK (seconds since 1970, 0 for the real time) when it first looks,
and its sensors are looked at every LOOK seconds instead of every five. Code servers and runs are
processes of their own: they have the real clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from unittest.mock import patch

# There is no public way to set the scheduler's clock, or how often sensors are looked at.
from dagster._daemon.cli import create_dagster_daemon_cli


def clock_from(start: float) -> Callable[[], float]:
    """A clock that shows `start` when it is first asked."""
    ahead: list[float] = []

    def now() -> float:
        if not ahead:
            ahead.append(start - time.time())
        return time.time() + ahead[0]

    return now


def main() -> None:
    """Runs the daemon until it gets SIGTERM or SIGINT."""
    start, look = float(sys.argv[1]), float(sys.argv[2])
    now = clock_from(start) if start else time.time
    with (
        patch("dagster._scheduler.scheduler.get_current_timestamp", now),
        patch(
            "dagster._scheduler.scheduler.get_current_datetime",
            lambda: datetime.fromtimestamp(now(), UTC),
        ),
        patch("dagster._daemon.sensor.MIN_INTERVAL_LOOP_TIME", look),
    ):
        create_dagster_daemon_cli()(sys.argv[3:], prog_name="dagster-daemon")


if __name__ == "__main__":
    main()
