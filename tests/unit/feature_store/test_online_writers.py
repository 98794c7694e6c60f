"""Which way rows take into a store, why it is a slow one, and in which order they come."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality_platform.feature_store import online
from quality_platform.feature_store.key_encoding import encoded_keys
from quality_platform.feature_store.online import Target, writer_of
from quality_platform.feature_store.online_rows import OnlineRows, OnlineView
from quality_platform.feature_store.redis_writer import MOST_FEATURES, RedisWriter, timestamps
from quality_platform.feature_store.sqlite_writer import SqliteWriter
from quality_platform.feature_store.stock_writer import StockWriter

with warnings.catch_warnings():
    # Feast's modules switch on the deprecation warnings of the whole process.
    from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
    from feast.infra.online_stores.sqlite import SqliteOnlineStore, SqliteOnlineStoreConfig
    from google.protobuf.timestamp_pb2 import Timestamp

VIEW = OnlineView("project", "view", {"person": "STRING"}, {"count": "INT64"}, "at")
INT64 = st.integers(-(2**63), 2**63 - 1)


def target(store: Any, config: Any, folder: Path | None = None) -> Target:
    settings = SimpleNamespace(online_store=config, repo_path=folder)
    return Target(store, settings, SimpleNamespace())  # type: ignore[arg-type]


class SomeOtherStore:
    """A store that only Feast's code can write."""


def test_sqlite_is_written_directly_in_the_repository_or_anywhere(tmp_path: Path) -> None:
    config = SqliteOnlineStoreConfig(path="feast/online.db")
    writer, notes = writer_of(target(SqliteOnlineStore(), config, tmp_path), VIEW)
    writer.close()
    assert isinstance(writer, SqliteWriter)
    assert notes == []
    assert (tmp_path / "feast" / "online.db").exists()
    config = SqliteOnlineStoreConfig(path=str(tmp_path / "other.db"))
    writer_of(target(SqliteOnlineStore(), config), VIEW)[0].close()
    assert (tmp_path / "other.db").exists()


def test_redis_is_written_directly() -> None:
    config = RedisOnlineStoreConfig(connection_string="127.0.0.1:1")
    writer, notes = writer_of(target(RedisOnlineStore(), config), VIEW)
    assert isinstance(writer, RedisWriter)
    assert notes == []


@pytest.mark.parametrize(
    ("store", "config", "features"),
    [
        (SqliteOnlineStore(), SqliteOnlineStoreConfig(vector_enabled=True), 1),
        (SqliteOnlineStore(), SqliteOnlineStoreConfig(text_search_enabled=True), 1),
        (RedisOnlineStore(), RedisOnlineStoreConfig(redis_type="redis_cluster"), 1),
        (RedisOnlineStore(), RedisOnlineStoreConfig(), MOST_FEATURES + 1),
        (SomeOtherStore(), SimpleNamespace(), 1),
    ],
)
def test_what_cannot_be_written_directly_goes_through_feast_and_says_so(
    store: Any, config: Any, features: int
) -> None:
    kinds = {f"f{n}": "INT64" for n in range(features)}
    view = OnlineView("project", "view", {"person": "STRING"}, kinds, "at")
    writer, [note] = writer_of(target(store, config), view)
    assert isinstance(writer, StockWriter)
    assert "written by Feast's own code" in note
    assert type(store).__name__ in note


def test_features_that_feast_encodes_are_named() -> None:
    view = OnlineView("p", "v", {"person": "STRING"}, {"tags": "MAP", "count": "INT64"}, "at")
    schema = pa.schema([("tags", pa.map_(pa.string(), pa.string())), ("count", pa.int64())])
    [note] = online._slow_features(view, schema)
    assert note == "tags is encoded by Feast's own code: type MAP"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(INT64, st.integers(-(2**31), 2**31 - 1), st.text(max_size=8)),
        min_size=1,
        max_size=30,
    )
)
def test_rows_come_in_the_order_of_their_encoded_keys(rows: list[tuple[int, int, str]]) -> None:
    kinds = {"b": "INT64", "a": "INT32", "c": "STRING"}
    view = OnlineView("p", "v", kinds, {}, "at")
    b, a, c = zip(*rows, strict=True)
    table = pa.table({"b": pa.array(b), "a": pa.array(a, pa.int32()), "c": pa.array(c)})
    with duckdb.connect(":memory:") as connection:
        connection.register("keys", table)
        found = connection.sql(f"SELECT * FROM keys ORDER BY {online._key_order(view)}")
        [batch] = found.to_arrow_table().combine_chunks().to_batches()
    keys = encoded_keys({name: batch.column(name) for name in kinds}, kinds).to_pylist()
    assert keys == sorted(keys)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-(10**16), 10**16), min_size=1, max_size=10))
def test_event_times_are_encoded_as_protobuf_does(moments: list[int]) -> None:
    batch = pa.record_batch({"at": pa.array(moments, pa.timestamp("us", "UTC"))})
    expected = []
    for moment in moments:
        message = Timestamp()
        message.FromMicroseconds(moment)
        expected.append(message.SerializeToString())
    assert timestamps(OnlineRows(VIEW, batch)).to_pylist() == expected


def test_times_without_a_zone_are_utc_and_missing_ones_the_earliest() -> None:
    view = OnlineView("p", "v", {}, {}, "at", "loaded")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    batch = pa.record_batch(
        {
            "at": pa.array([moment.replace(tzinfo=None)] * 2, pa.timestamp("us")),
            "loaded": pa.array([moment, None], pa.timestamp("us", "UTC")),
        }
    )
    rows = OnlineRows(view, batch)
    assert rows.event.tolist() == [int(moment.timestamp()) * 10**6] * 2
    assert rows.created[1] < np.int64(-(10**18)) < rows.created[0]
