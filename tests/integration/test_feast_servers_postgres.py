"""A platform with its registry in PostgreSQL and its online store in Redis: runs to the end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from sqlalchemy.engine import make_url
from support.command_line import call
from support.online_shop import online_shop, run_all
from support.postgres_database import PostgresDatabase, postgres_database
from support.project import Project
from support.shop import orders_csv

from quality_platform.checks.results import Verdict
from quality_platform.feature_store.store import online_features, open_store
from quality_platform.flows.feast_command import feast_command
from quality_platform.flows.feature_store_objects import store_settings
from quality_platform.flows.platform import Platform
from quality_platform.flows.skew import skew_result

USER, PASSWORD = "feast_shop", "hunter2,redis"


@pytest.fixture
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with postgres_database(postgres_url) as found:
        yield found


@pytest.fixture
def served(
    project: Project, database: PostgresDatabase, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """The shop, with a registry and an online store on servers that ask for passwords."""
    address, url = urlsplit(redis_url), make_url(database.url)
    monkeypatch.setenv("REDIS_SECRET", PASSWORD)
    monkeypatch.setenv("POSTGRES_SECRET", str(url.password))
    registry = f"postgresql://{url.username}:${{secret:POSTGRES_SECRET|url}}@{url.host}:{url.port}"
    project = online_shop(project, skew={})
    project.settings["connections"] = {"feast_db": {"url": f"{registry}/{url.database}"}}
    project.settings["feature_services"] = {"offers": {"features": ["totals"]}}
    project.settings["feature_store"] = {
        "registry": {"type": "postgres", "connection": "feast_db"},
        "online_store": {
            "type": "redis",
            "host": str(address.hostname),
            "port": int(address.port or 0),
            "db": 9,
            "username": USER,
            "password": "${secret:REDIS_SECRET}",
        },
    }
    with redis.Redis(host=str(address.hostname), port=int(address.port or 0), db=9) as client:
        client.flushdb()
        client.acl_setuser(
            USER, enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], categories=["+@all"]
        )
        yield project
        client.acl_deluser(USER)
        client.flushdb()


def total_of(platform: Platform, customer: int) -> object:
    settings = store_settings(platform)
    return online_features(settings, ["totals:total"], [{"customer": customer}])["total"][0]


def files_below(folder: Path) -> Iterator[bytes]:
    """The content of every file."""
    yield from (path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_run_registers_and_materializes_on_servers_and_shows_no_password(
    served: Project, database: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    platform = served.open()
    assert run_all(platform)["online.totals"].rows == 2
    assert total_of(platform, 1) == 40.0
    store = open_store(store_settings(platform))
    assert [service.name for service in store.list_feature_services()] == ["offers"]
    assert database.rows("SELECT feature_view_name FROM feature_views") == [("totals",)]
    assert skew_result(platform, "totals").verdict is Verdict.PASS
    served.deliver("orders/february.csv", orders_csv(11, 5, 5))
    run_all(platform)
    assert total_of(platform, 1) == 45.0
    password = str(make_url(database.url).password)
    everything = [caplog.text.encode(), *files_below(platform.home), *files_below(served.folder)]
    for secret in (password, PASSWORD):
        assert not any(secret.encode() in text for text in everything)
    command = feast_command(platform, ["entities", "list"])
    assert password in command.variables["QUALITY_PLATFORM_FEAST_REGISTRY"]
    assert password not in repr(command)


def test_a_redis_that_has_lost_its_rows_is_skewed(served: Project, redis_url: str) -> None:
    platform = served.open()
    run_all(platform)
    address = urlsplit(redis_url)
    with redis.Redis(host=str(address.hostname), port=int(address.port or 0), db=9) as client:
        client.flushdb()
    bad = skew_result(platform, "totals")
    assert (bad.verdict, bad.count) == (Verdict.FAIL, 2)
    assert call("skew", "totals", "-r", served.runner).code == 1
