"""Stages one load: good rows and held rows into data files that nobody can read yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quality_platform.checks.derive import CONFORMS
from quality_platform.checks.specs import CheckSpec, Severity
from quality_platform.checks.wording import reason_text
from quality_platform.flows.delete_marks import DeleteMarks
from quality_platform.flows.late_rows import LateRows
from quality_platform.flows.merge_rules import MergeRules
from quality_platform.flows.quotas import NO_QUOTA, Quota
from quality_platform.flows.samples import Samples
from quality_platform.flows.version_dates import VersionDates
from quality_platform.ingest.conform import BadCell, conform, positions
from quality_platform.ingest.source_lines import SourceLines
from quality_platform.ingest.typed_columns import fit
from quality_platform.lake.catalog import Table
from quality_platform.lake.data_files import RollingWriter, StagedFile, delete_file, read_batches
from quality_platform.lake.layout import arrange
from quality_platform.lake.query import EngineSettings
from quality_platform.lake.reading import local_path
from quality_platform.lake.scratch import scratch_folder
from quality_platform.quarantine.records import (
    HeldRows,
    Provenance,
    Reasons,
    quarantine_batch,
    with_more_reasons,
)
from quality_platform.sources.protocol import SourceBatch
from quality_platform.validation.row_rules import RowRules


@dataclass(frozen=True)
class Origin:
    """Where the rows of one batch came from; `lines` are null where the source has none."""

    file: str
    lines: pa.Array[Any]
    raw: Callable[[Sequence[int]], list[str]] = lambda _: []

    def place(self, row: int) -> str:
        """File and line of a row, for people."""
        line = self.lines[row].as_py()
        return self.file if line is None else f"{self.file}:{line}"

    def of(self, kept: NDArray[np.int64]) -> Origin:
        """The origin of some of the rows."""
        lines = self.lines.take(kept)
        return Origin(self.file, lines, lambda rows: self.raw([int(kept[n]) for n in rows]))


@dataclass(frozen=True)
class Staged:
    """A staged file, the rows staged before it, and its rows that are dropped, ascending."""

    file: StagedFile
    start: int
    dropped: NDArray[np.int64]


NO_ROWS = np.empty(0, np.int64)
NOTHING_LATE = LateRows(NO_ROWS, np.empty(0, np.int32), ())


@dataclass
class Staging:
    """The files of one load while it is being read; used as a context, whose end drops scratch.

    `counts` has the number of rows that break each row rule, by the rule's name; `judged` those
    that a rule with a condition judges. `rows_carried` are held rows that were held before, and are
    none of those read. `quota` says how much may be read.
    """

    table: Table
    quarantine: Table
    schema: pa.Schema
    rules: RowRules
    conforms: CheckSpec
    provenance: Provenance
    samples: Samples
    target_bytes: int
    versions: VersionDates | None = None
    merge: MergeRules | None = None
    rows_read: int = 0
    batches: int = 0
    bytes_read: int = 0
    rows_carried: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)
    good_files: tuple[StagedFile, ...] = ()
    held_files: tuple[StagedFile, ...] = ()
    quota: Quota = NO_QUOTA

    def __enter__(self) -> Staging:
        self._scratch = ExitStack()
        folder = self._scratch.enter_context(scratch_folder())
        self._lines = SourceLines(folder / "lines.arrow")
        self._writers: list[RollingWriter] = []
        self._good = self.writer(self.table)
        self._held = self.writer(self.quarantine)
        self._rows_good = 0
        self.marks: DeleteMarks | None = None
        if self.merge is not None and self.merge.flag is not None:
            path = folder / "marks.parquet"
            self.marks = DeleteMarks(self.merge, self.schema, path)
        return self

    def __exit__(self, *_: object) -> None:
        if self.marks is not None:
            self.marks.close()
        self._lines.close()
        self._scratch.close()

    def writer(self, table: Table, part: str = "") -> RollingWriter:
        """A writer of files of this attempt, whose names begin with its id and `part`."""
        prefix = f"{self.provenance.load_id}-{self.provenance.attempt}{part}"
        writer = RollingWriter(table, prefix, self.target_bytes)
        self._writers.append(writer)
        return writer

    def arranged(
        self, files: Sequence[StagedFile], engine: EngineSettings, part: str
    ) -> tuple[StagedFile, ...]:
        """Files of the table as its partitions and sort order want them, named as by `writer`."""
        prefix = f"{self.provenance.load_id}-{self.provenance.attempt}{part}"
        return arrange(self.table, files, engine, prefix, self.target_bytes)

    def add_records(self, batch: SourceBatch, file: str) -> None:
        """Conforms, checks and splits the records of one batch of a source."""
        self.rows_read += len(batch.rejects)
        self._hold_rejects(batch, file)
        convert = conform if batch.text else fit
        rows, bad_cells = convert(batch.columns, self.schema)
        self._add(rows, bad_cells, Origin(file, batch.lines, batch.raw))

    def add_rows(self, rows: pa.RecordBatch, origin: str) -> None:
        """Checks and splits rows that already have the contract's types."""
        self._add(_plain(rows), (), Origin(origin, pa.nulls(rows.num_rows, pa.int64())))

    def _add(self, rows: pa.RecordBatch, bad_cells: Sequence[BadCell], origin: Origin) -> None:
        self.rows_read += rows.num_rows
        self.bytes_read += rows.nbytes
        self.quota.require(self.rows_read, self.bytes_read)
        self.batches += 1
        marked = self.marks.positions(rows, positions(bad_cells)) if self.marks else NO_ROWS
        if self.marks is None or not len(marked):
            self._judge(rows, bad_cells, origin)
            return
        rest = np.setdiff1d(np.arange(rows.num_rows), marked)
        places = {int(old): new for new, old in enumerate(rest)}
        left = [replace(cell, row=places[cell.row]) for cell in bad_cells]
        before = self._rows_good
        good = rest[self._judge(rows.take(rest), left, origin.of(rest))]
        self.marks.add(rows.take(marked), before + np.searchsorted(good, marked))

    def _judge(
        self, rows: pa.RecordBatch, bad_cells: Sequence[BadCell], origin: Origin
    ) -> NDArray[np.bool_]:
        """Checks and splits rows; whether each was good."""
        reasons = self._row_reasons(rows, bad_cells, origin)
        held = sorted(reasons)
        if held:
            self._hold(rows, held, [reasons[n] for n in held], origin)
        keep = np.ones(rows.num_rows, bool)
        keep[held] = False
        good, lines = rows, origin.lines
        if held:
            good, lines = rows.filter(pa.array(keep)), pc.filter(lines, pa.array(keep))
        self._good.write(good if self.versions is None else self.versions.begun(good))
        self._rows_good += good.num_rows
        self._lines.add(origin.file, lines)
        return keep

    def close(self) -> None:
        """Finishes the files."""
        self.good_files, self.held_files = self._good.close(), self._held.close()
        if self.marks is not None:
            self.marks.close()

    def _row_reasons(
        self, rows: pa.RecordBatch, bad_cells: Sequence[BadCell], origin: Origin
    ) -> dict[int, Reasons]:
        """Why rows of the batch must be held, by their position."""
        unconformed = positions(bad_cells)
        self._count(self.conforms, rows, unconformed, origin)
        reasons = _conform_reasons(bad_cells)
        masks = self.rules.masks(rows).without(unconformed)
        self.judged.update(self.rules.judged(rows, unconformed))
        for n, spec in enumerate(self.rules.specs):
            self._count(spec, rows, masks.breaking(n).tolist(), origin)
        for row, indexes in masks.rules_by_row():
            found = self._reasons([self.rules.specs[n] for n in indexes])
            if found.broken:
                reasons[row] = found
        return reasons

    def _count(
        self, spec: CheckSpec, rows: pa.RecordBatch, breaking: Sequence[int], origin: Origin
    ) -> None:
        self.counts[spec.name] += len(breaking)
        if self.samples.wants(spec):
            for row in breaking[: self.samples.limit]:
                self.samples.add(spec, rows.slice(row, 1).to_pylist()[0], origin.place(row))

    def _reasons(self, specs: Sequence[CheckSpec]) -> Reasons:
        broken = [spec for spec in specs if spec.severity is Severity.ERROR]
        warned = [spec for spec in specs if spec.severity is Severity.WARNING]
        return Reasons(
            tuple(spec.name for spec in broken),
            tuple(reason_text(spec) for spec in broken),
            tuple(spec.name for spec in warned),
        )

    def _hold(
        self, rows: pa.RecordBatch, held: Sequence[int], reasons: Sequence[Reasons], origin: Origin
    ) -> None:
        # A row whose cells all converted is held by value; only the others need their raw text.
        unreadable = [
            n for n, reason in zip(held, reasons, strict=True) if CONFORMS in reason.broken
        ]
        raw = dict(zip(unreadable, origin.raw(unreadable), strict=True))
        taken = HeldRows(
            rows=rows.take(pa.array(held)),
            reasons=reasons,
            files=[origin.file] * len(held),
            lines=origin.lines.take(pa.array(held)).to_pylist(),
            raw=[raw.get(n) for n in held],
        )
        self._held.write(self._records(taken))

    def _hold_rejects(self, batch: SourceBatch, file: str) -> None:
        rejects = batch.rejects
        if not rejects:
            return
        self.counts[CONFORMS] += len(rejects)
        nothing = [pa.nulls(len(rejects), f.type) for f in self.schema]
        nullable = pa.schema([f.with_nullable(True).remove_metadata() for f in self.schema])
        held = HeldRows(
            rows=pa.record_batch(nothing, schema=nullable),
            reasons=[Reasons((CONFORMS,), (reject.reason,)) for reject in rejects],
            files=[file] * len(rejects),
            lines=[reject.line for reject in rejects],
            raw=[reject.raw for reject in rejects],
        )
        self._held.write(self._records(held))

    def _records(self, held: HeldRows) -> pa.RecordBatch:
        """Rows as records of the quarantine."""
        return quarantine_batch(held, self.provenance)

    def hold_back(
        self, late: Mapping[str, LateRows], dropped: Mapping[str, NDArray[np.int64]] | None = None
    ) -> None:
        """Moves rows that broke a check on the whole batch; only the files that have any change.

        `dropped` has, by file, the positions of good rows that are neither published nor held.
        """
        dropped = dropped or {}
        if not late and not dropped:
            return
        good, held = self.writer(self.table, "-split"), self.writer(self.quarantine, "-split")
        self.good_files = self._split_good(late, dropped, good, held)
        self.held_files = self._amend_held(late, held)

    def _split_good(
        self,
        late: Mapping[str, LateRows],
        dropped: Mapping[str, NDArray[np.int64]],
        good: RollingWriter,
        held: RollingWriter,
    ) -> tuple[StagedFile, ...]:
        kept, start = [], 0
        for file in self.good_files:
            path = local_path(file.uri)
            if path not in late and path not in dropped:
                kept.append(file)
            else:
                out = dropped.get(path, NO_ROWS)
                self._split(Staged(file, start, out), late.get(path, NOTHING_LATE), good, held)
                delete_file(self.table, file)
            start += file.rows
        return (*kept, *good.close())

    def _split(
        self, staged: Staged, late: LateRows, good: RollingWriter, held: RollingWriter
    ) -> None:
        places, offset = late.positions, 0
        for rows, first, last, here in _with_places(read_batches(self.table, staged.file), places):
            keep = np.ones(rows.num_rows, bool)
            keep[here] = False
            keep[_within(staged.dropped, offset, rows.num_rows)] = False
            offset += rows.num_rows
            good.write(rows.filter(pa.array(keep)))
            if first == last:
                continue
            taken = _plain(rows.take(here).select(self.schema.names))
            files, lines = self._lines.at((places[first:last] + staged.start).tolist())
            found = HeldRows(
                rows=taken,
                reasons=self._late_reasons(taken, late.checks(first, last)),
                files=files,
                lines=lines,
                raw=[None] * (last - first),
            )
            held.write(self._records(found))

    def _late_reasons(
        self, rows: pa.RecordBatch, broken: Sequence[Sequence[CheckSpec]]
    ) -> list[Reasons]:
        """The reasons of rows that are held only now, with the warnings that they break."""
        warned = dict(self.rules.masks(rows).rules_by_row())
        return [
            self._reasons([*checks, *(self.rules.specs[n] for n in warned.get(row, ()))])
            for row, checks in enumerate(broken)
        ]

    def _amend_held(
        self, late: Mapping[str, LateRows], held: RollingWriter
    ) -> tuple[StagedFile, ...]:
        kept = []
        for file in self.held_files:
            more = late.get(local_path(file.uri))
            if more is None:
                kept.append(file)
                continue
            batches = _with_places(read_batches(self.quarantine, file), more.positions)
            for rows, first, last, here in batches:
                added = [
                    [(check.name, reason_text(check)) for check in broken]
                    for broken in more.checks(first, last)
                ]
                held.write(with_more_reasons(rows, dict(zip(here.tolist(), added, strict=True))))
            delete_file(self.quarantine, file)
        return (*kept, *held.close())

    def discard(self) -> None:
        """Deletes all files: the load came to nothing."""
        for writer in self._writers:
            writer.discard()


