"""What keeps the runs of a tenant from taking the whole queue."""

from collections.abc import Mapping
from typing import Any

TENANT = "quality-platform/tenant"
"""Tag of a run: the tenant whose tables it is about."""


def tenant_limits(limits: Mapping[str, int]) -> list[dict[str, Any]]:
    """The queue's limits for tenants: how many runs with a tenant's tag may be under way at once.

    `limits` gives the number of each tenant. The result has the form of
    `concurrency.runs.tag_concurrency_limits` in dagster.yaml. A run above the limit stays in the
    queue, and those behind it go on.
    """
    return [{"key": TENANT, "value": tenant, "limit": limit} for tenant, limit in limits.items()]
