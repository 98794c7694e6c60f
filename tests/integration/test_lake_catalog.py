"""The catalog: what its failures look like, and tables that do not fit their contract."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from support.lake_tables import RUNNER, SCHEMA, ids_of, open_lake, staged

from quality_platform.errors import (
    CatalogUnreachableError,
    QualityPlatformError,
    RunnerFileError,
    StorageError,
    TableNotFoundError,
    TableSchemaError,
)
from quality_platform.lake import commits
from quality_platform.lake.position import Position

SECRET = "hunter2"


def failure_of(folder: Path, uri: str) -> QualityPlatformError:
    with pytest.raises(QualityPlatformError) as caught:
        open_lake(folder, uri).table("shop.orders")
    return caught.value


@pytest.mark.parametrize(
    "uri",
    [
        # A port that nobody listens on; a folder that does not exist; a file where a folder must
        # be; a file that is no database.
        f"postgresql+psycopg2://u:{SECRET}@127.0.0.1:1/x",
        f"sqlite:///FOLDER/nowhere/{SECRET}.db",
        f"sqlite:///FOLDER/file/{SECRET}.db",
        "sqlite:///FOLDER/file",
    ],
)
def test_a_catalog_that_does_not_answer_is_told_with_file_and_line_and_without_secrets(
    tmp_path: Path, uri: str
) -> None:
    (tmp_path / "file").write_text("this is no database" * 100)
    error = failure_of(tmp_path / "lake", uri.replace("FOLDER", str(tmp_path)))
    assert isinstance(error, CatalogUnreachableError)
    assert error.transient
    assert str(RUNNER) in str(error)
    assert SECRET not in str(error)
    # The text of a chained exception would be printed with a traceback.
    assert error.__cause__ is None
    assert error.__suppress_context__


@pytest.mark.parametrize(
    "uri",
    [
        f"u:{SECRET}@localhost/x",
        f"nosuchdatabase://u:{SECRET}@localhost/x",
        f"postgresql://u:{SECRET}@127.0.0.1:1/x",
    ],
)
def test_a_url_that_names_no_driver_we_have_is_a_permanent_error(tmp_path: Path, uri: str) -> None:
    error = failure_of(tmp_path / "lake", uri)
    assert isinstance(error, RunnerFileError)
    assert not error.transient
    assert str(RUNNER) in str(error)
    assert "postgresql+psycopg2://" in str(error)
    assert SECRET not in str(error)


def test_credentials_are_not_in_the_lakes_own_text(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "lake", f"postgresql+psycopg2://u:{SECRET}@127.0.0.1:1/x")
    assert SECRET not in repr(lake)


def test_a_warehouse_whose_metadata_is_gone_is_a_storage_error(tmp_path: Path) -> None:
    open_lake(tmp_path / "lake").ensure_table("shop.orders", SCHEMA)
    shutil.rmtree(tmp_path / "lake" / "warehouse")
    with pytest.raises(StorageError, match="No such file") as caught:
        open_lake(tmp_path / "lake").table("shop.orders")
    assert str(RUNNER) in str(caught.value)


def test_a_table_that_nobody_made_is_told_with_what_to_do(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "lake")
    assert lake.find_table("shop.orders") is None
    with pytest.raises(TableNotFoundError, match=r"shop\.orders") as caught:
        lake.table("shop.orders")
    assert "quality-platform run" in str(caught.value)


def test_a_table_is_made_once_with_documentation_and_required_columns(tmp_path: Path) -> None:
    described = pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False, metadata={"doc": "The key."}),
            pa.field("at", pa.timestamp("us", "UTC")),
        ]
    )
    lake = open_lake(tmp_path / "lake")
    made = lake.ensure_table("shop.orders", described, {"comment": "All orders."})
    assert made.schema().find_field("id").doc == "The key."
    assert [field.required for field in made.schema().fields] == [True, False]
    assert made.properties["comment"] == "All orders."
    assert made.properties["commit.retry.num-retries"] == "0"
    again = open_lake(tmp_path / "lake").ensure_table("shop.orders", described)
    assert again.metadata.table_uuid == made.metadata.table_uuid


ID, NAME = SCHEMA.field("id"), SCHEMA.field("name")


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ([ID], "name: contract has no such column, table string"),
        ([pa.field("x", pa.int32()), ID, NAME], "x: contract int32, table has no such column"),
        ([ID.with_type(pa.int32()), NAME], "id: contract int32, table int64"),
        ([NAME, ID], "the same columns in another order"),
        ([ID.with_nullable(True), NAME], "id: contract optional, table required"),
    ],
)
def test_a_changed_contract_is_refused_with_what_differs(
    tmp_path: Path, columns: list[pa.Field[pa.DataType]], told: str
) -> None:
    lake = open_lake(tmp_path / "lake")
    table = lake.ensure_table("shop.orders", SCHEMA)
    commits.publish(lake, table, staged(table, [1]), Position(), {})
    with pytest.raises(TableSchemaError) as caught:
        lake.ensure_table("shop.orders", pa.schema(columns))
    assert told in str(caught.value)
    assert ids_of(lake, "shop.orders") == [1]


def test_a_table_that_is_older_than_the_last_columns_gets_them(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "lake")
    table = lake.ensure_table("history.things", SCHEMA)
    commits.publish(lake, table, staged(table, [1]), Position(), {})
    later = lake.ensure_table("history.things", SCHEMA.append(pa.field("x", pa.int32())))
    assert later.schema().column_names == ["id", "name", "x"]
    assert ids_of(lake, "history.things") == [1]


def test_a_column_may_become_required(tmp_path: Path) -> None:
    lake = open_lake(tmp_path / "lake")
    lake.ensure_table("shop.orders", SCHEMA)
    stricter = pa.schema([ID, NAME.with_nullable(False)])
    assert lake.ensure_table("shop.orders", stricter).name() == ("shop", "orders")


def meet(folder: Path, uuids: list[object], together: threading.Barrier) -> None:
    together.wait()
    table = open_lake(folder).ensure_table("shop.orders", SCHEMA)
    uuids.append(table.metadata.table_uuid)


@pytest.mark.parametrize("round_", range(3))
def test_many_that_meet_a_new_catalog_at_once_all_get_the_same_table(
    tmp_path: Path, round_: int
) -> None:
    uuids: list[object] = []
    together = threading.Barrier(6)
    arguments = (tmp_path / "lake", uuids, together)
    threads = [threading.Thread(target=meet, args=arguments) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(uuids), len(set(uuids))) == (6, 1)
