"""How the benchmark talks to a method: one process for one run, a job in, an answer out.

A method's module has `load()`, which imports its libraries, and `run(job)`, which is measured; it
ends with `serve(load, run)`. Nothing but the standard library is imported here: peers have
environments of their own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from benchmarks.engines.protocol import cpu_seconds, peak_bytes


@dataclass(frozen=True)
class Job:
    """What to compare: two Parquet files, and the columns of each kind."""

    reference: str
    current: str
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]


@dataclass
class Answer:
    """The distances by column: least and greatest, which are equal where they are exact."""

    ks: dict[str, tuple[float, float]] = field(default_factory=dict)
    wasserstein: dict[str, tuple[float, float]] = field(default_factory=dict)
    psi: dict[str, float] = field(default_factory=dict)
    drifted: tuple[str, ...] = ()


def imported(modules: Iterable[str], packages: Iterable[str]) -> Mapping[str, str]:
    """Imports the modules, and gives the versions of the packages."""
    for module in modules:
        import_module(module)
    return {package: version(package) for package in packages}


def serve(load: Callable[[], Mapping[str, str]], run: Callable[[Job], Answer]) -> None:
    """Runs the job in the file argv[1] and writes the answer, with what it cost, to argv[2].

    `load` imports the libraries and gives their versions.
    """
    job_file, answer_file = (Path(argument) for argument in sys.argv[1:3])
    written = json.loads(job_file.read_text(encoding="utf-8"))
    job = Job(**{key: tuple(v) if isinstance(v, list) else v for key, v in written.items()})
    versions = load()
    # The peak of memory begins anew here, where the kernel lets it.
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    cpu, wall = cpu_seconds(), time.perf_counter()
    answer = run(job)
    cost = {"cpu": cpu_seconds() - cpu, "wall": time.perf_counter() - wall, "rss": peak_bytes()}
    answer_file.write_text(
        json.dumps({**asdict(answer), **cost, "versions": dict(versions)}), encoding="utf-8"
    )
