"""Reading again what was loaded: everything, or a range of the cursor."""

from __future__ import annotations

from typing import Any

import pytest
from support.command_line import call
from support.loads import loaded, told
from support.memory_source import MemorySource
from support.project import Project, column_of, integer, key, rows_of_table, text

from quality_platform.errors import RunnerFileError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform
from quality_platform.flows.requests import Request

COLUMNS = {"id": key(integer()), "at": integer(), "name": text(required=True)}
ALL = Request(full_refresh=True)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> MemorySource:
    return MemorySource().install(monkeypatch)


def row(n: int, at: int | None, name: str | None = "x") -> dict[str, Any]:
    return {"id": n, "at": at, "name": name}


def incremental(project: Project, mode: str) -> Platform:
    load = {"mode": mode, "incremental": {"cursor": "at"}}
    return project.table("orders", COLUMNS, load=load).open()


def content(platform: Platform) -> dict[int, str]:
    return {r["id"]: r["name"] for r in rows_of_table(platform, "shop.orders")}


def test_a_range_that_is_appended_again_takes_the_place_of_its_rows(
    project: Project, source: MemorySource
) -> None:
    platform = incremental(project, "append")
    source.rows = [row(n, n, "old") for n in range(1, 7)]
    loaded(platform)
    # 3 is gone at the source, 4 was mended, 5 is broken now, and 7 came late.
    source.rows = [row(1, 1), row(2, 2), row(4, 4, "new"), row(5, 4, None), row(7, 3, "late")]
    load = loaded(platform, Request.of(start="3", end="5"))
    assert told(load) == {"read": 3, "published": 2, "deleted": 2, "quarantined": 1}
    assert content(platform) == {1: "old", 2: "old", 4: "new", 5: "old", 6: "old", 7: "late"}
    # The position is where it was.
    source.rows = [row(3, 3), row(9, 9)]
    assert told(loaded(platform)) == {"read": 1, "published": 1}


def test_a_key_of_the_range_is_not_taken_but_others_are(
    project: Project, source: MemorySource
) -> None:
    platform = incremental(project, "append")
    source.rows = [row(1, 1), row(2, 2), row(3, 3)]
    loaded(platform)
    source.rows = [row(2, 2, "again"), row(3, 2, "taken")]
    load = loaded(platform, Request.of(start="2", end="3"))
    assert told(load) == {"read": 2, "published": 1, "deleted": 1, "quarantined": 1}
    assert content(platform) == {1: "x", 2: "again", 3: "x"}


def test_the_same_range_can_be_read_any_number_of_times(
    project: Project, source: MemorySource
) -> None:
    platform = incremental(project, "append")
    source.rows = [row(n, n) for n in range(1, 6)]
    loaded(platform)
    for _ in range(2):
        load = loaded(platform, Request.of(start="2"))
        assert told(load) == {"read": 4, "published": 4, "deleted": 4}
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3, 4, 5]


def test_a_range_is_merged_where_rows_are_merged(project: Project, source: MemorySource) -> None:
    platform = incremental(project, "merge")
    source.rows = [row(1, 1), row(2, 2), row(3, None)]
    loaded(platform)
    source.rows = [row(1, 1, "mended"), row(2, 2)]
    counts = {"read": 2, "published": 1, "updated": 1, "unchanged": 1}
    assert told(loaded(platform, Request.of(start="1", end="3"))) == counts
    assert content(platform) == {1: "mended", 2: "x", 3: "x"}
    source.rows = [row(1, 1, "not read again"), row(4, 3)]
    assert told(loaded(platform)) == {"read": 1, "published": 1}


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_full_refresh_puts_all_rows_in_place_of_all(
    project: Project, source: MemorySource, mode: str
) -> None:
    platform = incremental(project, mode)
    source.rows = [row(1, 1), row(2, 2)]
    loaded(platform)
    source.rows = [row(2, 1, "y"), row(3, 1, None), row(4, 1)]
    assert told(loaded(platform, ALL)) == {"read": 3, "published": 2, "quarantined": 1}
    assert content(platform) == {2: "y", 4: "x"}
    # What is new is what came after these, and not after those before.
    source.rows = [row(5, 2)]
    assert told(loaded(platform)) == {"read": 1, "published": 1}


def test_a_full_refresh_of_files_is_one_load(project: Project) -> None:
    project.table("orders", COLUMNS).deliver("orders/a.csv", "id,at,name\n1,1,a\n")
    project.deliver("orders/b.csv", "id,at,name\n2,1,b\n")
    platform = project.open()
    load_table(platform, "orders", "run")
    assert told(loaded(platform, ALL)) == {"read": 2, "published": 2}
    assert content(platform) == {1: "a", 2: "b"}
    assert load_table(platform, "orders", "run").state == "nothing_new"


def test_versions_are_never_thrown_away(project: Project, source: MemorySource) -> None:
    platform = project.table("orders", COLUMNS, load={"mode": "snapshot"}).open()
    source.rows = [row(1, 1, "a"), row(2, 1, "b")]
    loaded(platform)
    source.rows = [row(1, 1, "A"), row(2, 1, "b")]
    counts = {"read": 2, "published": 1, "updated": 1, "unchanged": 1}
    assert told(loaded(platform, ALL)) == counts
    assert column_of(platform, "shop.orders", "name") == ["A", "a", "b"]


def test_what_cannot_be_asked_for_is_told(project: Project) -> None:
    project.table("orders", COLUMNS).deliver("orders/a.csv", "id,at,name\n1,1,a\n")
    with pytest.raises(RunnerFileError, match="it has no range to read again"):
        load_table(project.open(), "orders", "run", request=Request.of(start="1"))
    with pytest.raises(RunnerFileError, match="a range beside it says nothing"):
        Request.of(full_refresh=True, start="1")


def test_the_command_line_reads_again_what_is_named(project: Project) -> None:
    project.table("orders", COLUMNS).deliver("orders/a.csv", "id,at,name\n1,1,a\n")
    project.write_runner()
    runner = str(project.runner)
    assert call("run", "-r", runner).code == 0
    again = call("run", "orders", "--full-refresh", "-r", runner)
    assert (again.code, "1 rows read, 1 published" in again.out) == (0, True)
    assert call("run", "--full-refresh", "-r", runner).code == 2
    assert call("run", "orders", "--from", "1", "-r", runner).code == 2
