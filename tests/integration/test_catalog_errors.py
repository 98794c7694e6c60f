"""Catalogs and stores that fail: told as what they are; nothing is left or given away."""

from __future__ import annotations

import os
import resource
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.catalogs import lake_of, lake_settings, s3_properties
from support.command_line import call
from support.lake_tables import RUNNER, SCHEMA, ids_of, staged
from support.local_servers import free_port
from support.project import Project, column_of, csv_text, integer, key, predicate, text
from support.read_only import read_only
from support.rest_catalog import CLIENT, SECRET, TOKEN, WAREHOUSE, RestServer, rest_catalog
from support.s3_server import KEYS, S3Server, s3_server

from quality_platform.errors import (
    CatalogAccessError,
    CatalogUnreachableError,
    LakeError,
    QualityPlatformError,
    RunnerFileError,
    StorageAccessError,
    StorageError,
)
from quality_platform.flows.load_table import load_table
from quality_platform.flows.table_status import quarantined_rows
from quality_platform.lake import commits
from quality_platform.lake import rest_catalog as timed
from quality_platform.lake.catalog import Lake

SECRETS = (SECRET, TOKEN, KEYS["secret_access_key"], KEYS["access_key_id"])


@pytest.fixture(scope="module")
def store() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RestServer]:
    warehouse = (tmp_path / "warehouse").as_uri()
    with rest_catalog({"uri": f"sqlite:///{tmp_path}/rest.db", "warehouse": warehouse}) as running:
        yield running


def rest_lake(server: RestServer, **other: str) -> Lake:
    settings = {**server.settings["properties"], "uri": server.uri, "warehouse": WAREHOUSE}
    given = {"type": "rest", **settings, **other}
    return Lake("lake", {key: value for key, value in given.items() if value}, RUNNER)


def failure_of(lake: Lake) -> QualityPlatformError:
    with pytest.raises(QualityPlatformError) as caught:
        lake.ensure_table("shop.orders", SCHEMA)
    error = caught.value
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert not [secret for secret in SECRETS if secret in str(error) + repr(lake)]
    return error


@pytest.mark.parametrize(
    "wrong",
    [
        {"credential": f"{CLIENT}:wrong"},
        {"warehouse": "nowhere"},
        {"credential": "", "token": "wrong"},
    ],
)
def test_a_rest_catalog_that_refuses_is_a_permanent_error(
    server: RestServer, wrong: dict[str, str]
) -> None:
    error = failure_of(rest_lake(server, **wrong))
    assert isinstance(error, CatalogAccessError)
    assert not error.transient
    assert str(RUNNER) in str(error)


def test_a_right_that_is_missing_later_is_told_the_same_way(server: RestServer) -> None:
    lake = rest_lake(server)
    assert lake.find_table("shop.orders") is None
    server.refused = True
    assert isinstance(failure_of(lake), CatalogAccessError)


def test_a_rest_catalog_that_nobody_serves_is_a_transient_error(server: RestServer) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    error = failure_of(rest_lake(server, uri=nobody))
    assert isinstance(error, CatalogUnreachableError)
    assert error.transient


class _WebPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Welcome</html>")

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_a_web_page_in_the_place_of_a_catalog_is_told_as_that(server: RestServer) -> None:
    with HTTPServer(("127.0.0.1", 0), _WebPage) as page:
        thread = threading.Thread(target=page.handle_request)
        thread.start()
        uri = f"http://127.0.0.1:{page.server_port}"
        error = failure_of(rest_lake(server, uri=uri, credential="", token="some"))
        thread.join()
    assert isinstance(error, LakeError)
    assert "is not Iceberg's" in str(error)
    assert not error.transient


