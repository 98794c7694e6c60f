"""Rows that have left the table leave the online store too, or give way to what is there now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from support.iceberg_deletes import delete_by_position, delete_by_value
from support.online_stores import (
    COUNTS,
    EVERYTHING,
    NEW_YEAR,
    applied,
    counted,
    counts,
    emptied,
    newest_in,
    overwrite,
    publish,
    roll_back,
    settings_of,
    stored,
)

from quality_platform.errors import MaterializationError
from quality_platform.feature_store import online
from quality_platform.feature_store.definitions import OnlineLocation, StoreSettings
from quality_platform.feature_store.online import Target, Written, write_snapshot
from quality_platform.feature_store.store import (
    materialize_snapshot,
    online_features,
    open_store,
)
from quality_platform.lake.maintenance.compaction import CompactionSettings, compact
from quality_platform.lake.maintenance.expiry import expire


@pytest.fixture
def settings(tmp_path: Path, online_store: OnlineLocation) -> StoreSettings:
    return settings_of(tmp_path, online_store)


def materialized(settings: StoreSettings) -> Written:
    return materialize_snapshot(settings, "counts")


def begun(settings: StoreSettings, *rows: tuple[str, float, int]) -> int:
    """The snapshot of these rows, which are online."""
    snapshot = publish(settings, COUNTS, counts(*rows))
    applied(settings, COUNTS)
    materialized(settings)
    return snapshot


def fails(*_: object) -> None:
    """Takes the place of a step of a materialization that is cut short."""
    raise OSError("the disk is full")


def pushed(settings: StoreSettings, person: str, seconds: float, count: int) -> None:
    """Writes a value as Feast's users do, past the table."""
    at = NEW_YEAR + timedelta(seconds=seconds)
    frame = pd.DataFrame({"person": [person], "at": [at], "count": [count]})
    open_store(settings).write_to_online_store("counts", df=frame)


def test_an_entity_that_was_deleted_is_gone_and_no_other_is(settings: StoreSettings) -> None:
    begun(settings, ("ann", 1, 1), ("bob", 1, 2))
    publish(settings, COUNTS, counts(("eve", 1, 3)))
    settings.lake.table(COUNTS.table).delete("person = 'ann'")
    written = materialized(settings)
    assert (written.extent, written.taken_back) == ("changes", 1)
    assert counted(settings, "ann", "bob", "eve") == [None, 2, 3]
    assert not [entry for entry in stored(settings, "counts") if b"ann" in entry[0]]
    assert materialized(settings).taken_back == 0


def test_after_a_rollback_the_store_has_what_the_table_has(settings: StoreSettings) -> None:
    first = begun(settings, ("ann", 1, 1), ("bob", 1, 1))
    second = publish(settings, COUNTS, counts(("ann", 2, 2), ("eve", 2, 2)))
    materialized(settings)
    roll_back(settings, COUNTS, first)
    assert (materialized(settings).rows, counted(settings, "ann", "bob", "eve")) == (
        0,
        [1, 1, None],
    )
    roll_back(settings, COUNTS, second)
    assert materialized(settings).taken_back == 0
    assert counted(settings, "ann", "bob", "eve") == [2, 1, 2]


def test_a_newest_row_that_is_computed_older_takes_the_place_of_the_newer_one(
    settings: StoreSettings,
) -> None:
    begun(settings, ("ann", 5, 5), ("bob", 5, 5), ("eve", 5, 5))
    overwrite(settings, COUNTS, counts(("ann", 4, 4), ("bob", 6, 6)))
    written = materialized(settings)
    assert (written.rows, written.taken_back) == (2, 2)
    assert counted(settings, "ann", "bob", "eve") == [4, 6, None]


def test_what_was_pushed_stays_where_it_is_newer_than_what_has_left(
    settings: StoreSettings,
) -> None:
    first = begun(settings, ("ann", 1, 1), ("bob", 1, 1))
    publish(settings, COUNTS, counts(("ann", 5, 5), ("bob", 5, 5), ("eve", 5, 5), ("joe", 5, 5)))
    materialized(settings)
    for person in ("ann", "eve"):
        pushed(settings, person, 9, 9)
    roll_back(settings, COUNTS, first)
    assert materialized(settings).taken_back == 4
    assert counted(settings, "ann", "bob", "eve", "joe") == [9, 1, 9, None]


