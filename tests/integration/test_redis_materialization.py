"""What is Redis's own in materialization; the rest is in `test_online_materialization`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
from support.online_stores import (
    COUNTS,
    EVERYTHING,
    applied,
    client_of,
    counted,
    counts,
    publish,
    rows_of_everything,
    settings_of,
    stored_in_redis,
)

from quality_platform.errors import (
    FeatureStoreUnreachableError,
    MaterializationError,
)
from quality_platform.feature_store.definitions import (
    RedisOnline,
    StoreSettings,
)
from quality_platform.feature_store.erasure import erase_entity
from quality_platform.feature_store.store import (
    materialize,
    materialize_snapshot,
    online_features,
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


@pytest.mark.parametrize("length", [0, 29, 31, 32, 300, 65_535, 65_536, 200_000])
def test_texts_of_every_length_arrive(settings: StoreSettings, length: int) -> None:
    view = replace(COUNTS, name="v" * 40, features=pa.schema([("f" * 40, pa.string())]))
    at = counts(("ann", 1, 1))[0]["at"]
    publish(settings, view, [{"person": "ann", "at": at, "f" * 40: "x" * length}])
    applied(settings, view)
    materialize(settings, view)
    found = online_features(settings, [f"{view.name}:{'f' * 40}"], [{"person": "ann"}])
    assert found["f" * 40] == ["x" * length]


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


def test_what_redis_refuses_is_an_error_and_not_a_gap(
    settings: StoreSettings, server: RedisOnline
) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    publish(settings, COUNTS, counts(("ann", 2, 2)))
    with client_of(server) as client:
        [key] = stored_in_redis(server)
        client.delete(key)
        client.set(key, "no hash")
    with pytest.raises(MaterializationError, match="WRONGTYPE"):
        materialize_snapshot(settings, "counts")
    assert materialize_snapshot(settings, "counts", rebuild=True).rows == 1
    assert counted(settings, "ann") == [2]


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
