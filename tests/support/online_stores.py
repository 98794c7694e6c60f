"""Feature views in online stores: rows of all types, and what stores hold of them."""

from __future__ import annotations

import random
import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import redis

from quality_platform.feature_store import online
from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureViewDefinition,
    OnlineLocation,
    RedisOnline,
    SqliteOnline,
    SqliteRegistry,
    StoreSettings,
)
from quality_platform.feature_store.online import Target
from quality_platform.feature_store.online_rows import OnlineView, OnlineWriter
from quality_platform.feature_store.stock_writer import StockWriter
from quality_platform.feature_store.store import apply_views, online_features
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake
from quality_platform.lake.data_files import RollingWriter

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
INSTANT = pa.timestamp("us", "UTC")
PERSON = EntityDefinition("person", "person", pa.string())
SHOP = EntityDefinition("shop", "shop", pa.int64())

_ITEMS: dict[str, tuple[pa.DataType, Sequence[Any]]] = {
    "flag": (pa.bool_(), [True, False]),
    "small": (pa.int32(), [0, -1, 2**31 - 1]),
    "large": (pa.int64(), [0, -(2**63), 2**53 + 1]),
    "ratio": (pa.float32(), [0.0, 0.1, -1e30]),
    "score": (pa.float64(), [0.0, 0.1, 1e300]),
    "text": (pa.string(), ["", "plain", "ünï\0codé" * 30]),
    "raw": (pa.binary(), [b"\0\xff", b"x" * 200]),
    "moment": (INSTANT, [NEW_YEAR, datetime(1960, 5, 5, tzinfo=UTC)]),
    "price": (pa.decimal128(12, 4), [Decimal("0.0000"), Decimal("-12.3400")]),
}
_LISTED = ("flag", "small", "large", "ratio", "score", "text", "raw", "moment")

FEATURES = pa.schema(
    [
        *(pa.field(name, type_) for name, (type_, _) in _ITEMS.items()),
        *(pa.field(f"{name}s", pa.list_(pa.field("element", _ITEMS[name][0]))) for name in _LISTED),
    ]
)
EVERYTHING = FeatureViewDefinition(
    name="everything",
    table="features.everything",
    entities=(PERSON, SHOP),
    event_timestamp="at",
    created_timestamp="loaded",
    features=FEATURES,
)
COUNTS = FeatureViewDefinition(
    name="counts",
    table="features.counts",
    entities=(PERSON,),
    event_timestamp="at",
    features=pa.schema([("count", pa.int64())]),
)


def rows_of_everything(seed: int, persons: int) -> list[dict[str, Any]]:
    """One row for each of some persons in two shops, with every type, NULLs and empty lists."""
    chance = random.Random(seed)

    def cell(name: str) -> Any:
        values = _ITEMS[name.removesuffix("s") if name.removesuffix("s") in _LISTED else name][1]
        if chance.random() < 0.2:
            return None
        if name.endswith("s") and name != "s" and name.removesuffix("s") in _LISTED:
            return chance.choices(values, k=chance.randrange(4))
        return chance.choice(values)

    return [
        {
            "person": f"person {number}" if number else "",
            "shop": shop,
            "at": NEW_YEAR + timedelta(microseconds=chance.randrange(10**12)),
            "loaded": NEW_YEAR + timedelta(seconds=number) if number % 3 else None,
            **{name: cell(name) for name in FEATURES.names},
        }
        for number in range(persons)
        for shop in (-7, 2**40)
    ]


def counts(*rows: tuple[str, float, int]) -> list[dict[str, Any]]:
    """Rows of (person, seconds after the New Year, count)."""
    return [
        {"person": person, "at": NEW_YEAR + timedelta(seconds=seconds), "count": count}
        for person, seconds, count in rows
    ]


def settings_of(folder: Path, online: OnlineLocation) -> StoreSettings:
    """A feature store whose lake and registry are below a folder."""
    properties = {
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db",
        "warehouse": f"file://{folder}/warehouse",
    }
    registry = SqliteRegistry(folder / "feast" / "registry.db")
    return StoreSettings("tests", registry, online, Lake("lake", properties))


