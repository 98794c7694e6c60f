"""Pools: how many ops may work on a table, or read from a connection, at the same time.

An op has one pool, that Dagster waits for before it starts the op's process. Where an op needs a
second one, or knows its table only when it runs, it waits for it itself, in the same pools.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

import dagster as dg

from quality_platform.config.source_models import DatabaseSourceConfig
from quality_platform.flows.contracted_tables import ContractedTable, SourceTable
from quality_platform.flows.platform import Platform

_PAUSE = 1.0
"""Seconds between two looks at a pool that is full."""


def pool_of(name: str) -> str:
    """The pool that keeps a table from being loaded twice at the same time."""
    return f"table-{name}"


def connection_pool(name: str) -> str:
    """The pool of the tables that are read from a connection."""
    return f"connection-{name}"


def op_pool(platform: Platform, table: ContractedTable) -> str:
    """The pool of the op of a table or view: that of its connection where this has a limit.

    Of the two it is the one that more wait for: who waits for an op's pool takes no process.
    """
    connection = _connection(table)
    limited = connection is not None and connection in _limits(platform)
    return connection_pool(connection) if connection and limited else pool_of(table.name)


def table_held(
    context: dg.AssetExecutionContext,
    platform: Platform,
    table: ContractedTable,
    tell: Callable[[str, str], None],
) -> AbstractContextManager[None]:
    """Holds the pool of a table within its op, where the op's own pool is another."""
    pool = pool_of(table.name)
    return nullcontext() if op_pool(platform, table) == pool else claimed(context, pool, tell)


def pool_limits(platform: Platform) -> dict[str, int]:
    """The limits that runner.yaml gives to pools."""
    return {connection_pool(name): limit for name, limit in _limits(platform).items()}


def apply_limits(
    instance: dg.DagsterInstance, wanted: Mapping[str, int], applied: Mapping[str, int]
) -> list[str]:
    """Gives the instance's pools the limits of runner.yaml; the pools that were changed.

    A limit that stands in the file as it did when it was `applied` is left alone: a person may have
    changed it in the UI since then.
    """
    storage = instance.event_log_storage
    if not wanted or not storage.supports_global_concurrency_limits:
        return []
    present = {pool.name: pool for pool in storage.get_pool_limits()}
    changed = []
    for name, limit in wanted.items():
        pool = present.get(name)
        is_set = pool is not None and not pool.from_default
        if (is_set and applied.get(name) == limit) or (pool and is_set and pool.limit == limit):
            continue
        storage.set_concurrency_slots(name, limit)
        changed.append(name)
    return changed


@contextmanager
def claimed(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    pool: str,
    tell: Callable[[str, str], None],
) -> Iterator[None]:
    """Holds a slot of a pool of one slot, as the op's own pool would.

    A slot whose process was killed is given back by run monitoring, once its run has ended.
    """
    storage, run = context.instance.event_log_storage, context.run.run_id
    if not storage.supports_global_concurrency_limits:
        yield
        return
    if pool not in {limit.name for limit in storage.get_pool_limits()}:
        storage.set_concurrency_slots(pool, 1)
    # Slots are given back by the step's name: this must not give back the one of the op's own pool.
    step = f"{context.op_handle.name}.{pool}"
    try:
        if not _claim(context.instance, pool, run, step):
            tell("waiting", f"for the pool {pool}: another run works on the table")
            while not _claim(context.instance, pool, run, step):
                time.sleep(_PAUSE)
        yield
    finally:
        storage.free_concurrency_slot_for_step(run, step)


def _claim(instance: dg.DagsterInstance, pool: str, run: str, step: str) -> bool:
    storage = instance.event_log_storage
    if not storage.claim_concurrency_slot(pool, run, step).is_claimed:
        return False
    # On SQLite two may be given the same slot in the same moment; only the later one has it.
    return bool(storage.check_concurrency_claim(pool, run, step).is_claimed)


def _connection(table: ContractedTable) -> str | None:
    if not isinstance(table, SourceTable):
        return None
    source = table.config.source
    return source.connection if isinstance(source, DatabaseSourceConfig) else None


def _limits(platform: Platform) -> dict[str, int]:
    """The connections that have a limit, and the limits."""
    connections = platform.runner.config.connections
    return {
        name: connection.max_concurrent_loads
        for name, connection in connections.items()
        if connection.max_concurrent_loads is not None
    }
