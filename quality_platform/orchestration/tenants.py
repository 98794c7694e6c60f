"""Whose a run is: a tag, which every step holds against the table that it is about."""

from collections.abc import Iterable

import dagster as dg

from quality_platform.errors import ConfigurationError
from quality_platform.flows.platform import Platform
from quality_platform.flows.tenant_names import tenant_named
from quality_platform.orchestration.run_queue import TENANT


def tenant_tags(platform: Platform, tables: Iterable[str]) -> dict[str, str]:
    """The tags of a run of these tables: their tenant, where all are of one."""
    tenants = {tenant_named(platform, table) for table in tables}
    return {TENANT: tenant} if len(tenants) == 1 and (tenant := tenants.pop()) else {}


def require_tenant(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, tenant: str, table: str
) -> None:
    """Looks at whether a run may be about a table of this tenant; "" is nobody's.

    Raises:
        ConfigurationError: the run is tagged as another tenant's.
    """
    said = context.run.tags.get(TENANT, "")
    if said and said != tenant:
        raise ConfigurationError(
            f"this run is the tenant {said}'s, and {table} is not",
            field=TENANT,
            received=said,
            allowed=tenant or "a run without this tag",
            action="choose tables of the tenant alone, or launch without the tag",
        )
