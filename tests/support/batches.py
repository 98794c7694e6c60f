"""Rows as files, and rules over them: what the tests of the validation share."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection

from quality_platform.checks.specs import (
    CheckSpec,
    Claim,
    ForeignKey,
    InRange,
    InSet,
    ItemCount,
    LengthBetween,
    Matches,
    MultipleOf,
    Nested,
    NotMissing,
    NotNull,
    PropertyCount,
    Satisfies,
    Scope,
    Severity,
    UniqueItems,
    ValueClaim,
)
from quality_platform.checks.thresholds import NONE_ALLOWED, Operator, Threshold
from quality_platform.errors import Location
from quality_platform.lake.query import EngineSettings
from quality_platform.validation.batch_checks import BatchChecks, BatchFiles
from quality_platform.validation.row_rules import ReferenceKeys, RowMasks, RowRules

SMALL = EngineSettings(memory_limit_mb=256, threads=1)


def row_rule(name: str, claim: Claim, severity: Severity = Severity.ERROR) -> CheckSpec:
    """A rule that labels rows."""
    return CheckSpec(name, claim, Scope.ROW, severity, location=Location("contract.yaml", 7))


def gate(name: str, claim: Claim, threshold: Threshold = NONE_ALLOWED) -> CheckSpec:
    """A rule that judges the batch."""
    return CheckSpec(name, claim, Scope.GATE, threshold=threshold)


def parquet(folder: Path, name: str, table: pa.Table) -> str:
    """The path of a file with these rows."""
    path = folder / f"{name}.parquet"
    pq.write_table(table, path)
    return str(path)


def masks_of(
    connection: DuckDBPyConnection,
    table: pa.Table,
    specs: Sequence[CheckSpec],
    references: Mapping[str, Sequence[str]] | None = None,
) -> RowMasks:
    """The masks of the rows of a table, all in one batch."""
    rules = RowRules.compiled(connection, specs, ReferenceKeys(connection, references or {}))
    rules.tried(table.schema)
    (batch,) = table.combine_chunks().to_batches() or [
        pa.RecordBatch.from_pylist([], schema=table.schema)
    ]
    return rules.masks(batch)


def breaks(claim: Claim, row: Mapping[str, Any]) -> bool:
    """Whether a row breaks a claim about its values: the definition in plain Python."""
    match claim:
        case Nested(column, steps, inner):
            return any(_value_breaks(inner, value) for value in _values_at(row[column], steps))
        case Satisfies():
            raise TypeError("a predicate has no definition but its SQL")
        case _:
            return _value_breaks(claim, row[claim.column])


def _values_at(value: Any, steps: Sequence[str]) -> Iterator[Any]:
    """The values at the end of a path, of those parents that are there."""
    if not steps:
        yield value
        return
    if value is None:
        return
    ends = {
        "[]": lambda: value,
        "{key}": lambda: dict(value),
        "{value}": lambda: dict(value).values(),
    }
    below = ends.get(steps[0], lambda: [value[steps[0]]])()
    for part in below:
        yield from _values_at(part, steps[1:])


def _value_breaks(claim: ValueClaim, value: Any) -> bool:  # noqa: C901, PLR0911 - one case each
    match claim:
        case NotNull():
            return value is None
        case NotMissing(_, values):
            return value in values
        case _ if value is None:
            return False
        case InSet(_, values):
            return value not in values
        case Matches(_, pattern):
            # In RE2 a dollar is the end of the text; in Python also what is before a last newline.
            return re.search(re.sub(r"\$$", r"\\Z", pattern), value) is None
        case InRange():
            return _is_outside(claim, value)
        case LengthBetween(_, minimum, maximum) | ItemCount(_, minimum, maximum):
            return not _is_between(len(value), minimum, maximum)
        case PropertyCount(_, names, minimum, maximum):
            present = sum(value[name] is not None for name in names)
            return not _is_between(present, minimum, maximum)
        case MultipleOf(_, factor):
            return not _is_multiple(value, factor)
        case UniqueItems():
            present = [item for item in value if item is not None]
            return any(item in present[:n] for n, item in enumerate(present))
        case _:
            raise TypeError(claim)


def _is_between(count: int, minimum: int | None, maximum: int | None) -> bool:
    return (minimum or 0) <= count <= (math.inf if maximum is None else maximum)


def _is_multiple(value: Any, factor: Decimal) -> bool:
    if not isinstance(value, float):
        return Fraction(value) % Fraction(factor) == 0
    if not math.isfinite(value):
        return False
    nearest = round(Fraction(value) / Fraction(factor))
    return float(nearest * Fraction(factor)) == value


def _is_outside(claim: InRange, value: Any) -> bool:
    if isinstance(value, float) and math.isnan(value):
        return claim.minimum is not None or claim.maximum is not None
    below = claim.minimum is not None and (
        value <= claim.minimum if claim.exclusive_minimum else value < claim.minimum
    )
    above = claim.maximum is not None and (
        value >= claim.maximum if claim.exclusive_maximum else value > claim.maximum
    )
    return below or above


def lacks_reference(
    claim: ForeignKey, row: Mapping[str, Any], keys: Sequence[tuple[Any, ...]]
) -> bool:
    """Whether a row's key, which has no NULL, is not among the keys."""
    key = tuple(row[column] for column in claim.columns)
    return None not in key and key not in keys


AB = pa.schema([("a", pa.int64()), ("b", pa.string())])


def bound(operator: Operator, *values: str | int, percent: bool = False) -> Threshold:
    """A threshold with its numbers as people write them."""
    return Threshold(operator, tuple(Decimal(value) for value in values), percent)


def rows(*pairs: Sequence[Any]) -> pa.Table:
    """A table of columns a and b; a pair may leave b out."""
    return pa.Table.from_pylist([dict(zip("ab", pair, strict=False)) for pair in pairs], AB)


class Batch:
    """Makes the files of a batch, and its checks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.references: dict[str, list[str]] = {}

    def checks(
        self,
        connection: DuckDBPyConnection,
        *good: pa.Table,
        held: pa.Table | None = None,
        published: Sequence[pa.Table] = (),
        **more: Any,
    ) -> BatchChecks:
        """Checks over these rows; held rows whose `why` has "unread" have no values."""
        schema = good[0].schema if good else AB
        files = BatchFiles(
            schema,
            [parquet(self.folder, f"good_{n}", table) for n, table in enumerate(good)],
            [parquet(self.folder, "held", held)] if held is not None else [],
            "'unread' IN why",
        )
        return BatchChecks(
            connection,
            files,
            ReferenceKeys(connection, self.references),
            [parquet(self.folder, f"published_{n}", table) for n, table in enumerate(published)],
            **more,
        )


def places(checks: BatchChecks, spec: CheckSpec) -> list[tuple[str, int]]:
    """The rows that a check labelled, as file and position."""
    rows = labelled_rows(checks)
    return sorted((Path(r["file"]).stem, r["position"]) for r in rows if spec.name in r["rules"])


def labelled_rows(checks: BatchChecks) -> list[dict[str, Any]]:
    """All rows that break a row check: file, position, names of the checks."""
    return [row for batch in checks.labelled() for row in batch.to_pylist()]
