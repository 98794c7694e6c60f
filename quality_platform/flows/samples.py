"""A few failing rows for each check, for people: bounded, the first ones, personal data masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from quality_platform.checks.nested import columns_read
from quality_platform.checks.specs import CheckSpec
from quality_platform.contracts.models import SchemaObject
from quality_platform.lake.query import shut
from quality_platform.validation.batch_checks import (
    FILE_COLUMN,
    POSITION_COLUMN,
    BatchChecks,
)
from quality_platform.validation.engine_outcomes import EngineOutcome

MASK = "***"
"""What stands for a value that must not be shown."""


@dataclass
class Samples:
    """Collects up to `limit` failing rows for each check, in the order in which they are met."""

    table: SchemaObject
    limit: int
    rows: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def wants(self, spec: CheckSpec) -> bool:
        """Whether there is still room for a row of this check."""
        return len(self.rows.get(spec.name, ())) < self.limit

    def add(self, spec: CheckSpec, row: Mapping[str, Any], place: str = "") -> None:
        """Adds a row; only its key and the columns that the check is about are kept."""
        if not self.wants(spec):
            return
        shown: dict[str, object] = {
            name: self._shown(name, row[name]) for name in self.columns(spec)
        }
        if place:
            shown["source"] = place
        self.rows.setdefault(spec.name, []).append(shown)

    def columns(self, spec: CheckSpec) -> tuple[str, ...]:
        """The columns that are shown for a check."""
        known = self.table.column_names
        about = (column for column in columns_read(spec) if column in known)
        named = dict.fromkeys((*self.table.primary_key, *about))
        return tuple(named) or known

    def of(self, spec: CheckSpec) -> tuple[dict[str, object], ...]:
        """The rows collected for a check."""
        return tuple(self.rows.get(spec.name, ()))

    def _shown(self, column: str, value: object) -> object:
        hidden = column in self.table.restricted_columns and value is not None
        return MASK if hidden else value


def _nowhere(_file: str, _position: int) -> str:
    """The place of rows of files that mean nothing to people."""
    return ""


def run_sampled(
    batch: BatchChecks,
    specs: Sequence[CheckSpec],
    samples: Samples,
    place: Callable[[str, int], str] = _nowhere,
) -> dict[str, EngineOutcome]:
    """Runs checks on a batch, and collects failing rows of those that did not pass.

    `place` tells people where a row comes from, by its file and its position in it from 0.

    From here on the batch's session can read nothing but the batch and what it is compared with.
    """
    shut(batch.connection, batch.readable)
    outcomes = batch.run(specs)
    for spec in specs:
        if samples.limit and not outcomes[spec.name].passed:
            columns = (*samples.columns(spec), FILE_COLUMN, POSITION_COLUMN)
            for row in batch.failing_rows(spec, columns, samples.limit):
                file, position = str(row.pop(FILE_COLUMN)), row.pop(POSITION_COLUMN)
                samples.add(spec, row, place(file, cast("int", position)))
    return outcomes