def _within(places: NDArray[np.int64], offset: int, rows: int) -> NDArray[np.int64]:
    """Those of the ascending places of a file that are in a batch of it, from the batch's start."""
    first, last = np.searchsorted(places, [offset, offset + rows]).tolist()
    return places[first:last] - offset


def _with_places(
    batches: Iterable[pa.RecordBatch], places: NDArray[np.int64]
) -> Iterator[tuple[pa.RecordBatch, int, int, NDArray[np.int64]]]:
    """Each batch with the range of `places` (rows of the file, ascending) in it, and its rows."""
    offset = 0
    for rows in batches:
        first, last = np.searchsorted(places, [offset, offset + rows.num_rows]).tolist()
        yield rows, first, last, places[first:last] - offset
        offset += rows.num_rows


def _conform_reasons(bad_cells: Sequence[BadCell]) -> dict[int, Reasons]:
    texts: dict[int, list[str]] = {}
    for cell in bad_cells:
        texts.setdefault(cell.row, []).append(f"{cell.column}: {cell.reason}")
    return {row: Reasons((CONFORMS,), ("; ".join(found),)) for row, found in texts.items()}


def _plain(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows without what the file format adds to the schema."""
    schema = pa.schema([f.with_nullable(True).remove_metadata() for f in rows.schema])
    return pa.record_batch(rows.columns, schema=schema)
