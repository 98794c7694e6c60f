"""Upkeep of a quarantine that is killed at each of its steps, and what is seen then.

    python killed_purges.py RUNNER FOLDER

`RUNNER` is the runner file of the orders, whose held rows are compacted and some of them discarded
in every story; `FOLDER` takes a home for each. Writes one JSON object a line: the `moment` of the
kill, how the process `died`, the orders that count as held `between` and `after` upkeep was done
again, and the orders in all data files at the end, `on_disk`.
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

import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import PyArrowFileIO
from support.crashing_runs import Events, forked

from quality_platform.flows.decisions import Decision
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.flows.replay import Replay, discard_rows
from quality_platform.flows.replay_selection import Selection
from quality_platform.flows.table_status import quarantined_rows
from quality_platform.lake import commits, data_files
from quality_platform.lake.maintenance import expiry

WATCHED = (
    (commits, "swap"),
    (data_files._OpenFile, "close"),
    (expiry, "_remove"),
    (PyArrowFileIO, "delete"),
    (SqlCatalog, "_write_metadata"),
    (SqlCatalog, "commit_table"),
)


def keep(platform: Platform, *tasks: Any) -> None:
    """Upkeep of the orders, that nobody reads meanwhile."""
    for done in maintain(platform, ["orders"], Wanted(tasks or Wanted().tasks, force=True)):
        if done.error is not None:
            raise done.error


def begin(runner: Path) -> None:
    """Held rows in one file, some of which count at no state any more."""
    platform = open_platform(runner)
    load_table(platform, "orders", "first")
    keep(platform, "compact")
    discard = Replay(platform, "orders", "second", Selection(where="id > 5"))
    discard_rows(discard, Decision("Grace", "they are wrong"))
    keep(platform, "expire")


def purge(runner: Path, kill_at: str | None, seen: Path) -> None:
    """All upkeep, until it is killed."""
    events = Events(kill_at)
    for owner, name in WATCHED:
        events.watch(owner, name)
    keep(open_platform(runner), "purge", "expire", "orphans")
    seen.write_text(json.dumps({"events": events.seen, "modules": sorted(sys.modules)}))


def look(runner: Path, told: Path) -> None:
    """Writes the orders that count as held."""
    held = sorted(row["id"] for row in quarantined_rows(open_platform(runner), "orders"))
    told.write_text(json.dumps(held))


def stored(home: Path) -> list[Any]:
    """The orders in all files of the quarantine's folder, which must be whole ones."""
    files = (home / "warehouse" / "quarantine" / "orders" / "data").rglob("*.parquet")
    found: set[Any] = {n for file in files for n in pq.read_table(file)["id"].to_pylist()}
    return sorted(found)


def story(runner: Path, moment: str | None, folder: Path) -> dict[str, Any]:
    """One life: loaded, killed, looked at, looked after again, looked at."""
    os.environ["QUALITY_PLATFORM_HOME"] = str(folder / "home")
    events, between, after = (folder / name for name in ("events", "between", "after"))
    assert forked(partial(begin, runner)) == "ended"
    died = forked(partial(purge, runner, moment, events))
    assert forked(partial(look, runner, between)) == "ended"
    seen = json.loads(events.read_text()) if events.exists() else {"events": [], "modules": []}
    assert forked(partial(purge, runner, None, events)) == "ended"
    assert forked(partial(look, runner, after)) == "ended"
    # What upkeep imports late need not be imported by every process anew.
    for module in seen["modules"]:
        with suppress(ImportError):
            importlib.import_module(module)
    return {
        "moment": moment,
        "died": died,
        "between": json.loads(between.read_text()),
        "after": json.loads(after.read_text()),
        "on_disk": stored(folder / "home"),
        "events": seen["events"],
    }


def main() -> None:
    """Tells the undisturbed story, then one for each of its moments."""
    runner, folder = Path(sys.argv[1]), Path(sys.argv[2])
    moments: list[str | None] = [None]
    while moments:
        with tempfile.TemporaryDirectory(dir=folder) as home:
            told = story(runner, moments.pop(0), Path(home))
        moments += told.pop("events")
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
