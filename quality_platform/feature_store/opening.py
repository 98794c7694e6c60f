"""Feast's own store, opened without its effects on the process."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from quality_platform.feature_store.definitions import (
    SqliteOnline,
    SqliteRegistry,
    StoreSettings,
)
from quality_platform.feature_store.feast_settings import feast_settings

if TYPE_CHECKING:
    from feast import FeatureStore


def open_store(settings: StoreSettings) -> FeatureStore:
    """Feast's own store over the same registry, online store and lake.

    `get_historical_features` reads the lake at the settings' refs; `get_online_features` reads what
    was materialized last. Opening takes seconds the first time in a process: Feast is imported.

    Raises:
        SecretError: a secret of the settings cannot be had.
        ConfigurationError: the registry's URL is not one of PostgreSQL.
    """
    with warnings.catch_warnings():
        # Feast's import switches on the DeprecationWarnings of the whole process.
        from feast import FeatureStore, RepoConfig

        if isinstance(settings.registry, SqliteRegistry):
            settings.registry.path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(settings.online_store, SqliteOnline):
            settings.online_store.path.parent.mkdir(parents=True, exist_ok=True)
        return FeatureStore(config=RepoConfig(**feast_settings(settings)))
