"""The servers of the tests, one of each for all of them, and what this machine has not.

What is left out here is what scripts/run_tests reports as not run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from support.mariadb_server import MariaDb, mariadb_server
from support.postgres_server import postgres_server
from support.redis_server import redis_server

if TYPE_CHECKING:
    from quality_platform.feature_store.definitions import OnlineLocation

_TESTS = {
    "POSTGRES": ["*_postgres.py", "*/test_postgres_*.py", "*/test_sql_*.py"],
    "MARIADB": ["*/test_mysql_*.py", "*/test_mariadb_*.py", "*/test_sql_*.py"],
    "REDIS": ["*/test_redis_*.py", "*/test_secret_canaries_*.py"],
    "RUST": ["*/test_rust_*.py"],
}

collect_ignore_glob = [
    pattern
    for server, patterns in _TESTS.items()
    if os.environ.get(f"QUALITY_PLATFORM_{server}_TESTS") == "off"
    for pattern in patterns
]

ONLINE_STORES = ["sqlite", "redis"]
if os.environ.get("QUALITY_PLATFORM_REDIS_TESTS") == "off":
    ONLINE_STORES.remove("redis")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """A MariaDB with an empty database, which the tests of a session share."""
    with mariadb_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL that the tests of a session share, each in its own database."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis that the tests of a session share."""
    with redis_server() as url:
        yield url


@pytest.fixture(params=ONLINE_STORES)
def online_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OnlineLocation]:
    """An empty online store: each test that asks for it runs with every kind there is."""
    # Few tests need what this imports.
    from support.online_stores import emptied

    from quality_platform.feature_store.definitions import RedisOnline, SqliteOnline

    if request.param == "sqlite":
        yield SqliteOnline(tmp_path / "feast" / "online.db")
        return
    address = urlsplit(request.getfixturevalue("redis_url"))
    found = RedisOnline(str(address.hostname), int(address.port or 0), db=7)
    emptied(found)
    yield found
    emptied(found)
