"""Leaves out the tests of what this machine has not; scripts/run_tests says so."""

import os

collect_ignore_glob = (
    ["*_postgres.py"] if os.environ.get("QUALITY_PLATFORM_POSTGRES_TESTS") == "off" else []
)
