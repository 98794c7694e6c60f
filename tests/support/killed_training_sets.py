"""A training set whose making is killed at each of its steps, and what is seen then.

    python killed_training_sets.py RUNNER FOLDER

`RUNNER` is the runner file of the shop with the training set `churn`; `FOLDER` takes a home for
each story. Writes one JSON object a line: the `moment` of the kill, how the process `died`, what
is seen `between` the kill and another attempt, and `after` that and upkeep: the versions with the
rows that readers see of each, those of `main`, and the versions that pins are of.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401 - imported once, and not by every process anew
import pyarrow.parquet  # noqa: F401 - as above
from pyiceberg.catalog.sql import SqlCatalog
from support.crashing_runs import Events, forked
from support.training_sets import TABLE, make, manifests, pins

from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import open_platform
from quality_platform.flows.training_export import training_rows
from quality_platform.history import training_sets as history
from quality_platform.lake import data_files

WATCHED = (
    (data_files._OpenFile, "close"),
    (SqlCatalog, "commit_table"),
    (history, "append_rows"),
)


class Numbered(Events):
    """Moments that are told apart although they have one name."""

    def _happen(self, name: str) -> None:
        self._counts[name] += 1
        super()._happen(f"{name} {self._counts[name]}")


def begin(runner: Path) -> None:
    """Everything that the training set reads."""
    platform = open_platform(runner)
    for table in ("customers", "orders"):
        load_table(platform, table, "load")
    compute_feature_view(platform, "totals", "compute")


def attempt(runner: Path, kill_at: str | None, seen: Path) -> None:
    """Makes the version, until it is killed."""
    events = Numbered(kill_at)
    for owner, name in WATCHED:
        events.watch(owner, name)
    make(open_platform(runner))
    seen.write_text(json.dumps(events.seen))


def again(runner: Path) -> None:
    """Makes the version once more, verifies it, and lets upkeep put everything in order."""
    platform = open_platform(runner)
    make(platform, verify=True)
    assert make(platform, verify=True).verified
    for done in maintain(platform, (), Wanted(("tags", "expire", "orphans"), force=True)):
        if done.error is not None:
            raise done.error
    assert make(platform, verify=True).verified


def look(runner: Path, told: Path) -> None:
    """Writes what readers see."""
    platform = open_platform(runner)
    table = platform.lake.find_table(TABLE)
    snapshot = table.current_snapshot() if table is not None else None
    found = {
        tag: training_rows(platform, TABLE, manifest).num_rows
        for tag, manifest in manifests(platform).items()
    }
    head = table.scan().to_arrow().num_rows if table is not None and snapshot else 0
    told.write_text(json.dumps({"versions": found, "main": head, "pins": sorted(pins(platform))}))


def story(runner: Path, moment: str | None, folder: Path) -> dict[str, Any]:
    """One life: loaded, killed, looked at, made again, looked at."""
    os.environ["QUALITY_PLATFORM_HOME"] = str(folder / "home")
    events, between, after = (folder / name for name in ("events", "between", "after"))
    assert forked(partial(begin, runner)) == "ended"
    died = forked(partial(attempt, runner, moment, events))
    assert forked(partial(look, runner, between)) == "ended"
    assert forked(partial(again, runner)) == "ended"
    assert forked(partial(look, runner, after)) == "ended"
    return {
        "moment": moment,
        "died": died,
        "between": json.loads(between.read_text()),
        "after": json.loads(after.read_text()),
        "events": json.loads(events.read_text()) if events.exists() else [],
    }


def main() -> None:
    """Tells the undisturbed story, then one for each of its moments."""
    runner, folder = Path(sys.argv[1]), Path(sys.argv[2])
    moments: list[str | None] = [None]
    while moments:
        with tempfile.TemporaryDirectory(dir=folder) as home:
            told = story(runner, moments.pop(0), Path(home))
        # What is seen before a call was seen after the one before it.
        moments += [moment for moment in told.pop("events") if " > after " in moment]
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