def test_other_views_of_the_entity_keep_their_values(settings: StoreSettings) -> None:
    begun(settings, ("ann", 1, 1), ("bob", 1, 1))
    others = replace(COUNTS, name="others", table="features.others")
    publish(settings, others, counts(("ann", 1, 7)))
    applied(settings, others)
    materialize_snapshot(settings, "others")
    settings.lake.table(COUNTS.table).delete("person = 'ann'")
    materialized(settings)
    found = online_features(settings, ["counts:count"], [{"person": "ann"}])
    assert found["count"] == [None]
    assert online_features(settings, ["others:count"], [{"person": "ann"}])["count"] == [7]
    settings.lake.table(others.table).delete("person = 'ann'")
    materialize_snapshot(settings, "others")
    assert not [entry for entry in stored(settings, "others") if b"ann" in entry[0]]


def test_of_equal_event_times_the_created_time_tells_what_has_left(
    settings: StoreSettings,
) -> None:
    view = replace(EVERYTHING, features=pa.schema([("small", pa.int32())]))

    def row(shop: int, small: int, loaded: int | None) -> dict[str, Any]:
        at = None if loaded is None else NEW_YEAR + timedelta(milliseconds=loaded)
        return {"person": "ann", "shop": shop, "at": NEW_YEAR, "loaded": at, "small": small}

    first = publish(settings, view, [row(1, 1, None), row(2, 1, 10)])
    applied(settings, view)
    materialize_snapshot(settings, "everything")
    publish(settings, view, [row(1, 2, 20), row(2, 2, 20), row(3, 2, None)])
    materialize_snapshot(settings, "everything")
    shops = [{"person": "ann", "shop": shop} for shop in (1, 2, 3)]
    assert online_features(settings, ["everything:small"], shops)["small"] == [2, 2, 2]
    roll_back(settings, view, first)
    assert materialize_snapshot(settings, "everything").taken_back == 3
    assert online_features(settings, ["everything:small"], shops)["small"] == [1, 1, None]


def test_deletes_of_other_engines_beside_the_data_files_count(settings: StoreSettings) -> None:
    begun(settings, ("ann", 1, 1), ("bob", 1, 2))
    delete_by_position(settings.lake.table(COUNTS.table), 0)
    materialized(settings)
    assert newest_in(settings) == {"bob": 2}
    assert counted(settings, "ann", "bob") == [None, 2]


def test_a_snapshot_that_could_not_be_read_is_no_hindrance_later(settings: StoreSettings) -> None:
    first = begun(settings, ("ann", 1, 1), ("bob", 1, 2))
    delete_by_value(settings.lake.table(COUNTS.table), person="ann")
    with pytest.raises(MaterializationError, match="cannot be read exactly"):
        materialized(settings)
    roll_back(settings, COUNTS, first)
    assert materialized(settings).taken_back == 0
    assert counted(settings, "ann", "bob") == [1, 2]


def test_rows_that_are_only_written_anew_are_not_taken_back(settings: StoreSettings) -> None:
    begun(settings, ("ann", 1, 1), ("bob", 1, 1))
    publish(settings, COUNTS, counts(("ann", 2, 2)))
    table = settings.lake.table(COUNTS.table)
    done = compact(settings.lake, table, CompactionSettings(10**7, 10**8))
    assert done.files_before == 2
    assert (written := materialized(settings)).taken_back == 0
    assert written.rows == 2
    overwrite(settings, COUNTS, counts(("ann", 2, 3), ("bob", 1, 1), ("ann", 1, 1)))
    assert materialized(settings).taken_back == 0
    assert counted(settings, "ann", "bob") == [3, 1]


