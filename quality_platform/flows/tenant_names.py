"""Whose a table, view or training set is, and what a command for one tenant may be about."""

from __future__ import annotations

from collections.abc import Sequence

from quality_platform.config.tenant_models import SEPARATOR
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import RunnerFileError
from quality_platform.flows.broken_tables import error_of, tenant_of
from quality_platform.flows.platform import Platform


def tenant_named(platform: Platform, name: str) -> str:
    """The tenant of a table, feature view or training set by its name; "" where it has none.

    What stands before a dot is what is done to it, as in `online.totals`.
    """
    name = name.rpartition(".")[2]
    found = platform.tables.get(name) or platform.feature_tables.get(name)
    if found is not None:
        return found.tenant
    if name in platform.runner.config.training_sets:
        return platform.runner.config.training_sets[name].tenant or ""
    sections = ("tables", "feature_views", "training_sets")
    broken = (p for p in platform.broken if p.name == name and p.section in sections)
    return next((tenant_of(part) for part in broken), "")


def meant(platform: Platform, name: str, tenant: str = "") -> tuple[str, ...]:
    """The tables and views that a name means: those of a declaration for several tenants.

    Of a tenant its own alone. Any other name means itself.
    """
    config = platform.runner.config
    declared: list[tuple[str, str | None, object]] = [
        (made, entry.tenant, entry.tenants)
        for section in (config.tables, config.feature_views)
        for made, entry in section.items()
    ]
    declared += [
        (part.name, tenant_of(part), part.written.get("tenants"))
        for part in platform.broken
        if part.section in ("tables", "feature_views")
    ]
    found = [
        made
        for made, owner, tenants in declared
        if tenants and made == f"{owner}{SEPARATOR}{name}" and tenant in ("", owner)
    ]
    return tuple(dict.fromkeys(found)) or (name,)


def name_of_tenant(platform: Platform, tenant: str, name: str) -> str:
    """The one table or view that a command is about.

    Raises:
        RunnerFileError: there is no such tenant, the name is not the tenant's, or it means several.
    """
    found = names_of_tenant(platform, tenant, [name])
    if len(found) > 1:
        raise RunnerFileError(
            f"{name!r} is declared for several tenants, and this is about one",
            location=platform.runner.location("tenants"),
            allowed=", ".join(found),
            action="say whose with --tenant",
        )
    return found[0]


def names_of_tenant(platform: Platform, tenant: str, names: Sequence[str] = ()) -> tuple[str, ...]:
    """The tables and views that a command is about: those named, or all of the tenant.

    A name of a declaration for several tenants means what is the tenant's, and what is all of
    theirs where "" is no tenant. All other names are as they are.

    Raises:
        RunnerFileError: there is no such tenant, it has no table, or a name is not the tenant's.
    """
    names = [one for name in names for one in meant(platform, name, tenant)]
    if not tenant:
        return tuple(names)
    require_known(platform, tenant)
    tables = (*platform.tables.values(), *platform.feature_tables.values())
    own = [table.name for table in tables if table.tenant == tenant]
    own += [name for name, part in platform.broken_tables.items() if tenant_of(part) == tenant]
    for name in names:
        _require_own(platform, tenant, name, own, "table or feature view")
    if not own:
        raise RunnerFileError(
            f"the tenant {tenant} has no table",
            location=platform.runner.location("tenants", tenant),
        )
    return tuple(names or own)


def require_training_set_of(platform: Platform, tenant: str, name: str) -> None:
    """Looks at a training set that a command for a tenant names; "" is no tenant.

    Raises:
        RunnerFileError: there is no such tenant, or runner.yaml declares no such set of the tenant.
    """
    if not tenant:
        return
    require_known(platform, tenant)
    declared = platform.runner.config.training_sets.items()
    own = [n for n, config in declared if config.tenant == tenant]
    broken = (part for part in platform.broken if part.section == "training_sets")
    own += [part.name for part in broken if tenant_of(part) == tenant]
    _require_own(platform, tenant, name, own, "training set")


def require_known(platform: Platform, tenant: str) -> None:
    """Looks whether there is a tenant.

    Raises:
        RunnerFileError: there is none of this name.
        ConfigurationError: there is one, but it is broken.
    """
    known = platform.runner.config.tenants
    if tenant not in known:
        for part in platform.broken:
            if (part.section, part.name) == ("tenants", tenant):
                raise error_of(part)
        raise RunnerFileError(
            f"there is no tenant {tenant!r}",
            location=platform.runner.location("tenants"),
            allowed=", ".join(known),
            action=did_you_mean(tenant, known),
        )


def _require_own(platform: Platform, tenant: str, name: str, own: Sequence[str], kind: str) -> None:
    if name not in own:
        raise RunnerFileError(
            f"{name!r} is no {kind} of the tenant {tenant}",
            location=platform.runner.location("tenants", tenant),
            allowed=", ".join(own),
            action=did_you_mean(name, own),
        )
