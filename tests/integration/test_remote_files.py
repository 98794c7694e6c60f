"""Data files in an object store, as DuckDB reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.catalogs import lake_of, lake_settings
from support.command_line import call
from support.lake_tables import SCHEMA, staged
from support.project import Project, csv_text, integer, key
from support.s3_server import S3Server, s3_server
from support.shop import furnish

from quality_platform.errors import EngineError, StorageError
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.feature_store_objects import store_settings
from quality_platform.flows.load_table import load_table
from quality_platform.flows.materialize_features import materialize_feature_view
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.duckdb_files import OpenedFile
from quality_platform.lake.query import EngineSettings, duckdb_session, shut
from quality_platform.lake.reading import files_of
from quality_platform.lake.remote_files import RemoteFiles
from quality_platform.lake.table_files import read_parquet

ROWS, GROUPS = 200_000, 20


@pytest.fixture(scope="module")
def store() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def lake(store: S3Server, tmp_path: Path) -> Iterator[Lake]:
    with lake_settings("sqlite_s3", tmp_path / "lake", store) as settings:
        yield lake_of(settings)


@pytest.fixture
def table(lake: Lake) -> Table:
    return lake.ensure_table("shop.orders", SCHEMA)


def write(table: Table, name: str) -> tuple[str, int]:
    """A file of many row groups in the table's folder: its URI and its bytes."""
    uri = f"{table.location()}/data/{name}"
    rows = pa.table({"id": range(ROWS), "name": [f"name {n}" for n in range(ROWS)]})
    with table.io.new_output(uri).create() as stream:
        pq.write_table(rows, stream, row_group_size=ROWS // GROUPS)
    return uri, len(table.io.new_input(uri))


def test_row_groups_that_a_condition_leaves_out_are_not_fetched(
    table: Table, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, size = write(table, "many.parquet")
    fetched: list[int] = []
    read = OpenedFile.read

    def counted(self: OpenedFile, size: int = -1) -> bytes:
        data = read(self, size)
        fetched.append(len(data))
        return data

    monkeypatch.setattr(OpenedFile, "read", counted)
    with duckdb_session(EngineSettings(files=lake.files)) as connection:
        query = f"SELECT sum(length(name)) FROM {read_parquet([uri])}"
        (few,) = connection.sql(f"{query} WHERE id BETWEEN 5 AND 14").fetchall()
        assert few == (5 * 6 + 5 * 7,)
        pruned, fetched[:] = sum(fetched), []
        connection.sql(query).fetchall()
    assert 0 < pruned < size / 5
    assert sum(fetched) > size / 2


def test_threads_that_share_a_file_each_read_what_they_asked_for(table: Table, lake: Lake) -> None:
    uri, _ = write(table, "many.parquet")
    with duckdb_session(EngineSettings(threads=8, files=lake.files)) as connection:
        for _ in range(5):
            query = f"SELECT sum(id), count(DISTINCT name) FROM {read_parquet([uri])}"
            assert connection.sql(query).fetchall() == [(ROWS * (ROWS - 1) // 2, ROWS)]


@pytest.mark.parametrize("name", ["a b.parquet", "[1]*.parquet", "%20+ä&=.parquet", "x=1.parquet"])
def test_the_name_of_a_file_is_taken_by_the_letter(table: Table, lake: Lake, name: str) -> None:
    uri, _ = write(table, name)
    with duckdb_session(EngineSettings(files=lake.files)) as connection:
        shut(connection, [uri])
        query = f"SELECT count(*), min(filename) FROM {read_parquet([uri], 'filename = true')}"
        assert connection.sql(query).fetchall() == [(ROWS, uri)]


def test_a_session_that_is_shut_reads_no_other_object_and_writes_none(
    table: Table, lake: Lake, store: S3Server
) -> None:
    (uri, _), (other, _) = write(table, "one.parquet"), write(table, "other.parquet")
    bucket = uri.split("/")[2]
    before = store.client.list_objects_v2(Bucket=bucket)["KeyCount"]
    with duckdb_session(EngineSettings(files=lake.files)) as connection:
        shut(connection, [uri])
        for statement in (
            f"SELECT * FROM {read_parquet([other])}",
            f"SELECT * FROM glob('{table.location()}/*')",
            f"COPY (SELECT 1 AS a) TO '{table.location()}/new.parquet'",
        ):
            with pytest.raises(duckdb.PermissionException):
                connection.sql(statement).fetchall()
    assert store.client.list_objects_v2(Bucket=bucket)["KeyCount"] == before


def test_a_file_that_is_gone_is_an_error_of_the_store_whoever_swallows_it(
    table: Table, lake: Lake
) -> None:
    commits.append(lake, table, staged(table, [1]), {})
    table = lake.table("shop.orders")
    head = table.current_snapshot()
    assert head is not None
    (uri,) = files = files_of(table, head.snapshot_id)
    table.io.delete(uri)
    query = f"SELECT * FROM {read_parquet(files)}"
    with (
        pytest.raises(StorageError) as caught,
        duckdb_session(EngineSettings(files=lake.files)) as connection,
    ):
        connection.sql(query).fetchall()
    assert "there is no such file" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    with (
        pytest.raises(StorageError),
        duckdb_session(EngineSettings(files=lake.files)) as connection,
        # As a check does that then says that it could not be run.
        suppress(duckdb.Error),
    ):
        connection.sql(query).fetchall()


def test_a_file_of_no_table_of_the_lake_is_refused(table: Table) -> None:
    with (
        pytest.raises(StorageError, match="no table of the lake has this file"),
        duckdb_session(EngineSettings(files=RemoteFiles.of(table))) as connection,
    ):
        connection.sql("SELECT * FROM read_parquet(['s3://elsewhere/x.parquet'])").fetchall()


def test_a_session_reads_the_files_of_a_table_that_is_found_later(lake: Lake) -> None:
    with duckdb_session(EngineSettings(files=lake.files)) as connection:
        assert connection.list_filesystems() == []
        uri, _ = write(lake.ensure_table("shop.orders", SCHEMA), "later.parquet")
        counted = connection.sql(f"SELECT count(*) FROM read_parquet(['{uri}'])").fetchall()
    with duckdb_session(EngineSettings(files=lake.files)) as connection:
        again = connection.sql(f"SELECT count(*) FROM read_parquet(['{uri}'])").fetchall()

    assert counted == again == [(ROWS,)]


def test_a_session_without_a_lake_loads_no_extension_for_a_url() -> None:
    with pytest.raises(EngineError), duckdb_session(EngineSettings()) as connection:
        connection.sql("SELECT * FROM read_parquet(['s3://lake/x.parquet'])").fetchall()


def test_features_are_materialized_and_tables_checked_where_they_are(
    store: S3Server, project: Project, tmp_path: Path
) -> None:
    with lake_settings("rest_s3", tmp_path / "lake", store) as settings:
        furnish(project).settings["lake"] = settings
        platform = project.open()
        for name in ("customers", "orders"):
            load_table(platform, name, "run")
        compute_feature_view(platform, "totals", "run")
        assert materialize_feature_view(platform, "totals", "run").rows == 2
        assert _online(platform) == [40.0, 20.0]
        contract = project.folder / "contracts" / "orders.odcs.yaml"
        runner = ("--runner", project.runner)
        assert call("check", contract, "orders", *runner).code == 0


def _online(platform: Any) -> Any:
    from quality_platform.feature_store.store import online_features

    rows = [{"customer": 1}, {"customer": 2}]
    return online_features(store_settings(platform), ["totals:total"], rows)["total"]


def test_a_reference_to_a_table_in_a_store_is_checked(
    store: S3Server, project: Project, tmp_path: Path
) -> None:
    with lake_settings("sqlite_s3", tmp_path / "lake", store) as settings:
        project.settings["lake"] = settings
        project.table("customers", {"id": key(integer())})
        link = {"relationships": [{"type": "foreignKey", "to": "customers.id"}]}
        project.table("orders", {"id": key(integer()), "customer": integer(**link)})
        project.deliver("customers/a.csv", csv_text("id", [(1,), (2,)]))
        project.deliver("orders/a.csv", csv_text("id,customer", [(1, 1), (2, 3), (3, 2)]))
        platform = project.open()
        load_table(platform, "customers", "run")
        (load,) = load_table(platform, "orders", "run").loads
    assert (load.rows_published, load.rows_quarantined) == (2, 1)
