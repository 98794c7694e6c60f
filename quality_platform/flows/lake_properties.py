"""The lake of runner.yaml as pyiceberg's catalog properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from quality_platform.config.loading import RunnerFile
from quality_platform.config.tenant_models import bucket_of, is_of_tenant
from quality_platform.errors import (
    RunnerFileError,
    SecretError,
    StorageAccessError,
    StorageError,
)
from quality_platform.lake.storage_errors import NOT_ALLOWED

_SQLITE = "sqlite:///"
_WAREHOUSE = ("lake", "warehouse")


def lake_properties(runner: RunnerFile, home: Path) -> dict[str, str]:
    """The properties of the catalog, which can hold secrets. Makes the folders on this disk.

    What runner.yaml leaves out of a SQL catalog is in the platform's home.

    Raises:
        StorageError: a folder cannot be made.
        RunnerFileError: the warehouse cannot be one.
    """
    config = runner.config.lake
    found = {key: value.get_secret_value() for key, value in config.catalog.properties.items()}
    found |= _of_buckets(runner, found)
    found["type"] = config.catalog.type
    if config.warehouse is not None:
        found["warehouse"] = config.warehouse
    if config.catalog.uri is not None:
        found["uri"] = config.catalog.uri.get_secret_value()
    if config.catalog.type == "sql":
        found.setdefault("warehouse", str(home / "warehouse"))
    _require_plain(runner, found.get("warehouse", ""))
    if config.catalog.type == "sql":
        found["warehouse"] = _warehouse(runner, found["warehouse"])
        found.setdefault("uri", f"{_SQLITE}{home}/catalog.db")
        if found["uri"].startswith(_SQLITE):
            database = found["uri"].removeprefix(_SQLITE).partition("?")[0]
            _make_folder(runner, Path(database).parent, ("lake", "catalog"))
    return found


def _of_buckets(runner: RunnerFile, common: Mapping[str, str]) -> dict[str, str]:
    """What opens the buckets of tenants with keys of their own; one tenant's do not stop others.

    Raises:
        RunnerFileError: files are read and written in a way that knows one set of keys.
    """
    found: dict[str, str] = {}
    for tenant, config in runner.config.tenants.items():
        if not config.storage:
            continue
        # Not at the top: it brings pyiceberg along.
        from quality_platform.lake.bucket_files import (
            bucket_properties,
            closed_bucket,
            io_property,
        )

        _require_own_io(runner, tenant, common)
        bucket = bucket_of(config.warehouse or "")
        try:
            keys = {key: value.get_secret_value() for key, value in config.storage.items()}
        except SecretError as error:
            found |= closed_bucket(bucket, error.problems[0].message)
        else:
            found |= bucket_properties(bucket, keys)
        found |= io_property()
    return found


def _require_own_io(runner: RunnerFile, tenant: str, common: Mapping[str, str]) -> None:
    path = ("tenants", tenant, "storage")
    if "py-io-impl" in common:
        raise RunnerFileError(
            "a tenant cannot have keys of its own where files are read by another `py-io-impl`",
            location=runner.location(*path),
            field=".".join(path),
            received=common["py-io-impl"],
            action="leave py-io-impl out of lake.catalog.properties, or the tenant's storage",
        )


def folder_of_namespace(runner: RunnerFile, namespace: str) -> str:
    """The URI of the folder of a namespace whose tenant has a warehouse; "" for all others.

    Raises:
        StorageError: the folder cannot be made.
        RunnerFileError: the warehouse cannot be one.
    """
    for tenant, config in runner.config.tenants.items():
        if config.warehouse is not None and is_of_tenant(tenant, namespace):
            path = ("tenants", tenant, "warehouse")
            _require_plain(runner, config.warehouse, path)
            return f"{_warehouse(runner, config.warehouse, path).rstrip('/')}/{namespace}"
    return ""


def _warehouse(runner: RunnerFile, warehouse: str, path: Sequence[str] = _WAREHOUSE) -> str:
    if "://" in warehouse:
        return warehouse
    folder = runner.resolve(warehouse)
    _make_folder(runner, folder, path)
    # By the letter: pyiceberg (0.12) does not read `%20` in a URI as a space.
    return f"file://{folder}"


def _require_plain(runner: RunnerFile, warehouse: str, path: Sequence[str] = _WAREHOUSE) -> None:
    """Pyiceberg (0.12) takes what follows these signs for no part of the path."""
    if found := [sign for sign in "#?" if sign in warehouse]:
        raise RunnerFileError(
            f"the path of a warehouse cannot have the sign {found[0]}",
            location=runner.location(*path),
            field=".".join(path),
            received=warehouse,
            action="choose another folder or prefix, or another QUALITY_PLATFORM_HOME",
        )


def _make_folder(runner: RunnerFile, folder: Path, path: Sequence[str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        kind = StorageAccessError if error.errno in NOT_ALLOWED else StorageError
        raise kind(
            f"the folder cannot be made: {error.strerror}",
            location=runner.location(*path),
            field=".".join(path),
            received=folder,
            action="correct the path, or remove what is in its way",
        ) from error
