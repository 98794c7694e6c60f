"""Rows as files, and rules over them: what the tests of the validation share."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection

from quality_platform.checks.specs import (
    NONE_ALLOWED,
    CheckSpec,
    Claim,
    ForeignKey,
    InRange,
    InSet,
    LengthBetween,
    Matches,
    NotMissing,
    NotNull,
    Operator,
    Satisfies,
    Scope,
    Severity,
    Threshold,
)
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
        case NotNull(column):
            return row[column] is None
        case NotMissing(column, values):
            return row[column] in values
        case InSet(column, values):
            return row[column] is not None and row[column] not in values
        case Matches(column, pattern):
            return row[column] is not None and re.search(pattern, row[column]) is None
        case InRange():
            return _is_outside(claim, row[claim.column])
        case LengthBetween(column, minimum, maximum):
            length = None if row[column] is None else len(row[column])
            return length is not None and not (
                (minimum or 0) <= length <= (math.inf if maximum is None else maximum)
            )
        case Satisfies():
            raise TypeError("a predicate has no definition but its SQL")
        case _:
            raise TypeError(claim)


def _is_outside(claim: InRange, value: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, float) and math.isnan(value):
        # In SQL's order of numbers, "not a number" is the greatest.
        return claim.maximum is not None
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
    found = [(Path(r.file).stem, r.position) for r in checks.broken_rows if r.check == spec]
    return sorted(found)
