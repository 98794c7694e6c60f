"""What keeps the runs of a tenant from taking the whole queue."""

import json
from collections.abc import Mapping
from typing import Any

import dagster as dg

TENANT = "quality-platform/tenant"
"""Tag of a run: the tenant whose tables it is about."""

_STORED = "quality-platform/tenant-limits"
"""The key of the limits in the instance: by code location, by tenant."""


def store_limits(instance: dg.DagsterInstance, location: str, limits: Mapping[str, int]) -> bool:
    """Gives the instance's queue the limits of a code location; whether they are others now.

    `limits` is how many runs with a tenant's tag may be under way at once, by tenant; no tenant
    takes those of the location back.
    """
    stored = _stored(instance)
    before = stored.pop(location, {})
    if before == limits:
        return False
    wanted = {**stored, location: dict(limits)} if limits else stored
    instance.daemon_cursor_storage.set_cursor_values({_STORED: json.dumps(wanted)})
    return True


def stored_limits(instance: dg.DagsterInstance) -> list[dict[str, Any]]:
    """The limits of tenants that the instance was given.

    The result has the form of `concurrency.runs.tag_concurrency_limits` in dagster.yaml. A run
    above the limit stays in the queue, and those behind it go on. Where two locations limit a
    tenant of one name, the smaller number counts.
    """
    smallest: dict[str, int] = {}
    for limits in _stored(instance).values():
        for tenant, limit in limits.items():
            smallest[tenant] = min(limit, smallest.get(tenant, limit))
    return [
        {"key": TENANT, "value": tenant, "limit": limit}
        for tenant, limit in sorted(smallest.items())
    ]


def _stored(instance: dg.DagsterInstance) -> dict[str, dict[str, int]]:
    text = instance.daemon_cursor_storage.get_cursor_values({_STORED}).get(_STORED)
    found: dict[str, dict[str, int]] = json.loads(text) if text else {}
    return found
