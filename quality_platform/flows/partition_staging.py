"""Staging of whole partitions: each row must be of the one that it was read for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quality_platform.checks.specs import CheckSpec, Severity
from quality_platform.checks.wording import reason_text
from quality_platform.config.base_models import seconds
from quality_platform.config.partition_windows import Window
from quality_platform.flows.contracted_tables import (
    IN_ITS_PARTITION,
    IS_NOT_LATE,
    ContractedTable,
    TablePartitions,
)
from quality_platform.flows.partitions import PartitionColumn, column_of, partitions_of
from quality_platform.flows.replay_rows import SELECTED
from quality_platform.flows.replay_selection import Selection
from quality_platform.flows.staging import Origin, Staging
from quality_platform.ingest.conform import BadCell, positions
from quality_platform.lake.query import quote_literal
from quality_platform.lake.reading import local_path
from quality_platform.quarantine.records import Reasons
from quality_platform.sources.protocol import SourceBatch

Bools = NDArray[np.bool_]

_KEY = "split_part(_source_file, '/', 1)"
"""SQL for the partition that a held row was read for."""


def part_name(key: str, name: str) -> str:
    """The name of a part of a source that is read for a partition."""
    return f"{key}/{name}"


def key_of(part: str) -> str:
    """The partition that a part was read for."""
    return part.partition("/")[0]


def held_for(keys: Sequence[str]) -> str:
    """SQL that is true for quarantined rows that were read for these partitions."""
    return f"{_KEY} IN ({', '.join(map(quote_literal, keys))})"


def held_by_partition(keys: Sequence[str], rows: str) -> str:
    """The query of how many rows of a relation were read for each of the partitions."""
    return f"SELECT {_KEY}, count(*) FROM {rows} WHERE {held_for(keys)} GROUP BY ALL"


@dataclass(frozen=True)
class OfPartitions(Selection):
    """The quarantined rows that were read for partitions; those of a table, where `every`."""

    keys: tuple[str, ...] = ()
    every: bool = False

    def _parts(self, table: object) -> Iterator[str]:  # noqa: ARG002
        yield "TRUE" if self.every else f"(({held_for(self.keys)}) IS TRUE)"


@dataclass(frozen=True)
class PartitionRules:
    """What each row of a load of partitions must be.

    Attributes:
        windows: The partitions by their keys.
        column: The column that says to which one a row belongs.
        in_partition: The check that it is the one that the row was read for.
        partitions: The table's partitions.
        late: The column that says when a row happened, and the check that it is not late.
    """

    windows: Mapping[str, Window]
    column: PartitionColumn
    in_partition: CheckSpec
    partitions: TablePartitions
    late: tuple[PartitionColumn, CheckSpec] | None = None

    @classmethod
    def of(cls, table: ContractedTable, windows: Sequence[Window]) -> PartitionRules:
        """The rules of a table for some of its partitions."""
        partitions, checks = partitions_of(table), {c.name: c for c in table.partition_checks}
        by_key, late = {window.key: window for window in windows}, None
        if partitions.late is not None:
            late = column_of(table, partitions.late.column), checks[IS_NOT_LATE]
        return cls(by_key, column_of(table), checks[IN_ITS_PARTITION], partitions, late)

    def broken(self, rows: pa.RecordBatch, key: str) -> Iterator[tuple[CheckSpec, Bools]]:
        """Each check with whether each row breaks it."""
        window = self.windows[key]
        yield self.in_partition, self.column.outside(rows, window)
        if self.late is not None and self.partitions.late is not None:
            column, check = self.late
            after = timedelta(seconds=seconds(self.partitions.late.after))
            yield check, column.before(rows, window, after)

    def happened(self, rows: pa.RecordBatch) -> Counter[str]:
        """Late rows by the partition in whose time they happened."""
        assert self.late is not None
        return self.late[0].counted(rows, self.partitions.config)


@dataclass
class PartitionStaging(Staging):
    """The files of one load of partitions.

    `read` counts the records of each partition, `late` the rows that were late, by the partition in
    whose time they happened.
    """

    of_partitions: PartitionRules | None = None
    read: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> PartitionStaging:
        super().__enter__()
        self._carried = self.writer(self.quarantine, "-carried")
        self._carried_paths: frozenset[str] = frozenset()
        return self

    def add_records(self, batch: SourceBatch, file: str) -> None:
        """Conforms, checks and splits the records of one batch of a partition."""
        self.read[key_of(file)] += batch.records
        super().add_records(batch, file)

    def add_rows(self, rows: pa.RecordBatch, origin: str) -> None:
        """Checks and splits rows of a partition that already have the contract's types."""
        self.read[key_of(origin)] += rows.num_rows
        super().add_rows(rows, origin)

    def carry(self, rows: pa.RecordBatch) -> None:
        """Takes rows of the quarantine with the column `SELECTED`: those not selected stay."""
        stay = rows.filter(pc.invert(rows.column(SELECTED))).drop_columns([SELECTED])
        index = stay.schema.get_field_index("_attempt")
        attempt = pa.array([self.provenance.attempt] * stay.num_rows, pa.string())
        self._carried.write(stay.set_column(index, stay.schema.field(index), attempt))
        self.rows_carried += stay.num_rows

    @property
    def judged_held_files(self) -> list[str]:
        """The held files of this load's own rows: those that are carried over were judged."""
        carried = self._carried_paths
        return [path for file in self.held_files if (path := local_path(file.uri)) not in carried]

    def close(self) -> None:
        """Finishes the files; the rows that are carried over are in files of their own."""
        super().close()
        carried = self._carried.close()
        self._carried_paths = frozenset(local_path(file.uri) for file in carried)
        self.held_files = (*self.held_files, *carried)

    def _row_reasons(
        self, rows: pa.RecordBatch, bad_cells: Sequence[BadCell], origin: Origin
    ) -> dict[int, Reasons]:
        reasons = super()._row_reasons(rows, bad_cells, origin)
        assert self.of_partitions is not None
        unread = np.zeros(rows.num_rows, bool)
        unread[list(positions(bad_cells))] = True
        for check, broken in self.of_partitions.broken(rows, key_of(origin.file)):
            places = np.flatnonzero(broken & ~unread)
            self._count(check, rows, places.tolist(), origin)
            taken = rows.take(pa.array(places, pa.int64()))
            if check.name == IS_NOT_LATE:
                self.late += self.of_partitions.happened(taken)
            if check.severity is Severity.ERROR:
                self._add_reason(reasons, check, places.tolist(), taken)
        return reasons

    def _add_reason(
        self,
        reasons: dict[int, Reasons],
        check: CheckSpec,
        places: Sequence[int],
        rows: pa.RecordBatch,
    ) -> None:
        """Adds a check to the reasons of rows; those that had none get their warnings too."""
        alone = self._late_reasons(rows, [(check,)] * len(places)) if places else []
        for place, found in zip(places, alone, strict=True):
            known = reasons.get(place)
            reasons[place] = found if known is None else _with(known, check)


def _with(reasons: Reasons, check: CheckSpec) -> Reasons:
    return Reasons(
        (*reasons.broken, check.name), (*reasons.texts, reason_text(check)), reasons.warnings
    )
