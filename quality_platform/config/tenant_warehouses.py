"""Where the warehouses of tenants may be: apart from all others, and from what others may read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from quality_platform.config.environment import HOME_VARIABLE, environment
from quality_platform.config.models import RunnerConfig
from quality_platform.config.tenant_files import TENANTS, fixed_folder
from quality_platform.config.tenant_models import bucket_of
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import Problem

_URL = "://"
_SAME_STORE = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}


class Place(NamedTuple):
    """A folder or prefix of files, in a form in which two of them can be compared.

    Attributes:
        store: The scheme and the bucket of a URL; "" for a folder of this machine.
        path: The path there, of a folder with links followed.
    """

    store: str
    path: PurePosixPath

    @classmethod
    def of(cls, text: str, base: Path) -> Place:
        """The place that a text of runner.yaml means; relative folders start at `base`."""
        text = absolute(text, base)
        scheme, url, rest = text.partition(_URL)
        if not url:
            return cls("", PurePosixPath(os.path.realpath(text)))
        bucket, _, path = rest.partition("/")
        # `a//b` is another key than `a/b` to a store, and the same here: it refuses more.
        return cls(f"{scheme}{_URL}{bucket}", PurePosixPath("/" + path))

    def meets(self, other: Place) -> bool:
        """Whether one of the two is within the other."""
        one, two = self.path, other.path
        return self.store == other.store and (one.is_relative_to(two) or two.is_relative_to(one))


def absolute(text: str, base: Path) -> str:
    """An absolute folder, or a URL as sources name it; links are not followed."""
    scheme, url, rest = text.removeprefix("file://").partition(_URL)
    return f"{_SAME_STORE.get(scheme, scheme)}{_URL}{rest}" if url else str(base / scheme)


def warehouse_problems(config: RunnerConfig, document: YamlDocument) -> Iterator[Problem]:
    """Warehouses of tenants that are within another's or hold it, and keys that would open others'.

    Of two tenants the one that comes later in the file is told.
    """
    if all(entry.warehouse is None for entry in config.tenants.values()):
        return
    base = document.path.parent
    lake = common_warehouse(config)
    taken = [("", "the lake's own", Place.of(lake, base))] if lake else []
    taken += _open_to_tenants(config, base)
    for tenant, entry in config.tenants.items():
        if entry.warehouse is None:
            continue
        place = Place.of(entry.warehouse, base)
        met = (whose for owner, whose, other in taken if owner != tenant and place.meets(other))
        if whose := next(met, ""):
            path = (TENANTS, tenant, "warehouse")
            yield _problem(document, path, f"it meets {whose}", entry.warehouse)
        yield from _problems_of_keys(config, document, tenant)
        taken.append((tenant, f"the warehouse of the tenant {tenant}", place))


def common_warehouse(config: RunnerConfig) -> str:
    """The lake's own warehouse as a folder or URL; "" where only the catalog's server knows it."""
    if config.lake.catalog.type == "rest":
        return ""
    return config.lake.warehouse or f"{environment()[HOME_VARIABLE]}/warehouse"


def _open_to_tenants(config: RunnerConfig, base: Path) -> list[tuple[str, str, Place]]:
    """What tenants write or may read: each with the tenant, and a name of it for people."""
    found = []
    for tenant, entry in config.tenants.items():
        for pattern in entry.include:
            place = Place.of(str(fixed_folder(base, pattern)), base)
            found.append((tenant, f"the folder of the tenant {tenant}", place))
        for path in entry.paths:
            found.append((tenant, f"what the tenant {tenant} may read", Place.of(path, base)))
    return found


def _problems_of_keys(
    config: RunnerConfig, document: YamlDocument, tenant: str
) -> Iterator[Problem]:
    """Buckets that have keys of a tenant's, and are not the tenant's alone."""
    own = config.tenants[tenant]
    bucket = bucket_of(own.warehouse or "")
    if not own.storage:
        return
    warehouses = {"the lake": common_warehouse(config)}
    for other, entry in config.tenants.items():
        if other != tenant:
            warehouses[f"the tenant {other}"] = entry.warehouse or ""
    for whose, warehouse in warehouses.items():
        if bucket_of(warehouse) == bucket:
            message = f"the bucket {bucket} has the warehouse of {whose} too: keys are for a bucket"
            yield _problem(document, (TENANTS, tenant, "storage"), message, bucket)


def _problem(document: YamlDocument, path: PathInDocument, message: str, received: str) -> Problem:
    field = ".".join(map(str, path))
    action = "choose another folder or bucket"
    return Problem(message, document.location(path), field, received, action=action)
