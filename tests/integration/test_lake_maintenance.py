"""Old snapshots and orphans of real tables: nothing is deleted that somebody needs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.lake_tables import SCHEMA, ids_of, open_lake, staged
from support.upkept import NOW, ORDERS, SMALL, grow_old, load, loaded, on_disk

from quality_platform.errors import ConcurrentLoadError
from quality_platform.lake import commits, rollback
from quality_platform.lake.catalog import Lake
from quality_platform.lake.maintenance.compaction import compact
from quality_platform.lake.maintenance.expiry import expirable, expire
from quality_platform.lake.maintenance.orphans import sweep
from quality_platform.lake.maintenance.references import (
    all_referred,
    comparable,
)
from quality_platform.lake.position import Position


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(tmp_path)


class DeathError(Exception):
    """The process dies here."""


def die(*_: object, **__: object) -> None:
    raise DeathError


def test_expiry_keeps_what_was_seen_since(lake: Lake) -> None:
    table = loaded(lake, 3)
    between = datetime.fromtimestamp(table.snapshots()[-1].timestamp_ms / 1000, UTC)
    found = expirable(table, between, 1)
    # The second of three was what readers saw until that moment, so that it stays.
    assert [s.snapshot_id for s in found] == [table.snapshots()[0].snapshot_id]


def test_expiry_keeps_a_least_number_and_pins_and_tags_and_branches(lake: Lake) -> None:
    table = loaded(lake, 5)
    ids = [snapshot.snapshot_id for snapshot in table.snapshots()]
    table.manage_snapshots().create_tag(ids[0], "release").commit()
    commits.stage_on_branch(lake, table, "audit-x", staged(table, [9]), {})
    found = expirable(lake.table(ORDERS), NOW, 2, pinned=[ids[1]])
    assert [snapshot.snapshot_id for snapshot in found] == [ids[2]]


def test_expired_files_are_deleted_and_all_others_stay(lake: Lake) -> None:
    table = loaded(lake, 4)
    compact(lake, table, SMALL)
    table = lake.table(ORDERS)
    planned = expire(lake, table, expirable(table, NOW, 1), dry_run=True)
    assert len(lake.table(ORDERS).snapshots()) == 5
    before = on_disk(table)
    done = expire(lake, table, expirable(table, NOW, 1))
    assert (planned.snapshots, planned.files, planned.bytes) == (
        done.snapshots,
        done.files,
        done.bytes,
    )
    now = lake.table(ORDERS)
    assert len(now.snapshots()) == 1
    assert ids_of(lake, ORDERS) == [0, 1, 2, 3]
    gone = before - on_disk(now)
    assert len([path for path in gone if path.endswith(".parquet")]) == 4
    assert done.files == len(gone)
    assert {comparable(uri) for uri in all_referred(now)} <= on_disk(now)


def test_an_expiry_that_meets_a_rollback_gives_way(lake: Lake) -> None:
    table = loaded(lake, 3)
    first = table.snapshots()[0]
    stale = lake.table(ORDERS)
    rollback.set_back(lake, table, first)
    with pytest.raises(ConcurrentLoadError):
        expire(lake, stale, expirable(stale, NOW, 1))
    assert ids_of(lake, ORDERS) == [0]


def test_a_load_goes_on_while_snapshots_expire(lake: Lake) -> None:
    table = loaded(lake, 4)
    position = Position.of(table.properties).advanced({"f9": "v"}, "l9", "a9", replace=False)
    files = staged(table, [9])
    now = lake.table(ORDERS)
    expire(lake, now, expirable(now, NOW, 1))
    commits.publish(lake, table, files, position, {commits.ATTEMPT: "a9"})
    assert ids_of(lake, ORDERS) == [0, 1, 2, 3, 9]


def test_a_tag_can_be_gone_back_to_when_all_between_has_expired(lake: Lake) -> None:
    table = loaded(lake, 5)
    first = table.snapshots()[0]
    table.manage_snapshots().create_tag(first.snapshot_id, "release").commit()
    for _ in range(2):
        table = lake.table(ORDERS)
        expire(lake, table, expirable(table, NOW, 1))
    table = lake.table(ORDERS)
    assert len(table.snapshots()) == 2
    rollback.set_back(lake, table, rollback.find_state(table, "release"))
    assert ids_of(lake, ORDERS) == [0]
    assert set(Position.of(lake.table(ORDERS).properties).sources) == {"f0"}


def test_a_time_between_expired_snapshots_is_refused(lake: Lake) -> None:
    table = load(lake, 0)
    first = table.current_snapshot()
    assert first is not None
    time.sleep(0.01)
    load(lake, 1)
    time.sleep(0.01)
    load(lake, 2)
    table = lake.table(ORDERS)
    middle = table.snapshots()[1]
    table.manage_snapshots().create_tag(first.snapshot_id, "release").commit()
    table = lake.table(ORDERS)
    expire(lake, table, [middle])
    text = datetime.fromtimestamp((middle.timestamp_ms + 1) / 1000, UTC).isoformat()
    with pytest.raises(rollback.RollbackError, match="no longer there"):
        rollback.find_state(lake.table(ORDERS), text)


def test_the_sweep_removes_what_dead_processes_left_and_nothing_else(lake: Lake) -> None:
    table = loaded(lake, 3)
    left = staged(table, [7], "load-dead")
    grow_old(table)
    young = staged(table, [8], "load-alive")
    planned = sweep(lake, ORDERS, datetime.now(UTC) - timedelta(hours=1), dry_run=True)
    assert left[0].uri.endswith(planned.files[0].uri)
    assert comparable(left[0].uri) in on_disk(table)
    done = sweep(lake, ORDERS, datetime.now(UTC) - timedelta(hours=1))
    assert [comparable(file.uri) for file in done.files] == [comparable(left[0].uri)]
    assert done.bytes > 0
    assert comparable(young[0].uri) in on_disk(table)
    assert ids_of(lake, ORDERS) == [0, 1, 2]


def test_the_sweep_removes_metadata_that_is_no_longer_logged(lake: Lake) -> None:
    table = load(lake, 0)
    stray = Path(comparable(table.metadata_location)).with_name("00000-stray.metadata.json")
    stray.write_text("{}")
    grow_old(table)
    sweep(lake, ORDERS, datetime.now(UTC))
    assert not stray.exists()
    assert {comparable(uri) for uri in all_referred(table)} <= on_disk(table)


def test_a_load_between_staging_and_commit_survives_the_sweep(lake: Lake) -> None:
    table = loaded(lake, 1)
    position = Position.of(table.properties).advanced({"f9": "v"}, "l9", "a9", replace=False)
    files = staged(table, [9])
    sweep(lake, ORDERS, datetime.now(UTC) - timedelta(hours=1))
    commits.publish(lake, table, files, position, {commits.ATTEMPT: "a9"})
    assert ids_of(lake, ORDERS) == [0, 9]


def test_files_of_another_table_in_the_same_folder_are_no_orphans(lake: Lake) -> None:
    table = loaded(lake, 2)
    lake.catalog.rename_table(ORDERS, "shop.orders_v1")
    lake.create_table(ORDERS, SCHEMA, {}, table.location())
    grow_old(table)
    sweep(lake, ORDERS, datetime.now(UTC))
    assert ids_of(lake, "shop.orders_v1") == [0, 1]


def test_blocked_loads_keep_their_files(lake: Lake) -> None:
    table = loaded(lake, 2)
    commits.stage_on_branch(lake, table, "audit-x", staged(table, [9]), {})
    table = lake.table(ORDERS)
    compact(lake, table, SMALL)
    table = lake.table(ORDERS)
    expire(lake, table, expirable(table, NOW, 1))
    grow_old(table)
    sweep(lake, ORDERS, datetime.now(UTC))
    assert ids_of(lake, ORDERS, "audit-x") == [0, 1, 9]
    assert ids_of(lake, ORDERS) == [0, 1]


def test_a_death_before_the_commit_of_a_compaction_leaves_only_orphans(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = loaded(lake, 3)
    before = {path for path in on_disk(table) if path.endswith(".parquet")}
    with monkeypatch.context() as patched:
        patched.setattr(commits, "swap", die)
        with pytest.raises(DeathError):
            compact(lake, table, SMALL)
    assert ids_of(lake, ORDERS) == [0, 1, 2]
    found = sweep(lake, ORDERS, NOW)
    assert [file for file in found.files if "compacted-" in file.uri]
    assert {path for path in on_disk(table) if path.endswith(".parquet")} == before


def test_a_death_amid_an_expiry_leaves_only_orphans(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(lake, 3)
    compact(lake, lake.table(ORDERS), SMALL)
    table = lake.table(ORDERS)
    found = expirable(table, NOW, 1)
    with monkeypatch.context() as patched:
        patched.setattr("quality_platform.lake.maintenance.expiry.delete_files", die)
        with pytest.raises(DeathError):
            expire(lake, table, found)
    assert ids_of(lake, ORDERS) == [0, 1, 2]
    sweep(lake, ORDERS, NOW)
    now = lake.table(ORDERS)
    assert on_disk(now) == {comparable(uri) for uri in all_referred(now)}
    assert ids_of(lake, ORDERS) == [0, 1, 2]
