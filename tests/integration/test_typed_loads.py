"""Loads of JSON lines, Parquet and Arrow: each row published or held back; each version once."""

from __future__ import annotations

import os
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.project import Project, column_of, integer, number, rows_of_table, text

from quality_platform.errors import HeaderError, SourceChangedError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform
from quality_platform.flows.table_status import quarantined_rows
from quality_platform.lake.position import Position
from quality_platform.sources import files

COLUMNS = {
    "id": integer(required=True),
    "name": text(),
    "price": number("decimal(10,2)"),
    "at": {"logicalType": "timestamp"},
    "tags": {"logicalType": "array", "items": {"logicalType": "string"}},
}
LINES = b"""\
{"id": 9007199254740993, "name": "a", "price": 12.30, "at": "2024-01-01T00:00:00Z", "tags": ["x"]}

{"id": 2, "name": "b", "price": "1.00"}
{"id": 3, "id": 3}
{"id": 4, "price": 1.005}
{"name": "no id"}
{"id": 6, "colour": "red"}
not json at all
{"id": 8, "name": null}
"""


def reasons(platform: Platform) -> dict[int | None, str]:
    """Why rows are held, by line."""
    return {
        row["_source_line"]: "; ".join(row["_reasons"]) for row in quarantined_rows(platform, "t")
    }


def test_every_record_of_json_lines_is_published_or_held_with_its_line(project: Project) -> None:
    project.table("t", COLUMNS, path="landing/t/*.jsonl", source={"type": "jsonl"})
    project.deliver("t/a.jsonl", LINES)
    platform = project.open()

    (load,) = load_table(platform, "t", "run").loads

    assert (load.rows_read, load.rows_published, load.rows_quarantined) == (8, 2, 6)
    first, last = sorted(rows_of_table(platform, "shop.t"), key=lambda row: -row["id"])
    assert (first["id"], first["price"], first["tags"]) == (2**53 + 1, Decimal("12.30"), ["x"])
    assert (last["id"], last["name"], last["price"]) == (8, None, None)
    found = reasons(platform)
    assert sorted(line or 0 for line in found) == [3, 4, 5, 6, 7, 8]
    assert found[3] == "price: a string, not a number"
    assert found[4] == "the key 'id' stands twice"
    assert found[5] == "price: '1.005' is no decimal(10, 2)"
    assert found[7] == "the contract has no 'colour'"


def test_the_raw_text_of_what_is_held_is_the_line(project: Project) -> None:
    project.table("t", COLUMNS, path="landing/t/*.jsonl", source={"type": "jsonl"})
    project.deliver("t/a.jsonl", LINES)
    platform = project.open()
    load_table(platform, "t", "run")

    raw = {row["_source_line"]: row["_raw_record"] for row in quarantined_rows(platform, "t")}

    lines = LINES.decode().splitlines()
    assert all(raw[line] == lines[line - 1] for line in (3, 4, 5, 7, 8))


def typed(ids: list[int | None], **more: pa.Array[Any]) -> pa.Table:
    given = {
        "id": pa.array(ids, pa.int64()),
        "name": pa.array(["é"] * len(ids)).dictionary_encode(),
        "price": pa.array([Decimal("1.5")] * len(ids), pa.decimal256(40, 3)),
        "at": pa.array([0] * len(ids), pa.timestamp("ns", "UTC")),
        "tags": pa.array([["x"]] * len(ids), pa.large_list(pa.large_string())),
    }
    return pa.table({**given, **more})


def deliver(project: Project, kind: str, table: pa.Table, name: str = "a") -> Path:
    path = project.deliver(f"t/{name}.{kind}", b"")
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(str(path), table.schema) as file:
            file.write_table(table)
    return path


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_typed_rows_are_published_or_held_by_value(project: Project, kind: str) -> None:
    project.table("t", COLUMNS, path=f"landing/t/*.{kind}", source={"type": kind})
    odd = pa.array([0, 1, 2000, 0], pa.timestamp("ns", "UTC"))
    deliver(project, kind, typed([1, 2, 3, None], at=odd))
    platform = project.open()

    (load,) = load_table(platform, "t", "run").loads

    assert (load.rows_read, load.rows_published, load.rows_quarantined) == (4, 2, 2)
    assert column_of(platform, "shop.t", "id") == [1, 3]
    assert {row["name"] for row in rows_of_table(platform, "shop.t")} == {"é"}
    held = {row["id"]: row for row in quarantined_rows(platform, "t")}
    assert '"id": 2' in held[2]["_raw_record"]
    assert held[2]["_source_line"] is None


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_file_without_rows_is_loaded_as_one_without_rows(project: Project, kind: str) -> None:
    project.table("t", COLUMNS, path=f"landing/t/*.{kind}", source={"type": kind})
    deliver(project, kind, typed([]))
    platform = project.open()

    (load,) = load_table(platform, "t", "run").loads

    assert load.rows_read == 0
    assert load_table(platform, "t", "run").state == "nothing_new"


