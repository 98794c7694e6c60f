"""How much the tables of a tenant may hold together: looked at before a load is published."""

from __future__ import annotations

from collections.abc import Iterable

from quality_platform.config.base_models import megabytes
from quality_platform.config.tenant_models import is_of_tenant
from quality_platform.errors import QuotaError
from quality_platform.flows.platform import Platform
from quality_platform.flows.staging import Staging
from quality_platform.lake.catalog import Table
from quality_platform.lake.merging import Rewritten
from quality_platform.lake.reading import snapshot_of, summary_of
from quality_platform.lake.storage_errors import reading

_MEGABYTE = 10**6


def require_room(
    platform: Platform, tenant: str, staging: Staging, rewrite: Rewritten, *, replaces: bool
) -> None:
    """Looks at what a tenant's tables would hold with a load; `replaces` drops what the table has.

    Two loads at the same time do not see each other, so that both may fit where one does.

    Raises:
        QuotaError: that is more than the tenant is given.
        LakeError: the tenant's tables cannot be looked at.
    """
    most = platform.runner.config.tenants[tenant].max_storage if tenant else None
    if most is None:
        return
    main, held = staging.table, staging.quarantine
    added = _bytes(main, (file.uri for file in (*staging.good_files, *rewrite.files)))
    added += _bytes(held, (file.uri for file in staging.held_files))
    gone = _published_bytes(main) if replaces else _bytes(main, rewrite.removed)
    used = _held_by(platform, tenant) + added - gone
    allowed = megabytes(most) * _MEGABYTE
    if added > gone and used > allowed:
        raise QuotaError(
            f"the tables of the tenant {tenant} would hold more than they may",
            received=f"{used:,} bytes with this load",
            allowed=f"{allowed:,} bytes",
            action="remove rows, or have the tenant's max_storage raised",
        )


def _held_by(platform: Platform, tenant: str) -> int:
    """The bytes of the files that the tenant's tables show now: older snapshots do not count."""
    lake = platform.lake
    namespaces = [name for name in lake.namespaces() if is_of_tenant(tenant, name)]
    names = (name for namespace in namespaces for name in lake.identifiers_in(namespace))
    tables = (lake.find_table(name) for name in names)
    return sum(_published_bytes(table) for table in tables if table is not None)


def _published_bytes(table: Table) -> int:
    snapshot = snapshot_of(table)
    return int(summary_of(snapshot).get("total-files-size", 0)) if snapshot else 0


def _bytes(table: Table, uris: Iterable[str]) -> int:
    with reading(table):
        return sum(len(table.io.new_input(uri)) for uri in uris)