def test_rows_of_a_materialization_that_failed_are_taken_back_too(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begun(settings, ("ann", 1, 1), ("bob", 1, 1))
    publish(settings, COUNTS, counts(("ann", 2, 2), ("eve", 2, 2)))

    with monkeypatch.context() as patched:
        patched.setattr(online, "taken_back", fails)
        with pytest.raises(Exception, match="the disk is full"):
            materialized(settings)
    roll_back(settings, COUNTS, first)
    materialized(settings)
    assert counted(settings, "ann", "bob", "eve") == [1, 1, None]


def test_rows_of_a_period_that_feast_materialized_are_taken_back_too(
    settings: StoreSettings,
) -> None:
    first = begun(settings, ("ann", 1, 1))
    publish(settings, COUNTS, counts(("ann", 2, 2), ("eve", 2, 2)))
    open_store(settings).materialize(NEW_YEAR, NEW_YEAR + timedelta(seconds=9))
    assert counted(settings, "ann", "eve") == [2, 2]
    roll_back(settings, COUNTS, first)
    materialized(settings)
    assert counted(settings, "ann", "eve") == [1, None]


def test_that_an_expired_snapshot_cannot_be_compared_is_told(settings: StoreSettings) -> None:
    begun(settings, ("ann", 1, 1), ("bob", 1, 1))
    overwrite(settings, COUNTS, counts(("bob", 2, 2)))
    table = settings.lake.table(COUNTS.table)
    old = [s for s in table.snapshots() if s.snapshot_id != table.metadata.current_snapshot_id]
    expire(settings.lake, table, old)
    written = materialized(settings)
    assert written.extent == "whole"
    assert "until the view is rebuilt" in written.notes[0]
    assert counted(settings, "ann", "bob") == [1, 2]
    assert materialized(settings).notes == ()
    assert materialize_snapshot(settings, "counts", rebuild=True).extent == "rebuilt"
    assert counted(settings, "ann", "bob") == [None, 2]


PERSONS = "abc"
ROW = st.tuples(st.sampled_from(PERSONS), st.integers(-3, 3), st.integers(0, 99))
ROWS = st.lists(ROW, max_size=3, unique_by=lambda row: row[:2])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), ROWS),
        st.tuples(st.just("overwrite"), ROWS),
        st.tuples(st.just("delete"), st.sampled_from(PERSONS)),
        st.tuples(st.just("roll back"), st.integers(0, 5)),
        st.tuples(st.just("materialize"), st.none()),
        st.tuples(st.just("materialize"), st.just("cut short")),
    ),
    min_size=2,
    max_size=7,
)


def test_whatever_becomes_of_the_table_the_store_follows(
    settings: StoreSettings,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from quality_platform.feature_store.iceberg_offline_store import rows_of, snapshot_at

    applied(settings, COUNTS)
    store = open_store(settings)
    registered = store.get_feature_view("counts")

    def take(mine: StoreSettings, what: str, given: Any) -> None:
        table = mine.lake.table(COUNTS.table)
        known = newest_in(mine)
        # Rows of one entity and time are refused; see the tests of materialization.
        taken = {(row["person"], row["at"]) for row in table.scan().to_arrow().to_pylist()}
        match what:
            case "append":
                rows = counts(*given)
                publish(mine, COUNTS, [r for r in rows if (r["person"], r["at"]) not in taken])
            case "overwrite":
                overwrite(mine, COUNTS, counts(*given))
            case "delete" if given in known:
                table.delete(f"person = '{given}'")
            case "roll back":
                snapshots = table.snapshots()
                roll_back(mine, COUNTS, snapshots[given % len(snapshots)].snapshot_id)

    @examples(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    def right(steps: list[tuple[str, Any]]) -> None:
        mine = settings_of(tmp_path_factory.mktemp("example"), settings.online_store)
        emptied(settings.online_store)
        config = open_store(mine).config
        publish(mine, COUNTS, [])
        for what, given_ in [("materialize", None), *steps, ("materialize", None)]:
            if what != "materialize":
                take(mine, what, given_)
                continue
            target = Target(store.provider.online_store, config, registered)
            snapshot = snapshot_at(config, rows_of(registered))
            if given_ == "cut short":
                with monkeypatch.context() as patched:
                    patched.setattr(online, "taken_back", fails)
                    with pytest.raises(OSError, match="disk"):
                        write_snapshot(target, snapshot)
                continue
            write_snapshot(target, snapshot)
            expected = newest_in(mine)
            assert dict(zip(PERSONS, counted(settings, *PERSONS), strict=True)) == {
                person: expected.get(person) for person in PERSONS
            }

    right()
