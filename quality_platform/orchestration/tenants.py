"""Whose a run is: a tag, which every step holds against the table that it is about."""

from collections.abc import Iterable

import dagster as dg

from quality_platform.errors import ConfigurationError
from quality_platform.flows.broken_tables import tenant_of
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.run_queue import TENANT


def tenant_named(platform: Platform, table: str) -> str:
    """The tenant of a table or feature view by its name; "" where it has none."""
    found = platform.tables.get(table) or platform.feature_tables.get(table)
    if found is not None:
        return found.tenant
    broken = platform.broken_tables.get(table)
    return tenant_of(broken) if broken is not None else ""


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
