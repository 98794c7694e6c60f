"""The results of one run of the benchmark of scale as a JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.documents import RunDocument
from benchmarks.scale.measure import Measured
from benchmarks.scale.plan import BAR_TABLES, Case

COMMITTED = Path(__file__).parent.parent / "results" / "scale.json"


@dataclass(frozen=True)
class Result:
    """One case: seconds, bytes and figures are medians of `repeats` runs."""

    probe: str
    tables: int
    variant: str = ""
    repeats: int = 1
    wall: float = 0
    cpu: float = 0
    rss: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True)
class Run(RunDocument):
    """All results of one run, and the machine that they come from; `versions` of Dagster."""

    RESULT = Result

    machine: Mapping[str, str]
    versions: Mapping[str, str]
    results: tuple[Result, ...]

    def find(self, probe: str, tables: int = BAR_TABLES, variant: str = "") -> Result | None:
        """The result of a case, if it was measured and did not fail."""
        for result in self.results:
            if (result.probe, result.tables, result.variant) == (probe, tables, variant):
                return None if result.failure else result
        return None

    def of(self, probe: str) -> list[Result]:
        """All results of a probe."""
        return [result for result in self.results if result.probe == probe]


def result_of(case: Case, runs: Sequence[Measured]) -> Result:
    """What the runs of a case come to; the first that failed decides."""
    failure = next((run.failure for run in runs if run.failure), "")
    names = {} if failure else runs[0].figures
    return Result(
        probe=case.probe,
        tables=case.tables,
        variant=case.variant,
        repeats=len(runs),
        wall=round(median(run.wall for run in runs), 2),
        cpu=round(median(run.cpu for run in runs), 2),
        rss=int(median(run.rss for run in runs)),
        figures={name: round(median(run.figures[name] for run in runs), 3) for name in names},
        failure=failure,
    )
