"""The life of a small lake, which must be the same on every catalog and store."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from support.lake_tables import SCHEMA, ids_of, staged
from support.project import (
    Project,
    column_of,
    csv_text,
    integer,
    key,
    predicate,
    row_count,
    rows_of_table,
    text,
)
from support.shop import furnish, orders_csv

from quality_platform.errors import ConcurrentLoadError
from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform
from quality_platform.flows.roll_back import plan_rollback, roll_back, table_states
from quality_platform.flows.table_status import quarantined_rows
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.maintenance.references import all_referred, comparable, stored_files
from quality_platform.lake.position import Position

RACER = Path(__file__).parent / "racing_run.py"

STOCK = {"sku": key(text()), "pieces": integer(required=True), "at": integer()}


def furnished(project: Project, lake: Mapping[str, Any]) -> Platform:
    """The shop, a table that is merged, and one that many load, on a lake."""
    furnish(project)
    project.settings["lake"] = dict(lake)
    project.settings["maintenance"] = {
        "keep_snapshots": "0s",
        "keep_at_least": 1,
        "orphans_after": "0s",
    }
    merge = {"mode": "merge", "batch": "file", "key": ["sku"], "order_by": "at"}
    project.table("stock", STOCK, load=merge, quality=[predicate("some", "pieces >= 0")])
    project.tables["stock"]["partition_by"] = ["truncate(2, sku)"]
    project.table("visits", {"id": key(integer())}, quality=[row_count(1)])
    return project.open()


def appended_and_replaced(project: Project, platform: Platform) -> None:
    """Loads that add, one that is blocked, one that takes the place of what was there."""
    load_table(platform, "customers", "run-1")
    (first,) = load_table(platform, "orders", "run-1").loads
    assert (first.rows_read, first.rows_published, first.rows_quarantined) == (3, 3, 0)
    project.deliver("orders/february.csv", orders_csv(10, -1, 5, 6))
    (second,) = load_table(platform, "orders", "run-2").loads
    assert (second.rows_read, second.rows_published, second.rows_quarantined) == (3, 2, 1)
    assert [row["id"] for row in quarantined_rows(platform, "orders")] == [10]
    project.deliver("orders/march.csv", orders_csv(20, 7))
    assert load_table(platform, "orders", "run-3").state == "blocked"
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3, 11, 12]
    project.deliver("orders/march.csv", orders_csv(20, 7, 8))
    assert load_table(platform, "orders", "run-4").state == "published"
    project.deliver("customers/all.csv", "id,name\n1,Ada\n2,Grace\n3,Jean\n")
    assert load_table(platform, "customers", "run-5").state == "published"
    assert column_of(platform, "shop.customers", "id") == [1, 2, 3]
    assert load_table(platform, "orders", "run-6").state == "nothing_new"
    assert {result.verdict.value for result in audit_table(platform, "orders")} == {"pass"}


def merged(project: Project, platform: Platform) -> None:
    """Rows that take the place of others, in a partitioned table."""
    header = "sku,pieces,at"
    project.deliver("stock/1.csv", csv_text(header, [("aa1", 5, 1), ("aa2", 6, 1), ("b b", 7, 1)]))
    load_table(platform, "stock", "run-1")
    project.deliver(
        "stock/2.csv", csv_text(header, [("aa1", 9, 2), ("cé/c", 1, 2), ("bad", -1, 2)])
    )
    (load,) = load_table(platform, "stock", "run-2").loads
    assert (load.rows_updated, load.rows_quarantined) == (1, 1)
    found = {row["sku"]: row["pieces"] for row in rows_of_table(platform, "shop.stock")}
    assert found == {"aa1": 9, "aa2": 6, "b b": 7, "cé/c": 1}


def computed(platform: Platform) -> None:
    """A feature view over what was published."""
    assert compute_feature_view(platform, "totals", "run-1").state == "published"
    totals = {row["customer"]: row["total"] for row in rows_of_table(platform, "features.totals")}
    assert totals == {1: 53.0, 2: 33.0}


def rolled_back(platform: Platform) -> None:
    """One load undone, and loaded again."""
    before = column_of(platform, "shop.orders", "id")
    then = next(state for state in table_states(platform, "orders") if state.rows == 5)
    roll_back(platform, plan_rollback(platform, "orders", str(then.snapshot_id)), "run-8")
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3, 11, 12]
    assert load_table(platform, "orders", "run-9").state == "published"
    assert column_of(platform, "shop.orders", "id") == before


def looked_after(platform: Platform) -> None:
    """Upkeep: every file that is left is one that is needed, and the rows are the same."""
    before = {name: rows_of_table(platform, name) for name in ("shop.orders", "shop.stock")}
    done = list(maintain(platform, (), Wanted(force=True)))
    assert [upkeep.error for upkeep in done] == [None] * len(done)
    for name, rows in before.items():
        table = platform.lake.table(name)
        found = rows_of_table(platform, name)
        assert sorted(found, key=str) == sorted(rows, key=str)
        there = {comparable(file.uri) for file in stored_files(table)}
        assert there == {comparable(uri) for uri in all_referred(table)}


def raced(project: Project, platform: Platform) -> None:
    """Two processes load the same files at once."""
    for n in range(3):
        rows = [(n * 10 + k,) for k in range(10)]
        project.deliver(f"visits/{n}.csv", csv_text("id", rows))
    runner = project.write_runner()
    racers = [
        subprocess.Popen(
            [sys.executable, str(RACER), f"race-{n}", "visits", str(runner)],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for n in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    begin = f"{time.time() + 0.2}\n"
    told = [racer.communicate(begin)[0] for racer in racers]
    # One that gave way twice too often says so by its exit code; the other has loaded all then.
    assert any('"published"' in text for text in told)
    load_table(platform, "visits", "after")
    assert column_of(platform, "shop.visits", "id") == list(range(30))


def only_one_commits(first: Lake, second: Lake) -> None:
    """Compare-and-swap: of writers that start from the same state exactly one commits."""
    first.ensure_table("shop.swapped", SCHEMA)
    for round_ in range(3):
        ids = [round_ * 10, round_ * 10 + 1]
        tables = [lake.table("shop.swapped") for lake in (first, second)]
        together, won = threading.Barrier(2), list[int]()
        threads = [
            threading.Thread(target=_commit, args=(lake, table, id_, together, won))
            for lake, table, id_ in zip((first, second), tables, ids, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert [i for i in ids_of(first, "shop.swapped") if i in ids] == won


def _commit(
    lake: Lake, table: Table, id_: int, together: threading.Barrier, won: list[int]
) -> None:
    files = staged(table, [id_])
    together.wait()
    with suppress(ConcurrentLoadError):
        commits.publish(lake, table, files, Position.of(table.properties), {})
        won.append(id_)
