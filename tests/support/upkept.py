"""A table of the lake that is loaded number by number, and what lies in its folder."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from support.lake_tables import SCHEMA, staged

from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.maintenance.compaction import CompactionSettings
from quality_platform.lake.maintenance.references import ManifestReader, comparable, stored_files
from quality_platform.lake.position import Position

ORDERS = "shop.orders"
SMALL = CompactionSettings(below_bytes=10**6, target_bytes=10**7)
NOW = datetime.now(UTC) + timedelta(days=1)
"""A moment after everything that a test does."""


def load(lake: Lake, number: int, *, replace: bool = False) -> Table:
    """Publishes a row with this number as id, as the load of a source of its own."""
    table = lake.ensure_table(ORDERS, SCHEMA)
    attempt = f"attempt{number}"
    position = Position.of(table.properties).advanced(
        {f"f{number}": "v"}, f"load{number}", attempt, replace=replace
    )
    files = staged(table, [number], f"load{number}-{attempt}")
    summary = {commits.LOAD_ID: f"load{number}", commits.ATTEMPT: attempt}
    commits.publish(lake, table, files, position, summary, replace=replace)
    return table


def loaded(lake: Lake, count: int) -> Table:
    """The table after so many loads."""
    for number in range(count):
        load(lake, number)
    return lake.table(ORDERS)


def data_files(table: Table) -> int:
    """The number of data files of its head."""
    return len(ManifestReader(table).data_files(table.current_snapshot()))


def on_disk(table: Table) -> set[str]:
    """All files in the table's folder."""
    return {comparable(file.uri) for file in stored_files(table)}


def grow_old(table: Table) -> None:
    """Makes every file of the table as old as a file can be."""
    for file in stored_files(table):
        os.utime(file.uri, (0, 0))
