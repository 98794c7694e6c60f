"""Runs one probe once, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.environments import python_of
from benchmarks.features.plan import Case
from benchmarks.measure import ROOT


@dataclass(frozen=True)
class Measured:
    """One run: seconds of the probe's own work, its peak of memory in bytes, and its figures.

    `failure` says why there are none.
    """

    wall: float = 0
    cpu: float = 0
    rss: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""


def run_probe(case: Case, rows: int, folder: Path, limit: float) -> Measured:
    """Runs a case; it is ended after `limit` seconds."""
    data = folder / "data" / "features"
    data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="features-", dir=folder) as scratch:
        job, answer = Path(scratch) / "job.json", Path(scratch) / "answer.json"
        work = Path(scratch) / "work"
        work.mkdir()
        written = {"variant": case.variant, "rows": rows, "data": str(data), "scratch": str(work)}
        job.write_text(json.dumps(written), encoding="utf-8")
        module = f"benchmarks.features.probes.{case.probe}"
        python = python_of(case.environment, folder / "venvs")
        command = [str(python), "-m", module, str(job), str(answer)]
        try:
            done = subprocess.run(
                command,
                check=False,
                cwd=work,
                env=_environment(folder),
                timeout=limit,
                capture_output=True,
            )
        except subprocess.TimeoutExpired:
            return Measured(failure=f"did not end within {limit:g} s")
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            text = " ".join(lines[-3:])[-300:]
            return Measured(failure=f"exit code {done.returncode}: {text}")
        return Measured(**json.loads(answer.read_text(encoding="utf-8")))


def _environment(folder: Path) -> dict[str, str]:
    unwanted = {"PYTHONDONTWRITEBYTECODE", "DAGSTER_HOME", "QUALITY_PLATFORM_HOME"}
    present = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {
        **present,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        # Compiled modules are kept, as they are on any machine where the platform is installed.
        "PYTHONPYCACHEPREFIX": str(folder.absolute() / "pycache"),
        "FEAST_USAGE": "False",
        "TZ": "UTC",
    }
