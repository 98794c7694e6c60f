"""Text cells -> the contract's types. A cell that does not convert takes its row out with its text.

Nothing is truncated and no format is guessed; only a float or a double is rounded, to the nearest
number of its type.

=============== =============================================================================
type            texts that convert
=============== =============================================================================
int, long       an optional minus and digits, within the type's range
float, double   decimal or scientific notation within the range; `nan`, `inf`, `infinity`
decimal(p, s)   decimal notation, at most s digits after the point and p in all; further zeros
                at the end as far as there are no more than 38 digits
boolean         `true`, `false`, `1`, `0`, in any case
date            `YYYY-MM-DD`
time            `HH:MM`, and seconds with at most six digits after the point
timestamptz     `YYYY-MM-DD`, `T` or a space, at least hours, at most microseconds, and a zone
                (`Z` or an offset); where the contract has a `defaultTimezone`, also without
timestamp       the same without a zone; without a time of day, midnight
string          any UTF-8
object, array,  JSON, whose values follow the rules above: `ingest/json_cells.py`
map, vector
=============== =============================================================================

A `format` of the contract takes the place of the form of a date, time or timestamp. Dates and
timestamps (in UTC) are of the years 0001 to 9999, as in Python and SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from quality_platform.ingest.json_cells import converted_json
from quality_platform.ingest.text_cells import converted, reason, type_name

__all__ = ["BadCell", "conform", "positions", "type_name"]


@dataclass(frozen=True)
class BadCell:
    """A cell that does not convert: its row in the batch, its column, and why.

    Within an object, array or map the column is a path that begins with it: `lines[2].qty`.
    """

    row: int
    column: str
    reason: str


def conform(columns: pa.RecordBatch, schema: pa.Schema) -> tuple[pa.RecordBatch, list[BadCell]]:
    """The batch with the schema's types, and the cells that do not convert (NULL in the batch).

    `columns` has a binary column for each field of the schema, in its order. The result's fields
    are all nullable.
    """
    arrays, bad = [], []
    for raw, field in zip(columns.columns, schema, strict=True):
        if pa.types.is_nested(field.type):
            array, reasons = converted_json(raw, field)
            bad += [BadCell(row, path, why) for row, (path, why) in sorted(reasons.items())]
        else:
            array, rows = converted(raw, field)
            bad += [BadCell(row, field.name, reason(raw[row].as_py(), field)) for row in rows]
        arrays.append(array)
    nullable = pa.schema([field.with_nullable(True).remove_metadata() for field in schema])
    return pa.record_batch(arrays, schema=nullable), bad


def positions(bad: Sequence[BadCell]) -> list[int]:
    """The rows of the batch that have a bad cell, ascending, each once."""
    return sorted({cell.row for cell in bad})
