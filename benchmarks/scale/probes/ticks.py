"""The daemon's scheduler with a schedule for every table: what one look at all of them takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from support import dagster_daemon

from benchmarks.scale.location import write_instance
from benchmarks.scale.plan import DUE
from benchmarks.scale.probes.probe import Figures, answer
from benchmarks.scale.probes.served import Location

_BEFORE = datetime(2026, 3, 2, 2, 59, 40, tzinfo=UTC)
"""The scheduler's clock at its first look, twenty seconds before schedules are due."""


def ticks(folder: Path, _: str) -> Figures:
    """Seconds of the first look, of one at which nothing is due, and of the one with runs."""
    home = folder / "dagster"
    write_instance(home, concurrency={"runs": {"max_concurrent_runs": 0}})
    looks = home / "looks.jsonl"
    # Not in this folder: the modules beside a program would stand in for Python's own `queue`.
    program = Path(__file__).parents[1] / "timed_daemon.py"
    with dagster_daemon.running_daemon(
        Location(folder), home, {"LOOKS": str(looks)}, clock=_BEFORE, program=program
    ) as daemon:

        def seen() -> list[dict[str, float]] | None:
            lines = looks.read_text().splitlines() if looks.exists() else []
            found = [json.loads(line) for line in lines]
            due = [n for n, look in enumerate(found) if look["runs"]]
            return found if due and len(found) > due[0] + 1 else None

        found = daemon.wait_for("a look at which schedules are due", seen)
        queued = len(daemon.runs())
    with_runs = next(n for n, look in enumerate(found) if look["runs"])
    return {
        "first_look": found[0]["seconds"],
        "idle_look": min(look["seconds"] for look in found[1:with_runs] + found[with_runs + 1 :]),
        "due_look": found[with_runs]["seconds"],
        "due": found[with_runs]["runs"],
        "queued": queued,
        "expected": DUE,
    }


if __name__ == "__main__":
    answer(ticks)