@pytest.mark.parametrize("credential", [f"{CLIENT}:{SECRET}", ""])
def test_a_catalog_that_never_answers_is_given_up(
    server: RestServer, credential: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timed, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        token = {} if credential else {"token": "some"}
        error = failure_of(rest_lake(server, uri=uri, credential=credential, **token))
    assert isinstance(error, CatalogUnreachableError)


def test_a_commit_of_which_nobody_knows_is_found_by_the_next_run(
    server: RestServer, project: Project
) -> None:
    settings = {"catalog": server.settings, "warehouse": WAREHOUSE}
    platform = orders(project, settings, 0)
    load_table(platform, "orders", "run-1")
    deliver(project, 1)

    def broken(step: str, _text: str) -> None:
        server.broken = step == "quarantine_committed"

    with pytest.raises(CatalogUnreachableError, match="did not say whether it committed"):
        load_table(platform, "orders", "run-2", progress=broken)
    server.broken = False
    assert load_table(platform, "orders", "run-3").state == "nothing_new"
    assert column_of(platform, "shop.orders", "id") == [n for n in range(20) if n % 5]
    assert sorted(row["id"] for row in quarantined_rows(platform, "orders")) == [0, 5, 10, 15]


def test_glue_that_nobody_serves_is_a_transient_error(store: S3Server) -> None:
    properties = {
        "type": "glue",
        "warehouse": "s3://lake/x",
        "glue.endpoint": f"http://127.0.0.1:{free_port()}",
        "glue.region": "us-east-1",
        "glue.access-key-id": KEYS["access_key_id"],
        "glue.secret-access-key": KEYS["secret_access_key"],
        "glue.max-retries": "1",
        **s3_properties(store),
    }
    error = failure_of(Lake("lake", properties, RUNNER))
    assert isinstance(error, CatalogUnreachableError)


def test_a_bucket_that_is_missing_is_a_permanent_error(store: S3Server, tmp_path: Path) -> None:
    with lake_settings("sqlite_s3", tmp_path, store) as settings:
        lake = lake_of({**settings, "warehouse": "s3://nobodys-bucket/warehouse"})
        error = failure_of(lake)
    assert isinstance(error, StorageAccessError)
    assert "NO_SUCH_BUCKET" in str(error)
    assert not error.transient


def test_a_store_that_nobody_serves_is_a_transient_error(store: S3Server, tmp_path: Path) -> None:
    with lake_settings("sqlite_s3", tmp_path, store) as settings:
        catalog = settings["catalog"]
        nobody = {**catalog["properties"], "s3.endpoint": f"http://127.0.0.1:{free_port()}"}
        error = failure_of(lake_of({**settings, "catalog": {**catalog, "properties": nobody}}))
    assert type(error) is StorageError
    assert "NETWORK_CONNECTION" in str(error)
    assert error.transient


def deliver(project: Project, number: int) -> None:
    rows = [(number * 10 + k, "x" * 10) for k in range(10)]
    project.deliver(f"orders/{number}.csv", csv_text("id,name", rows))


def orders(project: Project, lake: Mapping[str, Any], *numbers: int) -> Any:
    project.settings["lake"] = dict(lake)
    rules = [predicate("not_a_multiple_of_five", "id % 5 <> 0")]
    project.table("orders", {"id": key(integer()), "name": text()}, quality=rules)
    for number in numbers:
        deliver(project, number)
    return project.open()


@pytest.mark.parametrize("step", ["staged", "checked"])
def test_a_store_that_stops_in_the_middle_leaves_nothing_and_the_next_run_is_right(
    step: str, project: Project, tmp_path: Path
) -> None:
    with s3_server() as store, lake_settings("sqlite_s3", tmp_path / "lake", store) as settings:
        platform = orders(project, settings, 0)
        load_table(platform, "orders", "run-1")
        deliver(project, 1)

        def stop(at: str, _text: str) -> None:
            if at == step:
                store.stop()

        with pytest.raises(StorageError) as caught:
            load_table(platform, "orders", "run-2", progress=stop)
        assert caught.value.transient
        assert "/work/" not in str(caught.value)
        store.start()
        assert column_of(platform, "shop.orders", "id") == [n for n in range(10) if n % 5]
        assert load_table(platform, "orders", "run-3").state == "published"
        assert column_of(platform, "shop.orders", "id") == [n for n in range(20) if n % 5]


def test_a_warehouse_that_may_not_be_written_is_a_permanent_error(project: Project) -> None:
    platform = orders(project, {"warehouse": str(project.folder / "warehouse")}, 0)
    load_table(platform, "orders", "run-1")
    deliver(project, 1)
    with read_only(project.folder / "warehouse"):
        with pytest.raises(StorageAccessError) as caught:
            load_table(platform, "orders", "run-2")
        assert not caught.value.transient
    assert load_table(platform, "orders", "run-3").state == "published"
    assert column_of(platform, "shop.orders", "id") == [n for n in range(20) if n % 5]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Writes beyond this many bytes of a file fail, as they do on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_stops_the_load_and_nothing_is_left(project: Project) -> None:
    warehouse = project.folder / "warehouse"
    platform = orders(project, {"warehouse": str(warehouse)}, 0)
    load_table(platform, "orders", "run-1")
    names = [(1000 + n, os.urandom(300).hex()) for n in range(4000)]
    project.deliver("orders/1.csv", csv_text("id,name", names))
    before = sorted(warehouse.rglob("*.parquet"))
    with files_of_at_most(500_000), pytest.raises(StorageError) as caught:
        load_table(platform, "orders", "run-2")
    assert caught.value.transient
    assert sorted(p for p in warehouse.rglob("*.parquet") if "history" not in str(p)) == [
        p for p in before if "history" not in str(p)
    ]
    (load,) = load_table(platform, "orders", "run-3").loads
    assert (load.rows_published, load.rows_quarantined) == (3200, 800)


@pytest.mark.parametrize("kind", ["rest_s3", "glue_s3"])
def test_no_output_of_a_failing_run_gives_a_secret_away(
    kind: str, project: Project, tmp_path: Path, store: S3Server, home: Path
) -> None:
    with lake_settings(kind, tmp_path / "lake", store) as settings:
        orders(project, settings, 0)
        assert call("run", "--runner", project.runner).code == 0
        bad = settings["catalog"]["properties"] | {
            "s3.endpoint": "http://127.0.0.1:1",
            "glue.endpoint": "http://127.0.0.1:1",
            "credential": f"{CLIENT}:{SECRET}-wrong",
            "glue.max-retries": "1",
        }
        broken = {**settings, "catalog": {**settings["catalog"], "properties": bad}}
        orders(project, broken, 1)
        commands = ("run", "status", "maintain", "snapshots")
        told = [call(name, *_targets(name), "--runner", project.runner) for name in commands]
    assert all(ended.code for ended in told)
    written = [p.read_bytes() for p in home.rglob("*") if p.is_file()]
    for secret in SECRETS:
        assert not [ended.text for ended in told if secret in ended.text]
        assert not [data for data in written if secret.encode() in data]


def _targets(command: str) -> list[str]:
    return ["orders"] if command == "snapshots" else []


def test_settings_of_a_lake_are_not_in_the_models_own_text(project: Project) -> None:
    catalog = {"type": "rest", "uri": "http://u:hunter2@host", "properties": {"token": "hunter2"}}
    platform = orders(project, {"catalog": catalog}, 0)
    assert "hunter2" not in repr(platform) + repr(platform.lake) + repr(platform.engine)


def test_a_url_without_a_known_scheme_is_a_permanent_error(server: RestServer) -> None:
    error = failure_of(rest_lake(server, uri="nowhere://x"))
    assert isinstance(error, RunnerFileError)


def test_sqlite_waits_for_its_lock_and_a_reader_is_not_disturbed(tmp_path: Path) -> None:
    settings = {"catalog": {"uri": f"sqlite:///{tmp_path}/c.db"}, "warehouse": str(tmp_path / "w")}
    lake = lake_of(settings)
    table = lake.ensure_table("shop.orders", SCHEMA)
    commits.append(lake, table, staged(table, [1]), {})
    assert ids_of(lake_of(settings), "shop.orders") == [1]
    assert "timeout=60" in str(lake.catalog.engine.url)  # type: ignore[attr-defined]
