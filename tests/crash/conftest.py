"""The database of the tests that load from one, and what this machine has not.

What is left out here is what scripts/run_tests reports as not run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.postgres_server import postgres_server
from support.worker_server import WorkerServer, worker_server

_TESTS = {
    "POSTGRES": ["*_postgres.py"],
    "REDIS": ["*/test_redis_*.py"],
    "RESTARTS": ["*/test_catalog_restarts_postgres.py"],
    "SMALL_DISK": ["*/test_full_disk_postgres.py"],
}

collect_ignore_glob = [
    pattern
    for what, patterns in _TESTS.items()
    if os.environ.get(f"QUALITY_PLATFORM_{what}_TESTS") == "off"
    for pattern in patterns
]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL that the tests of a session share, each in its own database."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerServer]:
    """Starts workers, of which the tests kill most."""
    with worker_server(tmp_path_factory.mktemp("scratch")) as started:
        yield started
