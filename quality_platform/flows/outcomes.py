"""What the flows give back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from quality_platform.checks.results import CheckResult, Verdict, worst
from quality_platform.errors import QualityPlatformError

Progress = Callable[[str, str], None]
"""Called with a step's name and a text for people whenever a flow comes to a new step."""

State = Literal["published", "partly_published", "nothing_new", "blocked"]
"""`partly_published`: files were passed over; whatever else was new is published."""


MERGED = ("updated", "unchanged", "superseded", "deleted")
"""What becomes of rows in the modes that compare them with the table's."""


@dataclass(frozen=True)
class FailedFile:
    """A file that was passed over, with the code and the message of its error."""

    name: str
    code: str
    message: str

    @classmethod
    def of(cls, name: str, error: QualityPlatformError) -> FailedFile:
        """The file of this name, which ended in the error."""
        found = "; ".join(
            f"{problem.message} (line {problem.location.line})"
            if problem.location and problem.location.line
            else problem.message
            for problem in error.problems
        )
        return cls(name, error.code, found)

    @property
    def told(self) -> str:
        """A sentence for people."""
        return f"{self.name} was passed over: {self.code} {self.message}."


def silent(step: str, detail: str) -> None:
    """A progress listener that does nothing."""


@dataclass(frozen=True)
class PartitionCounts:
    """What a load did with the rows of one partition, by its key."""

    key: str
    rows_read: int
    rows_published: int
    rows_quarantined: int


@dataclass(frozen=True)
class LoadOutcome:
    """One load: one unit of ingest, committed as a whole or not at all.

    Attributes:
        load_id: The load.
        attempt: The attempt of it.
        files: The sources that it read.
        rows_read: All records read: published, unchanged, superseded, deleting or quarantined.
        rows_published: Rows that are new in the table or took the place of another.
        rows_quarantined: Rows held back.
        results: Of every check.
        snapshot_id: What was committed; None where nothing was.
        quarantine_snapshot_id: The same of the quarantine.
        branch: Where a blocked load can be looked at.
        rows_updated: Those of the published rows that took the place of another.
        rows_unchanged: Rows read that the table had already.
        rows_superseded: Rows read in whose place a newer one stays; deletes of what was not there.
        rows_deleted: Rows of the table that were removed, or ended, with no other in their place.
        rows_deleting: Rows read that say that another is deleted, where it was there.
        notes: What people must know of the load, in sentences.
        partitions: What became of each partition that was loaded, in order; () where the table has
            none.
        batches: The batches in which its rows came.
        bytes_read: The bytes of the rows read, in memory.
        bytes_written: The bytes of the data files that were committed, the quarantine's too.
    """

    load_id: str
    attempt: str
    files: tuple[str, ...]
    rows_read: int
    rows_published: int
    rows_quarantined: int
    results: tuple[CheckResult, ...]
    snapshot_id: int | None = None
    quarantine_snapshot_id: int | None = None
    branch: str | None = None
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_superseded: int = 0
    rows_deleted: int = 0
    rows_deleting: int = 0
    notes: tuple[str, ...] = ()
    partitions: tuple[PartitionCounts, ...] = ()
    batches: int = 0
    bytes_read: int = 0
    bytes_written: int = 0

    @property
    def rows_not_published(self) -> int:
        """Rows read that are neither published nor quarantined, and need not be."""
        return self.rows_unchanged + self.rows_superseded + self.rows_deleting

    @property
    def row_counts(self) -> dict[str, int]:
        """What became of rows beside those published and quarantined, by a word for each."""
        return {word: getattr(self, f"rows_{word}") for word in MERGED}

    @property
    def partition(self) -> str:
        """The partition, or the first and the last; "" where the table has none."""
        keys = [counts.key for counts in self.partitions]
        return "...".join(dict.fromkeys([*keys[:1], *keys[-1:]]))

    @property
    def blocked(self) -> bool:
        """Whether a check on the batch stopped the publish."""
        return any(result.blocks for result in self.results)


