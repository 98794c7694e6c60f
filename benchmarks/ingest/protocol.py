"""How the benchmark talks to a loader: one process for one run, a job in, an answer out.

A loader's module has `load()`, which imports its libraries, `prepare(job)`, which is not measured,
and `run(job)`, which is; it ends with `serve(...)`. Nothing but the standard library is imported
here: peers have environments of their own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.engines.protocol import cpu_seconds


@dataclass(frozen=True)
class Job:
    """What to load.

    Attributes:
        source: `csv`, `postgres`, `mysql` or `merge`.
        location: The file (CSV, or Parquet for a merge), or the database's URL; the table there is
            `orders`.
        scratch: A folder for what the loader writes.
        changes: For a merge, the Parquet file of new and changed rows.
        rows: How many rows the source has.
    """

    source: str
    location: str
    scratch: str
    rows: int
    changes: str = ""


@dataclass(frozen=True)
class Answer:
    """The rows that are in the table after the load, and those held back; None where not told."""

    rows: int | None = None
    held: int | None = None


def nothing(_: Job) -> None:
    """No preparation."""


def serve(
    load: Callable[[], Mapping[str, str]],
    run: Callable[[Job], Answer],
    prepare: Callable[[Job], None] = nothing,
) -> None:
    """Runs the job in the file argv[1] and writes the answer, with what it cost, to argv[2].

    `load` imports the libraries and gives their versions. The peak of memory begins anew behind
    `prepare`, where the kernel lets it.
    """
    job_file, answer_file = (Path(argument) for argument in sys.argv[1:3])
    job = Job(**json.loads(job_file.read_text(encoding="utf-8")))
    versions = load()
    prepare(job)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    cpu, wall = cpu_seconds(), time.perf_counter()
    answer = run(job)
    cost = {"cpu": cpu_seconds() - cpu, "wall": time.perf_counter() - wall}
    answer_file.write_text(
        json.dumps({**asdict(answer), **cost, "versions": dict(versions)}), encoding="utf-8"
    )
