"""Runs one engine once, in a process of its own, and says what that cost.

CPU seconds are user and system time. `cpu` and `wall` begin after the engine's libraries have been
imported, which is in the peers' favour; `cpu_process` is the whole process. `rss` is the greatest
resident memory of the process in bytes, as the kernel counted it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.data import Dataset
from benchmarks.engines.protocol import Answer, Job

ROOT = Path(__file__).parent.parent

One = TypeVar("One", bound=Any)


@dataclass(frozen=True)
class Engine:
    """One line of the tables: the module to run, with what, and how far it is taken.

    Attributes:
        name: as people write it.
        module: below `benchmarks.engines`.
        environment: name of a list of packages in benchmarks/peers; empty for this project's own.
        gives: what comes out.
        options: for the module.
    """

    name: str
    module: str
    environment: str = ""
    gives: str = "counts"
    options: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The engine's name on the command line."""
        return "-".join((self.module, *self.options))


@dataclass
class Measured:
    """One run. `failure` says why there is no answer; only `cpu_process` is known then."""

    answer: Answer = field(default_factory=Answer)
    cpu: float = 0
    wall: float = 0
    cpu_process: float = 0
    rss: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""


def run_once(
    engine: Engine, python: Path, data: Dataset, rules_number: int, limit: float
) -> Measured:
    """Runs the engine on the data; it is ended after `limit` seconds."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = Path(scratch)
        job = Job(
            rules_number=rules_number,
            orders=tuple(str(path.resolve()) for path in data.orders),
            customers=str(data.customers.resolve()),
            scratch=scratch,
            options=engine.options,
        )
        (folder / "job.json").write_text(json.dumps(asdict(job)), encoding="utf-8")
        measured = _watched(engine, python, folder, limit)
        answer = folder / "answer.json"
        if not measured.failure:
            _add_answer(measured, json.loads(answer.read_text(encoding="utf-8")))
    return measured


def _watched(engine: Engine, python: Path, folder: Path, limit: float) -> Measured:
    command = [str(python), "-m", f"benchmarks.engines.{engine.module}", "job.json", "answer.json"]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": "UTC"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        clock = threading.Timer(limit, process.kill)
        clock.start()
        # Unlike `process.wait`, this tells what the process and its ended children used.
        _, status, usage = os.wait4(process.pid, 0)
        is_late = not clock.is_alive()
        clock.cancel()
    code = process.returncode = os.waitstatus_to_exitcode(status)
    measured = Measured(cpu_process=usage.ru_utime + usage.ru_stime)
    if is_late:
        measured.failure = f"did not end within {limit:g} s"
    elif code:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        measured.failure = f"exit code {code}: {' '.join(lines[-3:])[-300:]}"
    return measured


def _add_answer(measured: Measured, written: Mapping[str, object]) -> None:
    fields = dict(written)
    measured.cpu = float(str(fields.pop("cpu")))
    measured.wall = float(str(fields.pop("wall")))
    measured.rss = int(str(fields.pop("rss")))
    measured.versions = fields.pop("versions")  # type: ignore[assignment]
    measured.answer = Answer(**fields)  # type: ignore[arg-type]


def repeated(times: int, run: Callable[[], One]) -> list[One]:
    """So many runs, each with a `failure`; the first that failed is the last."""
    runs: list[One] = []
    while len(runs) < times and not any(one.failure for one in runs):
        runs.append(run())
    return runs