@dataclass(frozen=True)
class TableOutcome:
    """One run of one table.

    Attributes:
        table: Its name in runner.yaml.
        identifier: Its name in the lake.
        run_id: The run.
        state: How it ended.
        loads: Those that were published, and the one that was blocked.
        results: Of every check, over all loads.
        snapshot_id: What is published now; None for nothing.
        total_rows: The rows of it.
        pins: The snapshots that were read beside the source, by table.
        failed: Files that were passed over.
        drift: How the source's columns differ from the contract's, in sentences.
    """

    table: str
    identifier: str
    run_id: str
    state: State
    loads: tuple[LoadOutcome, ...]
    results: tuple[CheckResult, ...]
    snapshot_id: int | None
    total_rows: int
    pins: dict[str, int] = field(default_factory=dict, hash=False)
    failed: tuple[FailedFile, ...] = ()
    drift: tuple[str, ...] = ()

    @property
    def partition(self) -> str:
        """The partition that was loaded, or the first and the last; "" where there is none."""
        keys = [counts.key for load in self.loads for counts in load.partitions]
        return "...".join(dict.fromkeys([*keys[:1], *keys[-1:]]))

    @property
    def rows_read(self) -> int:
        """Rows read by the loads of this run."""
        return sum(load.rows_read for load in self.loads)

    @property
    def rows_published(self) -> int:
        """Rows that this run published."""
        return sum(load.rows_published for load in self.loads)

    @property
    def rows_quarantined(self) -> int:
        """Rows that this run quarantined."""
        return sum(load.rows_quarantined for load in self.loads)

    @property
    def bytes_read(self) -> int:
        """Bytes of the rows that the loads of this run read, in memory."""
        return sum(load.bytes_read for load in self.loads)

    @property
    def bytes_written(self) -> int:
        """Bytes of the data files that this run committed."""
        return sum(load.bytes_written for load in self.loads)

    @property
    def row_counts(self) -> dict[str, int]:
        """What became of rows beside those published and quarantined, by a word for each."""
        return {word: sum(load.row_counts[word] for load in self.loads) for word in MERGED}

    @property
    def notes(self) -> tuple[str, ...]:
        """What people must know of this run, in sentences."""
        return tuple(dict.fromkeys(note for load in self.loads for note in load.notes))

    @property
    def told(self) -> tuple[str, ...]:
        """All that there is to tell: the notes, files that were passed over, and drift."""
        return (*self.notes, *(file.told for file in self.failed), *self.drift)

    def count(self, verdict: Verdict) -> int:
        """The number of checks that ended in this verdict."""
        return sum(result.verdict is verdict for result in self.results)


@dataclass(frozen=True)
class MaterializationOutcome:
    """One materialization of a feature view into the online store; `rows` are entity rows.

    `extent` is `changes` where only data files were read that the last materialization had not
    seen, and `rebuilt` where the store was built anew. `taken_back` counts entities whose newest
    row had left the table. `notes` say why something was written the slow way. `results` are those
    of the check that the online store gives what is published, where it has run.
    """

    view: str
    run_id: str
    state: Literal["materialized", "nothing_new"]
    rows: int
    snapshot_id: int
    extent: str = "whole"
    notes: tuple[str, ...] = ()
    results: tuple[CheckResult, ...] = ()
    taken_back: int = 0

    @property
    def blocked(self) -> bool:
        """Whether a check says that what is online cannot be used as it is."""
        return any(result.blocks for result in self.results)


def merged(per_load: Sequence[Sequence[CheckResult]]) -> tuple[CheckResult, ...]:
    """One result for each check over several batches: counts added up, the gravest verdict.

    Value and message are those of the gravest batch.
    """
    by_name: dict[str, list[CheckResult]] = {}
    for results in per_load:
        for result in results:
            by_name.setdefault(result.spec.name, []).append(result)
    return tuple(_merged(results) for results in by_name.values())


def _merged(results: list[CheckResult]) -> CheckResult:
    verdict = worst([result.verdict for result in results])
    gravest = next(result for result in results if result.verdict is verdict)
    counts = [result.count for result in results if result.count is not None]
    samples = [row for result in results for row in result.sample]
    limit = max(len(result.sample) for result in results)
    return replace(
        gravest,
        rows=sum(result.rows for result in results),
        count=sum(counts) if counts else None,
        sample=tuple(samples[:limit]),
    )
