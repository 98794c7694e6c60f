"""Where a feature store stands, as Feast's configuration, and what of it is secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlparse

import yaml

from quality_platform.errors import ConfigurationError
from quality_platform.feature_store.definitions import (
    PostgresRegistry,
    RedisOnline,
    SqliteOnline,
    StoreSettings,
)

_ROOM = "quality_platform.feature_store"
_VARIABLE = "QUALITY_PLATFORM_FEAST_"

_OPEN_PROPERTIES = ("type", "uri", "warehouse", "s3.endpoint", "s3.region", "py-io-impl")
"""What pyiceberg's properties may show, unless it is an address with a password."""

_YAML_HEAD = """\
# Written by quality-platform whenever it applies feature views; changes are lost.
# Do not run `feast apply` here: it would delete the views, which no file beside this one defines.
"""
_YAML_SECRETS = """\
# What is secret is not here. `quality-platform feast ...` runs Feast's command line with the
# variables that are named below.
"""

_SHORTEST_SECRET = 4
"""Shorter texts hide nothing, and would be found in any message."""

_CONNECT_SECONDS = 15
_ANSWER_SECONDS = 60


@dataclass(frozen=True)
class FeastFile:
    """A `feature_store.yaml`: its text, which holds no secret, and the variables that it names."""

    text: str
    variables: dict[str, str] = field(default_factory=dict, repr=False)


def feast_settings(settings: StoreSettings) -> dict[str, Any]:
    """The store's configuration as Feast reads it, with all secrets in it.

    Raises:
        SecretError: a secret cannot be had.
        ConfigurationError: the registry's URL is not one of PostgreSQL.
    """
    return _configuration(settings, lambda _, text: text)


def feast_file(settings: StoreSettings) -> FeastFile:
    """The store's configuration as a file for Feast, which replaces `${VAR}` in it before it reads.

    The variables hold YAML's form of each text, so that no sign in a secret means anything.

    Raises:
        SecretError: a secret cannot be had.
        ConfigurationError: the registry's URL is not one of PostgreSQL.
    """
    variables: dict[str, str] = {}

    def named(name: str, text: str) -> str:
        variable = _VARIABLE + re.sub(r"\W", "_", name).upper()
        variables[variable] = json.dumps(text)
        return f"${{{variable}}}"

    configuration = _configuration(settings, named)
    head = _YAML_HEAD + (_YAML_SECRETS if variables else "")
    return FeastFile(head + yaml.safe_dump(configuration, sort_keys=False), variables)


def registry_url(registry: PostgresRegistry) -> str:
    """The URL of a registry, with the driver that the platform brings.

    Raises:
        SecretError: a secret cannot be had.
        ConfigurationError: it is not one of PostgreSQL. It is not shown: it has a password.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(registry.url.get_secret_value())
    except (ArgumentError, ValueError):
        # The message of a URL whose port is no number has a piece of the password in it.
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigurationError(
            "the URL of the registry is not one of PostgreSQL",
            field="feature_store.registry",
            received="not shown: it may hold a password",
            allowed="postgresql://user:password@host:5432/database",
            action="write signs such as @, / and : of a password as %40, %2F and %3A, or its "
            "secret as ${secret:NAME|url}",
        ) from None
    return parsed.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def secrets_of(settings: StoreSettings) -> tuple[str, ...]:
    """The texts that no message may show, longest first.

    Raises:
        SecretError: a secret cannot be had.
    """
    found: list[str] = []
    if isinstance(settings.registry, PostgresRegistry):
        url = registry_url(settings.registry)
        password = urlparse(url).password or ""
        found += [url, password, unquote(password)]
    if isinstance(settings.online_store, RedisOnline) and settings.online_store.password:
        found.append(settings.online_store.password.get_secret_value())
    properties = settings.lake.properties.items()
    found += [text for name, text in properties if not _is_open(name, text)]
    long = {text for text in found if len(text) >= _SHORTEST_SECRET}
    return tuple(sorted(long, key=len, reverse=True))


def _configuration(settings: StoreSettings, secret: Callable[[str, str], str]) -> dict[str, Any]:
    """Feast's configuration; `secret` gives what stands in the place of a secret text."""
    return {
        "project": settings.project,
        "provider": "local",
        "entity_key_serialization_version": 3,
        "registry": _registry(settings, secret),
        "online_store": _online_store(settings, secret),
        "offline_store": {
            "type": f"{_ROOM}.iceberg_offline_store.IcebergOfflineStore",
            "catalog": settings.lake.name,
            "properties": {
                name: text if _is_open(name, text) else secret(f"lake_{name}", text)
                for name, text in settings.lake.properties.items()
            },
            "refs": dict(settings.refs),
        },
        "batch_engine": {"type": f"{_ROOM}.materialization_engine.ArrowEngine"},
        "materialization": {"pull_latest_features": True},
    }


def _registry(settings: StoreSettings, secret: Callable[[str, str], str]) -> dict[str, Any]:
    # Rows of their own per object: views that are applied at the same time do not undo each other,
    # as they would in Feast's registry file.
    if isinstance(settings.registry, PostgresRegistry):
        options: dict[str, Any] = {"pool_pre_ping": True, "pool_size": 1}
        options["connect_args"] = {"connect_timeout": _CONNECT_SECONDS}
        path = secret("registry", registry_url(settings.registry))
    else:
        from sqlalchemy import URL

        options = {"connect_args": {"timeout": _ANSWER_SECONDS}}
        file = str(settings.registry.path.absolute())
        path = URL.create("sqlite", database=file).render_as_string()
    return {"registry_type": "sql", "path": path, "sqlalchemy_config_kwargs": options}


def _online_store(settings: StoreSettings, secret: Callable[[str, str], str]) -> dict[str, Any]:
    online = settings.online_store
    if isinstance(online, SqliteOnline):
        return {"type": "sqlite", "path": str(online.path.absolute())}
    text = _connection_string(online)
    store: dict[str, Any] = {
        "type": "redis",
        "connection_string": text if online.password is None else secret("online_store", text),
    }
    if online.key_ttl is not None:
        store["key_ttl_seconds"] = int(online.key_ttl.total_seconds())
    return store


def _connection_string(online: RedisOnline) -> str:
    """Feast's form: HOST:PORT and the arguments of redis-py's client, divided by commas.

    Feast reads each argument as JSON, where it is that.
    """
    options: dict[str, Any] = {
        "db": online.db,
        "socket_connect_timeout": _CONNECT_SECONDS,
        "socket_timeout": _ANSWER_SECONDS,
    }
    if online.username:
        options["username"] = online.username
    if online.password is not None:
        options["password"] = online.password.get_secret_value()
    if online.tls:
        options["ssl"] = True
    if online.ca_file is not None:
        options["ssl_ca_certs"] = str(online.ca_file.absolute())
    # A comma within a text would end it.
    told = (f"{key}={json.dumps(value)}".replace(",", "\\u002c") for key, value in options.items())
    return ",".join([f"{online.host}:{online.port}", *told])


def _is_open(name: str, text: str) -> bool:
    """Whether a property of the catalog is known to be free of credentials; fails closed."""
    if name not in _OPEN_PROPERTIES:
        return False
    address = urlparse(text)
    return not (address.password or address.query)