def publish(
    settings: StoreSettings, view: FeatureViewDefinition, rows: Iterable[Mapping[str, Any]]
) -> int:
    """Appends rows to the view's table, which is made when there is none; the snapshot."""
    keys = [pa.field(entity.join_key, entity.type) for entity in view.entities]
    names = (view.event_timestamp, view.created_timestamp)
    times = [pa.field(name, INSTANT) for name in names if name]
    schema = pa.schema([*keys, *times, *view.features])
    table = settings.lake.ensure_table(view.table, schema)
    writer = RollingWriter(table, f"load-{len(table.snapshots())}")
    writer.write(pa.RecordBatch.from_pylist([dict(row) for row in rows], schema=schema))
    return int(commits.append(settings.lake, table, writer.close(), {}).snapshot_id)


def applied(settings: StoreSettings, *views: FeatureViewDefinition) -> StoreSettings:
    """The settings, once the views are registered."""
    apply_views(settings, views)
    return settings


def counted(settings: StoreSettings, *persons: str) -> list[int | None]:
    """The counts that the online store has of some persons."""
    rows = [{"person": person} for person in persons]
    return online_features(settings, ["counts:count"], rows)["count"]


def newest_counts(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """What should be online after all these rows, in their order, by the definition."""
    newest: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        known = newest.get(row["person"])
        if known is None or row["at"] >= known["at"]:
            newest[row["person"]] = row
    return {person: row["count"] for person, row in newest.items()}


def roll_back(settings: StoreSettings, view: FeatureViewDefinition, snapshot: int) -> None:
    """Makes a snapshot the head of the view's table again."""
    table = settings.lake.table(view.table)
    table.manage_snapshots().set_current_snapshot(snapshot).commit()


def overwrite(
    settings: StoreSettings, view: FeatureViewDefinition, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Makes these rows all that the view's table holds, as another computation of it does."""
    table = settings.lake.table(view.table)
    found = pa.Table.from_pylist([dict(row) for row in rows], table.schema().as_arrow())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Delete operation did not match")
        table.overwrite(found)


def newest_in(settings: StoreSettings) -> dict[str, int]:
    """What should be online of the counts, by the table's rows alone."""
    rows = settings.lake.table(COUNTS.table).scan().to_arrow().to_pylist()
    return newest_counts(rows)


def emptied(location: OnlineLocation) -> None:
    """Takes everything out of an online store: the file itself, or all that the server has."""
    if isinstance(location, SqliteOnline):
        for file in location.path.parent.glob(f"{location.path.name}*"):
            file.unlink()
    elif isinstance(location, RedisOnline):
        with client_of(location) as client:
            client.flushdb()


@contextmanager
def written_by_feast() -> Iterator[None]:
    """Meanwhile Feast's own code writes into every online store."""

    def stock_writer(target: Target, _: OnlineView) -> tuple[OnlineWriter, list[str]]:
        return StockWriter(target.store, target.config, target.view), []

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(online, "writer_of", stock_writer)
        yield


def stored(settings: StoreSettings, view: str) -> list[Any]:
    """All that an online store has of a view, in an order; without what Feast does not write."""
    location = settings.online_store
    if isinstance(location, SqliteOnline):
        return stored_in_sqlite(location.path, f"{settings.project}_{view}")
    assert isinstance(location, RedisOnline)
    created = f"_created:{view}".encode()
    return sorted(
        (key, sorted((name, value) for name, value in fields.items() if name != created))
        for key, fields in stored_in_redis(location).items()
    )


def stored_in_sqlite(file: Path, table: str) -> list[tuple[Any, ...]]:
    """What Feast's columns of an online table hold, sorted."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(
            "SELECT entity_key, feature_name, value, value_text, vector_value, event_ts, "
            f'created_ts FROM "{table}" ORDER BY 1, 2'
        ).fetchall()


def stored_in_redis(online: RedisOnline) -> dict[bytes, dict[bytes, bytes]]:
    """All entities' hashes."""
    with client_of(online) as client:
        found: dict[bytes, dict[bytes, bytes]] = {
            key: client.hgetall(key)
            for key in client.keys("*")
            if not key.startswith(b"quality_platform:")
        }
        return found


def client_of(online: RedisOnline) -> redis.Redis:
    """A client of the server that keeps the entities."""
    return redis.Redis(host=online.host, port=online.port, db=online.db)
