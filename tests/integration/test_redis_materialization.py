"""Materialization into a real Redis: as Feast's own code does it, and guarded within Redis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from support.online_stores import (
    COUNTS,
    EVERYTHING,
    FEATURES,
    NEW_YEAR,
    applied,
    client_of,
    counted,
    counts,
    newest_counts,
    publish,
    rows_of_everything,
    settings_of,
    stored_in_redis,
)

from quality_platform.errors import (
    ConcurrentLoadError,
    FeatureStoreUnreachableError,
    MaterializationError,
)
from quality_platform.feature_store import online
from quality_platform.feature_store.definitions import (
    RedisOnline,
    StoreDefinitions,
    StoreSettings,
)
from quality_platform.feature_store.erasure import erase_entity
from quality_platform.feature_store.online import Target, write_snapshot
from quality_platform.feature_store.online_rows import OnlineView, OnlineWriter
from quality_platform.feature_store.stock_writer import StockWriter
from quality_platform.feature_store.store import (
    apply_definitions,
    materialize,
    materialize_snapshot,
    online_features,
    open_store,
)
from quality_platform.lake.maintenance.removal import Writing


@pytest.fixture
def server(redis_url: str) -> Iterator[RedisOnline]:
    parts = urlsplit(redis_url)
    found = RedisOnline(str(parts.hostname), int(parts.port or 0), db=7)
    yield found
    with client_of(found) as client:
        client.flushdb()


@pytest.fixture
def settings(tmp_path: Path, server: RedisOnline) -> StoreSettings:
    return settings_of(tmp_path, server)


def test_all_types_are_stored_byte_for_byte_as_feast_stores_them(
    settings: StoreSettings, server: RedisOnline, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, EVERYTHING, rows_of_everything(seed=1, persons=15))
    applied(settings, EVERYTHING)
    assert materialize(settings, EVERYTHING) == 30
    ours = stored_in_redis(server)
    with client_of(server) as client:
        client.flushdb()

    def stock_writer(target: Target, _: OnlineView) -> tuple[OnlineWriter, list[str]]:
        return StockWriter(target.store, target.config, target.view), []

    monkeypatch.setattr(online, "writer_of", stock_writer)
    assert materialize(settings, EVERYTHING) == 30
    stock = stored_in_redis(server)
    for fields in ours.values():
        assert fields.pop(b"_created:everything")
    assert len(ours) == 30
    assert ours == stock


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


def test_more_rows_than_one_command_holds_are_all_written(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(*((f"p{n}", 1, n) for n in range(12_345))))
    applied(settings, COUNTS)
    assert materialize(settings, COUNTS) == 12_345
    assert counted(settings, "p0", "p401", "p9999", "p12344") == [0, 401, 9999, 12_344]


@pytest.mark.parametrize("length", [0, 29, 31, 32, 300, 65_535, 65_536, 200_000])
def test_texts_of_every_length_arrive(settings: StoreSettings, length: int) -> None:
    view = replace(COUNTS, name="v" * 40, features=pa.schema([("f" * 40, pa.string())]))
    at = counts(("ann", 1, 1))[0]["at"]
    publish(settings, view, [{"person": "ann", "at": at, "f" * 40: "x" * length}])
    applied(settings, view)
    materialize(settings, view)
    found = online_features(settings, [f"{view.name}:{'f' * 40}"], [{"person": "ann"}])
    assert found["f" * 40] == ["x" * length]


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


def test_feasts_own_writer_goes_on_with_the_hashes(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 1)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    at = NEW_YEAR + timedelta(seconds=9)
    frame = pd.DataFrame({"person": ["ann"], "at": [at], "count": [9]})
    open_store(settings).write_to_online_store("counts", df=frame)
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


def test_only_new_data_files_are_read_until_the_server_forgets(
    settings: StoreSettings, server: RedisOnline
) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 1)))
    applied(settings, COUNTS)
    first = materialize_snapshot(settings, "counts")
    publish(settings, COUNTS, counts(("ann", 2, 2)))
    second = materialize_snapshot(settings, "counts")
    with client_of(server) as client:
        client.flushdb()
    third = materialize_snapshot(settings, "counts")
    written = [(each.rows, each.extent) for each in (first, second, third)]
    assert written == [(2, "whole"), (1, "changes"), (2, "whole")]


def test_a_view_that_was_taken_away_and_comes_again_is_materialized_anew(
    settings: StoreSettings, server: RedisOnline
) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1)))
    apply_definitions(settings, StoreDefinitions((COUNTS,)))
    materialize(settings, COUNTS)
    apply_definitions(settings, StoreDefinitions(()))
    assert stored_in_redis(server) == {}
    apply_definitions(settings, StoreDefinitions((COUNTS,)))
    assert materialize_snapshot(settings, "counts").extent == "whole"
    assert counted(settings, "ann") == [1]


def test_entities_expire_some_time_after_they_were_written(
    settings: StoreSettings, server: RedisOnline
) -> None:
    short = replace(settings, online_store=replace(server, key_ttl=timedelta(seconds=500)))
    publish(short, COUNTS, counts(("ann", 1, 1)))
    applied(short, COUNTS)
    materialize(short, COUNTS)
    with client_of(server) as client:
        [key] = stored_in_redis(server)
        assert 490 <= int(client.ttl(key)) <= 500


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


def test_what_redis_refuses_is_an_error_and_not_a_gap(
    settings: StoreSettings, server: RedisOnline
) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    with client_of(server) as client:
        [key] = stored_in_redis(server)
        client.delete(key)
        client.set(key, "no hash")
        with pytest.raises(MaterializationError, match="WRONGTYPE"):
            materialize_snapshot(settings, "counts", anew=True)


def test_a_server_that_is_away_is_told(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1)))
    applied(settings, COUNTS)
    away = replace(settings, online_store=RedisOnline("127.0.0.1", 1))
    with pytest.raises(FeatureStoreUnreachableError):
        materialize_snapshot(away, "counts")


def test_an_entity_is_forgotten_in_every_view_and_no_other_is(
    settings: StoreSettings, server: RedisOnline
) -> None:
    publish(settings, COUNTS, counts(("person 1", 1, 1), ("bob", 1, 2), ("person 1*", 1, 3)))
    publish(settings, EVERYTHING, rows_of_everything(seed=3, persons=4))
    applied(settings, COUNTS, EVERYTHING, replace(COUNTS, name="others"))
    for view in ("counts", "everything", "others"):
        materialize_snapshot(settings, view)
    other = replace(settings, project=f"my{settings.project}")
    applied(other, EVERYTHING)
    materialize(other, EVERYTHING)
    before = len(stored_in_redis(server))
    erased = erase_entity(settings, "person", "person 1", Writing(10**6), dry_run=False)
    assert {view.view: view.online for view in erased} == {
        "counts": 1,
        "everything": 2,
        "others": 1,
    }
    after = stored_in_redis(server)
    # The hash of the person, and those of the person in two shops.
    assert len(after) == before - 3
    assert counted(settings, "person 1", "bob", "person 1*") == [None, 2, 3]
    again = erase_entity(settings, "shop", "-7", Writing(10**6), dry_run=True)
    assert [view.online for view in again] == [3]


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
    settings: StoreSettings, server: RedisOnline, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from quality_platform.feature_store.iceberg_offline_store import rows_of, snapshot_at

    applied(settings, COUNTS)
    store = open_store(settings)
    registered = store.get_feature_view("counts")

    @examples(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(DELIVERIES)
    def right(deliveries: list[list[tuple[str, int, int]]]) -> None:
        mine = settings_of(tmp_path_factory.mktemp("example"), server)
        with client_of(server) as client:
            client.flushdb()
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
