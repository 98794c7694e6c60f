"""Objects, arrays, maps, vectors and times: from JSON text through Iceberg and back, exactly."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.contracts import load_text, orders
from support.lake_tables import open_lake
from support.project import Project, integer, key, rows_of_table

from quality_platform.contracts.schemas import arrow_schema
from quality_platform.flows.load_table import load_table
from quality_platform.ingest.conform import conform, positions
from quality_platform.lake.catalog import Table
from quality_platform.lake.data_files import RollingWriter, read_batches
from quality_platform.lake.reading import batches_of
from quality_platform.quarantine.records import (
    HeldRows,
    Provenance,
    Reasons,
    quarantine_batch,
    quarantine_schema,
)

PROPERTIES = (
    "{name: id, logicalType: integer, primaryKey: true}",
    "{name: address, logicalType: object, description: Where., properties: ["
    "{name: city, logicalType: string, required: true, description: Town.}, "
    "{name: since, logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy}}]}",
    "{name: tags, logicalType: array, items: {logicalType: string}}",
    "{name: lines, logicalType: array, items: {logicalType: object, properties: ["
    "{name: sku, logicalType: string}, "
    "{name: price, logicalType: number, physicalType: 'decimal(20, 4)'}, "
    "{name: sizes, logicalType: array, items: {logicalType: integer}}]}}",
    "{name: prices, logicalType: map, map: {key: {logicalType: string}, "
    "value: {logicalType: number, physicalType: 'decimal(5, 2)'}}}",
    "{name: by_day, logicalType: map, map: {key: {logicalType: date}, "
    "value: {logicalType: object, properties: [{name: n, logicalType: integer}]}}}",
    "{name: embedding, logicalType: vector, logicalTypeOptions: {dimensions: 3}}",
    "{name: at, logicalType: time}",
    "{name: seen, logicalType: timestamp, logicalTypeOptions: {defaultTimezone: Europe/Berlin}}",
)

TEXTS: tuple[tuple[str | None, ...], ...] = (
    (
        "1",
        '{"city": "Köln", "since": "29.02.2020"}',
        '["a", null, ""]',
        '[{"sku": "s", "price": 1234567890123456.7891, "sizes": [1, 2]}, {}, null]',
        '{"EUR": 1.10, "USD": null}',
        '{"2020-02-29": {"n": 9007199254740993}}',
        "[1, 2.5, -3e-1]",
        "23:59:59.000001",
        "2020-07-01T10:00",
    ),
    ("2", None, None, None, None, None, None, None, None),
    ("3", "{}", "[]", "[]", "{}", "{}", "[0, 0, 0]", "00:00", "2020-07-01T10:00Z"),
)

ROWS: tuple[dict[str, Any], ...] = (
    {
        "id": 1,
        "address": {"city": "Köln", "since": date(2020, 2, 29)},
        "tags": ["a", None, ""],
        "lines": [
            {"sku": "s", "price": Decimal("1234567890123456.7891"), "sizes": [1, 2]},
            {"sku": None, "price": None, "sizes": None},
            None,
        ],
        "prices": [("EUR", Decimal("1.10")), ("USD", None)],
        "by_day": [(date(2020, 2, 29), {"n": 9007199254740993})],
        "embedding": [1.0, 2.5, pytest.approx(-0.3)],
        "at": time(23, 59, 59, 1),
        "seen": datetime(2020, 7, 1, 8, tzinfo=UTC),
    },
    dict.fromkeys(("address", "tags", "lines", "prices", "by_day", "embedding", "at", "seen"), None)
    | {"id": 2},
    {
        "id": 3,
        "address": {"city": None, "since": None},
        "tags": [],
        "lines": [],
        "prices": [],
        "by_day": [],
        "embedding": [0.0, 0.0, 0.0],
        "at": time(0),
        "seen": datetime(2020, 7, 1, 10, tzinfo=UTC),
    },
)


@pytest.fixture
def schema(tmp_path: Path) -> pa.Schema:
    (table,) = load_text(tmp_path, orders(*PROPERTIES, api_version="v3.2.0")).objects
    return arrow_schema(table)


def texts(schema: pa.Schema, *rows: tuple[str | None, ...]) -> pa.RecordBatch:
    cells = [
        [None if cell is None else cell.encode() for cell in column]
        for column in zip(*rows, strict=True)
    ]
    return pa.record_batch([pa.array(c, pa.binary()) for c in cells], names=schema.names)


def committed(table: Table, rows: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows as a reader of the table finds them after a commit of their file."""
    writer = RollingWriter(table, "load")
    writer.write(rows)
    (file,) = writer.close()
    assert [batch.num_rows for batch in read_batches(table, file)] == [rows.num_rows]
    table.add_files([file.uri])
    snapshot = table.refresh().current_snapshot()
    assert snapshot is not None
    # Not by pyiceberg's own scan: of lists of objects that hold lists it gives [] for NULL.
    found = [row for rows in batches_of(table, snapshot.snapshot_id) for row in rows.to_pylist()]
    return sorted(found, key=lambda row: row["id"])


