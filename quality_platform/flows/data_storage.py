"""Data that is to be checked in an object store: whose credentials read it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from quality_platform.config.environment import environment_variable
from quality_platform.config.source_models import FileSourceConfig, StorageConfig
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import ConfigurationError
from quality_platform.flows.contracted_tables import ContractedTable, SourceTable
from quality_platform.sources.object_storage import SCHEME, S3Storage, is_url

OPTION = "--storage-of"
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""AWS's variables for the address of another store; Arrow (26) takes none that begins with http."""


def storage_for(
    data: str, tables: Mapping[str, ContractedTable], named: str = ""
) -> S3Storage | None:
    """Where data is: None for this machine's disks, else the store as a source describes it.

    It is the `storage` of the table that is named, or of those whose sources read the same bucket.
    Where there are none, the address and the key come from AWS's environment.

    Args:
        data: A path, a glob or a URL.
        tables: The tables whose sources may be used.
        named: One of them; "" for any.

    Raises:
        ConfigurationError: another kind of URL, no such table, or tables that read the bucket in
            different ways, or no address of a store in the environment.
    """
    if "://" not in data:
        return None
    if not is_url(data):
        raise ConfigurationError(
            "data of this kind of URL cannot be read",
            field="data",
            received=data,
            allowed=f"{SCHEME}BUCKET/KEY, or a path",
            action="download it, and check the file",
        )
    known = _stored_sources(tables)
    if named and named not in known:
        raise ConfigurationError(
            "no table of that name reads from an object store",
            field=OPTION,
            received=named,
            allowed=", ".join(known) or "none",
            action=did_you_mean(named, known),
        )
    meant = [named] if named else [n for n in known if _bucket(known[n].path) == _bucket(data)]
    return S3Storage(_only(data, {name: _storage(known[name]) for name in meant}))


def _stored_sources(tables: Mapping[str, ContractedTable]) -> dict[str, FileSourceConfig]:
    sources = {n: t.config.source for n, t in tables.items() if isinstance(t, SourceTable)}
    return {n: s for n, s in sources.items() if isinstance(s, FileSourceConfig) and is_url(s.path)}


def _of_environment() -> StorageConfig:
    """A store as AWS's variables tell of it; Arrow finds region and key by itself, as AWS does."""
    for name in ENDPOINT_VARIABLES:
        endpoint = environment_variable(name)
        if endpoint is None:
            continue
        try:
            return StorageConfig(endpoint=endpoint.rstrip("/"))
        except ValidationError as error:
            raise ConfigurationError(
                "the variable names no address of an object store",
                field=name,
                allowed="https://HOST:PORT",
            ) from error
    return StorageConfig()


def _storage(source: FileSourceConfig) -> StorageConfig:
    return source.storage or StorageConfig()


def _bucket(url: str) -> str:
    return url.removeprefix(SCHEME).partition("/")[0]


def _only(data: str, ways: Mapping[str, StorageConfig]) -> StorageConfig:
    """The one way to read data; AWS's environment where there is none."""
    first = next(iter(ways.values())) if ways else _of_environment()
    if any(way != first for way in ways.values()):
        raise ConfigurationError(
            "tables read this bucket with a different `storage` each",
            field=OPTION,
            received=data,
            allowed=", ".join(ways),
            action=f"say whose is meant: {OPTION} TABLE",
        )
    return first
