"""The warehouse of a tenant: a place of its own, keys of its own, and all that the tenant has."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import call
from support.project import column_of
from support.s3_server import S3Server, s3_server
from support.tenants import ACME, GLOBEX, Tenants, load, tenants_in

from quality_platform.errors import RunnerFileError, StorageAccessError, StorageError
from quality_platform.feature_store.opening import open_store
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.feature_store_objects import store_settings
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.table_status import table_statuses
from quality_platform.lake.bucket_files import BucketFileIO, bucket_properties
from quality_platform.telemetry.exposition import exposition

OWN_LAKE = "lake_of_acme"


@pytest.fixture
def tenants(home: Path, tmp_path: Path) -> Tenants:
    return tenants_in(tmp_path)


@pytest.fixture(scope="module")
def store() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def in_bucket(tenants: Tenants, store: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch):
    """Gives acme a bucket, whose keys are secrets of acme's."""
    monkeypatch.setenv("ACME__KEY_ID", store.settings["access_key_id"])
    monkeypatch.setenv("ACME__KEY", store.settings["secret_access_key"])
    tenants.root["tenants"][ACME] |= {
        "warehouse": f"s3://{bucket}/lake",
        "storage": {
            "s3.endpoint": store.endpoint,
            "s3.region": "us-east-1",
            "s3.access-key-id": "${secret:KEY_ID}",
            "s3.secret-access-key": "${secret:KEY}",
        },
    }


def keys_in(store: S3Server, bucket: str) -> list[str]:
    found = store.client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return [entry["Key"] for entry in found]


# Where a warehouse may be.


@pytest.mark.parametrize(
    ("warehouse", "whose"),
    [
        ("lake_of_globex", "the warehouse of the tenant globex"),
        ("lake_of_globex/acme", "the warehouse of the tenant globex"),
        ("here/../lake_of_globex", "the warehouse of the tenant globex"),
        ("home/warehouse", "the lake's own"),
        ("home/warehouse/acme", "the lake's own"),
        ("home", "the lake's own"),
        (".", "the lake's own"),
        ("tenants/globex/lake", "the folder of the tenant globex"),
        ("tenants", "the folder of the tenant globex"),
        ("given/lake", "what the tenant globex may read"),
    ],
)
def test_a_warehouse_within_another_is_refused(tenants: Tenants, warehouse: str, whose: str):
    told = {ACME: tenants.root["tenants"].pop(ACME) | {"warehouse": warehouse}}
    may_read = ["given", "tenants/globex"]
    tenants.root["tenants"][GLOBEX] |= {"warehouse": "lake_of_globex", "paths": may_read}
    # Of two tenants the later one is told.
    tenants.root["tenants"] |= told
    problem = tenants.refusal(ACME)
    assert problem.message == f"it meets {whose}"
    assert problem.field == "tenants.acme.warehouse"
    lines = tenants.runner.read_text().splitlines()
    assert problem.location is not None
    assert lines[(problem.location.line or 0) - 1].strip() == f"warehouse: {warehouse}"


def test_warehouses_in_stores_are_compared_by_bucket_and_prefix(tenants: Tenants):
    tenants.root["tenants"][ACME]["warehouse"] = "s3://one/lake"
    for other in ("s3://one/lakes", "s3://two/lake", "lake"):
        tenants.root["tenants"][GLOBEX]["warehouse"] = other
        assert not tenants.broken()
    for other in ("s3://one/lake/globex", "s3a://one/lake", "s3://one"):
        tenants.root["tenants"][GLOBEX]["warehouse"] = other
        assert tenants.refusal(GLOBEX).message == "it meets the warehouse of the tenant acme"


@pytest.mark.parametrize("warehouse", ["lake_of_globex", "home/warehouse", OWN_LAKE])
def test_no_source_reads_the_files_of_tables_of_others(tenants: Tenants, warehouse: str):
    tenants.root["tenants"][GLOBEX]["warehouse"] = "lake_of_globex"
    tenants.root["tenants"][ACME]["warehouse"] = OWN_LAKE
    prices = tenants.root["tables"]["prices"] | {"tenant": ACME}
    prices["source"] = {"type": "csv", "path": str(tenants.folder / warehouse / "x.csv")}
    tenants.root["tables"]["prices"] = prices
    if warehouse == OWN_LAKE:
        tenants.sound()
        return
    assert tenants.refusal("prices").message == "the tenant acme may not read this path"


def test_a_namespace_that_is_older_than_the_warehouse_gets_its_new_tables_there(tenants: Tenants):
    load(tenants, "acme__customers")
    tenants.root["tenants"][ACME]["warehouse"] = OWN_LAKE
    load(tenants, "acme__orders")
    lake = tenants.sound().lake
    assert f"/{OWN_LAKE}/acme/acme__orders" in lake.table("acme.acme__orders").location()
    assert (
        str(tenants.folder / "home" / "warehouse") in lake.table("acme.acme__customers").location()
    )


