"""The results of one run of the benchmark of the feature store as a JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.documents import RunDocument
from benchmarks.features.measure import Measured
from benchmarks.features.plan import Case

COMMITTED = Path(__file__).parent.parent / "results" / "features.json"


@dataclass(frozen=True)
class Result:
    """One case: seconds, bytes and figures are medians of `repeats` runs."""

    probe: str
    variant: str
    rows: int
    times: float = 1
    repeats: int = 1
    wall: float = 0
    cpu: float = 0
    rss: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""

    @property
    def rows_per_second(self) -> float:
        """Rows in one second by the clock."""
        return self.rows / self.wall


@dataclass(frozen=True)
class Run(RunDocument):
    """All results of one run, the machine and the versions that they come from."""

    RESULT = Result

    machine: Mapping[str, str]
    versions: Mapping[str, str]
    rows: int
    results: tuple[Result, ...]

    def find(self, probe: str, variant: str, times: float = 1) -> Result | None:
        """The result of a case, if it was measured and did not fail."""
        for result in self.results:
            if (result.probe, result.variant, result.times) == (probe, variant, times):
                return None if result.failure else result
        return None

    def of(self, probe: str) -> list[Result]:
        """All results of a probe."""
        return [result for result in self.results if result.probe == probe]


def result_of(case: Case, rows: int, runs: Sequence[Measured]) -> Result:
    """What the runs of a case come to; the first that failed decides."""
    failure = next((run.failure for run in runs if run.failure), "")
    names = {} if failure else runs[0].figures
    return Result(
        probe=case.probe,
        variant=case.variant,
        rows=rows,
        times=case.times,
        repeats=len(runs),
        wall=round(median(run.wall for run in runs), 3),
        cpu=round(median(run.cpu for run in runs), 3),
        rss=int(median(run.rss for run in runs)),
        figures={name: round(median(run.figures[name] for run in runs), 6) for name in names},
        failure=failure,
    )
