"""The results of one run of the ingestion benchmark as a JSON document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.documents import RunDocument
from benchmarks.ingest.measure import Loader, Measured
from benchmarks.ingest.plan import Case

COMMITTED = Path(__file__).parent.parent / "results" / "ingest.json"


@dataclass(frozen=True)
class Result:
    """One loader on one case. Seconds and bytes are medians of `repeats` runs.

    `source_bytes` is the size of a CSV file. `expected` is how many rows should be in the table.
    """

    loader: str
    source: str
    kind: str
    source_rows: int
    source_bytes: int
    expected: int
    repeats: int
    rows: int | None = None
    held: int | None = None
    cpu: float = 0
    wall: float = 0
    cpu_process: float = 0
    cpu_server: float = 0
    rss: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""

    @property
    def cpu_both(self) -> float:
        """CPU seconds of the reader and of the server that answers it."""
        return self.cpu + self.cpu_server


@dataclass(frozen=True)
class Run(RunDocument):
    """All results of one run, and the machine that they come from; `rows` is the plan's number."""

    RESULT = Result

    machine: Mapping[str, str]
    rows: int
    results: tuple[Result, ...]

    def find(
        self, loader: Loader, source: str, kind: str = "clean", times: int = 1
    ) -> Result | None:
        """The result of a loader, if it was measured and did not fail."""
        wanted = (loader.name, source, kind, self.rows * times)
        for result in self.results:
            if (result.loader, result.source, result.kind, result.source_rows) == wanted:
                return None if result.failure else result
        return None


@dataclass(frozen=True)
class Source:
    """What a case reads: rows, bytes of the file, and the rows that should be in the table."""

    rows: int
    expected: int
    size: int = 0


def result_of(loader: Loader, case: Case, source: Source, runs: Iterable[Measured]) -> Result:
    """What the runs of a loader come to; the first that failed decides."""
    measured = list(runs)
    last = next((run for run in measured if run.failure), measured[-1])
    return Result(
        loader=loader.name,
        source=case.source,
        kind=case.kind,
        source_rows=source.rows,
        source_bytes=source.size,
        expected=source.expected,
        repeats=len(measured),
        rows=last.answer.rows,
        held=last.answer.held,
        cpu=round(median(run.cpu for run in measured), 2),
        wall=round(median(run.wall for run in measured), 2),
        cpu_process=round(median(run.cpu_process for run in measured), 2),
        cpu_server=round(median(run.cpu_server for run in measured), 2),
        rss=int(median(run.rss for run in measured)),
        versions=last.versions,
        failure=last.failure,
    )
