"""Staging of rows that come from the quarantine: those that stay there keep what was known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quality_platform.checks.wording import reason_text
from quality_platform.flows.late_rows import LateRows
from quality_platform.flows.replay_late import UNDECIDED
from quality_platform.flows.replay_origins import META_SCHEMA, Origins
from quality_platform.flows.replay_raw import RawRecords
from quality_platform.flows.replay_rows import SELECTED
from quality_platform.flows.staging import Origin, Staging
from quality_platform.ingest.conform import BadCell, positions
from quality_platform.lake.data_files import RollingWriter, StagedFile
from quality_platform.lake.reading import local_path
from quality_platform.quarantine.records import HeldRows, Reasons, quarantine_batch
from quality_platform.sources.protocol import SourceBatch

_KEPT = ("_load_id", "_run_id", "_quarantined_at", "_source_file", "_source_line")
"""Columns of a held row that say whence it came: no replay changes them."""

_VERDICT = ("_broken_rules", "_reasons", "_warnings", "_contract_id", "_contract_version")
"""Columns of a held row that say how it was judged, and by which contract."""


@dataclass
class ReplayStaging(Staging):
    """The files of one replay. Rows that are not selected are carried over as they are.

    `raw` reads raw records again; None leaves rows that have no typed values as they are.
    `keeps_reasons` says that rows which stay keep the reasons that they had.
    """

    raw: RawRecords | None = None
    keeps_reasons: bool = False
    rows_unread: int = 0

    def __enter__(self) -> ReplayStaging:
        super().__enter__()
        self._origins = Origins(self._lines.path.with_name("origins.arrow"))
        self._carried = self.writer(self.quarantine, "-carried")
        self._carried_paths: frozenset[str] = frozenset()
        return self

    def __exit__(self, *error: object) -> None:
        self._origins.close()
        super().__exit__(*error)

    def add_held(self, rows: pa.RecordBatch) -> None:
        """Adds rows of the quarantine with the column `SELECTED`: judges those, carries others."""
        selected = rows.column(SELECTED)
        plain = rows.select([*self.schema.names, *META_SCHEMA.names])
        carried = plain.filter(pc.invert(selected))
        self._carried.write(self._of_this_attempt(carried))
        self.rows_carried += carried.num_rows
        chosen = plain.filter(selected)
        numbers = self._origins.begin(chosen)
        is_raw = chosen.column("_raw_record").is_valid()
        for raw, places in _alike(is_raw, ordered=self.merge is not None):
            part = chosen.take(pa.array(places, pa.int64()))
            if raw:
                self._add_raw(part, numbers.take(pa.array(places, pa.int64())))
            else:
                origin = Origin("", numbers.take(pa.array(places, pa.int64())))
                self._add(part.select(self.schema.names), (), origin)

    def _add_raw(self, rows: pa.RecordBatch, numbers: pa.Array[Any]) -> None:
        files = [str(file) for file in rows.column("_source_file").to_pylist()]
        texts = [str(text) for text in rows.column("_raw_record").to_pylist()]
        for file, places in _by_file(files):
            if self.raw is None:
                self._leave(rows.take(pa.array(places, pa.int64())))
                continue
            found = self.raw.read(file, [texts[n] for n in places])
            here = numbers.take(pa.array(places, pa.int64()))
            for batch in found.batches:
                self.add_records(_numbered(batch, here), "")
            self._leave(rows.take(pa.array([places[n] for n in found.unread], pa.int64())))

    def _add(self, rows: pa.RecordBatch, bad_cells: Sequence[BadCell], origin: Origin) -> None:
        """Judges rows; a delete that may be older than the row that it would remove stays."""
        dated = self.merge is not None and bool(self.merge.order_by)
        if self.marks is None or dated or self.keeps_reasons:
            super()._add(rows, bad_cells, origin)
            return
        marked = self.marks.positions(rows, positions(bad_cells))
        reasons = Reasons((UNDECIDED.name,), (reason_text(UNDECIDED),))
        if len(marked):
            self.rows_read += len(marked)
            self._hold(rows, marked.tolist(), [reasons] * len(marked), origin)
        rest: NDArray[np.int64] = np.setdiff1d(np.arange(rows.num_rows), marked)
        places = {int(old): new for new, old in enumerate(rest)}
        left = [replace(cell, row=places[cell.row]) for cell in bad_cells]
        super()._add(rows.take(rest), left, origin.of(rest))

    def _leave(self, rows: pa.RecordBatch) -> None:
        """Rows that were selected, and that nothing new can be said of."""
        self._held.write(self._of_this_attempt(rows))
        self.rows_read += rows.num_rows
        self.rows_unread += rows.num_rows

    def _of_this_attempt(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        index = rows.schema.get_field_index("_attempt")
        attempt = pa.array([self.provenance.attempt] * rows.num_rows, pa.string())
        return rows.set_column(index, rows.schema.field(index), attempt)

    def _records(self, held: HeldRows) -> pa.RecordBatch:
        """Rows as records of the quarantine; `lines` of the held rows are their numbers."""
        known = self._origins.of([number for number in held.lines if number is not None])
        records = quarantine_batch(held, self.provenance)
        for name in (*_KEPT, *(_VERDICT if self.keeps_reasons else ())):
            index = records.schema.get_field_index(name)
            field = records.schema.field(index)
            records = records.set_column(index, field, known.column(name).cast(field.type))
        return records

    def close(self) -> None:
        """Finishes the files; the rows that are carried over are in files of their own."""
        super().close()
        self._origins.close()
        carried = self._carried.close()
        self._carried_paths = frozenset(local_path(file.uri) for file in carried)
        self.held_files = (*self.held_files, *carried)

    def _amend_held(
        self, late: Mapping[str, LateRows], held: RollingWriter
    ) -> tuple[StagedFile, ...]:
        judged = {file: rows for file, rows in late.items() if file not in self._carried_paths}
        return super()._amend_held(judged, held)


def _alike(flags: pa.Array[Any], *, ordered: bool) -> Iterator[tuple[bool, Sequence[int]]]:
    """The places of rows with the same flag: in runs where the order matters."""
    known = np.asarray(flags.to_numpy(zero_copy_only=False), bool)
    if ordered:
        for flag, group in groupby(range(len(known)), key=lambda n: bool(known[n])):
            yield flag, list(group)
        return
    for flag in (False, True):
        if len(places := np.flatnonzero(known == flag).tolist()):
            yield flag, places


def _by_file(files: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """The places of rows of one source file that stand together."""
    for file, group in groupby(range(len(files)), key=lambda n: files[n]):
        yield file, list(group)


def _numbered(batch: SourceBatch, numbers: pa.Array[Any]) -> SourceBatch:
    """The batch with the numbers of its rows in place of their lines."""
    rejects = tuple(replace(r, line=numbers[r.line or 0].as_py()) for r in batch.rejects)
    return replace(batch, lines=numbers.take(batch.lines), rejects=rejects)
