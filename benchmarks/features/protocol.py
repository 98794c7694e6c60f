"""How the benchmark talks to a probe: one process for one run, a job in, an answer out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.engines.protocol import cpu_seconds, peak_bytes

Prepared = TypeVar("Prepared")


@dataclass(frozen=True)
class Job:
    """What to measure.

    Attributes:
        variant: Which of the probe's ways.
        rows: How many rows.
        data: A folder in which what takes long to make may stay for the next run.
        scratch: A folder that is gone afterwards.
    """

    variant: str
    rows: int
    data: Path
    scratch: Path


def serve(
    prepare: Callable[[Job], Prepared], run: Callable[[Job, Prepared], Mapping[str, float]]
) -> None:
    """Runs the job in the file argv[1]; writes the figures, and what they cost, to argv[2].

    What `prepare` does is not measured; the peak of memory begins anew behind it.
    """
    job_file, answer_file = (Path(argument) for argument in sys.argv[1:3])
    written: dict[str, Any] = json.loads(job_file.read_text(encoding="utf-8"))
    folders = {name: Path(written.pop(name)) for name in ("data", "scratch")}
    job = Job(**written, **folders)
    prepared = prepare(job)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    cpu, wall = cpu_seconds(), time.perf_counter()
    figures = run(job, prepared)
    cost = {
        "cpu": cpu_seconds() - cpu,
        "wall": time.perf_counter() - wall,
        "rss": peak_bytes(),
    }
    answer_file.write_text(json.dumps({**cost, "figures": dict(figures)}), encoding="utf-8")
