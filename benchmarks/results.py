"""The results of one run of the benchmark as a JSON document."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.documents import RunDocument
from benchmarks.expected import Expected, holds
from benchmarks.measure import Engine, Measured
from benchmarks.plan import Case
from benchmarks.rules import rules_of

COMMITTED = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True)
class Result:
    """One engine on one case. Seconds and bytes are medians of `repeats` runs.

    `agrees` counts the rules whose answer is the right one; `differs` says, by rule, what else the
    engine answered; `not_run` why a rule did not run; `failure` why there is no answer at all.
    """

    engine: str
    name: str
    gives: str
    rows: int
    kind: str
    rules: int
    repeats: int
    cpu: float = 0
    wall: float = 0
    cpu_process: float = 0
    rss: int = 0
    labelled: int | None = None
    agrees: int = 0
    differs: Mapping[str, str] = field(default_factory=dict)
    not_run: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""

    @property
    def ran(self) -> int:
        """The number of rules that the engine ran."""
        return 0 if self.failure else self.agrees + len(self.differs)


@dataclass(frozen=True)
class Run(RunDocument):
    """All results of one run, and the machine that they come from."""

    RESULT = Result

    machine: Mapping[str, str]
    results: tuple[Result, ...]

    def find(self, engine: str, rows: int, kind: str, rules: int) -> Result | None:
        """The result of an engine (by key) for a case, if it was measured and gave an answer."""
        wanted = (engine, rows, kind, rules)
        for result in self.results:
            if (result.engine, result.rows, result.kind, result.rules) == wanted:
                return None if result.failure else result
        return None


def result_of(
    engine: Engine, case: Case, runs: Iterable[Measured], answers: Mapping[str, Expected]
) -> Result:
    """What the runs of an engine on a case come to; the first that failed decides."""
    measured = list(runs)
    last = next((run for run in measured if run.failure), measured[-1])
    differs = {} if last.failure or engine.module == "floor" else _differs(last, case, answers)
    ran = len(last.answer.counts) + len(last.answer.verdicts)
    return Result(
        engine=engine.key,
        name=engine.name,
        gives=engine.gives,
        rows=case.rows,
        kind=case.kind,
        rules=case.rules,
        repeats=len(measured),
        cpu=round(median(run.cpu for run in measured), 3),
        wall=round(median(run.wall for run in measured), 3),
        cpu_process=round(median(run.cpu_process for run in measured), 3),
        rss=int(median(run.rss for run in measured)),
        labelled=last.answer.labelled,
        agrees=ran - len(differs),
        differs=differs,
        not_run=last.answer.not_run,
        versions=last.versions,
        failure=last.failure,
    )


def _differs(run: Measured, case: Case, answers: Mapping[str, Expected]) -> dict[str, str]:
    """The answers that are not "the rows that break the rule", and what they are instead."""
    rules = {rule.name: rule for rule in rules_of(case.rules)}
    differs = {}
    for name, count in run.answer.counts.items():
        answer = answers[name]
        right = answer.rows if answer.extra is None or not rules[name].is_gate else answer.extra
        if count != right:
            differs[name] = f"{count} ({_MEANINGS[answer.agreement(count)]}), not {right}"
    for name, verdict in run.answer.verdicts.items():
        # A rule on rows holds when no row breaks it.
        rule, answer = rules[name], answers[name]
        right_verdict = holds(rule, answer, case.rows) if rule.is_gate else not answer.rows
        if verdict is not right_verdict:
            differs[name] = f"holds: {verdict}, not {right_verdict}"
    return differs


_MEANINGS = {
    "rows": "all rows of repeated keys",
    "extra": "repeated keys without the first of each",
    "nulls": "with NULL taken for a repeated key",
    None: "of another meaning",
}


def machine() -> dict[str, str]:
    """Processor, memory, system, load and time of this run."""
    cores = os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": str(cores),
        "memory": f"{memory / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load at the start": f"{os.getloadavg()[0]:.1f}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
