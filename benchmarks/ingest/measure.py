"""Runs one loader once, in a process of its own, and says what that cost.

CPU seconds are user and system time of the process and of those that it started. `cpu` and `wall`
begin after imports and preparation; `cpu_process` is all of it. `rss` is the greatest resident
memory: of all processes together, each at its own peak. `cpu_server` is what the database's own
processes used meanwhile.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.ingest.protocol import Answer, Job
from benchmarks.measure import ROOT

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Loader:
    """One line of the tables.

    Attributes:
        name: as people write it.
        module: below `benchmarks.ingest.loaders`; "" for the plain command of the limit.
        environment: name of a list of packages in benchmarks/peers; empty for this project's own.
    """

    name: str
    module: str = ""
    environment: str = ""


@dataclass
class Measured:
    """One run. `failure` says why there is no answer."""

    answer: Answer = field(default_factory=Answer)
    cpu: float = 0
    wall: float = 0
    cpu_process: float = 0
    cpu_server: float = 0
    rss: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True)
class Machinery:
    """What all runs share: where scratch folders are made, a run's limit in seconds, the server."""

    folder: Path
    limit: float
    server_cpu: Callable[[], float] = lambda: 0.0


def run_loader(loader: Loader, python: Path, job: Job, machinery: Machinery) -> Measured:
    """Runs the loader's module on the job; its scratch folder is made here, and gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ingest-", dir=machinery.folder) as scratch:
        folder = Path(scratch)
        written = {**asdict(job), "scratch": scratch}
        (folder / "job.json").write_text(json.dumps(written), encoding="utf-8")
        module = f"benchmarks.ingest.loaders.{loader.module}"
        command = [str(python), "-m", module, "job.json", "answer.json"]
        measured = _watched(command, folder, machinery)
        if not measured.failure:
            _add_answer(measured, folder / "answer.json")
    return measured


def run_command(command: Sequence[str], machinery: Machinery) -> Measured:
    """Runs a program whose output nobody wants: the limit of what a reader could reach."""
    with tempfile.TemporaryDirectory(prefix="ingest-", dir=machinery.folder) as scratch:
        measured = _watched(command, Path(scratch), machinery, discard=True)
    measured.cpu = measured.cpu_process
    return measured


def _watched(
    command: Sequence[str], folder: Path, machinery: Machinery, *, discard: bool = False
) -> Measured:
    # Compiled modules are kept, as they are on any machine where the platform is installed.
    cache = str(machinery.folder / "pycache")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    log, before = folder / "log", machinery.server_cpu()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": cache, "TZ": "UTC"},
            stdout=subprocess.DEVNULL if discard else output,
            stderr=output,
        )
    peaks: dict[int, list[int]] = {}
    ended = threading.Event()
    watcher = threading.Thread(target=_watch_memory, args=(process.pid, peaks, ended))
    watcher.start()
    clock = threading.Timer(machinery.limit, process.kill)
    clock.start()
    # Unlike `process.wait`, this tells what the process and its ended children used.
    _, status, usage = os.wait4(process.pid, 0)
    is_late = not clock.is_alive()
    clock.cancel()
    ended.set()
    watcher.join()
    code = process.returncode = os.waitstatus_to_exitcode(status)
    return Measured(
        cpu_process=usage.ru_utime + usage.ru_stime,
        cpu_server=machinery.server_cpu() - before,
        # One that was seen once may have been a copy of its parent, before it became a program.
        rss=sum(seen[-1] for seen in peaks.values() if len(seen) > 1),
        failure=_failure(code, log, machinery.limit, is_late=is_late),
    )


def _failure(code: int, log: Path, limit: float, *, is_late: bool) -> str:
    if is_late:
        return f"did not end within {limit:g} s"
    if not code:
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"exit code {code}: {' '.join(lines[-3:])[-300:]}"


def _watch_memory(root: int, peaks: dict[int, list[int]], ended: threading.Event) -> None:
    """Keeps the greatest resident memory so far, in bytes, of `root` and all that it started."""
    while not ended.wait(_POLL_SECONDS):
        for pid in tree(root):
            with suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                if found := re.search(r"VmHWM:\s+(\d+) kB", status):
                    # The peak may begin anew: see `protocol.serve`.
                    peaks.setdefault(pid, []).append(int(found[1]) * 1024)


def tree(root: int) -> list[int]:
    """The process and all that it has started, as far as they run."""
    found = [root]
    with suppress(OSError):
        for task in Path(f"/proc/{root}/task").iterdir():
            children = (task / "children").read_text(encoding="ascii").split()
            for child in children:
                found += tree(int(child))
    return found


def _add_answer(measured: Measured, answer: Path) -> None:
    fields = json.loads(answer.read_text(encoding="utf-8"))
    measured.cpu, measured.wall = float(fields.pop("cpu")), float(fields.pop("wall"))
    measured.versions = fields.pop("versions")
    measured.answer = Answer(**fields)
