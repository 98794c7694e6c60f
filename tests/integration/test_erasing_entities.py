"""An entity is taken out of the tables and the online store; what still has it is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from support.online_stores import (
    COUNTS,
    EVERYTHING,
    applied,
    counted,
    counts,
    publish,
    rows_of_everything,
    settings_of,
)

from quality_platform.errors import ConcurrentLoadError, MaterializationError
from quality_platform.feature_store.definitions import SqliteOnline, StoreSettings
from quality_platform.feature_store.erasure import ErasedEntity, erase_entity
from quality_platform.feature_store.store import (
    historical_features,
    materialize,
    materialize_snapshot,
    online_features,
)
from quality_platform.lake.maintenance.removal import Writing

WRITING = Writing(10**6)


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return settings_of(tmp_path, SqliteOnline(tmp_path / "feast" / "online.db"))


def erased(settings: StoreSettings, key: str, *, dry_run: bool = False) -> list[ErasedEntity]:
    found = erase_entity(settings, "person", key, WRITING, dry_run=dry_run)
    return sorted(found, key=lambda view: view.view)


def persons_in(settings: StoreSettings, table: str) -> set[str]:
    return set(settings.lake.table(table).scan().to_arrow()["person"].to_pylist())


def bytes_of(file: Path) -> bytes:
    return b"".join(part.read_bytes() for part in file.parent.glob(f"{file.name}*"))


def test_an_entity_goes_from_every_view_that_is_about_it(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("person 1", 1, 1), ("bob", 1, 2)))
    publish(settings, COUNTS, counts(("person 1", 2, 3)))
    publish(settings, EVERYTHING, rows_of_everything(seed=3, persons=4))
    applied(settings, COUNTS, EVERYTHING)
    materialize(settings, COUNTS)
    materialize(settings, EVERYTHING)
    one, other = erased(settings, "person 1")
    assert (one.view, one.online, one.offline.rows) == ("counts", 1, 2)
    assert (one.offline.files_dropped, one.offline.files_rewritten) == (1, 1)
    # In both shops.
    assert (other.view, other.online, other.offline.rows) == ("everything", 2, 2)
    assert counted(settings, "person 1", "bob") == [None, 2]
    assert persons_in(settings, "features.counts") == {"bob"}
    assert persons_in(settings, "features.everything") == {"", "person 2", "person 3"}
    rows = [{"person": "person 1", "shop": -7}, {"person": "person 2", "shop": -7}]
    found = online_features(settings, ["everything:moments", "everything:small"], rows)
    assert found["small"][0] is None
    file = settings.online_store.path  # type: ignore[union-attr]
    assert b"person 1" not in bytes_of(file)
    assert b"person 2" in bytes_of(file)


def test_trying_it_changes_nothing_and_tells_the_same(settings: StoreSettings) -> None:
    snapshot = publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 2)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    [told] = erased(settings, "ann", dry_run=True)
    assert (told.online, told.offline.rows, told.offline.snapshot_id) == (1, 1, None)
    assert [held.snapshot_id for held in told.offline.held_by] == [snapshot]
    assert counted(settings, "ann") == [1]
    assert persons_in(settings, "features.counts") == {"ann", "bob"}
    [done] = erased(settings, "ann")
    assert (done.online, done.offline.rows) == (1, 1)
    assert [held.snapshot_id for held in done.offline.held_by] == [snapshot]
    [again] = erased(settings, "ann")
    assert (again.online, again.offline.rows) == (0, 0)


def test_a_tagged_snapshot_is_told_and_still_gives_the_entity_back(
    settings: StoreSettings,
) -> None:
    import pyarrow as pa

    snapshot = publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 2)))
    settings.lake.table(COUNTS.table).manage_snapshots().create_tag(snapshot, "train_v1").commit()
    applied(settings, COUNTS)
    [done] = erased(settings, "ann")
    assert [(held.snapshot_id, held.refs) for held in done.offline.held_by] == [
        (snapshot, ("train_v1",))
    ]
    at = counts(("ann", 9, 0))[0]["at"]
    entities = pa.table({"person": ["ann"], "event_timestamp": [at]})
    now = historical_features(settings, entities, ["counts:count"])
    then = replace(settings, refs={COUNTS.table: "train_v1"})
    tagged = historical_features(then, entities, ["counts:count"])
    assert (now["count"].to_pylist(), tagged["count"].to_pylist()) == ([None], [1])


def test_a_materialization_under_way_does_not_bring_the_entity_back(
    settings: StoreSettings,
) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 2)))
    applied(settings, COUNTS)

    def forget() -> None:
        erased(settings, "ann")

    with pytest.raises(ConcurrentLoadError):
        materialize_snapshot(settings, "counts", is_current=forget)
    materialize(settings, COUNTS)
    assert counted(settings, "ann", "bob") == [None, 2]


def test_what_nobody_materialized_or_published_has_nothing_to_forget(
    settings: StoreSettings,
) -> None:
    applied(settings, COUNTS)
    [found] = erased(settings, "ann", dry_run=True)
    assert (found.online, found.offline.rows) == (0, 0)
    [found] = erased(settings, "ann")
    assert (found.online, found.offline.rows, found.offline.held_by) == (0, 0, ())


def test_an_unknown_entity_and_a_key_of_another_type_are_errors(settings: StoreSettings) -> None:
    applied(settings, EVERYTHING)
    publish(settings, EVERYTHING, rows_of_everything(seed=3, persons=2))
    with pytest.raises(MaterializationError, match="no such entity") as unknown:
        erase_entity(settings, "persons", "ann", WRITING, dry_run=False)
    assert "person, shop" in str(unknown.value)
    with pytest.raises(Exception, match="cannot be one of the column") as wrong:
        erase_entity(settings, "shop", "O'Neill", WRITING, dry_run=False)
    assert "O'Neill" not in str(wrong.value)


def test_the_file_keeps_no_bytes_of_the_entity(settings: StoreSettings) -> None:
    applied(settings, COUNTS)
    publish(settings, COUNTS, counts(*((f"person-{n:05}", 1, n) for n in range(500))))
    materialize(settings, COUNTS)
    erased(settings, "person-00250")
    file = settings.online_store.path  # type: ignore[union-attr]
    with closing(sqlite3.connect(file)) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM tests_counts").fetchall()
    assert count == 499
    assert b"person-00250" not in bytes_of(file)
