"""A server of workers that are killed: it imports everything once and forks a process for each.

    python killed_workers.py

Reads one JSON object a line, and answers each with one:

    {"runner": ..., "home": ..., "table": ..., "work": "load" | "maintain",
     "tasks": [...], "force": BOOL, those of the upkeep
     "at": MOMENT, "times": N,      dies when the moment comes for the Nth time
     "meets": FOLDER,               or waits there: makes a file `here`, until there is one `go`
     "after": SECONDS,              is killed then
     "lasts": SECONDS}              works again and again for so long, whatever the errors; 0: once

The answer has `ended`: the signal, the class of the platform's error that ended its last work, or
"by itself"; or else `error`, which is a failure of the test.
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
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import PyArrowFileIO
from support.moments import Moments

from quality_platform.errors import QualityPlatformError
from quality_platform.flows import maintain as maintenance
from quality_platform.flows import publishing, recording
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.history import records
from quality_platform.lake import commits, data_files
from quality_platform.lake.maintenance import compaction, expiry, orphans

WATCHED = {
    "load": (
        (commits, "append"),
        (commits, "publish"),
        (commits, "drop_uncommitted_attempts"),
        (publishing, "rewritten"),
        (data_files._OpenFile, "close"),
        (SqlCatalog, "_write_metadata"),
        (SqlCatalog, "commit_table"),
        (recording, "record_run"),
        (records, "append_rows"),
    ),
    "maintain": (
        (commits, "swap"),
        (compaction, "arrange"),
        (data_files._OpenFile, "close"),
        (expiry, "_remove"),
        (expiry, "delete_files"),
        (orphans, "delete_files"),
        (PyArrowFileIO, "delete"),
        (SqlCatalog, "_write_metadata"),
        (SqlCatalog, "commit_table"),
    ),
}
"""What is watched between two steps."""

LONGEST_SECONDS = 30.0
"""For so long a worker may wait for its moment."""


@dataclass
class Worker:
    """One worker: does its work again and again until it is killed."""

    asked: dict[str, Any]
    seen: Counter[str] = field(default_factory=Counter)

    def run(self) -> dict[str, str]:
        """Works until the moment of its death, or as long as it is to; how that ended."""
        moments = Moments(self._happen)
        for owner, name in WATCHED[self.asked["work"]]:
            moments.watch(owner, name)
        # Loads of these tests take less than a second.
        maintenance.IN_USE = timedelta(seconds=2)
        os.environ["QUALITY_PLATFORM_HOME"] = self.asked["home"]
        platform = open_platform(Path(self.asked["runner"]))
        began = time.monotonic()
        while True:
            moments.reach("begin")
            ended = self._ended(platform, moments)
            lasted = time.monotonic() - began
            if "lasts" in self.asked and lasted >= self.asked["lasts"]:
                return ended
            if lasted > LONGEST_SECONDS:
                raise TimeoutError(f"{self.asked.get('at')} did not come: {sorted(self.seen)}")

    def _ended(self, platform: Platform, moments: Moments) -> dict[str, str]:
        try:
            self._work(platform, moments)
        except QualityPlatformError as error:
            if "lasts" not in self.asked:
                raise
            return {"ended": type(error).__name__, "text": str(error)}
        return {"ended": "by itself"}

    def _work(self, platform: Platform, moments: Moments) -> None:
        table = self.asked["table"]
        if self.asked["work"] == "load":
            load_table(platform, table, uuid.uuid4().hex, lambda step, _: moments.reach(step))
            return
        wanted = Wanted(self.asked["tasks"], force=self.asked.get("force", False))
        for upkeep in maintain(platform, [table], wanted):
            if upkeep.error is not None and not upkeep.error.transient:
                raise upkeep.error

    def _happen(self, moment: str) -> None:
        self.seen[moment] += 1
        if moment == self.asked.get("at") and self.seen[moment] == self.asked["times"]:
            self._stop()

    def _stop(self) -> None:
        if "meets" not in self.asked:
            os.kill(os.getpid(), signal.SIGKILL)
        folder = Path(self.asked["meets"])
        (folder / "here").touch()
        while not (folder / "go").exists():
            time.sleep(0.005)


def forked(asked: dict[str, Any], told: Path) -> int:
    """Works in a process of its own; that process' exit status."""
    child = os.fork()
    if not child:
        code = 1
        try:
            ended = Worker(asked).run()
            told.write_text(json.dumps({**ended, "modules": sorted(sys.modules)}))
            code = 0
        except Exception:  # noqa: BLE001 - told to the test: os._exit would swallow it
            told.write_text(json.dumps({"error": traceback.format_exc()}))
        finally:
            os._exit(code)
    if "after" in asked:
        time.sleep(asked["after"])
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def answer(asked: dict[str, Any], told: Path) -> dict[str, Any]:
    """Does what one line asks for."""
    told.unlink(missing_ok=True)
    status = forked(asked, told)
    if os.WIFSIGNALED(status):
        return {"ended": signal.Signals(os.WTERMSIG(status)).name}
    found: dict[str, Any] = json.loads(told.read_text())
    # What work imports late need not be imported by every process anew.
    for module in found.pop("modules", ()):
        if module not in sys.modules:
            with suppress(ImportError):
                importlib.import_module(module)
    return found


def main() -> None:
    """Serves until standard input ends."""
    with tempfile.TemporaryDirectory(prefix="qp-workers-") as folder:
        served = functools.partial(answer, told=Path(folder) / "told.json")
        for line in sys.stdin:
            sys.stdout.write(json.dumps(served(json.loads(line))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
