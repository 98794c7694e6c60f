"""A feature store: applying views, materializing them, reading them online and back in time."""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import yaml

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.definitions import FeatureViewDefinition, StoreSettings
from quality_platform.feature_store.feast_objects import (
    feast_objects,
    feast_settings,
    holds_no_secret,
)
from quality_platform.feature_store.online import write_latest
from quality_platform.feature_store.point_in_time import event_time_bounds

if TYPE_CHECKING:
    from feast import FeatureStore


def open_store(settings: StoreSettings) -> FeatureStore:
    """Feast's own store over the same registry, online store and lake.

    `get_historical_features` reads the lake at the settings' refs; `get_online_features` reads what
    was materialized last. Opening takes seconds the first time in a process: Feast is imported.
    """
    with warnings.catch_warnings():
        # Feast's import switches on the DeprecationWarnings of the whole process.
        from feast import FeatureStore, RepoConfig

        for file in (settings.registry, settings.online_store):
            file.parent.mkdir(parents=True, exist_ok=True)
        return FeatureStore(config=RepoConfig(**feast_settings(settings)))


def apply_views(settings: StoreSettings, views: Sequence[FeatureViewDefinition]) -> None:
    """Registers the views and their entities, and makes room for them in the online store.

    Applying the same definitions again changes nothing. Views that are registered and not among
    `views` stay as they are. Beside the registry a `feature_store.yaml` is written, with which
    Feast's command line and `FeatureStore(repo_path=...)` work; where the catalog's properties can
    hold credentials there is none, because it would hold them too: open the store with
    `open_store` then.

    Raises:
        MaterializationError: a definition does not fit Feast, or Feast failed.
    """
    with _feast(settings, "the feature views cannot be applied"):
        store = open_store(settings)
        store.apply(feast_objects(views))
    _write_feature_store_yaml(settings)


def materialize(
    settings: StoreSettings,
    view: FeatureViewDefinition,
    start: datetime | None = None,
    end: datetime | None = None,
) -> int:
    """Writes the newest row of each entity to the online store; returns the number of entities.

    Event times from `start` to `end`, both inclusive; None means without bound. The whole time is
    read at one snapshot, so what is written is the newest there is and nothing newer is lost,
    although Feast's SQLite store itself lets an older row overwrite a newer one: narrower bounds and
    pinned refs can do that. Entities that are no longer in the table keep their last values.

    Raises:
        MaterializationError: the view is not applied, its rows cannot be told apart or do not fit
            Feast, or writing failed.
        TableNotFoundError: nothing has been published under the view's table.
    """
    from quality_platform.feature_store.snapshots import pinned

    ...
