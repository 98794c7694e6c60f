"""The tests' daemon, whose scheduler writes what each of its looks took into the file `LOOKS`.

It looks every two seconds instead of every minute; a look itself is what it always is.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from support.daemon_process import main

# Behind the daemon, which it imports in a circle; there is no public way to time it.
from dagster._scheduler import scheduler  # isort: skip

_SECONDS_BETWEEN = 2


def timed_look(*arguments: Any, **named: Any) -> Iterator[Any]:
    """One look at all schedules."""
    instance = arguments[0].instance
    before, begin = instance.get_runs_count(), time.perf_counter()
    yield from _look(*arguments, **named)
    seconds = time.perf_counter() - begin
    line = {"seconds": seconds, "runs": instance.get_runs_count() - before}
    with Path(os.environ["LOOKS"]).open("a", encoding="ascii") as looks:
        looks.write(json.dumps(line) + "\n")


_look = scheduler.launch_scheduled_runs

if __name__ == "__main__":
    with (
        patch.object(scheduler, "launch_scheduled_runs", timed_look),
        patch.object(
            scheduler, "_get_next_scheduler_iteration_time", lambda start: start + _SECONDS_BETWEEN
        ),
    ):
        main()
