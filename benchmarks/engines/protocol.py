"""How the benchmark talks to an engine: one process for one run, a job in, an answer out.

An engine's module has `load()`, which imports its libraries, and `run(job)`, which is measured; it
ends with `serve(load, run)`. Nothing but the standard library is imported here: peers have
environments of their own.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rules import Kind, Rule, rules_of

MEMORY_LIMIT_MB = 512
THREADS = 2


@dataclass(frozen=True)
class Job:
    """What to run: the number of rules, the files, and a folder for what the engine writes."""

    rules_number: int
    orders: tuple[str, ...]
    customers: str
    scratch: str
    options: tuple[str, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules to run."""
        return rules_of(self.rules_number)


@dataclass
class Answer:
    """What an engine found.

    `counts` has a number for every rule that it ran: the rows that break it, or of a repeated key
    what the engine counts. `verdicts` has the rules of which it tells only whether they hold.
    `not_run` says why others did not run. `labelled` is the number of bad rows that it named, None
    where it gives counts alone.
    """

    counts: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, bool] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    labelled: int | None = None


def serve(load: Callable[[], Mapping[str, str]], run: Callable[[Job], Answer]) -> None:
    """Runs the job in the file argv[1] and writes the answer, with what it cost, to argv[2].

    `load` imports the engine and gives the versions of what it is made of.
    """
    job_file, answer_file = (Path(argument) for argument in sys.argv[1:3])
    written = json.loads(job_file.read_text(encoding="utf-8"))
    job = Job(**{key: _frozen(value) for key, value in written.items()})
    versions = load()
    cpu, wall = cpu_seconds(), time.perf_counter()
    answer = run(job)
    cost = {
        "cpu": cpu_seconds() - cpu,
        "wall": time.perf_counter() - wall,
        "rss": peak_bytes(),
    }
    answer_file.write_text(
        json.dumps({**asdict(answer), **cost, "versions": dict(versions)}), encoding="utf-8"
    )


def only(rules: Sequence[Rule], impossible: Mapping[Kind, str], answer: Answer) -> list[Rule]:
    """The rules that the engine can run; for the others the answer gets the reason.

    `impossible` has the reason for each kind of rule that the engine cannot run.
    """
    answer.not_run |= {
        rule.name: impossible[rule.kind] for rule in rules if rule.kind in impossible
    }
    return [rule for rule in rules if rule.name not in answer.not_run]


def cpu_seconds() -> float:
    """User and system time of this process and of the ended processes that it started."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def peak_bytes() -> int:
    """The greatest resident memory of this process."""
    status = Path("/proc/self/status")
    if status.exists():
        # The usage below begins with that of the process that started this one.
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))
        if found:
            return int(found[1]) * 1024
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else usage * 1024


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
