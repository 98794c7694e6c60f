"""Feast's registry in a real PostgreSQL: runs that write at the same time, and its password."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url
from support.feature_rows import store_in
from support.postgres_database import PostgresDatabase, postgres_database

from quality_platform.errors import (
    ConfigurationError,
    FeatureStoreUnreachableError,
    MaterializationError,
    QualityPlatformError,
)
from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureViewDefinition,
    PostgresRegistry,
    StoreDefinitions,
    StoreSettings,
)
from quality_platform.feature_store.guarding import registry_lock
from quality_platform.feature_store.store import apply_definitions, apply_views, open_store

VIEW = FeatureViewDefinition(
    name="delays",
    table="features.delays",
    entities=(EntityDefinition("airport", "origin", pa.string()),),
    event_timestamp="at",
    features=pa.schema([("delay", pa.float64())]),
)
PROCESSES = 3


@pytest.fixture
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with postgres_database(postgres_url) as found:
        yield found


@pytest.fixture
def settings(tmp_path: Path, database: PostgresDatabase) -> StoreSettings:
    return store_in(tmp_path, registry=PostgresRegistry(SecretStr(database.url)))


def applied_in_a_process(folder: Path, url: str, number: int) -> None:
    """Registers views of its own in a registry that others write at the same time."""
    settings = store_in(folder, registry=PostgresRegistry(SecretStr(url)))
    for turn in range(2):
        apply_views(settings, [replace(VIEW, name=f"view_{number}_{turn}")])


def test_views_that_processes_apply_at_the_same_time_to_a_new_registry_are_all_there(
    settings: StoreSettings, database: PostgresDatabase, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES) as pool:
        pool.starmap(applied_in_a_process, [(tmp_path, database.url, n) for n in range(PROCESSES)])
    expected = {f"view_{n}_{turn}" for n in range(PROCESSES) for turn in range(2)}
    assert {view.name for view in open_store(settings).list_feature_views()} == expected
    [(entities,)] = database.rows("SELECT count(*) FROM entities WHERE entity_name = 'airport'")
    assert entities == 1


def test_the_registry_holds_what_is_declared_and_nothing_besides(settings: StoreSettings) -> None:
    apply_definitions(settings, StoreDefinitions((VIEW, replace(VIEW, name="other"))))
    applied = apply_definitions(settings, StoreDefinitions((VIEW,)))
    assert applied.removed == ("other",)
    assert [view.name for view in open_store(settings).list_feature_views()] == ["delays"]


def test_two_processes_never_have_the_lock_at_once(
    settings: StoreSettings, database: PostgresDatabase
) -> None:
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    with registry_lock(settings):
        assert database.rows(held) == [(1,)]
        assert database.rows("SELECT pg_try_advisory_lock(x'71702d6665617374'::bigint)") == [
            (False,)
        ]
    assert database.rows(held) == [(0,)]


def test_the_file_for_feast_names_a_variable_and_holds_no_password(
    settings: StoreSettings, database: PostgresDatabase
) -> None:
    apply_views(settings, [VIEW])
    assert settings.yaml_file is not None
    text = settings.yaml_file.read_text(encoding="utf-8")
    password = make_url(database.url).password
    assert password is not None
    assert password not in text
    assert "path: ${QUALITY_PLATFORM_FEAST_REGISTRY}" in text
    assert password not in repr(settings)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"password": "hunter2wrong"}, MaterializationError),
        ({"port": 1}, FeatureStoreUnreachableError),
        ({"database": "there_is_none"}, MaterializationError),
    ],
)
def test_a_registry_that_cannot_be_used_is_told_without_its_password(
    settings: StoreSettings,
    database: PostgresDatabase,
    change: dict[str, object],
    kind: type[QualityPlatformError],
) -> None:
    url = make_url(database.url).set(**change).render_as_string(hide_password=False)  # type: ignore[arg-type]
    password = make_url(url).password
    assert password is not None
    broken = replace(settings, registry=PostgresRegistry(SecretStr(url)))
    with pytest.raises(kind, match="cannot be applied") as caught:
        apply_views(broken, [VIEW])
    assert password not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_url_of_another_kind_is_refused_without_being_shown(settings: StoreSettings) -> None:
    url = SecretStr("mysql://u:hunter2@h/d")
    with pytest.raises(ConfigurationError, match="not one of PostgreSQL") as caught:
        apply_views(replace(settings, registry=PostgresRegistry(url)), [VIEW])
    assert "hunter2" not in str(caught.value)
