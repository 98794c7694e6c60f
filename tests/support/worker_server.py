"""Workers that can be killed, seen from the test that kills them; see killed_workers.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = Path(__file__).with_name("killed_workers.py")


@dataclass(frozen=True)
class WorkerServer:
    """Starts one worker at a time on a table of a project."""

    runner: Path
    home: Path
    table: str
    process: subprocess.Popen[str]

    def ask(self, work: str = "load", **death: Any) -> str:
        """Lets a worker work and die; how it ended."""
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

    def ended(self) -> str:
        """Waits for the worker; how it ended."""
        assert self.process.stdout is not None
        told: dict[str, str] = json.loads(self.process.stdout.readline())
        assert "error" not in told, told["error"]
        return told["ended"]


@contextmanager
def worker_server(runner: Path, home: Path, table: str, scratch: Path) -> Iterator[WorkerServer]:
    """A server of workers, whose temporary folders are in `scratch`."""
    scratch.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, str(_PROGRAM)],
        text=True,
        env={**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(_PROGRAM.parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield WorkerServer(runner, home, table, process)
    finally:
        process.communicate()
