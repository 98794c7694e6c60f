"""Two runs that merge into one table at once: none undoes what the other has published."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from support.loads import told
from support.project import Project, csv_text, integer, key, rows_of_table, text

from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.lake import commits

COLUMNS = {"id": key(integer()), "at": integer(), "name": text()}


def orders(project: Project) -> Project:
    load = {"mode": "merge", "batch": "file", "order_by": "at"}
    project.table("orders", COLUMNS, load=load).write_runner()
    project.deliver("orders/a.csv", "id,at,name\n1,1,a\n2,1,b\n3,1,c\n")
    load_table(open_platform(project.runner), "orders", "first")
    return project


def content(platform: Platform) -> list[tuple[Any, ...]]:
    return sorted((r["id"], r["at"], r["name"]) for r in rows_of_table(platform, "shop.orders"))


def test_a_merge_that_was_overtaken_starts_over_from_the_new_rows(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders(project).deliver("orders/b.csv", "id,at,name\n1,2,slow\n2,9,slow\n")
    publish, overtaken = commits.publish, []

    def published(*arguments: Any, **more: Any) -> Any:
        if not overtaken:
            overtaken.append(True)
            project.deliver("orders/c.csv", "id,at,name\n2,5,fast\n4,1,fast\n")
            load_table(open_platform(project.runner), "orders", "fast")
        return publish(*arguments, **more)

    monkeypatch.setattr(commits, "publish", published)
    platform = open_platform(project.runner)
    outcome = load_table(platform, "orders", "slow")
    # The other run was faster with both files: this one finds nothing new.
    assert outcome.state == "nothing_new"
    assert content(platform) == [(1, 2, "slow"), (2, 9, "slow"), (3, 1, "c"), (4, 1, "fast")]


def test_two_runs_of_many_merges_end_as_one(project: Project) -> None:
    orders(project)
    for n in range(2, 6):
        rows = [(k, n, f"{n}") for k in range(n)]
        project.deliver(f"orders/f{n}.csv", csv_text("id,at,name", rows))
    outcomes: list[TableOutcome] = []

    def run(name: str) -> None:
        outcomes.append(load_table(open_platform(project.runner), "orders", name))

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    platform = open_platform(project.runner)
    assert content(platform) == [(n, 5, "5") for n in range(5)]
    loads = [load for outcome in outcomes for load in outcome.loads]
    assert sorted(load.files[0] for load in loads) == [f"f{n}.csv" for n in range(2, 6)]
    assert sum(told(load).get("superseded", 0) + load.rows_published for load in loads) == 14
