"""Mode merge: rows that the table has already are told from changed ones, whatever has changed."""

from __future__ import annotations

import pytest
from support.loads import loaded, told
from support.project import Project, integer, key, rows_of_table, text

ROWS = 100
COLUMNS = {"id": key(integer()), "a": integer(), "b": integer(), "name": text()}


def lines(values: dict[int, tuple[int | str, int | str, str]]) -> str:
    rows = (f"{n},{a},{b},{name}\n" for n, (a, b, name) in values.items())
    return f"id,a,b,name\n{''.join(rows)}"


@pytest.mark.parametrize("many", [0, 1, 16, 50, ROWS])
def test_what_most_rows_differ_in_says_nothing_of_the_others(project: Project, many: int) -> None:
    """The first `many` rows differ in one number; of others a few in something else each."""
    old = dict.fromkeys(range(ROWS), (1, 2, "x"))
    new = {n: (1, 7, "x") if n < many else (1, 2, "x") for n in old}
    others = {60: ("", 2, "x"), 70: (1, 2, "y"), 80: (1, "", "x"), 90: (3, 4, "z")}
    new |= {n: values for n, values in others.items() if n >= many}
    load = {"mode": "merge", "batch": "file"}
    project.table("orders", COLUMNS, load=load).deliver("orders/a.csv", lines(old))
    platform = project.open()
    loaded(platform)
    project.deliver("orders/b.csv", lines(new))

    changed = sum(new[n] != old[n] for n in old)
    expected = {"published": changed, "updated": changed, "unchanged": ROWS - changed}
    assert told(loaded(platform)) == {"read": ROWS, **{k: n for k, n in expected.items() if n}}
    rows = rows_of_table(platform, "shop.orders")
    found = {row["id"]: (row["a"], row["b"], row["name"]) for row in rows}
    assert found == {n: tuple(value if value != "" else None for value in new[n]) for n in new}


def test_a_table_of_nothing_but_a_key_has_no_changes(project: Project) -> None:
    load = {"mode": "merge", "batch": "file"}
    project.table("orders", {"id": key(integer())}, load=load).deliver("orders/a.csv", "id\n1\n")
    platform = project.open()
    loaded(platform)
    project.deliver("orders/b.csv", "id\n1\n2\n")

    assert told(loaded(platform)) == {"read": 2, "published": 1, "unchanged": 1}
