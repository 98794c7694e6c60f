"""Taking one entity out of the feature store: from the tables, and from the online store."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.definitions import StoreSettings
from quality_platform.feature_store.guarding import feast_errors
from quality_platform.feature_store.online import Target, writer_of
from quality_platform.feature_store.online_rows import OnlineEraser, OnlineView
from quality_platform.feature_store.opening import open_store
from quality_platform.lake.maintenance.erasure import Erasure, erase_rows
from quality_platform.lake.maintenance.removal import Writing

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView


@dataclass(frozen=True)
class ErasedEntity:
    """What one feature view had of an entity.

    `online` is how many entity keys were removed from the online store: several where the view
    has other join keys too. `offline` tells of its table.
    """

    view: str
    table: str
    online: int
    offline: Erasure


def erase_entity(
    settings: StoreSettings, entity: str, value: str | int, writing: Writing, *, dry_run: bool
) -> tuple[ErasedEntity, ...]:
    """Removes an entity from all registered views that it is an entity of.

    First the rows of the table, then those online: a materialization that begins in between reads
    a table without them, and one that was under way is stopped. Done again, it completes what was
    cut short. What the views are computed from still has the entity, and the next computation
    brings it back: remove it there first.

    Args:
        settings: the store.
        entity: the entity's name in Feast.
        value: its join key's value.
        writing: how data files are written anew.
        dry_run: only tells what would be removed.

    Raises:
        MaterializationError: Feast knows no such entity, the value is not of its type, or its
            online store is of another kind than SQLite or Redis.
        ConcurrentLoadError: the table was changed meanwhile: start over.
        FeatureStoreUnreachableError: the registry or the online store does not answer.
        LakeError: the lake cannot be used.
    """
    with feast_errors(settings, "the entity cannot be erased"):
        store = open_store(settings)
        join_key, views = _views_of(store, entity)
        return tuple(
            _erased(settings, store, view, join_key, value, writing, dry_run=dry_run)
            for view in views
        )


def _views_of(store: FeatureStore, entity: str) -> tuple[str, list[FeatureView]]:
    known = {found.name: found.join_key for found in store.list_entities()}
    if entity not in known:
        raise MaterializationError(
            "Feast knows no such entity",
            field=entity,
            allowed=sorted(name for name in known if not name.startswith("__")),
        )
    return known[entity], [view for view in store.list_feature_views() if entity in view.entities]


def _erased(  # noqa: PLR0913 - one step of the function above
    settings: StoreSettings,
    store: FeatureStore,
    view: FeatureView,
    join_key: str,
    value: str | int,
    writing: Writing,
    *,
    dry_run: bool,
) -> ErasedEntity:
    from quality_platform.feature_store.iceberg_offline_store import rows_of

    rows, target = rows_of(view), Target(store.provider.online_store, store.config, view)
    offline, table = Erasure(), settings.lake.find_table(rows.table)
    if table is not None:
        column = rows.source(join_key)
        offline = erase_rows(settings.lake, table, column, value, writing, dry_run=dry_run)
    online = _erase_online(target, join_key, value, dry_run=dry_run)
    return ErasedEntity(view.name, rows.table, online, offline)


def _erase_online(target: Target, join_key: str, value: str | int, *, dry_run: bool) -> int:
    view = OnlineView.of(target.view, target.config)
    writer, _ = writer_of(target, view)
    with closing(writer):
        if not isinstance(writer, OnlineEraser):
            raise MaterializationError(
                "entities can be erased from SQLite and Redis only",
                field=view.name,
                received=type(target.store).__name__,
                action="remove the entity with the store's own tools",
            )
        if not dry_run:
            writer.claim()
        return writer.erase({join_key: value}, dry_run=dry_run)
