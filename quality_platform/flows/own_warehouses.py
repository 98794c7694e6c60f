"""Tables in warehouses of tenants' own: where one of these cannot be read, all others can."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from quality_platform.config.loading import RunnerFile
from quality_platform.config.tenant_models import is_of_tenant
from quality_platform.errors import StorageError

Found = TypeVar("Found")


def looked_at(file: RunnerFile, identifier: str, look: Callable[[], Found]) -> Found | StorageError:
    """What `look` finds at a table, or why the warehouse of the table's tenant cannot be read.

    A failure of the lake's own warehouse concerns everything, and is raised.

    Raises:
        StorageError: the table is in the lake's own warehouse, which cannot be read.
    """
    try:
        return look()
    except StorageError as error:
        if not _is_in_own_warehouse(file, identifier):
            raise
        return error


def _is_in_own_warehouse(file: RunnerFile, identifier: str) -> bool:
    tenants = [name for name, config in file.config.tenants.items() if config.warehouse is not None]
    # Of a tenant that is broken nobody knows where its tables are, and by which keys they are read.
    tenants += [part.name for part in file.broken if part.section == "tenants"]
    namespace = identifier.partition(".")[0]
    return any(is_of_tenant(tenant, namespace) for tenant in tenants)
