"""The quarantine table of a table: the contract's columns, nullable, and why each row is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from quality_platform.quarantine.columns import BROKEN_RULES, META_DOCS

_TEXTS = pa.list_(pa.field("element", pa.string()))
"""Iceberg's name for the items of a list."""

_TYPES: dict[str, pa.DataType] = {
    BROKEN_RULES: _TEXTS,
    "_reasons": _TEXTS,
    "_warnings": _TEXTS,
    "_source_line": pa.int64(),
    "_quarantined_at": pa.timestamp("us", "UTC"),
}
"""Of the columns that are no text."""

META_FIELDS = tuple(
    pa.field(name, _TYPES.get(name, pa.string()), metadata={"doc": doc})
    for name, doc in META_DOCS.items()
)


def quarantine_schema(contract: pa.Schema) -> pa.Schema:
    """The schema of the quarantine of a table with the contract's schema."""
    return pa.schema([field.with_nullable(True) for field in contract] + list(META_FIELDS))


@dataclass(frozen=True)
class Reasons:
    """Why one row is held: the broken checks with a text each, and warnings that it breaks too."""

    broken: tuple[str, ...]
    texts: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provenance:
    """What all held rows of one load have in common."""

    load_id: str
    attempt: str
    run_id: str
    contract_id: str
    contract_version: str
    at: datetime


@dataclass(frozen=True)
class HeldRows:
    """Rows on their way into quarantine, with what is known of each; all sequences align."""

    rows: pa.RecordBatch
    reasons: Sequence[Reasons]
    files: Sequence[str]
    lines: Sequence[int | None]
    raw: Sequence[str | None]


def quarantine_batch(held: HeldRows, provenance: Provenance) -> pa.RecordBatch:
    """The rows as records of the quarantine table."""
    count = held.rows.num_rows
    constant: Mapping[str, object] = {
        "_load_id": provenance.load_id,
        "_attempt": provenance.attempt,
        "_run_id": provenance.run_id,
        "_contract_id": provenance.contract_id,
        "_contract_version": provenance.contract_version,
        "_quarantined_at": provenance.at,
    }
    values: Mapping[str, Sequence[object]] = {
        BROKEN_RULES: [list(r.broken) for r in held.reasons],
        "_reasons": [list(r.texts) for r in held.reasons],
        "_warnings": [list(r.warnings) for r in held.reasons],
        "_raw_record": held.raw,
        "_source_file": held.files,
        "_source_line": held.lines,
        **{name: [value] * count for name, value in constant.items()},
    }
    meta = [pa.array(list(values[field.name]), field.type) for field in META_FIELDS]
    schema = quarantine_schema(held.rows.schema)
    return pa.record_batch(list(held.rows.columns) + meta, schema=schema)


def with_more_reasons(
    records: pa.RecordBatch, more: Mapping[int, Sequence[tuple[str, str]]]
) -> pa.RecordBatch:
    """Quarantine records with further (check, text) pairs added to the rows at these positions."""
    result = records
    for column, part in ((BROKEN_RULES, 0), ("_reasons", 1)):
        index = records.schema.get_field_index(column)
        values: list[Any] = records.column(index).to_pylist()
        for row, pairs in more.items():
            values[row] = [*values[row], *(pair[part] for pair in pairs)]
        field = records.schema.field(index)
        result = result.set_column(index, field, pa.array(values, field.type))
    return result
