"""A Redis of the tests' own: in memory, on loopback and a free port."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from support.local_servers import (
    free_port,
    named_url,
    program,
    start,
    stop,
    unprivileged,
    wait_until,
)


@contextmanager
def redis_server() -> Iterator[str]:
    """The URL of a running server; one that was started here is gone afterwards.

    Raises:
        RuntimeError: Redis is not installed, or does not start.
    """
    if url := named_url("redis"):
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="qp-redis-"))
    port = free_port()
    try:
        user = unprivileged("redis")
        if user is not None:
            shutil.chown(folder, user)
        log = folder / "server.log"
        server = start(
            [
                program("redis-server", package="redis-server"),
                *("--port", port, "--bind", "127.0.0.1", "--dir", folder),
                *("--save", "", "--appendonly", "no"),
            ],
            user,
            log,
        )
        try:
            wait_until(lambda: _answers(port), server, log)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            stop(server)
    finally:
        shutil.rmtree(folder)


def _answers(port: int) -> bool:
    with redis.Redis(host="127.0.0.1", port=port) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
