"""Rows into any other online store, through Feast's own code: slower, and guarded as Feast does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quality_platform.feature_store.key_encoding import decoded_key
from quality_platform.feature_store.online_rows import NEVER, Claimed, Materialized, OnlineRows
from quality_platform.feature_store.wire_format import objects_of

if TYPE_CHECKING:
    from feast import FeatureView
    from feast.infra.online_stores.online_store import OnlineStore
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.repo_config import RepoConfig

_ROWS_AT_ONCE = 2_000


class StockWriter:
    """Hands rows to `online_write_batch` of Feast's store.

    Nothing is known of earlier materializations, and two at once may mix.
    """

    def __init__(self, store: OnlineStore, config: RepoConfig, view: FeatureView) -> None:
        self._store, self._config, self._view = store, config, view

    def claim(
        self,
        begun: int | None = None,  # noqa: ARG002 - nothing is kept
        *,
        rebuild: bool = False,
    ) -> Claimed:
        """Nothing to claim, and nothing known; see `OnlineWriter`."""
        return Claimed(rebuild=rebuild)

    def write(self, rows: OnlineRows) -> None:
        """Writes rows, as Feast guards them; see `OnlineWriter`."""
        for first in range(0, rows.batch.num_rows, _ROWS_AT_ONCE):
            some = OnlineRows(rows.view, rows.batch.slice(first, _ROWS_AT_ONCE))
            self._store.online_write_batch(self._config, self._view, _as_feast(some), None)

    def finish(self, done: Materialized | None) -> None:
        """Nothing is noted; see `OnlineWriter`."""

    def close(self) -> None:
        """Feast keeps the connection."""


def _as_feast(rows: OnlineRows) -> list[Any]:
    """Feast's rows: entity key, features by name, event time, created time."""
    from feast.protos.feast.types.Value_pb2 import Value

    names = list(rows.values)
    cells = zip(*map(objects_of, rows.values.values()), strict=True)
    values = [dict(zip(names, map(Value.FromString, row), strict=True)) for row in cells]
    keys = [_entity_key(rows, key) for key in objects_of(rows.keys)]
    view = rows.view
    events = rows.batch.column(view.event_timestamp).to_pylist()
    created: list[Any] = [None] * len(keys)
    if view.created_timestamp is not None and (rows.created != NEVER).any():
        created = rows.batch.column(view.created_timestamp).to_pylist()
    return list(zip(keys, values, events, created, strict=True))


def _entity_key(rows: OnlineRows, key: bytes) -> EntityKey:
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    found = decoded_key(key)
    fields = {name: f"{rows.view.keys[name].lower()}_val" for name in found}
    messages: Any = Value
    values = [messages(**{fields[name]: value}) for name, value in found.items()]
    return EntityKey(join_keys=list(found), entity_values=values)
