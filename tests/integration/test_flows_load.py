"""The flow of one table: which files it takes, and that every row read is accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.project import (
    Project,
    column_of,
    counts,
    csv_text,
    data_files,
    integer,
    key,
    rows_of_table,
    text,
)

from quality_platform.errors import (
    EmptySourceError,
    HeaderError,
    MalformedSourceError,
    SourceChangedError,
    SourceNotFoundError,
    StorageError,
    TableSchemaError,
)
from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import LoadOutcome
from quality_platform.flows.platform import Platform
from quality_platform.lake.position import Position

ORDERS = {"id": key(integer()), "customer": text()}
ALL = {"mode": "append", "batch": "all"}
REPLACE = {"mode": "replace", "batch": "all"}


def ids(platform: Platform) -> list[int]:
    return column_of(platform, "shop.orders", "id")


def orders(first: int, count: int) -> str:
    return csv_text("id,customer", [(n, f"c{n}") for n in range(first, first + count)])


def test_each_file_is_a_load_of_its_own_where_the_batch_is_a_file(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/b.csv", orders(10, 2))
    project.deliver("orders/a.csv", orders(0, 3))
    outcome = load_table(platform, "orders", "run-1")
    assert outcome.state == "published"
    assert [load.files for load in outcome.loads] == [("a.csv",), ("b.csv",)]
    assert [load.rows_published for load in outcome.loads] == [3, 2]
    assert (outcome.rows_read, outcome.total_rows) == (5, 5)
    assert ids(platform) == [0, 1, 2, 10, 11]
    assert outcome.snapshot_id == outcome.loads[-1].snapshot_id


def test_all_files_are_one_load_where_the_batch_is_all(project: Project) -> None:
    platform = project.table("orders", ORDERS, load=ALL).open()
    project.deliver("orders/a.csv", orders(0, 3))
    project.deliver("orders/b.csv", orders(10, 2))
    outcome = load_table(platform, "orders", "run-1")
    assert [load.files for load in outcome.loads] == [("a.csv", "b.csv")]
    assert ids(platform) == [0, 1, 2, 10, 11]


def test_files_below_folders_keep_their_relative_names(project: Project) -> None:
    project.table("orders", ORDERS, path="landing/**/*.csv", load=ALL)
    project.deliver("x/same.csv", orders(0, 1))
    project.deliver("y/z/same.csv", orders(1, 1))
    platform = project.open()
    (load,) = load_table(platform, "orders", "run-1").loads
    assert load.files == ("x/same.csv", "y/z/same.csv")


def test_a_second_run_finds_nothing_new_and_touches_nothing(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", orders(0, 3))
    first = load_table(platform, "orders", "run-1")
    before = {path: path.stat().st_mtime_ns for path in platform.home.rglob("*")}
    second = load_table(platform, "orders", "run-2")
    assert (second.state, second.rows_read, second.total_rows) == ("nothing_new", 0, 3)
    assert second.results == ()
    assert second.snapshot_id == first.snapshot_id
    assert {path: path.stat().st_mtime_ns for path in platform.home.rglob("*")} == before


def test_only_new_files_are_appended(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", orders(0, 3))
    load_table(platform, "orders", "run-1")
    project.deliver("orders/b.csv", orders(3, 1))
    outcome = load_table(platform, "orders", "run-2")
    assert [load.files for load in outcome.loads] == [("b.csv",)]
    assert ids(platform) == [0, 1, 2, 3]


def test_a_file_that_is_taken_away_takes_no_rows_with_it(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    gone = project.deliver("orders/a.csv", orders(0, 3))
    load_table(platform, "orders", "run-1")
    gone.unlink()
    project.deliver("orders/b.csv", orders(3, 1))
    load_table(platform, "orders", "run-2")
    assert ids(platform) == [0, 1, 2, 3]


def test_a_changed_file_is_refused_when_appending(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", orders(0, 3))
    (load,) = load_table(platform, "orders", "run-1").loads
    project.deliver("orders/a.csv", orders(0, 4))
    project.deliver("orders/b.csv", orders(10, 1))
    files = data_files(platform)
    with pytest.raises(SourceChangedError) as caught:
        load_table(platform, "orders", "run-2")
    assert "a.csv" in str(caught.value)
    assert load.load_id in str(caught.value)
    assert f"{project.runner}:" in str(caught.value)
    assert ids(platform) == [0, 1, 2]
    assert {name for name in data_files(platform) - files if "history" not in name} == set()


def test_a_changed_file_takes_the_place_of_all_when_replacing(project: Project) -> None:
    platform = project.table("orders", ORDERS, load=REPLACE).open()
    project.deliver("orders/a.csv", orders(0, 3))
    project.deliver("orders/b.csv", orders(10, 1))
    load_table(platform, "orders", "run-1")
    project.deliver("orders/a.csv", orders(0, 1))
    outcome = load_table(platform, "orders", "run-2")
    assert (outcome.rows_read, outcome.rows_published, outcome.total_rows) == (2, 2, 2)
    assert ids(platform) == [0, 10]
    assert load_table(platform, "orders", "run-3").state == "nothing_new"


def test_a_file_taken_away_changes_a_replaced_table(project: Project) -> None:
    platform = project.table("orders", ORDERS, load=REPLACE).open()
    project.deliver("orders/a.csv", orders(0, 3))
    gone = project.deliver("orders/b.csv", orders(10, 1))
    load_table(platform, "orders", "run-1")
    gone.unlink()
    assert load_table(platform, "orders", "run-2").state == "published"
    assert ids(platform) == [0, 1, 2]


def test_a_replaced_table_may_go_back_to_an_earlier_version(project: Project) -> None:
    platform = project.table("orders", ORDERS, load=REPLACE).open()
    loads: list[LoadOutcome] = []
    for count in (3, 1, 3):
        project.deliver("orders/a.csv", orders(0, count))
        loads += load_table(platform, "orders", "run").loads
    assert loads[0].load_id == loads[2].load_id != loads[1].load_id
    assert len({load.attempt for load in loads}) == 3
    assert ids(platform) == [0, 1, 2]


@pytest.mark.parametrize("load", [ALL, REPLACE])
def test_a_file_with_a_header_only_is_a_load_without_rows(
    project: Project, load: dict[str, str]
) -> None:
    platform = project.table("orders", ORDERS, load=load).open()
    project.deliver("orders/a.csv", "id,customer\n")
    outcome = load_table(platform, "orders", "run-1")
    assert (outcome.state, outcome.rows_read, outcome.total_rows) == ("published", 0, 0)
    assert set(counts(outcome).values()) == {0}
    assert load_table(platform, "orders", "run-2").state == "nothing_new"
    project.deliver("orders/b.csv", orders(0, 2))
    load_table(platform, "orders", "run-3")
    assert ids(platform) == [0, 1]


def test_position_load_id_and_run_id_stand_in_the_table(project: Project) -> None:
    platform = project.table("orders", ORDERS, version="2.1.0").open()
    project.deliver("orders/a.csv", "id,customer\n1,x\n,y\n")
    (load,) = load_table(platform, "orders", "run-1").loads
    table = platform.lake.table("shop.orders")
    source = Position.of(table.properties).sources["a.csv"]
    assert (source.load_id, source.attempt) == (load.load_id, load.attempt)
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    summary = snapshot.summary.additional_properties
    assert summary["quality-platform.load-id"] == load.load_id
    assert summary["quality-platform.run-id"] == "run-1"
    assert summary["quality-platform.contract-version"] == "2.1.0"
    assert summary["quality-platform.rows-read"] == "2"
    assert summary["quality-platform.rows-quarantined"] == "1"
    held = platform.lake.table("quarantine.orders").current_snapshot()
    assert held is not None
    assert str(held.snapshot_id) == summary["quality-platform.quarantine-snapshot-id"]
    assert load.quarantine_snapshot_id == held.snapshot_id


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", EmptySourceError),
        ("id,custmer\n1,x\n", HeaderError),
        ('id,customer\n1,x\n2,"never closed\n', MalformedSourceError),
    ],
)
def test_a_file_that_cannot_be_read_leaves_nothing_partial(
    project: Project, content: str, error: type[Exception]
) -> None:
    platform = project.table("orders", ORDERS).open()
    file = project.deliver("orders/a.csv", content)
    with pytest.raises(error) as caught:
        load_table(platform, "orders", "run-1")
    assert str(file) in str(caught.value)
    assert rows_of_table(platform, "shop.orders") == []
    assert rows_of_table(platform, "quarantine.orders") == []
    assert data_files(platform, "shop/**/*.parquet") == set()
    assert data_files(platform, "quarantine/**/*.parquet") == set()
    for identifier in ("shop.orders", "quarantine.orders"):
        assert not [b for b in platform.lake.table(identifier).refs() if b != "main"]


def test_a_file_that_breaks_off_late_deletes_what_was_staged_of_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quality_platform.lake.data_files.ROW_GROUP_BYTES", 1)
    monkeypatch.setattr("quality_platform.sources.drifting_files.CsvFormat", _small_blocks())
    platform = project.table("orders", ORDERS).open()
    rows = orders(0, 2000) + ",nobody\n" + '3000,"never closed\n'
    project.deliver("orders/a.csv", rows)
    written: list[str] = []
    original = type(platform.lake.ensure_table("shop.orders", platform.tables["orders"].schema).io)
    monkeypatch.setattr(original, "new_output", _recording(original.new_output, written))
    with pytest.raises(MalformedSourceError):
        load_table(platform, "orders", "run-1")
    assert any("/shop/orders/data/" in uri for uri in written)
    assert data_files(platform, "shop/**/*.parquet") == set()
    assert data_files(platform, "quarantine/**/*.parquet") == set()


def _small_blocks() -> object:
    from quality_platform.sources.csv_files import CsvFormat

    def made(delimiter: str, quote: str, null_strings: tuple[str, ...], **more: Any) -> CsvFormat:
        return CsvFormat(delimiter, quote, null_strings, block_bytes=4096, **more)

    return made


def _recording(original: object, written: list[str]) -> object:
    def new_output(self: object, location: str) -> object:
        written.append(location)
        return original(self, location)  # type: ignore[operator]

    return new_output


def test_a_source_without_a_file_is_told_with_the_line_of_runner_yaml(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    with pytest.raises(SourceNotFoundError) as caught:
        load_table(platform, "orders", "run-1")
    path_line = project.runner.read_text().split("path:")[0].count("\n") + 1
    assert f"{project.runner}:{path_line}" in str(caught.value)
    assert platform.lake.find_table("shop.orders") is None


def test_what_a_run_published_stays_when_a_later_file_cannot_be_read(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", orders(0, 2))
    project.deliver("orders/b.csv", "nonsense\n")
    with pytest.raises(HeaderError):
        load_table(platform, "orders", "run-1")
    assert ids(platform) == [0, 1]
    project.deliver("orders/b.csv", orders(2, 1))
    outcome = load_table(platform, "orders", "run-2")
    assert [load.files for load in outcome.loads] == [("b.csv",)]
    assert ids(platform) == [0, 1, 2]


def test_a_contract_whose_columns_changed_is_refused_before_anything_is_read(
    project: Project,
) -> None:
    project.table("orders", ORDERS)
    project.deliver("orders/a.csv", orders(0, 2))
    load_table(project.open(), "orders", "run-1")
    project.table("orders", {**ORDERS, "customer": integer()})
    project.deliver("orders/b.csv", "id,customer\n9,1\n")
    platform = project.open()
    with pytest.raises(TableSchemaError, match=r"shop\.orders"):
        load_table(platform, "orders", "run-2")
    assert ids(platform) == [0, 1]


@pytest.mark.parametrize("warehouse", ["taken", "taken/below"])
def test_a_warehouse_that_cannot_be_made_is_told_with_file_and_line(
    project: Project, warehouse: str
) -> None:
    (project.folder / "taken").write_text("a file")
    project.settings["lake"] = {"warehouse": warehouse}
    project.table("orders", ORDERS)
    project.deliver("orders/a.csv", orders(0, 1))
    with pytest.raises(StorageError) as caught:
        load_table(project.open(), "orders", "run-1")
    assert f"{project.runner}:3" in str(caught.value)
    assert "lake.warehouse" in str(caught.value)


def test_a_full_warehouse_stops_the_load_and_publishes_nothing(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", orders(0, 2))
    platform.lake.ensure_table("shop.orders", platform.tables["orders"].schema)
    in_the_way = platform.home / "warehouse" / "shop" / "orders" / "data"
    in_the_way.write_text("no folder")
    with pytest.raises(StorageError):
        load_table(platform, "orders", "run-1")
    in_the_way.unlink()
    assert load_table(platform, "orders", "run-2").rows_published == 2


def test_columns_are_taken_by_name_and_renamed_from_their_physical_names(
    project: Project,
) -> None:
    columns = {"id": key(integer()), "customer": text(physicalName="Customer Name")}
    platform = project.table("orders", columns, source={"ignore_columns": ["note"]}).open()
    project.deliver("orders/a.csv", "note,Customer Name,id\nx,Ann,1\n")
    load_table(platform, "orders", "run-1")
    assert rows_of_table(platform, "shop.orders") == [{"id": 1, "customer": "Ann"}]


def test_the_order_of_files_is_the_order_of_their_names(project: Project, tmp_path: Path) -> None:
    platform = project.table("orders", ORDERS).open()
    for name in ("c.csv", "a.csv", "b.csv"):
        project.deliver(f"orders/{name}", orders(ord(name[0]), 1))
    seen: list[str] = []
    load_table(
        platform,
        "orders",
        "run-1",
        lambda step, detail: seen.append(detail) if step == "reading" else None,
    )
    assert seen == ["a.csv", "b.csv", "c.csv"]