def test_a_column_of_a_type_that_never_fits_is_refused_even_without_rows(project: Project) -> None:
    project.table("t", COLUMNS, path="landing/t/*.parquet", source={"type": "parquet"})
    deliver(project, "parquet", typed([], id=pa.array([], pa.date32())))

    with pytest.raises(HeaderError, match="'id' has a type that cannot become"):
        load_table(project.open(), "t", "run")


def csv_project(project: Project, **load: str) -> Project:
    return project.table("t", {"id": integer(required=True, primaryKey=True)}, load=load)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read for their checksums."""
    seen: list[str] = []
    original = files.fingerprint

    def counted(found: Any, known: str = "") -> Any:
        seen.append(Path(found.path).name)
        return original(found, known)

    monkeypatch.setattr(files, "fingerprint", counted)
    return seen


def settle(path: Path, seconds: float = 60) -> None:
    """As if the file had been written some time ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_file_of_the_same_size_and_time_is_not_read_again(
    project: Project, hashed: list[str]
) -> None:
    csv_project(project, mode="append", batch="file")
    settle(project.deliver("t/a.csv", "id\n1\n"))
    platform = project.open()
    load_table(platform, "t", "run 1")
    settle(project.deliver("t/b.csv", "id\n2\n"))
    load_table(platform, "t", "run 2")

    assert load_table(platform, "t", "run 3").state == "nothing_new"
    assert hashed == ["a.csv", "b.csv"]


def test_a_file_of_another_time_and_the_same_content_is_the_same_version(
    project: Project, hashed: list[str]
) -> None:
    csv_project(project, mode="append", batch="file")
    path = project.deliver("t/a.csv", "id\n1\n")
    settle(path)
    platform = project.open()
    load_table(platform, "t", "run 1")
    settle(path, 30)

    assert load_table(platform, "t", "run 2").state == "nothing_new"
    assert hashed == ["a.csv", "a.csv"]


def test_a_file_that_was_just_written_is_read_again_to_be_sure(
    project: Project, hashed: list[str]
) -> None:
    csv_project(project, mode="append", batch="file")
    settle(project.deliver("t/a.csv", "id\n1\n"), -60)
    platform = project.open()
    load_table(platform, "t", "run 1")
    load_table(platform, "t", "run 2")

    assert hashed == ["a.csv", "a.csv"]


@pytest.mark.parametrize(("mode", "left"), [("replace", [2]), ("merge", [1, 2])])
def test_a_changed_file_is_a_new_version(project: Project, mode: str, left: list[int]) -> None:
    csv_project(project, mode=mode)
    project.deliver("t/a.csv", "id\n1\n")
    platform = project.open()
    load_table(platform, "t", "run 1")
    project.deliver("t/a.csv", "id\n2\n")

    (load,) = load_table(platform, "t", "run 2").loads

    assert load.rows_read == 1
    assert column_of(platform, "shop.t", "id") == left
    assert load_table(platform, "t", "run 3").state == "nothing_new"


def test_rows_of_a_file_that_is_gone_are_deleted_by_comparison_once(project: Project) -> None:
    comparison = {"mode": "merge", "deletes": {"by": "comparison"}}
    project.table("t", {"id": integer(required=True, primaryKey=True)}, load=comparison)
    for name in "abc":
        project.deliver(f"t/{name}.csv", f"id\n{ord(name)}\n")
    platform = project.open()
    load_table(platform, "t", "run 1")
    (project.folder / "landing/t/b.csv").unlink()

    (load,) = load_table(platform, "t", "run 2").loads

    assert load.files == ("a.csv", "c.csv")
    assert column_of(platform, "shop.t", "id") == [97, 99]
    assert load_table(platform, "t", "run 3").state == "nothing_new"


def test_a_changed_file_is_never_appended_a_second_time(project: Project) -> None:
    csv_project(project, mode="append", batch="file")
    project.deliver("t/a.csv", "id\n1\n")
    platform = project.open()
    load_table(platform, "t", "run 1")
    project.deliver("t/a.csv", "id\n1\n2\n")

    with pytest.raises(SourceChangedError, match=r"a\.csv was ingested by load"):
        load_table(platform, "t", "run 2")
    assert column_of(platform, "shop.t", "id") == [1]


def test_the_position_names_only_attempts_that_held_rows_back(project: Project) -> None:
    csv_project(project, mode="append", batch="file")
    for name, cell in (("a", "1"), ("b", "x"), ("c", "3")):
        project.deliver(f"t/{name}.csv", f"id\n{cell}\n")
    platform = project.open()
    load_table(platform, "t", "run")

    position = Position.of(platform.lake.table("shop.t").properties)

    assert (len(position.attempts), position.loads, len(position.sources)) == (1, 3, 3)
    assert position.attempts[0] == position.sources["b.csv"].attempt
    assert len(list(quarantined_rows(platform, "t"))) == 1
