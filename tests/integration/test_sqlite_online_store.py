"""Materialization into Feast's SQLite store: as Feast's own code does it, and guarded by time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

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
    newest_counts,
    publish,
    rows_of_everything,
    settings_of,
    stored_in_sqlite,
)

from quality_platform.errors import ConcurrentLoadError, MaterializationError
from quality_platform.feature_store import online
from quality_platform.feature_store.definitions import SqliteOnline, StoreSettings
from quality_platform.feature_store.online import Target, write_snapshot
from quality_platform.feature_store.online_rows import OnlineView, OnlineWriter
from quality_platform.feature_store.stock_writer import StockWriter
from quality_platform.feature_store.store import (
    materialize,
    materialize_snapshot,
    online_features,
    open_store,
)


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return settings_of(tmp_path, SqliteOnline(tmp_path / "feast" / "online.db"))


def materialized_by_feast(settings: StoreSettings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of an online store that Feast's own code has written."""
    file = Path(settings.registry.path.parent / "stock.db")  # type: ignore[union-attr]
    stock = replace(settings, online_store=SqliteOnline(file))
    applied(stock, EVERYTHING)

    def stock_writer(target: Target, _: OnlineView) -> tuple[OnlineWriter, list[str]]:
        return StockWriter(target.store, target.config, target.view), []

    with monkeypatch.context() as patched:
        patched.setattr(online, "writer_of", stock_writer)
        assert materialize(stock, EVERYTHING) == 30
    return file


@pytest.fixture(params=["UTC", "America/New_York"])
def clock(request: pytest.FixtureRequest) -> Iterator[str]:
    """The process's time zone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.usefixtures("clock")
def test_all_types_are_stored_byte_for_byte_as_feast_stores_them(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, EVERYTHING, rows_of_everything(seed=1, persons=15))
    applied(settings, EVERYTHING)
    assert materialize(settings, EVERYTHING) == 30
    stock = materialized_by_feast(settings, monkeypatch)
    file = settings.online_store.path  # type: ignore[union-attr]
    ours = stored_in_sqlite(file, "tests_everything")
    assert len(ours) == 30 * len(FEATURES)
    assert ours == stored_in_sqlite(stock, "tests_everything")


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


def test_feasts_own_writer_and_apply_go_on_with_the_table(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 1)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    applied(settings, COUNTS, replace(COUNTS, name="others"))
    import pandas as pd

    frame = pd.DataFrame({"person": ["ann"], "at": [NEW_YEAR + timedelta(seconds=9)], "count": [9]})
    open_store(settings).write_to_online_store("counts", df=frame)
    assert counted(settings, "ann", "bob") == [9, 1]
    publish(settings, COUNTS, counts(("ann", 5, 5), ("bob", 5, 5)))
    materialize(settings, COUNTS)
    assert counted(settings, "ann", "bob") == [9, 5]


def test_a_table_of_feasts_with_rows_is_taken_over(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 5, 5)))
    applied(settings, COUNTS)
    import pandas as pd

    at = NEW_YEAR + timedelta(seconds=9)
    frame = pd.DataFrame({"person": ["ann", "eve"], "at": [at, at], "count": [9, 8]})
    open_store(settings).write_to_online_store("counts", df=frame)
    materialize(settings, COUNTS)
    assert counted(settings, "ann", "eve") == [9, 8]


def test_the_newest_value_stays_also_within_one_second(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1.75, 1), ("bob", 1.25, 1)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    publish(settings, COUNTS, counts(("ann", 1.5, 2), ("bob", 1.5, 2)))
    materialize(settings, COUNTS)
    assert counted(settings, "ann", "bob") == [1, 2]


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


def test_only_new_data_files_are_read(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 1)))
    applied(settings, COUNTS)
    first = materialize_snapshot(settings, "counts")
    publish(settings, COUNTS, counts(("ann", 2, 2)))
    second = materialize_snapshot(settings, "counts")
    third = materialize_snapshot(settings, "counts")
    anew = materialize_snapshot(settings, "counts", anew=True)
    written = [(each.rows, each.extent) for each in (first, second, third, anew)]
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
    with pytest.raises(MaterializationError, match="the newest cannot be told"):
        materialize_snapshot(settings, "counts", anew=True)
    assert materialize_snapshot(settings, "counts").extent == "changes"
    assert counted(settings, "ann") == [3]


def test_a_view_with_another_definition_is_materialized_anew(settings: StoreSettings) -> None:
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


def test_a_store_that_was_lost_is_filled_again(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    settings.online_store.path.unlink()  # type: ignore[union-attr]
    assert materialize_snapshot(settings, "counts").rows == 1
    assert counted(settings, "ann") == [1]


def test_entities_that_left_the_table_keep_their_values(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 1)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    settings.lake.table(COUNTS.table).delete("person = 'ann'")
    materialize(settings, COUNTS)
    assert counted(settings, "ann", "bob") == [1, 1]


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
        st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.integers(0, 99)),
        max_size=4,
        unique_by=lambda row: row[:2],
    ),
    min_size=1,
    max_size=5,
)


def test_late_and_repeated_rows_end_in_the_right_value(
    settings: StoreSettings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    applied(settings, COUNTS)
    store = open_store(settings)
    registered = store.get_feature_view("counts")

    @examples(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(DELIVERIES)
    def right(deliveries: list[list[tuple[str, int, int]]]) -> None:
        from quality_platform.feature_store.iceberg_offline_store import rows_of, snapshot_at

        mine = settings_of(tmp_path_factory.mktemp("example"), settings.online_store)
        settings.online_store.path.unlink(missing_ok=True)  # type: ignore[union-attr]
        config = open_store(mine).config
        seen = []
        for delivery in deliveries:
            seen += counts(*delivery)
            publish(mine, COUNTS, counts(*delivery))
            target = Target(store.provider.online_store, config, registered)
            write_snapshot(target, snapshot_at(config, rows_of(registered)))
        expected = newest_counts(seen)
        if expected:
            assert dict(zip("abc", counted(settings, *"abc"), strict=True)) == {
                person: expected.get(person) for person in "abc"
            }

    right()


def test_a_file_without_the_state_tells_of_no_snapshot(tmp_path: Path) -> None:
    from quality_platform.feature_store.sqlite_writer import last_snapshot

    file = tmp_path / "online.db"
    assert last_snapshot(file, "tests", "counts") is None
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE other (a)")
    assert last_snapshot(file, "tests", "counts") is None
