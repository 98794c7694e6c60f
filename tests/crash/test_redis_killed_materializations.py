"""Materialization into Redis killed with SIGKILL at every step: done again, it is the same."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from support.killed_stories import require_the_same_store, stories
from support.redis_server import redis_server


def test_redis_ends_the_same_wherever_a_materialization_dies(tmp_path: Path) -> None:
    with redis_server() as url:
        server = urlsplit(url)
        told = stories(tmp_path, str(server.port), str(server.hostname))
    require_the_same_store(told, "send_packed_command")
