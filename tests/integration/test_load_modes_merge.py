"""Mode merge: rows take the place of those with the same key."""

from __future__ import annotations

from typing import Any

from support.loads import loaded, told
from support.project import Project, integer, key, predicate, row_count, rows_of_table, text

from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform
from quality_platform.lake.reading import files_of, snapshot_of

COLUMNS = {
    "id": key(integer()),
    "at": integer(),
    "name": text(required=True),
    "gone": {"logicalType": "boolean"},
}


def merged(project: Project, **load: Any) -> Project:
    settings = {"mode": "merge", "batch": "file", "order_by": "at", **load}
    return project.table("orders", COLUMNS, load=settings)


def names(platform: Platform, ref: str = "main") -> dict[int, str]:
    rows = rows_of_table(platform, "shop.orders", ref)
    found = {row["id"]: row["name"] for row in rows}
    assert len(found) == len(rows)
    return found


def live_files(platform: Platform) -> tuple[str, ...]:
    table = platform.lake.table("shop.orders")
    snapshot = snapshot_of(table)
    return files_of(table, snapshot.snapshot_id if snapshot else None).paths


def test_a_row_takes_the_place_of_the_one_with_its_key(project: Project) -> None:
    merged(project).deliver("orders/a.csv", "id,at,name,gone\n1,1,a,\n2,1,b,\n3,1,c,\n")
    platform = project.open()
    assert told(loaded(platform)) == {"read": 3, "published": 3}
    project.deliver("orders/b.csv", "id,at,name,gone\n2,2,B,\n4,2,d,\n3,1,c,\n")
    counts = {"read": 3, "published": 2, "updated": 1, "unchanged": 1}
    assert told(loaded(platform)) == counts
    assert names(platform) == {1: "a", 2: "B", 3: "c", 4: "d"}


def test_of_rows_with_one_key_the_greatest_order_stays_and_the_last_of_equals(
    project: Project,
) -> None:
    rows = "1,2,later,\n1,1,earlier,\n1,,none,\n2,1,first,\n2,1,second,\n"
    merged(project).deliver("orders/a.csv", f"id,at,name,gone\n{rows}")
    platform = project.open()
    assert told(loaded(platform)) == {"read": 5, "published": 2, "superseded": 3}
    assert names(platform) == {1: "later", 2: "second"}


def test_a_row_that_is_older_than_the_published_one_is_superseded(project: Project) -> None:
    merged(project).deliver("orders/a.csv", "id,at,name,gone\n1,5,new,\n")
    platform = project.open()
    loaded(platform)
    project.deliver("orders/b.csv", "id,at,name,gone\n1,4,old,\n2,1,b,\n")
    assert told(loaded(platform)) == {"read": 2, "published": 1, "superseded": 1}
    assert names(platform) == {1: "new", 2: "b"}


def test_rows_that_the_table_has_already_change_no_file(project: Project) -> None:
    merged(project).deliver("orders/a.csv", "id,at,name,gone\n1,1,a,\n2,2,b,\n")
    platform = project.open()
    loaded(platform)
    before = live_files(platform)
    project.deliver("orders/b.csv", "id,at,name,gone\n2,2,b,\n1,1,a,\n")
    assert told(loaded(platform)) == {"read": 2, "unchanged": 2}
    assert live_files(platform) == before


def test_a_row_of_which_nothing_but_a_text_has_changed_is_an_update(project: Project) -> None:
    merged(project).deliver("orders/a.csv", "id,at,name,gone\n1,1,a,\n2,1,b,true\n")
    platform = project.open()
    loaded(platform)
    project.deliver("orders/b.csv", "id,at,name,gone\n1,1,aa,\n2,1,b,true\n")
    counts = {"read": 2, "published": 1, "updated": 1, "unchanged": 1}
    assert told(loaded(platform)) == counts
    assert names(platform) == {1: "aa", 2: "b"}


def test_only_the_files_with_changed_rows_are_written_anew(project: Project) -> None:
    merged(project).deliver("orders/a.csv", "id,at,name,gone\n1,1,a,\n2,1,b,\n")
    project.deliver("orders/b.csv", "id,at,name,gone\n3,1,c,\n4,1,d,\n")
    platform = project.open()
    load_table(platform, "orders", "run-1")
    before = set(live_files(platform))
    project.deliver("orders/c.csv", "id,at,name,gone\n3,2,C,\n")
    loaded(platform)
    assert len(before & set(live_files(platform))) == 1
    assert names(platform) == {1: "a", 2: "b", 3: "C", 4: "d"}


def test_a_row_that_is_held_back_leaves_the_published_one_in_place(project: Project) -> None:
    project.table(
        "orders",
        COLUMNS,
        load={"mode": "merge", "batch": "file"},
        quality=[predicate("short", "length(name) < 4")],
    )
    project.deliver("orders/a.csv", "id,at,name,gone\n1,1,a,\n2,1,b,\n")
    platform = project.open()
    loaded(platform)
    project.deliver("orders/b.csv", "id,at,name,gone\n1,2,too long,\n2,x,B,\n")
    assert told(loaded(platform)) == {"read": 2, "quarantined": 2}
    assert names(platform) == {1: "a", 2: "b"}


