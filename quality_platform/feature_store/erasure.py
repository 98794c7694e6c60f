"""Taking one entity out of the feature store: from the tables, and from the online store."""

from __future__ import annotations

from collections.abc import Collection
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
    settings: StoreSettings,
    entity: str,
    value: str | int,
    writing: Writing,
    *,
    dry_run: bool,
    only: Collection[str] = (),
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
        only: the views that are meant; all for ().

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
        asked = _Asked(settings, store, join_key, value, writing, dry_run)
        return tuple(asked.erased(view) for view in views if not only or view.name in only)


def _views_of(store: FeatureStore, entity: str) -> tuple[str, list[FeatureView]]:
    known = {found.name: found.join_key for found in store.list_entities()}
    if entity not in known:
        raise MaterializationError(
            "Feast knows no such entity",
            field=entity,
            allowed=sorted(name for name in known if not name.startswith("__")),
        )
    return known[entity], [view for view in store.list_feature_views() if entity in view.entities]


@dataclass(frozen=True)
class _Asked:
    settings: StoreSettings
    store: FeatureStore
    join_key: str
    value: str | int
    writing: Writing
    dry_run: bool

    def erased(self, view: FeatureView) -> ErasedEntity:
        """Removes the entity from one view."""
        from quality_platform.feature_store.iceberg_offline_store import rows_of

        rows, lake = rows_of(view), self.settings.lake
        offline, table = Erasure(), lake.find_table(rows.table)
        if table is not None:
            column = rows.source(self.join_key)
            offline = erase_rows(
                lake, table, column, self.value, self.writing, dry_run=self.dry_run
            )
        return ErasedEntity(view.name, rows.table, self._erased_online(view), offline)

    def _erased_online(self, registered: FeatureView) -> int:
        target = Target(self.store.provider.online_store, self.store.config, registered)
        view = OnlineView.of(registered, self.store.config)
        writer, _ = writer_of(target, view)
        with closing(writer):
            if not isinstance(writer, OnlineEraser):
                raise MaterializationError(
                    "entities can be erased from SQLite and Redis only",
                    field=view.name,
                    received=type(target.store).__name__,
                    action="remove the entity with the store's own tools",
                )
            if not self.dry_run:
                writer.claim()
            return writer.erase({self.join_key: self.value}, dry_run=self.dry_run)
