"""Parquet files, tables of the lake and CSV files become contracts."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.exchanged import columns, loaded, lost
from support.lake_tables import open_lake

from quality_platform.contracts.schemas import arrow_schema
from quality_platform.errors import (
    MalformedSourceError,
    SourceNotFoundError,
    TableNotFoundError,
)
from quality_platform.exchange.importers.arrow import import_csv, import_iceberg, import_parquet

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False, metadata={"doc": "The number."}),
        pa.field("small", pa.int16()),
        pa.field("price", pa.decimal128(12, 2)),
        pa.field("rate", pa.float32()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("local", pa.timestamp("us")),
        pa.field("day", pa.date32()),
        pa.field("clock", pa.time64("us")),
        pa.field("raw", pa.binary()),
        pa.field("kind", pa.dictionary(pa.int8(), pa.string())),
        pa.field("tags", pa.list_(pa.string())),
        pa.field(
            "lines", pa.list_(pa.struct([pa.field("sku", pa.string(), False), ("n", pa.int32())]))
        ),
        pa.field("extra", pa.map_(pa.string(), pa.string())),
    ],
    metadata={"written_by": "a test"},
)


def test_a_parquet_file_gives_back_its_own_types(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    pq.write_table(SCHEMA.empty_table(), path)

    found = import_parquet(path)

    (table,) = loaded(tmp_path, found).objects
    assert table.name == "orders"
    types = {field.name: field.type for field in arrow_schema(table)}
    wanted = {f.name: f.type for f in SCHEMA if f.name not in ("extra", "lines", "tags")}
    wanted |= {"small": pa.int32(), "kind": pa.string()}
    assert {name: types[name] for name in wanted} == wanted
    assert types["tags"].value_type == pa.string()
    assert [f.name for f in types["lines"].value_type] == ["sku", "n"]
    entries = columns(found)
    assert entries["id"] == {
        "name": "id",
        "description": "The number.",
        "logicalType": "integer",
        "physicalType": "long",
        "required": True,
    }
    assert entries["lines"]["items"]["properties"][0] == {
        "name": "sku",
        "logicalType": "string",
        "required": True,
    }
    assert lost(found.losses, "orders: column extra")
    assert lost(found.losses, "the metadata written_by")


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    path.write_text("id\n1\n")

    with pytest.raises(MalformedSourceError):
        import_parquet(path)
    with pytest.raises(SourceNotFoundError):
        import_parquet(tmp_path / "nothing.parquet")


def test_a_table_of_the_lake_gives_back_its_columns(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "lake")
    plain = ("id", "price", "rate", "at", "local", "day", "clock", "raw")
    # Iceberg has its own name for the items of a list.
    tags = pa.field("tags", pa.list_(pa.field("element", pa.string())))
    lake_schema = pa.schema([*(SCHEMA.field(name) for name in plain), tags])
    lake.ensure_table("shop.orders", lake_schema, {"comment": "All orders.", "owner": "me"})

    found = import_iceberg(lake, "shop.orders")

    (table,) = loaded(tmp_path, found).objects
    assert (table.name, table.description) == ("orders", "All orders.")
    assert table.properties[0].required
    assert table.properties[0].description == "The number."
    assert arrow_schema(table).names == lake_schema.names
    assert [loss.what for loss in found.losses] == ["the property owner"]
    # What the platform would make of the contract is the table as it is.
    assert [arrow_schema(table).field(n).type for n in plain] == [
        lake_schema.field(n).type for n in plain
    ]


def test_a_table_that_the_lake_has_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(TableNotFoundError):
        import_iceberg(open_lake(tmp_path / "lake"), "shop.nothing")


def test_a_csv_file_gives_guesses_which_are_called_so(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,price,day,name\n1,2.5,2024-01-31,Ann\n2,,2024-02-01,\n")

    found = import_csv(path)

    kinds = {name: entry["logicalType"] for name, entry in columns(found).items()}
    assert kinds == {"id": "integer", "price": "number", "day": "date", "name": "string"}
    assert lost(found.losses, "guessed from rows")
    loaded(tmp_path, found)


def test_an_error_in_a_csv_file_shows_no_row(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(b'id,name\n1,s3cr3t\xff\xfe\n2,"s3cr3t\n')

    with pytest.raises(MalformedSourceError) as raised:
        import_csv(path)

    assert "s3cr3t" not in str(raised.value)
