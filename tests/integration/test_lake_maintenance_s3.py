"""Upkeep of a table whose files are objects of a store that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.lake_tables import RUNNER, SCHEMA, ids_of, staged
from support.s3_server import KEYS, S3Server, s3_server

from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake
from quality_platform.lake.maintenance.compaction import CompactionSettings, compact
from quality_platform.lake.maintenance.expiry import expirable, expire
from quality_platform.lake.maintenance.orphans import sweep
from quality_platform.lake.maintenance.references import all_referred, comparable, stored_files

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module")
def store() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def test_files_are_put_together_expired_and_swept(store: S3Server, tmp_path: Path) -> None:
    bucket = store.bucket("lake")
    properties = {
        "type": "sql",
        "uri": f"sqlite:///{tmp_path}/catalog.db",
        "warehouse": f"s3://{bucket}/warehouse",
        "s3.endpoint": store.endpoint,
        "s3.region": "us-east-1",
        "s3.access-key-id": KEYS["access_key_id"],
        "s3.secret-access-key": KEYS["secret_access_key"],
    }
    lake = Lake("lake", properties, RUNNER)
    table = lake.ensure_table("shop.orders", SCHEMA)
    for number in range(3):
        commits.append(lake, table, staged(table, [number], f"load-a{number}"), {})
    left = staged(table, [7], "load-dead")
    compact(lake, table, CompactionSettings(10**6, 10**7))
    table = lake.table("shop.orders")
    assert expire(lake, table, expirable(table, LATER, 1)).files > 3
    swept = sweep(lake, "shop.orders", LATER)
    assert left[0].uri in {file.uri for file in swept.files}
    assert ids_of(lake, "shop.orders") == [0, 1, 2]
    table = lake.table("shop.orders")
    there = {comparable(file.uri) for file in stored_files(table)}
    assert there == {comparable(uri) for uri in all_referred(table)}
