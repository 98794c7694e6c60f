"""Workers that can be killed, seen from the test that kills them; see killed_workers.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = Path(__file__).with_name("killed_workers.py")
_FOLDERS = [str(folder) for folder in (_PROGRAM.parents[1], _PROGRAM.parents[2])]

_LONGEST_SECONDS = 30.0


@dataclass(frozen=True)
class Workers:
    """Workers on one table of a project, one at a time."""

    process: subprocess.Popen[str]
    runner: Path
    home: Path
    table: str

    def ask(self, work: str = "load", **death: Any) -> str:
        """Lets a worker work, and die where that is said; how it ended."""
        self.begin(work, **death)
        return self.ended()

    def begin(self, work: str = "load", **death: Any) -> None:
        """Starts a worker, without waiting for its end."""
        asked = {
            "runner": str(self.runner),
            "home": str(self.home),
            "table": self.table,
            "work": work,
            **death,
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()

    @contextmanager
    def loading(self, seconds: float) -> Iterator[None]:
        """Lets a worker load again and again meanwhile, at least for so long."""
        self.begin(lasts=seconds)
        try:
            yield
        finally:
            self.ended()

    @contextmanager
    def waiting(self, moment: str, meeting: Path) -> Iterator[None]:
        """Starts a load that waits at a moment for the end of this context, and goes on then."""
        meeting.mkdir()
        self.begin(at=moment, times=1, meets=str(meeting), lasts=0)
        last = time.monotonic() + _LONGEST_SECONDS
        while not (meeting / "here").exists():
            assert time.monotonic() < last, f"{moment} did not come"
            time.sleep(0.005)
        try:
            yield
        finally:
            (meeting / "go").touch()

    def ended(self) -> str:
        """Waits for the worker; how it ended."""
        assert self.process.stdout is not None
        told: dict[str, str] = json.loads(self.process.stdout.readline())
        assert "error" not in told, told["error"]
        return told["ended"]


@dataclass(frozen=True)
class WorkerServer:
    """A process that starts workers, whose temporary folders are in `scratch`."""

    process: subprocess.Popen[str]
    scratch: Path

    def on(self, runner: Path, home: Path, table: str) -> Workers:
        """Workers on a table."""
        return Workers(self.process, runner, home, table)


@contextmanager
def worker_server(scratch: Path) -> Iterator[WorkerServer]:
    """A server of workers, gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, str(_PROGRAM)],
        text=True,
        env={**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": os.pathsep.join(_FOLDERS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield WorkerServer(process, scratch)
    finally:
        process.communicate()
