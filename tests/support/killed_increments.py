"""Incremental computations of a feature view that are killed at each of their moments.

    python killed_increments.py RUNNER

Writes one JSON object: for every moment at which a computation was killed, how many late orders had
come, how it died, and what a reader of the lake saw right after, and after the next computation.
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
from support.incremental import at, deliver, held, published
from support.project import Project

from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import open_platform
from quality_platform.lake import commits, data_files


def load(runner: Path, number: int) -> None:
    """Delivers and loads one late order of the third day; a customer of that day is held back."""
    deliver(Project(runner.parent), f"late{number:03d}", [(1000 + number, 1, 1, at(3))])
    load_table(open_platform(runner), "orders", "run")


def compute(runner: Path, kill_at: str | None, dump: Path | None = None) -> None:
    """One computation; writes the moments that it came to, and its notes."""
    events = Events(kill_at)
    for owner, name in (
        (commits, "append"),
        (commits, "publish"),
        (data_files._OpenFile, "close"),
        (SqlCatalog, "_write_metadata"),
        (SqlCatalog, "commit_table"),
    ):
        events.watch(owner, name)
    progress = partial(events.progress, "totals")
    outcome = compute_feature_view(open_platform(runner), "totals", "run", progress)
    if dump is not None:
        dump.write_text(json.dumps([events.seen, *outcome.notes]))


def look(runner: Path, dump: Path) -> None:
    """Writes what a reader sees: the totals by customer and day, and what is held back."""
    platform = open_platform(runner)
    totals = [[row[0], row[1].day, row[3]] for row in published(platform)]
    dump.write_text(json.dumps([totals, held(platform)]))


def told(work: Any) -> Any:
    """What work writes in a process of its own."""
    with tempfile.NamedTemporaryFile() as file:
        assert forked(partial(work, dump=Path(file.name))) == "ended"
        return json.loads(Path(file.name).read_text())


def main() -> None:
    """Kills a computation at its commits, and shortly before them."""
    runner = Path(sys.argv[1])
    assert forked(partial(load, runner, 0)) == "ended"
    assert forked(partial(compute, runner, None)) == "ended"
    assert forked(partial(load, runner, 1)) == "ended"
    moments, *notes = told(partial(compute, runner, None))
    wanted = [m for m in dict.fromkeys(moments) if m.endswith((" append", " publish"))]
    states = {}
    for number, moment in enumerate(wanted, 2):
        assert forked(partial(load, runner, number)) == "ended"
        died = forked(partial(compute, runner, moment))
        after = told(partial(look, runner))
        _, *again = told(partial(compute, runner, None))
        end = told(partial(look, runner))
        states[moment] = {
            "orders": number + 1,
            "died": died,
            "after": after,
            "again": again,
            "end": end,
        }
    sys.stdout.write(json.dumps({"notes": notes, "states": states}))


if __name__ == "__main__":
    main()
