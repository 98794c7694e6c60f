"""Materialization into every online store: as Feast's own code does it, and guarded by time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pyiceberg.types import LongType
from support.online_stores import (
    COUNTS,
    EVERYTHING,
    FEATURES,
    NEW_YEAR,
    applied,
    counted,
    counts,
    emptied,
    newest_counts,
    publish,
    rows_of_everything,
    settings_of,
    stored,
    written_by_feast,
)

from quality_platform.errors import ConcurrentLoadError, MaterializationError
from quality_platform.feature_store.definitions import (
    OnlineLocation,
    StoreDefinitions,
    StoreSettings,
)
from quality_platform.feature_store.online import Target, write_snapshot
from quality_platform.feature_store.store import (
    apply_definitions,
    materialize,
    materialize_snapshot,
    online_features,
    open_store,
)


@pytest.fixture
def settings(tmp_path: Path, online_store: OnlineLocation) -> StoreSettings:
    return settings_of(tmp_path, online_store)


def test_all_types_are_stored_byte_for_byte_as_feast_stores_them(settings: StoreSettings) -> None:
    publish(settings, EVERYTHING, rows_of_everything(seed=1, persons=15))
    applied(settings, EVERYTHING)
    assert materialize(settings, EVERYTHING) == 30
    ours = stored(settings, "everything")
    emptied(settings.online_store)
    applied(settings, EVERYTHING)
    with written_by_feast():
        assert materialize(settings, EVERYTHING) == 30
    assert len(ours) >= 30
    assert ours == stored(settings, "everything")


def test_feasts_own_reader_gives_back_what_the_table_has(settings: StoreSettings) -> None:
    rows = rows_of_everything(seed=2, persons=8)
    publish(settings, EVERYTHING, rows)
    applied(settings, EVERYTHING)
    materialize(settings, EVERYTHING)
    wanted = [{"person": row["person"], "shop": row["shop"]} for row in rows]
    names = [f"everything:{name}" for name in FEATURES.names]
    found = online_features(settings, names, wanted)
    for name in ("flag", "small", "large", "score", "text", "raw", "price"):
        assert found[name] == [row[name] for row in rows], name
    for name in ("flags", "smalls", "larges", "scores", "texts", "raws"):
        # Feast gives empty lists back as missing.
        assert [value or [] for value in found[name]] == [row[name] or [] for row in rows], name


def test_feasts_own_writer_and_apply_go_on_with_the_store(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 1)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    applied(settings, COUNTS, replace(COUNTS, name="others"))
    frame = pd.DataFrame({"person": ["ann"], "at": [NEW_YEAR + timedelta(seconds=9)], "count": [9]})
    open_store(settings).write_to_online_store("counts", df=frame)
    assert counted(settings, "ann", "bob") == [9, 1]
    publish(settings, COUNTS, counts(("ann", 5, 5), ("bob", 5, 5)))
    materialize(settings, COUNTS)
    assert counted(settings, "ann", "bob") == [9, 5]


def test_feasts_own_materialization_writes_a_period(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1), ("ann", 5, 5), ("bob", 9, 9)))
    applied(settings, COUNTS)
    open_store(settings).materialize(NEW_YEAR, NEW_YEAR + timedelta(seconds=3))
    assert counted(settings, "ann", "bob") == [1, None]
    materialize(settings, COUNTS)
    assert counted(settings, "ann", "bob") == [5, 9]


def test_more_rows_than_are_written_at_once_all_arrive(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(*((f"p{n}", 1, n) for n in range(12_345))))
    applied(settings, COUNTS)
    assert materialize(settings, COUNTS) == 12_345
    assert counted(settings, "p0", "p401", "p9999", "p12344") == [0, 401, 9999, 12_344]


@pytest.mark.parametrize("year", [1820, 1969, 1970, 2026])
def test_the_newest_value_stays_in_every_century(settings: StoreSettings, year: int) -> None:
    first = datetime(year, 1, 1, tzinfo=UTC)
    applied(settings, COUNTS)
    steps = ((1_000_000, 1, 1), (999_999, 2, 1), (1_000_001, 3, 3), (-5, 4, 3), (1_000_001, 5, 5))
    for microseconds, count, expected in steps:
        at = first + timedelta(microseconds=microseconds)
        publish(settings, COUNTS, [{"person": "ann", "at": at, "count": count}])
        materialize(settings, COUNTS)
        assert counted(settings, "ann") == [expected], microseconds


def test_of_equal_event_times_the_later_created_row_stays(settings: StoreSettings) -> None:
    view = replace(EVERYTHING, features=pa.schema([("small", pa.int32())]))

    def row(small: int, loaded: int | None) -> dict[str, object]:
        at = None if loaded is None else NEW_YEAR + timedelta(milliseconds=loaded)
        return {"person": "ann", "shop": 1, "at": NEW_YEAR, "loaded": at, "small": small}

    applied(settings, view)
    for small, loaded, expected in ((1, 20, 1), (2, 10, 1), (3, None, 1), (4, 30, 4)):
        publish(settings, view, [row(small, loaded)])
        materialize(settings, view)
        found = online_features(settings, ["everything:small"], [{"person": "ann", "shop": 1}])
        assert found["small"] == [expected], loaded


def test_only_new_data_files_are_read_until_the_store_is_lost(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 1)))
    applied(settings, COUNTS)
    first = materialize_snapshot(settings, "counts")
    publish(settings, COUNTS, counts(("ann", 2, 2)))
    second = materialize_snapshot(settings, "counts")
    third = materialize_snapshot(settings, "counts")
    emptied(settings.online_store)
    fourth = materialize_snapshot(settings, "counts")
    written = [(each.rows, each.extent) for each in (first, second, third, fourth)]
    assert written == [(2, "whole"), (1, "changes"), (0, "changes"), (2, "whole")]
    assert first.notes == ()
    assert counted(settings, "ann", "bob") == [2, 1]


def test_a_row_that_was_delivered_twice_is_one_row(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 2, 2), ("ann", 1, 1), ("ann", 2, 2)))
    publish(settings, COUNTS, counts(("ann", 2, 2), ("bob", 1, 1)))
    applied(settings, COUNTS)
    assert materialize(settings, COUNTS) == 2
    assert counted(settings, "ann", "bob") == [2, 1]
    publish(settings, COUNTS, counts(("ann", 2, 3)))
    assert materialize_snapshot(settings, "counts").extent == "changes"
    assert counted(settings, "ann") == [3]
    with pytest.raises(MaterializationError, match="the newest cannot be told"):
        materialize_snapshot(settings, "counts", rebuild=True)


def test_a_view_with_another_definition_is_read_as_a_whole(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    applied(settings, replace(COUNTS, ttl=timedelta(days=1)))
    assert materialize_snapshot(settings, "counts").extent == "changes"
    with settings.lake.table(COUNTS.table).update_schema() as update:
        update.add_column("more", LongType())
    features = COUNTS.features.append(pa.field("more", pa.int64()))
    applied(settings, replace(COUNTS, features=features))
    written = materialize_snapshot(settings, "counts")
    assert (written.rows, written.extent) == (1, "whole")


def test_a_view_that_was_taken_away_and_comes_again_is_read_as_a_whole(
    settings: StoreSettings,
) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1)))
    apply_definitions(settings, StoreDefinitions((COUNTS,)))
    materialize(settings, COUNTS)
    apply_definitions(settings, StoreDefinitions(()))
    apply_definitions(settings, StoreDefinitions((COUNTS,)))
    assert counted(settings, "ann") == [None]
    assert materialize_snapshot(settings, "counts").extent == "whole"
    assert counted(settings, "ann") == [1]


def test_a_materialization_stops_where_another_of_the_view_has_begun(
    settings: StoreSettings,
) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1)))
    applied(settings, COUNTS)

    def another() -> None:
        publish(settings, COUNTS, counts(("ann", 2, 2)))
        materialize(settings, COUNTS)

    with pytest.raises(ConcurrentLoadError, match="another materialization of counts"):
        materialize_snapshot(settings, "counts", is_current=another)
    assert counted(settings, "ann") == [2]
    assert materialize_snapshot(settings, "counts").rows == 0


def test_a_snapshot_that_is_no_longer_the_head_is_not_written(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1)))
    applied(settings, COUNTS)

    def moved() -> None:
        raise ConcurrentLoadError("published anew")

    with pytest.raises(ConcurrentLoadError, match="published anew"):
        materialize_snapshot(settings, "counts", is_current=moved)
    assert counted(settings, "ann") == [None]


DELIVERIES = st.lists(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(-3, 3), st.integers(0, 99)),
        max_size=4,
        unique_by=lambda row: row[:2],
    ),
    min_size=1,
    max_size=5,
)


def test_late_and_repeated_rows_end_in_the_right_value(
    settings: StoreSettings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from quality_platform.feature_store.iceberg_offline_store import rows_of, snapshot_at

    applied(settings, COUNTS)
    store = open_store(settings)
    registered = store.get_feature_view("counts")

    @examples(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(DELIVERIES)
    def right(deliveries: list[list[tuple[str, int, int]]]) -> None:
        mine = settings_of(tmp_path_factory.mktemp("example"), settings.online_store)
        emptied(settings.online_store)
        config = open_store(mine).config
        seen = []
        for delivery in deliveries:
            seen += counts(*delivery)
            publish(mine, COUNTS, counts(*delivery))
            target = Target(store.provider.online_store, config, registered)
            write_snapshot(target, snapshot_at(config, rows_of(registered)))
        expected = newest_counts(seen)
        assert dict(zip("abc", counted(settings, *"abc"), strict=True)) == {
            person: expected.get(person) for person in "abc"
        }

    right()