def test_another_unique_column_is_judged_as_the_table_will_be(project: Project) -> None:
    unique = {**COLUMNS, "name": text(required=True, unique=True)}
    project.table("orders", unique, load={"mode": "merge", "batch": "file", "order_by": "at"})
    project.deliver("orders/a.csv", "id,at,name,gone\n1,1,a,\n2,1,b,\n3,1,c,\n4,9,d,\n")
    platform = project.open()
    loaded(platform)
    # 1 and 2 change their names with each other; 5 takes one that 3 keeps; 6 one that 4, which
    # is older here, does not take; 7 comes twice with its own.
    rows = "1,2,b,\n2,2,a,\n5,2,c,\n4,2,f,\n6,2,f,\n7,1,g,\n7,2,g,\n"
    project.deliver("orders/b.csv", f"id,at,name,gone\n{rows}")
    counts = {"read": 7, "published": 4, "updated": 2, "superseded": 2, "quarantined": 1}
    assert told(loaded(platform)) == counts
    assert names(platform) == {1: "b", 2: "a", 3: "c", 4: "d", 6: "f", 7: "g"}


def test_a_changed_row_that_breaks_a_unique_column_stays_as_it_was(project: Project) -> None:
    unique = {**COLUMNS, "name": text(required=True, unique=True)}
    project.table("orders", unique, load={"mode": "merge", "batch": "file", "order_by": "at"})
    project.deliver("orders/a.csv", "id,at,name,gone\n1,1,a,\n2,1,b,\n3,1,c,\n")
    platform = project.open()
    loaded(platform)
    # 3 comes again as it is, and 4 takes its name: both are held, and 3 stays.
    project.deliver("orders/b.csv", "id,at,name,gone\n1,2,b,\n3,1,c,\n4,1,c,\n5,1,e,\n")
    assert told(loaded(platform)) == {"read": 4, "published": 1, "quarantined": 3}
    assert names(platform) == {1: "a", 2: "b", 3: "c", 5: "e"}


def test_a_key_without_a_value_is_held_back_where_it_is_no_primary_key(project: Project) -> None:
    columns = {"region": text(), "code": text(), "name": text()}
    load = {"mode": "merge", "key": ["region", "code"]}
    project.table("orders", columns, load=load)
    project.deliver("orders/a.csv", "region,code,name\nN,1,a\n,1,b\nN,,c\n")
    platform = project.open()
    assert told(loaded(platform)) == {"read": 3, "published": 1, "quarantined": 2}


def test_a_blocked_merge_shows_on_its_branch_what_the_table_would_be(project: Project) -> None:
    merged(project, batch="file")
    project.contract("orders", COLUMNS, quality=[row_count(2)])
    project.deliver("orders/a.csv", "id,at,name,gone\n1,1,a,\n2,1,b,\n")
    platform = project.open()
    loaded(platform)
    project.deliver("orders/b.csv", "id,at,name,gone\n2,2,B,\n")
    load = loaded(platform)
    assert load.blocked
    assert load.branch is not None
    assert names(platform) == {1: "a", 2: "b"}
    assert names(platform, load.branch) == {1: "a", 2: "B"}


def test_rows_of_files_that_are_older_than_a_column_are_kept_as_they_are(
    project: Project,
) -> None:
    merged(project).deliver("orders/a.csv", "id,at,name,gone\n1,1,a,\n2,1,b,true\n3,1,c,\n")
    loaded(project.open())
    more = {**COLUMNS, "city": text()}
    project.contract("orders", more, version="1.1.0")
    project.deliver("orders/b.csv", "id,at,name,gone,city\n1,2,A,,Rome\n3,1,c,,\n")
    platform = project.open()
    assert told(loaded(platform)) == {
        "read": 2, "published": 1, "updated": 1, "unchanged": 1
    }  # fmt: skip
    found = {row["id"]: row for row in rows_of_table(platform, "shop.orders")}
    assert found[2] == {"id": 2, "at": 1, "name": "b", "gone": True, "city": None}
    assert found[1]["city"] == "Rome"


def test_a_partitioned_and_sorted_table_is_merged_partition_by_partition(
    project: Project,
) -> None:
    merged(project)
    project.tables["orders"].update(partition_by=["gone"], sort_by=["name"])
    rows = "".join(f"{n},1,n{n},{'true' if n % 2 else 'false'}\n" for n in range(20))
    project.deliver("orders/a.csv", f"id,at,name,gone\n{rows}")
    platform = project.open()
    loaded(platform)
    before = set(live_files(platform))
    # 3 stays in its partition, 5 moves to the other, which is not written anew for that.
    project.deliver("orders/b.csv", "id,at,name,gone\n3,2,z,true\n5,2,a,false\n20,1,k,true\n")
    assert told(loaded(platform)) == {"read": 3, "published": 3, "updated": 2}
    assert len(before & set(live_files(platform))) == 1
    expected = {n: f"n{n}" for n in range(20)}
    assert names(platform) == {**expected, 3: "z", 5: "a", 20: "k"}
    table = platform.lake.table("shop.orders")
    moved = table.scan(row_filter="gone == false").to_arrow()
    assert sorted(moved.column("id").to_pylist()) == sorted([5, *range(0, 20, 2)])