# Keys.


def test_each_bucket_is_reached_with_its_own_keys():
    common = {"s3.access-key-id": "common", "s3.secret-access-key": "x", "s3.region": "eu-west-1"}
    own = {"s3.access-key-id": "acme's", "s3.secret-access-key": "y", "s3.region": "us-east-1"}
    files = BucketFileIO({**common, **bucket_properties("bucket.of.acme", own)})

    def key_id(bucket: str) -> str:
        _, (settings,) = files.fs_by_scheme("s3", bucket).__reduce__()
        return str(settings["access_key"])

    assert key_id("bucket.of.acme") == "acme's"
    assert key_id("bucket.of.acme2") == "common"
    assert key_id("another") == "common"


def test_all_of_a_tenant_with_a_bucket_is_there_and_nothing_elsewhere(
    tenants: Tenants, store: S3Server, monkeypatch: pytest.MonkeyPatch
):
    bucket = store.bucket("acme-whole-life")
    in_bucket(tenants, store, bucket, monkeypatch)
    tenants.files[ACME]["feature_views"]["acme__totals"]["online"] = True
    runner = tenants.write()

    def told(*command: str) -> str:
        ended = call(*command, "--tenant", ACME, "--runner", runner)
        assert ended.code == 0, ended.text
        return ended.out

    load(tenants)
    told("run")
    told("replay", "acme__orders")
    told("release", "acme__orders", "--reason", "it is ours")
    platform = tenants.sound()
    assert column_of(platform, "acme.acme__orders", "id") == [0, 1, 2, 9]
    told("run")
    folders = {"/".join(key.split("/")[:3]) for key in keys_in(store, bucket)}
    assert folders == {
        "lake/acme/acme__customers",
        "lake/acme/acme__orders",
        "lake/acme__features/acme__totals",
        "lake/acme__quarantine/acme__customers",
        "lake/acme__quarantine/acme__orders",
        "lake/acme__quarantine/acme__totals",
    }
    common = tenants.folder / "home/warehouse"
    assert {path.name for path in common.iterdir()} == {"history", "main", "quarantine"}
    assert "acme__orders" in told("status")
    settings = store_settings(platform)
    asked = "SELECT 999 AS customer, TIMESTAMPTZ '2026-02-01' AS event_timestamp"
    rows = open_store(settings).get_historical_features(asked, ["acme__totals:total"]).to_arrow()
    assert rows["total"].to_pylist() == [1]
    told("forget-entity", "acme__customer", "999", "--reason", "asked for")
    assert 999 not in column_of(platform, "acme__features.acme__totals", "customer")
    told("maintain", "--force")
    found = platform.lake.table("acme.acme__orders").metadata.snapshots
    told("rollback", "acme__orders", "--to", str(found[0].snapshot_id), "--yes")
    assert column_of(tenants.sound(), "acme.acme__orders", "id") != [0, 1, 2, 9]
    key = store.settings["secret_access_key"].encode()
    files = [path for path in tenants.folder.rglob("*") if path.is_file()]
    assert any(path.name == "feature_store.yaml" for path in files)
    assert [path for path in files if key in path.read_bytes()] == []


def test_a_tenant_whose_keys_cannot_be_had_stops_no_other(
    tenants: Tenants, store: S3Server, monkeypatch: pytest.MonkeyPatch
):
    in_bucket(tenants, store, store.bucket("acme-closed"), monkeypatch)
    # The key of the platform, and of another tenant, is not the tenant's.
    for name in ("KEY", "GLOBEX__KEY"):
        monkeypatch.setenv(name, "canary")
    monkeypatch.delenv("ACME__KEY")
    load(tenants, "globex__customers", "globex__orders")
    platform = tenants.sound()
    with pytest.raises(StorageAccessError, match="no keys for the bucket acme-closed") as raised:
        load_table(platform, "acme__customers", "run")
    assert "canary" not in str(raised.value)
    assert column_of(platform, "globex.globex__orders", "id") == [0, 1, 2]


def test_keys_are_for_a_bucket_that_is_the_tenants_alone(
    tenants: Tenants, store: S3Server, monkeypatch: pytest.MonkeyPatch
):
    in_bucket(tenants, store, "shared", monkeypatch)
    tenants.root["tenants"][GLOBEX]["warehouse"] = "s3://shared/globex"
    message = tenants.refusal(ACME).message
    assert message == "the bucket shared has the warehouse of the tenant globex too: " + (
        "keys are for a bucket"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"warehouse": OWN_LAKE}, "is for a `warehouse` in an object store"),
        ({"warehouse": "file:///lake"}, "is for a `warehouse` in an object store"),
        ({"storage": {"uri": "sqlite:///x"}}, "`uri` is no key of an object store"),
        ({"storage": {"py-io-impl": "x.Y"}}, "`py-io-impl` is no key of an object store"),
    ],
)
def test_storage_holds_keys_of_an_object_store(
    tenants: Tenants, changes: dict[str, object], message: str
):
    own = {"warehouse": "s3://acme/lake", "storage": {"s3.region": "us-east-1"}}
    tenants.root["tenants"][ACME] |= {**own, **changes}
    assert message in tenants.refusal(ACME).message


