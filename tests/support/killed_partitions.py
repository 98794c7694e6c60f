"""Loads of partitions that are killed at each of their moments.

    python killed_partitions.py RUNNER

Writes one JSON object: for every moment at which a load of two days was killed, the version of the
days that it loaded, how it died, and what a reader of the lake saw right after, and after the next
load. Each load has another version of the days, so that it shows which is there.
"""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog
from support.crashing_runs import Events, forked
from support.partitioned import deliver, held, ids, of_days
from support.project import Project

from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import open_platform
from quality_platform.flows.requests import Request
from quality_platform.lake import commits, data_files


def deliver_version(project: Project, version: int) -> None:
    """Two days, each with an order that is good and one that is held back."""
    for day in (1, 2):
        first = 1000 * version + 10 * day
        deliver(project, day, (first, 10), (first + 1, -1))


def load(runner: Path, request: Request, kill_at: str | None, dump: Path | None = None) -> None:
    """One load; writes the moments that it came to."""
    events = Events(kill_at)
    for owner, name in (
        (commits, "append"),
        (commits, "publish"),
        (data_files._OpenFile, "close"),
        (SqlCatalog, "_write_metadata"),
        (SqlCatalog, "commit_table"),
    ):
        events.watch(owner, name)
    progress = partial(events.progress, "orders")
    load_table(open_platform(runner), "orders", "run", progress, request)
    if dump is not None:
        dump.write_text(json.dumps(events.seen))


def look(runner: Path, dump: Path) -> None:
    """Writes what a reader sees: the orders, and those that are held back."""
    platform = open_platform(runner)
    dump.write_text(json.dumps([ids(platform), sorted(order for _, order in held(platform))]))


def told(work: Any) -> Any:
    """What work writes in a process of its own."""
    with tempfile.NamedTemporaryFile() as file:
        assert forked(partial(work, dump=Path(file.name))) == "ended"
        return json.loads(Path(file.name).read_text())


def load_and_look(runner: Path, dump: Path) -> None:
    """One load of both days that nobody kills, and what a reader sees then."""
    load(runner, of_days(1, 2), None)
    look(runner, dump)


def main() -> None:
    """Kills a load at its commits, and shortly before them; each has a version of its own."""
    runner = Path(sys.argv[1])
    project = Project(runner.parent)
    deliver_version(project, 0)
    deliver(project, 3, (3, 10), (33, -1))
    assert forked(partial(load, runner, of_days(1, 3), None)) == "ended"
    moments = told(partial(load, runner, of_days(1, 2), None))
    wanted = [moment for moment in dict.fromkeys(moments) if _is_near_a_commit(moment)]
    states = {}
    for version, moment in enumerate(wanted, 1):
        deliver_version(project, version)
        died = forked(partial(load, runner, of_days(1, 2), moment))
        after = told(partial(look, runner))
        end = told(partial(load_and_look, runner))
        states[moment] = {"version": version, "died": died, "after": after, "end": end}
    sys.stdout.write(json.dumps(states))


def _is_near_a_commit(moment: str) -> bool:
    return moment.endswith((" append", " publish"))


if __name__ == "__main__":
    main()
