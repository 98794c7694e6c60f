"""Iceberg tables as sources: of the same lake, and of another catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog, load_catalog
from support.project import Project, column_of, integer, key, rows_of_table, text

from quality_platform.errors import HeaderError, SourceChangedError, SourceNotFoundError
from quality_platform.flows.load_table import load_table

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
