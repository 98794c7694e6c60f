"""Feast's configuration, and what of it the file for Feast does not say."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml
from pydantic import SecretStr

from quality_platform.feature_store.definitions import (
    PostgresRegistry,
    RedisOnline,
    SqliteOnline,
    SqliteRegistry,
    StoreSettings,
)
from quality_platform.feature_store.feast_settings import feast_file, feast_settings, secrets_of
from quality_platform.lake.catalog import Lake

FILES = StoreSettings(
    "shop",
    SqliteRegistry(Path("/feast/registry.db")),
    SqliteOnline(Path("/feast/online.db")),
    Lake("lake", {"type": "sql", "uri": "sqlite:////c.db", "warehouse": "file:///w"}),
)
NASTY = 'p: "w\'d", #1=2 $HOME \\n'
"""A password with all that means something to YAML, to Feast and to a shell."""

SERVERS = replace(
    FILES,
    registry=PostgresRegistry(SecretStr("postgresql://me:hunter%402@db:5432/feast")),
    online_store=RedisOnline("redis", 6380, 2, "me", SecretStr(NASTY), True, Path("/ca,1.pem")),
    lake=Lake("lake", {"type": "rest", "uri": "https://c", "credential": "id:secret"}),
)


def read_by_feast(text: str, variables: dict[str, str]) -> object:
    """The configuration as Feast reads a file: variables first, then YAML."""
    with patch.dict(os.environ, variables):
        return yaml.safe_load(os.path.expandvars(text))


@pytest.mark.parametrize("settings", [FILES, SERVERS])
def test_the_file_and_its_variables_say_what_the_configuration_says(
    settings: StoreSettings,
) -> None:
    file = feast_file(settings)
    assert read_by_feast(file.text, file.variables) == feast_settings(settings)


def test_no_secret_is_in_the_file() -> None:
    file = feast_file(SERVERS)
    assert set(file.variables) == {
        "QUALITY_PLATFORM_FEAST_REGISTRY",
        "QUALITY_PLATFORM_FEAST_ONLINE_STORE",
        "QUALITY_PLATFORM_FEAST_LAKE_CREDENTIAL",
    }
    for secret in ("hunter", "w'd", "id:secret"):
        assert secret not in file.text
        assert secret not in repr(file)
    assert feast_file(FILES).variables == {}


def test_feast_reads_the_password_of_redis_as_it_is() -> None:
    from feast.infra.online_stores.redis import RedisOnlineStore

    text = feast_settings(SERVERS)["online_store"]["connection_string"]
    nodes, options = RedisOnlineStore._parse_connection_string(text)
    assert nodes == [{"host": "redis", "port": "6380"}]
    assert options["password"] == NASTY
    assert (options["username"], options["db"], options["ssl"]) == ("me", 2, True)
    assert options["ssl_ca_certs"] == "/ca,1.pem"


def test_the_registry_uses_the_driver_that_is_there() -> None:
    path = feast_settings(SERVERS)["registry"]["path"]
    assert path == "postgresql+psycopg2://me:hunter%402@db:5432/feast"


def test_messages_hide_passwords_in_both_of_their_forms() -> None:
    hidden = secrets_of(SERVERS)
    assert {"hunter%402", "hunter@2", NASTY, "id:secret"} <= set(hidden)
    assert list(hidden) == sorted(hidden, key=len, reverse=True)
    assert secrets_of(FILES) == ()


def test_the_file_is_beside_a_registry_that_is_a_file() -> None:
    assert FILES.yaml_file == Path("/feast/feature_store.yaml")
    assert SERVERS.yaml_file is None
    assert replace(SERVERS, folder=Path("/elsewhere")).yaml_file == Path(
        "/elsewhere/feature_store.yaml"
    )
