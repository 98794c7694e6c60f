"""The database of the tests that load from one, and what this machine has not.

What is left out here is what scripts/run_tests reports as not run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.postgres_server import postgres_server

collect_ignore_glob = (
    ["*_postgres.py"] if os.environ.get("QUALITY_PLATFORM_POSTGRES_TESTS") == "off" else []
)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL that the tests of a session share, each in its own database."""
    with postgres_server() as url:
        yield url
