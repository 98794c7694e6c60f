"""Records of the quarantine: the row as it was, and why it is held."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from quality_platform.quarantine.columns import META_COLUMNS
from quality_platform.quarantine.records import (
    HeldRows,
    Provenance,
    Reasons,
    quarantine_batch,
    quarantine_schema,
    with_more_reasons,
)

CONTRACT = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False, metadata={"doc": "The number."}),
        pa.field("name", pa.string()),
    ]
)
AT = datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PROVENANCE = Provenance("load", "attempt", "run", "shop-orders", "1.2.0", AT)
REASONS = (
    Reasons(("id_not_null", "known"), ("id is NULL", "name is not known"), ("short",)),
    Reasons(("conforms_to_schema",), ("id: 'x' is no long",)),
)


def records() -> pa.RecordBatch:
    nullable = pa.schema([field.with_nullable(True).remove_metadata() for field in CONTRACT])
    rows = pa.RecordBatch.from_pylist([{"name": "é"}, {}], schema=nullable)
    held = HeldRows(rows, REASONS, ["a.csv", "b.csv"], [7, None], [None, "x,y"])
    return quarantine_batch(held, PROVENANCE)


def test_the_schema_is_the_contracts_made_nullable_and_why():
    schema = quarantine_schema(CONTRACT)
    assert schema.names == ["id", "name", *META_COLUMNS]
    assert all(field.nullable for field in schema)
    assert schema.field("id").metadata == {b"doc": b"The number."}
    assert schema.field("_source_line").type == pa.int64()
    assert schema.field("_quarantined_at").type == pa.timestamp("us", "UTC")
    assert all(schema.field(name).metadata[b"doc"] for name in META_COLUMNS)


def test_every_column_of_the_platform_begins_with_an_underscore():
    assert [name for name in META_COLUMNS if not name.startswith("_")] == []


def test_lists_have_the_item_name_that_iceberg_gives():
    for name in ("_broken_rules", "_reasons", "_warnings"):
        assert quarantine_schema(CONTRACT).field(name).type.value_field.name == "element"


def test_a_record_holds_the_row_and_why_whence_and_when():
    shared = {
        "_load_id": "load",
        "_attempt": "attempt",
        "_run_id": "run",
        "_contract_id": "shop-orders",
        "_contract_version": "1.2.0",
        "_quarantined_at": AT,
    }
    assert records().to_pylist() == [
        {
            "id": None,
            "name": "é",
            "_broken_rules": ["id_not_null", "known"],
            "_reasons": ["id is NULL", "name is not known"],
            "_warnings": ["short"],
            "_raw_record": None,
            "_source_file": "a.csv",
            "_source_line": 7,
            **shared,
        },
        {
            "id": None,
            "name": None,
            "_broken_rules": ["conforms_to_schema"],
            "_reasons": ["id: 'x' is no long"],
            "_warnings": [],
            "_raw_record": "x,y",
            "_source_file": "b.csv",
            "_source_line": None,
            **shared,
        },
    ]


def test_the_records_are_valid_and_of_the_schema():
    batch = records()
    batch.validate(full=True)
    assert batch.schema.names == quarantine_schema(CONTRACT).names
    assert batch.schema.types == quarantine_schema(CONTRACT).types


def test_no_rows_make_no_records():
    rows = pa.RecordBatch.from_pylist([], schema=CONTRACT)
    batch = quarantine_batch(HeldRows(rows, [], [], [], []), PROVENANCE)
    assert batch.num_rows == 0
    assert batch.schema == quarantine_schema(CONTRACT)


@pytest.mark.parametrize(
    "changed",
    [
        {"reasons": REASONS[:1]},
        {"files": ["a.csv"]},
        {"lines": [1, 2, 3]},
        {"raw": []},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_does_not_align_makes_no_records(changed):
    rows = pa.RecordBatch.from_pylist([{"id": 1}, {"id": 2}], schema=CONTRACT)
    parts = {"reasons": REASONS, "files": ["a", "b"], "lines": [1, 2], "raw": [None, None]}
    with pytest.raises(ValueError, match="same length"):
        quarantine_batch(HeldRows(rows, **{**parts, **changed}), PROVENANCE)


def test_further_reasons_are_added_to_the_rows_that_they_are_of():
    before = records()
    after = with_more_reasons(before, {1: [("unique", "twice"), ("engine", "odd")]})
    assert after.column("_broken_rules").to_pylist() == [
        ["id_not_null", "known"],
        ["conforms_to_schema", "unique", "engine"],
    ]
    assert after.column("_reasons").to_pylist() == [
        ["id is NULL", "name is not known"],
        ["id: 'x' is no long", "twice", "odd"],
    ]
    untouched = [name for name in before.schema.names if name not in ("_broken_rules", "_reasons")]
    assert after.select(untouched).equals(before.select(untouched))
    assert after.schema.equals(before.schema, check_metadata=True)


def test_without_further_reasons_nothing_changes():
    assert with_more_reasons(records(), {}).equals(records())
