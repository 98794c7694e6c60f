"""The same rows in fewer files, in a real lake, also beside loads."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyiceberg.expressions import EqualTo
from pyiceberg.transforms import BucketTransform, IdentityTransform
from pyiceberg.types import StringType
from support.lake_tables import SCHEMA, batch, ids_of, open_lake, staged
from support.upkept import ORDERS, SMALL, data_files, load, loaded, on_disk

from quality_platform.errors import ConcurrentLoadError
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake, Table
from quality_platform.lake.data_files import RollingWriter
from quality_platform.lake.layout import arrange
from quality_platform.lake.maintenance.compaction import CompactionSettings, compact
from quality_platform.lake.maintenance.references import (
    ManifestReader,
    comparable,
)
from quality_platform.lake.position import Position
from quality_platform.lake.query import EngineSettings


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(tmp_path)


def test_compaction_keeps_the_rows_and_their_order(lake: Lake) -> None:
    table = loaded(lake, 5)
    done = compact(lake, table, SMALL)
    assert (done.files_before, done.files_after, done.rows) == (5, 1, 5)
    assert data_files(lake.table(ORDERS)) == 1
    assert ids_of(lake, ORDERS) == [0, 1, 2, 3, 4]
    assert Position.of(lake.table(ORDERS).properties).attempts == tuple(
        f"attempt{n}" for n in range(5)
    )


def test_compaction_leaves_large_and_single_files_alone(lake: Lake) -> None:
    table = loaded(lake, 1)
    assert compact(lake, table, SMALL).snapshot_id is None
    table = loaded(lake, 3)
    assert compact(lake, table, CompactionSettings(1, 10**7)).files_before == 0


def test_a_plan_of_a_compaction_changes_nothing(lake: Lake) -> None:
    table = loaded(lake, 3)
    before = on_disk(table)
    planned = compact(lake, table, SMALL, dry_run=True)
    assert (planned.files_before, planned.snapshot_id) == (3, None)
    assert on_disk(lake.table(ORDERS)) == before


def test_a_load_that_meets_a_compaction_is_published_all_the_same(lake: Lake) -> None:
    table = loaded(lake, 3)
    position = Position.of(table.properties).advanced({"f9": "v"}, "l9", "a9", replace=False)
    files = staged(table, [9])
    compact(lake, lake.table(ORDERS), SMALL)
    commits.publish(lake, table, files, position, {commits.ATTEMPT: "a9"})
    assert ids_of(lake, ORDERS) == [0, 1, 2, 9]
    assert "f9" in Position.of(lake.table(ORDERS).properties).sources


def test_a_replacing_load_that_meets_a_compaction_replaces_its_files_too(lake: Lake) -> None:
    table = loaded(lake, 3)
    position = Position.of(table.properties).advanced({"f9": "v"}, "l9", "a9", replace=True)
    files = staged(table, [9])
    compact(lake, lake.table(ORDERS), SMALL)
    commits.publish(lake, table, files, position, {commits.ATTEMPT: "a9"}, replace=True)
    assert ids_of(lake, ORDERS) == [9]


def test_a_load_that_meets_another_load_and_a_compaction_starts_over(lake: Lake) -> None:
    table = loaded(lake, 2)
    position = Position.of(table.properties).advanced({"f9": "v"}, "l9", "a9", replace=False)
    load(lake, 2)
    compact(lake, lake.table(ORDERS), SMALL)
    with pytest.raises(ConcurrentLoadError):
        commits.publish(lake, table, staged(table, [9]), position, {commits.ATTEMPT: "a9"})
    assert ids_of(lake, ORDERS) == [0, 1, 2]


def test_a_compaction_that_meets_a_load_is_committed_beside_it(lake: Lake) -> None:
    table = loaded(lake, 3)
    load(lake, 3)
    compact(lake, table, SMALL)
    assert ids_of(lake, ORDERS) == [0, 1, 2, 3]
    assert data_files(lake.table(ORDERS)) == 2
    load(lake, 4)
    assert len(Position.of(lake.table(ORDERS).properties).attempts) == 5


def test_a_compaction_whose_files_were_replaced_gives_way_and_leaves_nothing(lake: Lake) -> None:
    table = loaded(lake, 3)
    load(lake, 3, replace=True)
    before = on_disk(table)
    with pytest.raises(ConcurrentLoadError):
        compact(lake, table, SMALL)
    data = {path for path in on_disk(table) - before if path.endswith(".parquet")}
    assert not data
    assert ids_of(lake, ORDERS) == [3]


def test_two_compactions_at_once_keep_every_row_once(lake: Lake) -> None:
    one, other = loaded(lake, 4), lake.table(ORDERS)
    compact(lake, one, SMALL)
    with pytest.raises(ConcurrentLoadError):
        compact(lake, other, SMALL)
    assert ids_of(lake, ORDERS) == [0, 1, 2, 3]


def test_uncommitted_attempts_are_removed_beside_compacted_ones(lake: Lake) -> None:
    main = load(lake, 0)
    held = lake.ensure_table("quarantine.orders", SCHEMA)
    for attempt in ("good1", "good2", "dead"):
        commits.append(lake, held, staged(held, [1], f"load-{attempt}"), {})
    done = compact(lake, held, SMALL, {"good1", "good2"})
    assert (done.files_before, done.files_after) == (2, 1)
    assert commits.has_uncommitted_attempts(held, {"good1", "good2"})
    position = Position.of(main.properties)
    for attempt in ("good1", "good2"):
        position = position.advanced({attempt: "v"}, "load", attempt, replace=False)
    commits.publish(lake, main, (), position, {})
    assert commits.drop_uncommitted_attempts(lake, main, held) == 1
    assert ids_of(lake, "quarantine.orders") == [1, 1]


def test_many_rows_come_out_of_a_compaction_as_they_went_in(lake: Lake) -> None:
    table = lake.ensure_table(ORDERS, SCHEMA)
    for n in range(3):
        writer = RollingWriter(table, f"load-a{n}")
        for k in range(20):
            writer.write(batch(range(n * 10000 + k * 500, n * 10000 + (k + 1) * 500)))
        commits.append(lake, table, writer.close(), {})
    before = ids_of(lake, ORDERS)
    compact(lake, table, SMALL)
    assert ids_of(lake, ORDERS) == before


def arranged(lake: Lake, count: int) -> Table:
    """A table partitioned by a bucket of the id and sorted by name, after some loads."""
    table = lake.ensure_table(ORDERS, SCHEMA)
    with table.update_spec() as spec:
        spec.add_field("id", BucketTransform(2), "id_bucket")
    with table.update_sort_order() as order:
        order.desc("name", IdentityTransform())
    for number in range(count):
        files = staged(table, range(number * 10, number * 10 + 10), f"load{number}-a{number}")
        files = arrange(table, files, EngineSettings(), f"load{number}-a{number}-laid", 10**7)
        commits.append(lake, table, files, {})
    return table


def test_compaction_keeps_partitions_and_sorts_anew(lake: Lake) -> None:
    table = arranged(lake, 3)
    done = compact(lake, table, SMALL)
    assert (done.files_before, done.files_after) == (6, 2)
    assert ids_of(lake, ORDERS) == list(range(30))
    live = ManifestReader(table).data_files(table.current_snapshot())
    assert sorted(entry.file.partition[0] for entry in live) == [0, 1]
    for entry in live:
        assert entry.file.sort_order_id == table.sort_order().order_id
        names = pq.read_table(comparable(entry.file.file_path)).column("name").to_pylist()
        assert names == sorted(names, reverse=True)
    found = table.scan(row_filter=EqualTo("id", 17)).to_arrow().column("id").to_pylist()
    assert found == [17]


def test_compaction_brings_files_of_an_older_layout_into_todays(lake: Lake) -> None:
    table = loaded(lake, 4)
    with table.update_spec() as spec:
        spec.add_field("id", BucketTransform(2), "id_bucket")
    table = lake.table(ORDERS)
    compact(lake, table, SMALL)
    live = ManifestReader(table).data_files(lake.table(ORDERS).current_snapshot())
    assert {entry.file.spec_id for entry in live} == {table.spec().spec_id}
    assert ids_of(lake, ORDERS) == [0, 1, 2, 3]


def test_compaction_gives_old_files_the_columns_of_today(lake: Lake) -> None:
    table = loaded(lake, 2)
    with table.update_schema() as schema:
        schema.rename_column("name", "label")
        schema.add_column("more", StringType())
    table = lake.table(ORDERS)
    compact(lake, table, SMALL)
    (entry,) = ManifestReader(table).data_files(lake.table(ORDERS).current_snapshot())
    written = pq.read_table(comparable(entry.file.file_path))
    assert written.column_names == ["id", "label", "more"]
    assert written.column("label").to_pylist() == ["n0", "n1"]
