"""Iceberg tables as sources: of the same lake, and of another catalog."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform, MonthTransform
from pyiceberg.types import LongType, NestedField, StringType, TimestamptzType
from support.iceberg_deletes import delete_by_position, delete_by_value
from support.project import Project, column_of, integer, key, number, rows_of_table, text

from quality_platform.errors import (
    HeaderError,
    LakeError,
    QualityPlatformError,
    SourceChangedError,
    SourceError,
    SourceNotFoundError,
    TableNotFoundError,
)
from quality_platform.flows.load_table import load_table
from quality_platform.flows.requests import Request

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])


def rows(*ids: int) -> pa.Table:
    return pa.table({"id": ids, "name": [f"n{n}" for n in ids]}, schema=SCHEMA)


@pytest.fixture
def other(tmp_path: Path) -> tuple[Catalog, dict[str, str]]:
    """Another catalog with a table `sales.orders` of two rows, and its properties."""
    folder = tmp_path / "other"
    folder.mkdir()
    properties = {
        "name": "other",
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db",
        "warehouse": folder.as_uri(),
    }
    catalog = load_catalog(**properties)
    catalog.create_namespace("sales")
    catalog.create_table("sales.orders", SCHEMA).append(rows(1, 2))
    return catalog, properties


def copying(project: Project, source: dict[str, Any], mode: str) -> Project:
    project.table("copies", {"id": key(integer()), "name": text()}, load={"mode": mode})
    project.tables["copies"]["source"] = {"type": "iceberg", **source}
    project.write_runner()
    return project


def test_what_was_appended_is_read_once(project: Project, other: tuple[Catalog, dict[str, str]]):
    catalog, properties = other
    source = {"table": "sales.orders", "catalog": properties}
    platform = copying(project, source, "append").open()
    assert load_table(platform, "copies", "run-1").rows_published == 2
    assert load_table(platform, "copies", "run-2").state == "nothing_new"
    table = catalog.load_table("sales.orders")
    table.append(rows(3))
    table.append(rows(4, 5))
    assert load_table(platform, "copies", "run-3").rows_read == 3
    assert column_of(platform, "shop.copies", "id") == [1, 2, 3, 4, 5]


def test_a_source_that_changed_rows_is_refused_where_rows_are_only_added(
    project: Project, other: tuple[Catalog, dict[str, str]]
):
    catalog, properties = other
    source = {"table": "sales.orders", "catalog": properties}
    platform = copying(project, source, "append").open()
    load_table(platform, "copies", "run-1")
    catalog.load_table("sales.orders").overwrite(rows(1, 7))
    with pytest.raises(SourceChangedError, match="changed or removed rows"):
        load_table(platform, "copies", "run-2")
    assert column_of(platform, "shop.copies", "id") == [1, 2]


def test_a_whole_table_takes_the_place_of_the_one_before(
    project: Project, other: tuple[Catalog, dict[str, str]]
):
    catalog, properties = other
    source = {"table": "sales.orders", "catalog": properties}
    platform = copying(project, source, "replace").open()
    load_table(platform, "copies", "run-1")
    assert load_table(platform, "copies", "run-2").state == "nothing_new"
    catalog.load_table("sales.orders").overwrite(rows(7))
    assert load_table(platform, "copies", "run-3").rows_published == 1
    assert column_of(platform, "shop.copies", "id") == [7]


def test_a_renamed_column_is_read_by_its_id(
    project: Project, other: tuple[Catalog, dict[str, str]]
):
    catalog, properties = other
    table = catalog.load_table("sales.orders")
    with table.update_schema() as update:
        update.rename_column("name", "title")
    with table.update_schema() as update:
        update.rename_column("title", "name")
    table.append(rows(3))
    source = {"table": "sales.orders", "catalog": properties}
    platform = copying(project, source, "append").open()
    load_table(platform, "copies", "run-1")
    names = [row["name"] for row in rows_of_table(platform, "shop.copies")]
    assert sorted(names) == ["n1", "n2", "n3"]


def test_a_table_of_the_same_lake_needs_no_catalog(project: Project):
    project.table("orders", {"id": key(integer()), "name": text()})
    project.deliver("orders/a.csv", "id,name\n1,x\n2,y\n")
    platform = copying(project, {"table": "shop.orders"}, "append").open()
    load_table(platform, "orders", "run-1")
    assert load_table(platform, "copies", "run-1").rows_published == 2


def test_a_table_or_column_that_is_not_there_is_told(
    project: Project, other: tuple[Catalog, dict[str, str]]
):
    catalog, properties = other
    missing = {"table": "sales.order", "catalog": properties}
    with pytest.raises(SourceNotFoundError, match=r"sales\.order"):
        load_table(copying(project, missing, "append").open(), "copies", "run-1")
    with catalog.load_table("sales.orders").update_schema() as update:
        update.delete_column("name")
    there = {"table": "sales.orders", "catalog": properties}
    with pytest.raises(HeaderError, match="no column 'name'"):
        load_table(copying(project, there, "append").open(), "copies", "run-1")


TYPES = pa.schema(
    [
        ("id", pa.int64()),
        ("u", pa.uuid()),
        ("fixed", pa.binary(4)),
        ("tags", pa.list_(pa.string())),
        ("place", pa.struct([("city", pa.string()), ("height", pa.decimal128(9, 2))])),
        ("lines", pa.list_(pa.struct([("sku", pa.string()), ("qty", pa.int64())]))),
    ]
)
LINES_TYPE = TYPES.field("lines").type
OBJECT = {
    "logicalType": "object",
    "properties": [
        {"name": "city", "logicalType": "string"},
        {"name": "height", "logicalType": "number", "physicalType": "decimal(9,2)"},
    ],
}
LINES = {
    "logicalType": "array",
    "items": {
        "logicalType": "object",
        "properties": [
            {"name": "sku", "logicalType": "string"},
            {"name": "qty", "logicalType": "integer"},
        ],
    },
}


@pytest.mark.parametrize("left_out", [(), ("lines",)])
def test_every_type_comes_as_it_is(
    project: Project, other: tuple[Catalog, dict[str, str]], left_out: tuple[str, ...]
):
    catalog, properties = other
    one = {
        "id": 1,
        "u": UUID(int=7).bytes,
        "fixed": b"\x00\xff\x00\xff",
        "tags": ["a", None],
        "place": {"city": "Köln", "height": "53.00"},
        "lines": [{"sku": "x", "qty": 2}],
    }
    nothing = {name: 2 if name == "id" else None for name in TYPES.names}
    columns = [
        pa.array([one[f.name], nothing[f.name]], f.type)
        if f.name != "place"
        else pa.array(
            [
                {"city": "Köln", "height": pa.scalar("53.00").cast(pa.decimal128(9, 2)).as_py()},
                None,
            ],
            f.type,
        )
        for f in TYPES
    ]
    table = catalog.create_table("sales.all_types", TYPES)
    table.append(pa.table(columns, schema=TYPES))
    wanted = {
        "id": key(integer()),
        "u": text(),
        "fixed": {"logicalType": "string", "physicalType": "binary"},
        "tags": {"logicalType": "array", "items": {"logicalType": "string"}},
        "place": OBJECT,
        "lines": LINES,
    }
    project.table("copies", {n: c for n, c in wanted.items() if n not in left_out})
    project.tables["copies"]["source"] = {
        "type": "iceberg",
        "table": "sales.all_types",
        "catalog": properties,
        "ignore_columns": list(left_out),
    }
    project.tables["copies"]["load"] = {"mode": "replace"}
    platform = project.open()
    assert load_table(platform, "copies", "run-1").rows_published == 2
    found = {row["id"]: row for row in rows_of_table(platform, "shop.copies")}
    assert found[1]["u"] == "00000000-0000-0000-0000-000000000007"
    assert found[1]["fixed"] == b"\x00\xff\x00\xff"
    assert found[1]["tags"] == ["a", None]
    assert (found[1]["place"]["city"], str(found[1]["place"]["height"])) == ("Köln", "53.00")
    # pyiceberg itself wrote an empty list for the missing one.
    empty = {name: [] if name == "lines" else None for name in wanted if name not in left_out}
    assert found[2] == {**empty, "id": 2}
    if not left_out:
        assert found[1]["lines"] == [{"sku": "x", "qty": 2}]


def test_a_missing_list_of_objects_stays_missing(project: Project):
    columns = {"id": key(integer()), "lines": LINES}
    project.table("orders", columns, path="landing/orders/*.jsonl", source={"type": "jsonl"})
    lines = ['{"id": 1, "lines": null}', '{"id": 2, "lines": []}', '{"id": 3, "lines": [{}]}']
    project.deliver("orders/a.jsonl", "\n".join(lines))
    project.table("copies", columns, load={"mode": "append"})
    project.tables["copies"]["source"] = {"type": "iceberg", "table": "shop.orders"}
    platform = project.open()
    assert load_table(platform, "orders", "run-1").rows_published == 3
    assert load_table(platform, "copies", "run-1").rows_published == 3
    found = {row["id"]: row["lines"] for row in rows_of_table(platform, "shop.copies")}
    assert found == {1: None, 2: [], 3: [{"sku": None, "qty": None}]}


def test_files_that_were_added_by_name_are_read_or_refused(
    project: Project, other: tuple[Catalog, dict[str, str]], tmp_path: Path
):
    catalog, properties = other
    file = tmp_path / "other" / "made_elsewhere.parquet"
    pq.write_table(
        pa.table([pa.array([1]), pa.array([None], LINES_TYPE)], names=["id", "lines"]), file
    )
    table = catalog.create_table(
        "sales.added", pa.schema([("id", pa.int64()), ("lines", LINES_TYPE)])
    )
    table.add_files([file.as_uri()])
    project.table("copies", {"id": key(integer())}, load={"mode": "replace"})
    source = {"type": "iceberg", "table": "sales.added", "catalog": properties}
    project.tables["copies"]["source"] = {**source, "ignore_columns": ["lines"]}
    platform = project.open()
    load_table(platform, "copies", "run-1")
    assert column_of(platform, "shop.copies", "id") == [1]
    project.contract("copies", {"id": key(integer()), "lines": LINES})
    project.tables["copies"]["source"] = source
    with pytest.raises(SourceError, match="without field ids"):
        load_table(project.open(), "copies", "run-2", request=Request(full_refresh=True))


def test_a_partitioned_table_whose_columns_and_partitions_changed_is_read_whole(
    project: Project, other: tuple[Catalog, dict[str, str]]
):
    catalog, properties = other
    schema = Schema(
        NestedField(1, "key", LongType(), required=False),
        NestedField(2, "region", StringType(), required=False),
        NestedField(3, "at", TimestamptzType(), required=False),
    )
    spec = PartitionSpec(
        PartitionField(2, 1000, IdentityTransform(), "region"),
        PartitionField(3, 1001, MonthTransform(), "at_month"),
    )
    table = catalog.create_table("sales.parts", schema, partition_spec=spec)

    def added(name: str, *ids: int) -> None:
        table.append(
            pa.table(
                {
                    name: ids,
                    "region": ["ä/b", None, "c"][: len(ids)],
                    "at": [datetime(2024, 1 + n % 12, 1, tzinfo=UTC) for n in ids],
                },
                schema=table.schema().as_arrow(),
            )
        )

    added("key", 1, 2, 3)
    with table.update_schema() as update:
        update.rename_column("key", "id")
    with table.update_spec() as respec:
        respec.remove_field("region")
    source = {"table": "sales.parts", "catalog": properties, "ignore_columns": ["at"]}
    project.table("copies", {"id": key(integer()), "region": text()})
    project.tables["copies"]["source"] = {"type": "iceberg", **source}
    project.tables["copies"]["load"] = {"mode": "append"}
    platform = project.open()
    assert load_table(platform, "copies", "run-1").rows_published == 3
    added("id", 4, 5)
    assert load_table(platform, "copies", "run-2").rows_read == 2
    found = {row["id"]: row["region"] for row in rows_of_table(platform, "shop.copies")}
    assert found == {1: "ä/b", 2: None, 3: "c", 4: "ä/b", 5: None}


def test_a_branch_or_tag_is_read_as_it_stands(
    project: Project, other: tuple[Catalog, dict[str, str]]
):
    catalog, properties = other
    table = catalog.load_table("sales.orders")
    snapshot = table.current_snapshot()
    assert snapshot is not None
    table.manage_snapshots().create_tag(snapshot.snapshot_id, "month_end").commit()
    table.append(rows(3))
    source = {"table": "sales.orders", "catalog": properties, "ref": "month_end"}
    platform = copying(project, source, "replace").open()
    assert load_table(platform, "copies", "run-1").rows_published == 2
    assert load_table(platform, "copies", "run-2").state == "nothing_new"
    with pytest.raises(TableNotFoundError, match="no branch or tag 'year_end'"):
        load_table(copying(project, {**source, "ref": "year_end"}, "replace").open(), "copies", "r")


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_full_refresh_reads_the_same_snapshot_again(
    project: Project, other: tuple[Catalog, dict[str, str]], mode: str
):
    catalog, properties = other
    source = {"table": "sales.orders", "catalog": properties}
    platform = copying(project, source, mode).open()
    load_table(platform, "copies", "run-1")
    again = load_table(platform, "copies", "run-2", request=Request(full_refresh=True))
    assert again.rows_published == 2
    assert column_of(platform, "shop.copies", "id") == [1, 2]
    catalog.load_table("sales.orders").append(rows(3))
    load_table(platform, "copies", "run-3")
    assert column_of(platform, "shop.copies", "id") == [1, 2, 3]


def test_columns_may_come_and_go_as_far_as_the_load_allows_it(
    project: Project, other: tuple[Catalog, dict[str, str]]
):
    catalog, properties = other
    with catalog.load_table("sales.orders").update_schema() as update:
        update.delete_column("name")
        update.add_column("more", StringType())
    source = {"table": "sales.orders", "catalog": properties}
    project = copying(project, source, "replace")
    with pytest.raises(HeaderError) as caught:
        load_table(project.open(), "copies", "run-1")
    assert [problem.message for problem in caught.value.problems] == [
        "the source has no column 'name'",
        "the contract has no column 'more'",
    ]
    project.tables["copies"]["load"]["schema_drift"] = "evolve"
    platform = project.open()
    assert load_table(platform, "copies", "run-2").rows_published == 2
    assert column_of(platform, "shop.copies", "id") == [1, 2]


def test_a_value_that_the_contract_cannot_hold_takes_its_row_out(
    project: Project, other: tuple[Catalog, dict[str, str]]
):
    catalog, properties = other
    table = catalog.create_table(
        "sales.prices", pa.schema([("id", pa.int64()), ("p", pa.decimal128(9, 3))])
    )
    cells = pa.array(["1.250", "1.255"]).cast(pa.decimal128(9, 3))
    table.append(pa.table({"id": [1, 2], "p": cells}))
    project.table("copies", {"id": key(integer()), "p": number("decimal(9,2)")})
    project.tables["copies"]["source"] = {
        "type": "iceberg",
        "table": "sales.prices",
        "catalog": properties,
    }
    platform = project.open()
    outcome = load_table(platform, "copies", "run-1")
    assert (outcome.rows_published, outcome.rows_quarantined) == (1, 1)
    (held,) = rows_of_table(platform, "quarantine.copies")
    assert '"p": "1.255"' in held["_raw_record"]


def test_another_catalog_is_only_read(
    project: Project, other: tuple[Catalog, dict[str, str]], tmp_path: Path
):
    _, properties = other
    empty = tmp_path / "empty.db"
    wrong = {**properties, "uri": f"sqlite:///{empty}", "password": "s3cr3t"}
    source = {"table": "sales.orders", "catalog": wrong}
    with pytest.raises(LakeError) as caught:
        load_table(copying(project, source, "replace").open(), "copies", "run-1")
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.problems[0].field == "tables.copies.source.catalog"
    assert not empty.exists() or not empty.stat().st_size


@pytest.mark.parametrize("name", ["orders", "no_such.orders", "a.b.c", "sales."])
def test_a_name_that_leads_nowhere_is_told(
    project: Project, other: tuple[Catalog, dict[str, str]], name: str
):
    source = {"table": name, "catalog": other[1]}
    with pytest.raises(QualityPlatformError, match=name):
        load_table(copying(project, source, "replace").open(), "copies", "run-1")


def test_data_files_that_are_gone_stop_the_load(
    project: Project, other: tuple[Catalog, dict[str, str]]
):
    catalog, properties = other
    platform = copying(project, {"table": "sales.orders", "catalog": properties}, "append").open()
    load_table(platform, "copies", "run-1")
    table = catalog.load_table("sales.orders")
    table.append(rows(3))
    for path in Path(table.location().removeprefix("file://")).glob("data/*.parquet"):
        path.unlink()
    with pytest.raises(LakeError):
        load_table(platform, "copies", "run-2")
    assert column_of(platform, "shop.copies", "id") == [1, 2]


def test_rows_that_another_program_deleted_are_not_read(
    project: Project, other: tuple[Catalog, dict[str, str]]
):
    catalog, properties = other
    delete_by_position(catalog.load_table("sales.orders"), 0)
    source = {"table": "sales.orders", "catalog": properties}
    platform = copying(project, source, "replace").open()
    assert load_table(platform, "copies", "run-1").rows_published == 1
    assert column_of(platform, "shop.copies", "id") == [2]
    delete_by_value(catalog.load_table("sales.orders"), id=2)
    with pytest.raises(SourceError, match="cannot be read exactly") as caught:
        load_table(platform, "copies", "run-2")
    assert "equality deletes" in str(caught.value)


def test_deletes_and_lists_of_objects_together_are_refused(
    project: Project, other: tuple[Catalog, dict[str, str]]
):
    catalog, properties = other
    schema = pa.schema([("id", pa.int64()), ("lines", LINES_TYPE)])
    table = catalog.create_table("sales.nested", schema)
    table.append(pa.table({"id": [1, 2], "lines": [[], []]}, schema=schema))
    delete_by_position(catalog.load_table("sales.nested"), 1)
    columns = {"id": key(integer()), "lines": LINES}
    project.table("copies", columns, load={"mode": "replace"})
    source = {"type": "iceberg", "table": "sales.nested", "catalog": properties}
    project.tables["copies"]["source"] = source
    with pytest.raises(SourceError, match="cannot be read exactly"):
        load_table(project.open(), "copies", "run-1")
    project.contract("copies", {"id": key(integer())})
    project.tables["copies"]["source"] = {**source, "ignore_columns": ["lines"]}
    platform = project.open()
    load_table(platform, "copies", "run-2")
    assert column_of(platform, "shop.copies", "id") == [1]


def test_maps_come_as_maps(project: Project, other: tuple[Catalog, dict[str, str]]):
    catalog, properties = other
    schema = pa.schema([("id", pa.int64()), ("m", pa.map_(pa.string(), pa.int64()))])
    table = catalog.create_table("sales.maps", schema)
    table.append(pa.table({"id": [1], "m": [[("a", 1), ("b", None)]]}, schema=schema))
    kinds = {"key": {"logicalType": "string"}, "value": {"logicalType": "integer"}}
    project.table("copies", {"id": key(integer()), "m": {"logicalType": "map", "map": kinds}})
    project.tables["copies"]["source"] = {
        "type": "iceberg",
        "table": "sales.maps",
        "catalog": properties,
    }
    platform = project.open()
    assert load_table(platform, "copies", "run-1").rows_published == 1
    (row,) = rows_of_table(platform, "shop.copies")
    assert dict(row["m"]) == {"a": 1, "b": None}
