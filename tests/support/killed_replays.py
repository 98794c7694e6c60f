"""Replays and discards that are killed at each of their steps, and what is seen then.

    python killed_replays.py BEFORE AFTER FOLDER KIND

`BEFORE` is the runner file by which the orders are loaded, `AFTER` the one by which they are
replayed; `FOLDER` takes a home for every story. Writes one JSON object a line: the `moment` of the
kill, how the process `died`, and the ids published and held at first, `between`, and `after` the
same was done again.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog
from support.crashing_runs import Events, forked

from quality_platform.flows.decisions import Decision
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.flows.replay import Replay, discard_rows, replay_table
from quality_platform.flows.replay_selection import Selection
from quality_platform.flows.table_status import quarantined_rows
from quality_platform.history import records
from quality_platform.lake import commits
from quality_platform.lake.reading import batches_of, snapshot_of

WATCHED = (
    (commits, "append"),
    (commits, "publish"),
    (SqlCatalog, "commit_table"),
    (records, "append_rows"),
)


def begin(runner: Path) -> None:
    """Loads the orders, some of which are held back."""
    load_table(open_platform(runner), "orders", "first")


def decide(runner: Path, kind: str, kill_at: str | None, seen: Path | None = None) -> None:
    """Does what is asked for, until it is killed."""
    events = Events(kill_at)
    for owner, name in WATCHED:
        events.watch(owner, name)
    asked = Replay(open_platform(runner), "orders", "second", Selection(where="id < 9"))
    if kind == "replay":
        replay_table(asked)
    else:
        discard_rows(asked, Decision("Grace", "they are wrong"))
    if seen is not None:
        told = {"events": events.seen, "modules": sorted(sys.modules)}
        seen.write_text(json.dumps(told))


def look(runner: Path, told: Path) -> None:
    """Writes what readers see, and what an audit of the runs needs."""
    platform = open_platform(runner)
    state = {
        "published": sorted(row["id"] for row in stored(platform, "shop.orders")),
        "held": sorted(row["id"] for row in quarantined_rows(platform, "orders")),
    }
    told.write_text(json.dumps(state))


def end(runner: Path, kind: str, told: Path) -> None:
    """Does the same again, undisturbed, then a run that finds nothing new, and looks."""
    decide(runner, kind, None)
    load_table(open_platform(runner), "orders", "third")
    look(runner, told)


def stored(platform: Platform, identifier: str) -> list[dict[str, Any]]:
    """The rows of a table of the lake."""
    table = platform.lake.table(identifier)
    snapshot = snapshot_of(table)
    found = batches_of(table, snapshot.snapshot_id if snapshot else None)
    return [row for batch in found for row in batch.to_pylist()]


def story(before: Path, after: Path, kind: str, moment: str | None, folder: Path) -> dict[str, Any]:
    """One life: loaded, killed, looked at, done again, loaded again, looked at."""
    os.environ["QUALITY_PLATFORM_HOME"] = str(folder / "home")
    events, between, found = (folder / name for name in ("events", "between", "after"))
    assert forked(partial(begin, before)) == "ended"
    died = forked(partial(decide, after, kind, moment, events))
    assert forked(partial(look, after, between)) == "ended"
    assert forked(partial(end, after, kind, found)) == "ended"
    seen = json.loads(events.read_text()) if events.exists() else {"events": [], "modules": []}
    # What a replay imports late need not be imported by every process anew.
    for module in seen["modules"]:
        with suppress(ImportError):
            importlib.import_module(module)
    return {
        "moment": moment,
        "died": died,
        "between": json.loads(between.read_text()),
        "after": json.loads(found.read_text()),
        "events": seen["events"],
    }


def main() -> None:
    """Tells the undisturbed story, then one for each of its moments."""
    before, after, folder, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    moments: list[str | None] = [None]
    while moments:
        with tempfile.TemporaryDirectory(dir=folder) as home:
            told = story(before, after, kind, moments.pop(0), Path(home))
        moments += told.pop("events")
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