def test_rows_with_parts_come_back_from_the_lake_as_they_were(tmp_path: Path, schema: pa.Schema):
    rows, bad = conform(texts(schema, *TEXTS), schema)
    assert bad == []
    lake = open_lake(tmp_path)
    found = committed(lake.ensure_table("shop.orders", schema), rows)
    assert tuple(found) == ROWS


def test_the_table_of_such_a_contract_is_found_again(tmp_path: Path, schema: pa.Schema):
    open_lake(tmp_path).ensure_table("shop.orders", schema)
    table = open_lake(tmp_path).ensure_table("shop.orders", schema)
    address = table.schema().find_field("address")
    assert address.doc == "Where."
    assert table.schema().find_field("address.city").doc == "Town."
    assert not table.schema().find_field("address.city").required


def test_a_held_row_keeps_the_parts_that_converted(tmp_path: Path, schema: pa.Schema):
    good, *others = TEXTS[0]
    broken = [good, *others]
    broken[2] = '["a", 1]'
    rows, bad = conform(texts(schema, TEXTS[0], tuple(broken)), schema)
    assert positions(bad) == [1]
    held = HeldRows(
        rows.slice(1), [Reasons(("conforms_to_schema",), (bad[0].column,))], ["f"], [3], ["raw"]
    )
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    batch = quarantine_batch(held, Provenance("load", "a1", "run", "shop", "1.0.0", moment))
    lake = open_lake(tmp_path)
    quarantine = lake.ensure_table("quarantine.orders", quarantine_schema(schema))
    (found,) = committed(quarantine, batch)
    assert found["tags"] is None
    assert found["_reasons"] == ["tags[1]"]
    assert {name: found[name] for name in ROWS[0] if name != "tags"} == {
        name: value for name, value in ROWS[0].items() if name != "tags"
    }


def test_a_load_publishes_rows_with_parts_and_holds_those_that_are_broken(project: Project):
    line = {
        "logicalType": "object",
        "properties": [
            {"name": "sku", "logicalType": "string"},
            {"name": "quantity", "logicalType": "integer"},
        ],
    }
    columns = {
        "id": key(integer()),
        "lines": {"logicalType": "array", "items": line},
        "at": {"logicalType": "time"},
    }
    platform = project.table("orders", columns).open()
    good = '[{""sku"": ""a"", ""quantity"": 2}]'
    project.deliver(
        "orders/a.csv",
        f'id,lines,at\n1,"{good}",10:20\n2,"{good.replace("2", "x")}",10:20\n3,"[]",25:00\n4,,\n',
    )
    outcome = load_table(platform, "orders", "run-1")
    assert (outcome.rows_read, outcome.total_rows) == (4, 2)
    assert rows_of_table(platform, "shop.orders") == [
        {"id": 1, "lines": [{"sku": "a", "quantity": 2}], "at": time(10, 20)},
        {"id": 4, "lines": None, "at": None},
    ]
    held = {row["id"]: row for row in rows_of_table(platform, "quarantine.orders")}
    assert held[2]["_reasons"][0].startswith("lines: no JSON: Expecting value")
    assert held[2]["_raw_record"].startswith('2,"[{""sku""')
    assert held[3]["_reasons"] == ["at: '25:00' is no time"]
    assert (held[3]["lines"], held[3]["at"]) == ([], None)
