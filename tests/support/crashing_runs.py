"""A server of runs that are killed: it imports everything once and forks a process for each run.

    python crashing_runs.py RUNNER

Reads one JSON object a line: `home`, and `kills`, the moments at which the first runs are killed.
A moment is an event such as "orders checked 2" or, for what happens between two of these, "orders
checked 2 > before append"; or a number of seconds. After these runs it lets one end undisturbed,
and answers with `events` (of that run), `died` (how the killed ones ended) and `state` (what a
reader of the lake sees then).
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog
from support.moments import Moments

from quality_platform.flows import compute_features, recording
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.flows.run_platform import run_platform
from quality_platform.flows.table_status import quarantined_rows
from quality_platform.history import records
from quality_platform.lake import commits, data_files
from quality_platform.lake.position import Position
from quality_platform.lake.reading import summary_of

OF_AN_ATTEMPT = ("_attempt", "_run_id", "_quarantined_at")
"""Columns of the quarantine that tell one attempt at a load from another."""


@dataclass
class Events:
    """Counts what happens, and kills the process at one of its moments."""

    kill_at: str | None
    seen: list[str] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._moments = Moments(self._happen)
        self.watch = self._moments.watch

    def progress(self, table: str, step: str, _: str) -> None:
        """A step of a flow has been reached; its number is that of the table's load."""
        self._counts[f"{table} {step}"] += 1
        self._moments.reach(f"{table} {step} {self._counts[f'{table} {step}']}")

    def _happen(self, name: str) -> None:
        self.seen.append(name)
        if name == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def run(runner: Path, kill_at: str | None) -> tuple[Platform, list[str]]:
    """One run of everything."""
    events = Events(kill_at)
    for owner, name in (
        (commits, "append"),
        (commits, "publish"),
        (commits, "drop_uncommitted_attempts"),
        (data_files._OpenFile, "close"),
        (SqlCatalog, "_write_metadata"),
        (SqlCatalog, "commit_table"),
        (recording, "record_run"),
        (records, "append_rows"),
        (compute_features, "drift_results"),
    ):
        events.watch(owner, name)
    platform = open_platform(runner)
    steps = list(run_platform(platform, (), "run", events.progress))
    assert all(step.succeeded for step in steps), steps
    return platform, events.seen


def state_of(platform: Platform) -> dict[str, Any]:
    """Rows, held rows and position of every table; what differs between attempts left out."""
    state: dict[str, Any] = {}
    for name in [*platform.tables, *platform.feature_tables]:
        contracted = platform.contracted(name)
        table = platform.lake.table(contracted.identifier)
        position = Position.of(table.properties)
        held = [
            {k: v for k, v in row.items() if k not in OF_AN_ATTEMPT}
            for row in quarantined_rows(platform, name)
        ]
        loads = [summary_of(s).get(commits.LOAD_ID) for s in table.snapshots()]
        is_source = name in platform.tables
        state[name] = {
            "rows": sorted(map(str, table.scan().to_arrow().to_pylist())),
            "held": sorted(str({**r, "_load_id": r["_load_id"] * is_source}) for r in held),
            "stored in quarantine": len(
                platform.lake.table(contracted.quarantine_identifier).scan().to_arrow()
            ),
            "sources": {n: s.version * is_source for n, s in position.sources.items()},
            "loads": len([load for load in loads if load]),
            "attempts": len(position.attempts),
            "branches": [ref for ref in table.refs() if ref != "main"],
        }
    return state


def forked(work: Callable[[], object], seconds: float | None = None) -> str:
    """Does the work in a process of its own; how that ended: "killed", "ended" or "failed"."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        except Exception:  # noqa: BLE001 - shown here: os._exit would swallow it
            traceback.print_exc()
        finally:
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed"
    return "failed" if os.waitstatus_to_exitcode(status) else "ended"


def end_undisturbed(runner: Path, dump: Path) -> None:
    """Lets a run end, and writes what is to be told of it."""
    platform, events = run(runner, None)
    told = {"events": events, "state": state_of(platform), "modules": sorted(sys.modules)}
    dump.write_text(json.dumps(told))


def answer(runner: Path, home: str, kills: list[str | float]) -> dict[str, Any]:
    """Does what one line asks for."""
    os.environ["QUALITY_PLATFORM_HOME"] = home
    died = []
    for moment in kills:
        seconds = moment if isinstance(moment, float) else None
        kill_at = None if isinstance(moment, float) else moment
        died.append(forked(functools.partial(run, runner, kill_at), seconds))
    with tempfile.NamedTemporaryFile() as file:
        ended = forked(functools.partial(end_undisturbed, runner, Path(file.name)))
        assert ended == "ended", ended
        told = json.loads(Path(file.name).read_text())
    # What a run imports late need not be imported by every process anew.
    for module in told.pop("modules"):
        if module not in sys.modules:
            with suppress(ImportError):
                importlib.import_module(module)
    return {"died": died, **told}


def main() -> None:
    """Serves until standard input ends."""
    runner = Path(sys.argv[1])
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.write(json.dumps(answer(runner, asked["home"], asked["kills"])) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
