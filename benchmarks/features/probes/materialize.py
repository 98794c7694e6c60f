"""Rows into an online store: `redis` or `sqlite`, `ours`, `stock` or `raw`.

`raw` sends what was encoded before, as fast as the store takes it, and guards nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from benchmarks.features.protocol import Job, serve
from benchmarks.features.servers import Server, redis
from benchmarks.features.stores import FIRST, LAST, our_settings, stock_store

_SERVERS = ExitStack()


def prepare(job: Job) -> tuple[Callable[[], int], Server | None]:
    """What is to be done, with everything made ready."""
    kind, way = job.variant.split()
    server = _SERVERS.enter_context(redis()) if kind == "redis" else None
    address = str(server.port) if server else ""
    if way == "stock":
        store = stock_store(job, address)
        return lambda: _stock(job, store), server
    settings = our_settings(job, address)
    if way == "ours":
        from quality_platform.feature_store.store import materialize_snapshot

        return lambda: materialize_snapshot(settings, "persons").rows, server
    from benchmarks.features.raw import raw_redis, raw_sqlite

    encode = raw_redis if server else raw_sqlite
    return encode(job, settings), server


def run(_: Job, prepared: tuple[Callable[[], int], Server | None]) -> Mapping[str, float]:
    """Rows, and the seconds of CPU that the server took meanwhile."""
    work, server = prepared
    before = server.cpu_seconds() if server else 0.0
    figures: dict[str, float] = {"rows": work()}
    if server:
        figures["server_cpu"] = server.cpu_seconds() - before
    return figures


def _stock(job: Job, store: Any) -> int:
    store.materialize(FIRST, LAST)
    return job.rows


if __name__ == "__main__":
    with _SERVERS:
        serve(prepare, run)
