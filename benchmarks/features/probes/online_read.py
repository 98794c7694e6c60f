"""Reading ten features of 1 and of 100 entities out of an online store, again and again.

`redis feast` and `sqlite feast` are Feast's reader over what the platform has materialized,
`sqlite stock` over a table that Feast has made and written, `redis raw` the same fields by HMGET.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks.features.protocol import Job, serve
from benchmarks.features.rows import FEATURES
from benchmarks.features.servers import redis
from benchmarks.features.stores import FIRST, LAST, our_settings, stock_store

_SERVERS = ExitStack()
_SIZES = {1: 2000, 100: 200}
"""Entities of one request, and how many requests."""

Read = Callable[[Sequence[str]], Any]


def prepare(job: Job) -> Read:
    """A filled store's reader, warmed up."""
    kind, way = job.variant.split()
    address = str(_SERVERS.enter_context(redis()).port) if kind == "redis" else ""
    if way == "stock":
        store = stock_store(job, address)
        store.materialize(FIRST, LAST)
    else:
        from quality_platform.feature_store.store import materialize_snapshot, open_store

        settings = our_settings(job, address)
        materialize_snapshot(settings, "persons")
        store = open_store(settings)
    read = _raw(store, int(address)) if way == "raw" else _feast(store)
    for number in range(50):
        read([_person(number)])
    return read


def run(job: Job, read: Read) -> Mapping[str, float]:
    """Milliseconds of the median request, and of one in a hundred."""
    chance, figures = random.Random(7), {}  # noqa: S311 - no secret
    for size, requests in _SIZES.items():
        spent = []
        for _ in range(requests):
            persons = [_person(chance.randrange(job.rows)) for _ in range(size)]
            before = time.perf_counter()
            read(persons)
            spent.append(1000 * (time.perf_counter() - before))
        spent.sort()
        figures[f"p50_{size}"] = spent[len(spent) // 2]
        figures[f"p99_{size}"] = spent[len(spent) * 99 // 100]
    return figures


def _person(number: int) -> str:
    return f"person-{number:010}"


def _feast(store: Any) -> Read:
    names = [f"persons:{name}" for name in FEATURES.names]
    return lambda persons: store.get_online_features(
        features=names, entity_rows=[{"person": person} for person in persons]
    )


def _raw(store: Any, port: int) -> Read:
    from redis import Redis

    from quality_platform.feature_store.key_encoding import encoded_key
    from quality_platform.feature_store.online_rows import OnlineView
    from quality_platform.feature_store.redis_writer import field_of

    view = OnlineView.of(store.get_feature_view("persons"), store.config)
    fields = [field_of(view, name) for name in FEATURES.names] + [b"_ts:persons"]
    client = _SERVERS.enter_context(Redis(port=port))
    keys = {"person": "STRING"}

    def read(persons: Sequence[str]) -> Any:
        with client.pipeline(transaction=False) as pipe:
            for person in persons:
                pipe.hmget(encoded_key({"person": person}, keys) + b"bench", fields)
            return pipe.execute()

    return read


if __name__ == "__main__":
    with _SERVERS:
        serve(prepare, run)
