"""Runs one probe once, in a process of its own, and says what that cost.

`wall` and `cpu` are of the whole process and those that it waited for; `rss` is the greatest
resident memory of one process, in bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import ROOT
from benchmarks.scale.location import write_location
from benchmarks.scale.plan import DUE, TENANTS, Case

_MODULE = "quality_platform.definitions"


@dataclass(frozen=True)
class Measured:
    """One run of a probe. `failure` says why there are no figures."""

    wall: float = 0
    cpu: float = 0
    rss: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""


def run_probe(case: Case, folder: Path, limit: float) -> Measured:
    """Runs a probe on a new location below `folder`; it is ended after `limit` seconds."""
    with tempfile.TemporaryDirectory(prefix="scale-", dir=folder) as scratch:
        project = Path(scratch) / "project"
        # A location of no table is not allowed: what needs none gets one, and leaves it alone.
        tenants = TENANTS if case.probe == "queue" else 0
        write_location(project, max(case.tables, 1), DUE, tenants)
        answer = Path(scratch) / "answer.json"
        module = f"benchmarks.scale.probes.{case.probe}"
        arguments = ["-m", module, str(project), case.variant, str(answer)]
        if case.probe == "validate":
            arguments = ["-m", "dagster", "definitions", "validate", "-m", _MODULE]
        environment = _environment(project, folder)
        return _watched([sys.executable, *arguments], project, environment, answer, limit)


def _environment(project: Path, folder: Path) -> dict[str, str]:
    unwanted = {"PYTHONDONTWRITEBYTECODE", "DAGSTER_HOME"}
    present = {name: value for name, value in os.environ.items() if name not in unwanted}
    home = project / "home"
    # An instance that the command `dagster` may use; probes make their own.
    (home / "dagster").mkdir(parents=True)
    return {
        **present,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        # Compiled modules are kept, as they are on any machine where the platform is installed.
        "PYTHONPYCACHEPREFIX": str(folder.absolute() / "pycache"),
        "QUALITY_PLATFORM_RUNNER": str(project / "runner.yaml"),
        "QUALITY_PLATFORM_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "TZ": "UTC",
    }


def _watched(
    command: Sequence[str],
    project: Path,
    environment: Mapping[str, str],
    answer: Path,
    limit: float,
) -> Measured:
    log, begin = project / "log", time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=project, env=dict(environment), stdout=output, stderr=output
        )
    # Asked, and not killed: it ends the servers that it has started.
    clock = threading.Timer(limit, process.terminate)
    clock.start()
    _, status, usage = os.wait4(process.pid, 0)
    is_late = not clock.is_alive()
    clock.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return Measured(
        wall=time.perf_counter() - begin,
        cpu=usage.ru_utime + usage.ru_stime,
        rss=usage.ru_maxrss * 1024,
        figures=json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else {},
        failure=_failure(process.returncode, log, limit, is_late=is_late),
    )


def _failure(code: int, log: Path, limit: float, *, is_late: bool) -> str:
    if is_late:
        return f"did not end within {limit:g} s"
    if not code:
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"exit code {code}: {' '.join(lines[-3:])[-300:]}"
