"""The results of one run of the drift benchmark as a JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.documents import RunDocument
from benchmarks.drift.measure import Measured
from benchmarks.drift.plan import Case, Method

COMMITTED = Path(__file__).parent.parent / "results" / "drift.json"

Distances = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Result:
    """One method on one case. Seconds and bytes are medians of `repeats` runs.

    `ks` and `wasserstein` are the least and greatest value by column.
    """

    method: str
    columns: str
    rows: int
    repeats: int
    cpu: float = 0
    wall: float = 0
    rss: int = 0
    ks: Distances = field(default_factory=dict)
    wasserstein: Distances = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True)
class Run(RunDocument):
    """All results of one run, and the machine that they come from; `size` is the plan's rows."""

    RESULT = Result

    machine: Mapping[str, str]
    size: int
    results: tuple[Result, ...]

    def find(self, method: Method, columns: str, rows: int | None = None) -> Result | None:
        """The result of a method, if it was measured and did not fail; on all rows by default."""
        wanted = (method.name, columns, self.size if rows is None else rows)
        for result in self.results:
            if (result.method, result.columns, result.rows) == wanted:
                return None if result.failure else result
        return None


def result_of(case: Case, size: int, measured: Sequence[Measured]) -> Result:
    """What the runs of a case come to; the first that failed decides."""
    last = next((run for run in measured if run.failure), measured[-1])
    return Result(
        method=case.method.name,
        columns=case.columns,
        rows=case.rows(size),
        repeats=len(measured),
        cpu=round(median(run.cpu for run in measured), 2),
        wall=round(median(run.wall for run in measured), 2),
        rss=int(median(run.rss for run in measured)),
        ks=last.answer.ks,
        wasserstein=last.answer.wasserstein,
        versions=last.versions,
        failure=last.failure,
    )


def furthest(one: Distances, other: Distances) -> float:
    """The greatest difference of two methods that are exact, over the columns of both."""
    return max(abs(one[column][0] - other[column][0]) for column in one.keys() & other.keys())
