"""A Redis for one run of a probe: that of the tests, and gone afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A running Redis."""

    port: int
    process: int

    def cpu_seconds(self) -> float:
        """User and system time of the server so far."""
        status = Path(f"/proc/{self.process}/stat").read_text(encoding="ascii")
        # Behind the name, which may hold anything.
        fields = status.rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / _TICKS


@contextmanager
def redis() -> Iterator[Server]:
    """An empty Redis on loopback, which saves nothing to disk.

    Raises:
        RuntimeError: it is not installed, or does not start.
    """
    from redis import Redis
    from support.redis_server import redis_server

    with redis_server() as url:
        port = int(urlsplit(url).port or 0)
        with Redis(port=port) as client:
            process = int(client.info("server")["process_id"])
        yield Server(port, process)
