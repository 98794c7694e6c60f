"""The models of `tenants` in runner.yaml, and the names of what is a tenant's."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from quality_platform.config.base_models import RESERVED_NAMESPACES, Bytes, Model
from quality_platform.config.catalog_models import Properties

SEPARATOR = "__"
"""What stands between a tenant's name and what is the tenant's: no tenant's name has it."""

SHARED_SCOPE = "global"
"""The scope of secrets that every tenant may ask for: no tenant has this name."""

_PATTERN = r"^[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*$"
_RESERVED = (*RESERVED_NAMESPACES, "broken", "main", SHARED_SCOPE)

_OF_STORES = ("s3.", "gcs.", "adls.", "client.")
"""What the keys of pyiceberg's begin with that are about an object store."""


def _not_reserved(name: str) -> str:
    if name.lower() in _RESERVED:
        raise ValueError(f"no tenant can be called {', '.join(_RESERVED)}")
    return name


TenantName = Annotated[str, Field(pattern=_PATTERN, max_length=40), AfterValidator(_not_reserved)]


class TenantConfig(Model):
    """Somebody whose tables, secrets and files are kept apart from those of all others."""

    include: tuple[str, ...] = ()
    """Files that the tenant writes: paths and globs, relative to the folder of this file, within a
    folder of the tenant's own. Everything in them is the tenant's, and they may say less than other
    files ([tenants](tenants.md#files))."""
    paths: tuple[str, ...] = ()
    """Folders and prefixes such as `s3://bucket/acme/` that the tenant's sources may read. Where
    left out: the folder of its files, or, without files, any that is no other tenant's."""
    variables: tuple[str, ...] = ()
    """Environment variables that `${VAR}` in the tenant's files may stand for."""
    warehouse: str | None = None
    """The folder (or `s3://` URI) of its tables' files; `lake.warehouse` where left out, with a
    folder for each of the tenant's namespaces. It is within no other warehouse, and no folder that
    another tenant may read."""
    storage: Properties = Field(default_factory=dict)
    """The keys by which its `warehouse` in an object store is read and written, as pyiceberg calls
    them: `s3.access-key-id`, `s3.secret-access-key`, `s3.endpoint`. A `${secret:NAME}` in them is
    of the tenant's scope. Those of `lake.catalog.properties` where left out."""
    max_tables: Annotated[int, Field(ge=0)] | None = None
    """How many tables, feature views and training sets it may have; those beyond are refused."""
    max_rows_per_load: Annotated[int, Field(ge=1)] | None = None
    """How many rows one load of a table, or one computing of a view, may read: what is published in
    one commit. A load with more ends, and publishes nothing."""
    max_size_per_load: Bytes | None = None
    """As `max_rows_per_load`, the size of these rows in memory, such as `2GB`."""
    max_storage: Bytes | None = None
    """How large the data files of all its tables may be together, such as `500GB`: what they show
    now, without older snapshots. A load that would make it more ends, and publishes nothing."""
    max_concurrent_runs: Annotated[int, Field(ge=1)] | None = None
    """How many runs that are about the tenant's tables alone may be under way at once; those beyond
    wait in Dagster's queue ([tenants](tenants.md#runs))."""

    @model_validator(mode="after")
    def _has_a_store(self) -> TenantConfig:
        if self.storage and not bucket_of(self.warehouse or ""):
            raise ValueError("`storage` is for a `warehouse` in an object store, such as s3://...")
        for key in self.storage:
            if not key.startswith(_OF_STORES):
                raise ValueError(f"`{key}` is no key of an object store: {', '.join(_OF_STORES)}")
        return self


Tenants = Annotated[tuple[TenantName, ...], Field(min_length=1)]
"""The tenants of a declaration of which each has its own."""


def bucket_of(warehouse: str) -> str:
    """The bucket of a warehouse in an object store; "" for a folder."""
    url = urlsplit(warehouse)
    return "" if url.scheme in ("", "file") else url.netloc


def namespace_of_tenant(tenant: str, namespace: str = "main") -> str:
    """The namespace in the lake that a namespace of runner.yaml means; "" is no tenant."""
    if not tenant:
        return namespace
    return tenant if namespace == "main" else f"{tenant}{SEPARATOR}{namespace}"


def is_of_tenant(tenant: str, namespace: str) -> bool:
    """Whether a namespace of the lake is a tenant's.

    Letters' case is not looked at: some catalogs and disks do not keep it.
    """
    first, found = tenant.lower(), namespace.lower()
    return found == first or found.startswith(first + SEPARATOR)
