"""What a command may be about when it is asked for one tenant."""

from __future__ import annotations

from collections.abc import Sequence

from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import RunnerFileError
from quality_platform.flows.broken_tables import tenant_of
from quality_platform.flows.platform import Platform


def names_of_tenant(platform: Platform, tenant: str, names: Sequence[str] = ()) -> tuple[str, ...]:
    """The tables and views that a command is about: those named, or all of the tenant.

    "" is no tenant: the names are as they are.

    Raises:
        RunnerFileError: there is no such tenant, it has no table, or a name is not the tenant's.
    """
    if not tenant:
        return tuple(names)
    known = platform.runner.config.tenants
    if tenant not in known:
        raise RunnerFileError(
            f"there is no tenant {tenant!r}",
            location=platform.runner.location("tenants"),
            allowed=", ".join(known),
            action=did_you_mean(tenant, known),
        )
    tables = (*platform.tables.values(), *platform.feature_tables.values())
    own = [table.name for table in tables if table.tenant == tenant]
    own += [name for name, part in platform.broken_tables.items() if tenant_of(part) == tenant]
    if others := [name for name in names if name not in own]:
        raise RunnerFileError(
            f"{others[0]!r} is no table or feature view of the tenant {tenant}",
            location=platform.runner.location("tenants", tenant),
            allowed=", ".join(own),
            action=did_you_mean(others[0], own),
        )
    if not own:
        raise RunnerFileError(
            f"the tenant {tenant} has no table",
            location=platform.runner.location("tenants", tenant),
        )
    return tuple(names or own)
