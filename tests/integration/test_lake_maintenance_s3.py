"""Upkeep of a table whose files are objects of a store that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from pyiceberg.table import Table
from support.catalogs import s3_properties
from support.lake_tables import RUNNER, SCHEMA, ids_of, staged
from support.s3_server import S3Server, s3_server

from quality_platform.flows.maintain import Upkeep
from quality_platform.flows.upkeep_texts import told
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake
from quality_platform.lake.data_files import RollingWriter
from quality_platform.lake.maintenance import uploads
from quality_platform.lake.maintenance.compaction import CompactionSettings, compact
from quality_platform.lake.maintenance.expiry import expirable, expire
from quality_platform.lake.maintenance.orphans import sweep
from quality_platform.lake.maintenance.references import all_referred, comparable, stored_files
from quality_platform.lake.maintenance.uploads import uploads_before

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module")
def store() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def lake_of(store: S3Server, folder: Path, bucket: str, **more: str) -> Lake:
    catalog = {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db"}
    place = {"warehouse": f"s3://{bucket}/warehouse", **s3_properties(store)}
    return Lake("lake", {**catalog, **place, **more}, RUNNER)


@contextmanager
def begun(table: Table, prefix: str) -> Iterator[str]:
    """A file that is being written meanwhile: the URI that it would have."""
    writer = RollingWriter(table, prefix, target_bytes=10**6)
    uri = writer.location
    ids = pa.array(range(100_000), pa.int64())
    writer.write(pa.record_batch([ids, ids.cast(pa.string())], schema=SCHEMA))
    assert not writer.staged
    try:
        yield uri
    finally:
        # The garbage collector would keep the store waiting, a thread of this process.
        writer.discard()


def test_files_are_put_together_expired_and_swept(store: S3Server, tmp_path: Path) -> None:
    bucket = store.bucket("lake")
    lake = lake_of(store, tmp_path, bucket)
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


def test_uploads_that_never_ended_are_given_up_and_no_others(
    store: S3Server, tmp_path: Path
) -> None:
    bucket = store.bucket("begun")
    lake = lake_of(store, tmp_path, bucket)
    table, other = (lake.ensure_table(f"shop.{name}", SCHEMA) for name in ("orders", "orders_old"))
    with begun(table, "load-dead") as dead, begun(other, "load-alive") as alive:
        names = {f"upload of {uri.removeprefix('s3://')}" for uri in (dead, alive)}
        assert names <= store.stored(bucket)

        assert sweep(lake, "shop.orders", LONG_AGO).uploads == ()
        planned = sweep(lake, "shop.orders", LATER, dry_run=True)
        assert [upload.uri for upload in planned.uploads] == [dead]
        assert names <= store.stored(bucket)

        assert sweep(lake, "shop.orders", LATER) == planned
        left = {name for name in store.stored(bucket) if name.startswith("upload of ")}
        assert left == {f"upload of {alive.removeprefix('s3://')}"}
        assert sweep(lake, "shop.orders", LATER).uploads == ()


def test_a_store_that_does_not_tell_its_uploads_does_not_stop_a_sweep(
    store: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of(store, tmp_path, store.bucket("silent"))
    left = staged(lake.ensure_table("shop.orders", SCHEMA), [7], "load-dead")

    def refuse(*_: object) -> None:
        response = {"Error": {"Code": "AccessDenied", "Message": "key AKIA"}}
        raise ClientError(response, "ListMultipartUploads")

    monkeypatch.setattr(uploads, "_listed", refuse)
    swept = sweep(lake, "shop.orders", LATER)
    assert left[0].uri in {file.uri for file in swept.files}
    assert (swept.uploads, swept.unknown) == ((), "AccessDenied")
    told_text = dict(told(Upkeep("shop.orders", orphans=swept)))["orphans"]
    assert "uploads that never ended may be left: AccessDenied" in told_text


def test_a_key_that_is_had_by_a_role_is_told_of(store: S3Server, tmp_path: Path) -> None:
    bucket = store.bucket("roles")
    table = lake_of(store, tmp_path, bucket).ensure_table("shop.orders", SCHEMA)
    table.io.properties["s3.role-arn"] = "arn:aws:iam::1:role/loads"
    assert uploads_before(table, LATER).unknown
