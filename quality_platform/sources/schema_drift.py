"""What follows when a source's columns no longer fit the contract's: `load.schema_drift`.

============================ ========= ==================== ==========================
at the source                `fail`    `evolve`             `quarantine`
============================ ========= ==================== ==========================
an optional column is gone   an error  NULL, told           NULL, told
a required column is gone    an error  an error             NULL: every row is held
a further column             an error  left out, told       left out, told
a type that may still fit    values that fit are taken, rows with another are held
a type that never fits       an error  an error             as text, told: rows are held
no column of the contract's  an error  an error             an error
============================ ========= ==================== ==========================

A key of JSON lines that is not there is NULL, as ever; a further one is drift where each of the
first records of a file has it, and holds its record back where only later ones do.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from quality_platform.config.load_models import SchemaDriftPolicy
from quality_platform.config.source_models import SourceConfig
from quality_platform.errors import Location, Problem
from quality_platform.sources.protocol import SourceBatch, SourceContext


@dataclass(frozen=True)
class SchemaDrift:
    """What may differ between a source and its contract.

    Attributes:
        columns: The contract's columns under their names at the source.
        ignored: Columns of the source that may always be left out.
        policy: The table's `load.schema_drift`.
        tell: Takes a sentence for each difference that was taken.
    """

    columns: pa.Schema
    ignored: tuple[str, ...]
    policy: SchemaDriftPolicy
    tell: Callable[[str], None]

    @classmethod
    def of(cls, context: SourceContext, config: SourceConfig) -> SchemaDrift:
        """What may differ for a table's source."""
        return cls(context.columns, config.ignore_columns, context.load.schema_drift, context.tell)

    def missing(self, present: Sequence[str]) -> tuple[str, ...]:
        """The contract's columns that the source lacks, and may lack: NULL in every row."""
        if self.policy == "fail" or not {*present} & {*self.columns.names}:
            return ()
        return tuple(
            field.name
            for field in self.columns
            if field.name not in present and (field.nullable or self.policy == "quarantine")
        )

    def further(self, present: Sequence[str]) -> tuple[str, ...]:
        """The source's columns that the contract does not have, and that may be left out."""
        return () if self.policy == "fail" else self.unknown(present)

    def unknown(self, present: Sequence[str]) -> tuple[str, ...]:
        """The source's columns that the contract does not have, and nobody ignores."""
        known = {*self.columns.names, *self.ignored}
        return tuple(dict.fromkeys(name for name in present if name not in known))

    def tell_names(self, present: Sequence[str], what: str) -> None:
        """Tells which of the differences in names were taken; `what` is the file or relation."""
        for name in self.missing(present):
            self.tell(f"{what} has no column {name!r}: it is NULL in every row of it.")
        self.tell_further(present, what)

    def tell_further(self, present: Sequence[str], what: str) -> None:
        """Tells which further columns were left out."""
        for name in self.further(present):
            self.tell(f"{what} has a further column {name!r}: it was left out.")

    def tell_type(self, name: str, found: str, what: str) -> None:
        """Tells that a column has a type that never fits, and was read as text."""
        self.tell(f"{what} has the column {name!r} of the type {found}: it was read as text.")

    def name_problems(self, present: Sequence[str], where: Location, place: str) -> list[Problem]:
        """What is wrong with the names of a source's columns, beside what may differ."""
        unknown, may_miss = self.unknown(present), self.missing(present)
        repeated = sorted({name for name in present if present.count(name) > 1})
        problems = [
            Problem(
                f"the query has several columns {name!r}",
                where,
                place,
                action="give each a name of its own with AS",
            )
            for name in repeated
        ]
        problems += [
            Problem(
                f"the source has no column {name!r}",
                where,
                place,
                received=", ".join(present),
                action=_nearest(name, unknown),
            )
            for name in self.columns.names
            if name not in present and name not in may_miss
        ]
        problems += [
            Problem(
                f"the contract has no column {name!r}",
                where,
                place,
                action="add it to the contract, or list it under `ignore_columns`",
            )
            for name in unknown
            if name not in self.further(present)
        ]
        return problems


def _nearest(name: str, others: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, others, n=1)
    if not nearest:
        return ""
    return f"{nearest[0]!r} of the source may be meant: say so with `physicalName`"


def with_missing(batch: SourceBatch, columns: pa.Schema) -> SourceBatch:
    """The batch with all the columns, in their order: those that it lacks are NULL."""
    rows, names = batch.columns, {*batch.columns.schema.names}
    if len(names) == len(columns):
        return batch
    arrays = [
        rows.column(field.name)
        if field.name in names
        else pa.nulls(rows.num_rows, pa.binary() if batch.text else field.type)
        for field in columns
    ]
    return replace(batch, columns=pa.record_batch(arrays, names=columns.names))
