"""Feast's online store in a real Redis: what runner.yaml says of it, and its password."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
import redis
from pydantic import SecretStr
from support.feature_rows import published_rows, store_in

from quality_platform.errors import FeatureStoreUnreachableError, MaterializationError
from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureViewDefinition,
    RedisOnline,
    StoreDefinitions,
    StoreSettings,
)
from quality_platform.feature_store.store import (
    apply_definitions,
    apply_views,
    materialize,
    online_features,
)

INSTANT = pa.timestamp("us", "UTC")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
ROWS = pa.schema([("origin", pa.string()), ("at", INSTANT), ("delay", pa.float64())])
VIEW = FeatureViewDefinition(
    name="delays",
    table="features.delays",
    entities=(EntityDefinition("airport", "origin", pa.string()),),
    event_timestamp="at",
    features=pa.schema([("delay", pa.float64())]),
)
USER, PASSWORD = "feast_tester", 'hunter2, "it=is" 100%'
"""All the signs that end a word in Feast's own form."""


@pytest.fixture
def online(redis_url: str) -> Iterator[RedisOnline]:
    """A database of the shared server, for a user with a password."""
    address = urlsplit(redis_url)
    assert address.hostname is not None
    assert address.port is not None
    with redis.Redis(host=address.hostname, port=address.port, db=7) as client:
        client.flushdb()
        client.acl_setuser(
            USER, enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], categories=["+@all"]
        )
        yield RedisOnline(
            address.hostname, address.port, db=7, username=USER, password=SecretStr(PASSWORD)
        )
        client.acl_deluser(USER)
        client.flushdb()


@pytest.fixture
def settings(tmp_path: Path, online: RedisOnline) -> StoreSettings:
    found = store_in(tmp_path, online_store=online)
    rows = [{"origin": "JFK", "at": MONDAY, "delay": 1.5}, {"origin": "LGA", "at": MONDAY}]
    published_rows(found.lake, "features.delays", ROWS, rows)
    apply_views(found, [VIEW])
    return found


def keys_of(online: RedisOnline) -> list[bytes]:
    """All keys of entities in the database."""
    with redis.Redis(host=online.host, port=online.port, db=online.db) as client:
        return [key for key in client.scan_iter() if not key.startswith(b"quality_platform:")]


def test_values_are_read_from_redis_by_feast(settings: StoreSettings, online: RedisOnline) -> None:
    assert materialize(settings, VIEW) == 2
    assert len(keys_of(online)) == 2
    wanted = [{"origin": "LGA"}, {"origin": "JFK"}, {"origin": "EWR"}]
    assert online_features(settings, ["delays:delay"], wanted)["delay"] == [None, 1.5, None]


def test_what_is_no_longer_declared_leaves_redis(
    settings: StoreSettings, online: RedisOnline
) -> None:
    materialize(settings, VIEW)
    apply_definitions(settings, StoreDefinitions())
    assert keys_of(online) == []
    apply_definitions(settings, StoreDefinitions((VIEW,)))
    assert materialize(settings, VIEW) == 2
    assert len(keys_of(online)) == 2


def test_values_live_as_long_as_runner_yaml_says(
    settings: StoreSettings, online: RedisOnline
) -> None:
    lasting = replace(settings, online_store=replace(online, key_ttl=timedelta(days=2)))
    materialize(lasting, VIEW)
    with redis.Redis(host=online.host, port=online.port, db=online.db) as client:
        seconds = [client.ttl(key) for key in keys_of(online)]
    assert len(seconds) == 2
    assert all(2 * 86400 - 600 < left <= 2 * 86400 for left in seconds)


def test_the_file_for_feast_holds_no_password(settings: StoreSettings) -> None:
    assert settings.yaml_file is not None
    text = settings.yaml_file.read_text(encoding="utf-8")
    assert "connection_string: ${QUALITY_PLATFORM_FEAST_ONLINE_STORE}" in text
    assert "hunter2" not in text
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"password": SecretStr("hunter2wrong")}, MaterializationError),
        ({"port": 1}, FeatureStoreUnreachableError),
    ],
)
def test_a_redis_that_cannot_be_used_is_told_without_the_password(
    settings: StoreSettings,
    online: RedisOnline,
    change: dict[str, object],
    kind: type[MaterializationError],
) -> None:
    broken = replace(settings, online_store=replace(online, **change))
    with pytest.raises(kind) as caught:
        online_features(broken, ["delays:delay"], [{"origin": "JFK"}])
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