def test_keys_of_tenants_need_the_platforms_own_way_to_files(
    tenants: Tenants, store: S3Server, monkeypatch: pytest.MonkeyPatch
):
    in_bucket(tenants, store, "acme", monkeypatch)
    own_way = {"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"}
    tenants.root["lake"] = {"catalog": {"properties": own_way}}
    with pytest.raises(RunnerFileError, match="by another `py-io-impl`"):
        _ = tenants.sound().lake


# A warehouse that cannot be read.


@pytest.fixture
def lost(tenants: Tenants) -> Tenants:
    """Both have tables, and acme's warehouse is gone; its view reads a table of globex's."""
    tenants.root["tenants"][ACME]["warehouse"] = OWN_LAKE
    tenants.root["maintenance"] = {"keep_snapshots": "0s", "keep_at_least": 1}
    for name in ("customers", "orders"):
        tenants.table(GLOBEX, name)["shared"] = True
    tenants.files[ACME]["feature_views"]["acme__totals"]["inputs"].append("globex__orders")
    load(tenants, *(f"{t}__{n}" for t in (ACME, GLOBEX) for n in ("customers", "orders")))
    compute_feature_view(tenants.sound(), "acme__totals", "run")
    shutil.rmtree(tenants.folder / OWN_LAKE)
    return tenants


def test_the_status_of_others_is_told(lost: Tenants):
    found = {status.name: status for status in table_statuses(lost.sound())}
    for name in ("acme__customers", "acme__orders", "acme__totals"):
        assert "QP305" in found[name].broken or "cannot be read" in found[name].broken
    assert (found["globex__orders"].rows, found["globex__orders"].broken) == (3, "")
    lost.root["tenants"][GLOBEX]["warehouse"] = "lake_of_globex"
    shutil.rmtree(lost.folder / "home/warehouse/history")
    with pytest.raises(StorageError):
        table_statuses(lost.sound())


def test_upkeep_of_others_goes_on_but_for_what_the_lost_one_may_need(lost: Tenants):
    found = {done.table: done for done in maintain(lost.sound(), wanted=Wanted(force=True))}
    for name in ("acme.acme__orders", "acme__features.acme__totals"):
        assert isinstance(found[name].error, StorageError)
    for name in ("globex.globex__customers", "history.runs"):
        assert found[name].error is None
        assert found[name].orphans is not None
    # Nobody knows from which of its snapshots acme's view was computed.
    shared = found["globex.globex__orders"]
    assert isinstance(shared.error, StorageError)
    assert shared.compact is not None
    assert shared.expire is None


def test_a_tenant_that_is_broken_as_well_stops_no_other(lost: Tenants):
    lost.root["tenants"][ACME]["max_tables"] = "many"
    platform = lost.open()
    found = {status.name: status for status in table_statuses(platform)}
    assert (found["globex__customers"].rows, found["globex__customers"].broken) == (2, "")
    assert found["acme__orders"].broken
    done = {one.table: one for one in maintain(platform, wanted=Wanted(force=True))}
    assert done["globex.globex__customers"].error is not None
    assert done["history.runs"].error is None


def test_metrics_of_others_are_told(lost: Tenants):
    text = exposition(lost.sound())
    rows = [line for line in text.splitlines() if line.startswith("quality_platform_table_rows{")]
    assert {line.partition('tenant="')[2].partition('"')[0] for line in rows} == {"", GLOBEX}
    assert "quality_platform_lake_up 1.0" in text


def test_what_a_tenants_view_was_computed_from_stays_while_something_is_broken(tenants: Tenants):
    tenants.root["maintenance"] = {"keep_snapshots": "0s", "keep_at_least": 1}
    tenants.table(ACME, "orders")["source"]["path"] = "landing/orders*.csv"
    load(tenants, "acme__customers", "acme__orders")
    compute_feature_view(tenants.sound(), "acme__totals", "run")
    lake = tenants.sound().lake
    read = lake.table("acme.acme__orders").metadata.current_snapshot_id
    for n in (11, 12):
        line = f"{n},100,1,2026-01-02T00:00:00Z\n"
        more = tenants.home(ACME) / f"landing/orders{n}.csv"
        more.write_text(f"id,customer,amount,placed_at\n{line}")
        load_table(tenants.sound(), "acme__orders", f"run {n}")
    tenants.table(GLOBEX, "orders")["contract"] = "none.odcs.yaml"
    (done, *_) = maintain(tenants.open(), ["acme__orders"], Wanted(["expire"], force=True))
    assert done.expire is not None
    left = {s.snapshot_id for s in lake.table("acme.acme__orders").metadata.snapshots}
    assert read in left
    assert len(left) == 2
