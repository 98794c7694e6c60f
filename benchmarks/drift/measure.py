"""Runs one method once, in a process of its own, and says what that cost.

`cpu` and `wall` begin after imports; `rss` is the greatest resident memory since then, in bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.drift.plan import Method
from benchmarks.drift.protocol import Answer, Job
from benchmarks.measure import ROOT


@dataclass
class Measured:
    """One run. `failure` says why there is no answer."""

    answer: Answer = field(default_factory=Answer)
    cpu: float = 0
    wall: float = 0
    rss: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""


def run_method(method: Method, python: Path, job: Job, folder: Path, limit: float) -> Measured:
    """Runs the method on the job; it is ended after `limit` seconds."""
    with tempfile.TemporaryDirectory(prefix="drift-", dir=folder) as scratch:
        work = Path(scratch)
        (work / "job.json").write_text(json.dumps(asdict(job)), encoding="utf-8")
        module = f"benchmarks.drift.methods.{method.module}"
        failure = _watched([str(python), "-m", module, "job.json", "answer.json"], work, limit)
        if failure:
            return Measured(failure=failure)
        fields = json.loads((work / "answer.json").read_text(encoding="utf-8"))
    costs = {key: fields.pop(key) for key in ("cpu", "wall", "rss", "versions")}
    return Measured(answer=Answer(**fields), **costs)


def _watched(command: list[str], folder: Path, limit: float) -> str:
    log = folder / "log"
    # Compiled modules are kept, as they are on any machine where the platform is installed.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(ROOT), "TZ": "UTC", "HOME": str(folder)}
    environment["PYTHONPYCACHEPREFIX"] = str(folder.parent.absolute() / "pycache")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output
        )
        clock = threading.Timer(limit, process.kill)
        clock.start()
        code = process.wait()
        is_late = not clock.is_alive()
        clock.cancel()
    if is_late:
        return f"did not end within {limit:g} s"
    if not code:
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"exit code {code}: {' '.join(lines[-3:])[-300:]}"
