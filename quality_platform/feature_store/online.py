"""Writing to the online store, straight from Arrow.

Feast's own way goes through pandas: integers beside missing values become floats there, and numbers
above 2**53 other numbers; and it makes several objects of every cell. Here every value arrives as
it is in the lake.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from quality_platform.feature_store import point_in_time
from quality_platform.feature_store.online_rows import (
    Claimed,
    Materialized,
    OnlineEraser,
    OnlineRows,
    OnlineView,
    OnlineWriter,
)
from quality_platform.feature_store.rebuilding import key_comparison
from quality_platform.feature_store.redis_writer import MOST_FEATURES, RedisWriter
from quality_platform.feature_store.snapshots import Snapshot
from quality_platform.feature_store.sqlite_writer import SqliteWriter
from quality_platform.feature_store.stock_writer import StockWriter
from quality_platform.feature_store.taken_back import taken_back
from quality_platform.feature_store.value_encoding import why_stock
from quality_platform.feature_store.wire_format import objects_of
from quality_platform.lake.query import quote_identifier

if TYPE_CHECKING:
    from feast import FeatureView
    from feast.infra.online_stores.online_store import OnlineStore
    from feast.repo_config import RepoConfig

_BATCH_ROWS = 10_000
"""Rows of one transaction: SQLite locks out other writers while it lasts."""

_FORMAT = 1
"""Changes when the same rows are written in another way: everything is materialized anew then."""

_VECTORS = ("vector_enabled", "text_search_enabled", "enable_openai_compatible_store")
"""Settings of Feast's SQLite store with which it keeps more beside each value."""


_EXPIRED = (
    "a snapshot that was materialized before is no longer there: entities that have left the table "
    "since may still be online, until the view is rebuilt"
)
_NOT_REBUILT = (
    "all rows were written, but nothing was removed: Feast's own code cannot rebuild this store"
)


@dataclass(frozen=True)
class Written:
    """What a materialization did: `rows` entities were written or found to be newer in the store.

    `extent` is `whole` for all entities of the snapshot, `changes` for those in data files that the
    last materialization had not seen, `period` for those of some event times, and `rebuilt` for a
    store that has these entities only. `taken_back` counts those whose newest row had left the
    table: they were removed, or have an older row now. `notes` say why something took the slow way
    or could not be told.
    """

    rows: int
    extent: Literal["whole", "changes", "period", "rebuilt"]
    notes: tuple[str, ...] = ()
    taken_back: int = 0


@dataclass(frozen=True)
class Target:
    """A view in an online store that Feast has opened."""

    store: OnlineStore
    config: RepoConfig
    view: FeatureView


def write_snapshot(
    target: Target,
    snapshot: Snapshot,
    *,
    is_current: Callable[[], None] = lambda: None,
    rebuild: bool = False,
) -> Written:
    """Brings the store to the newest row of each entity in a snapshot.

    What has changed since the last materialization is told by data files: rows that were published
    since are in files that its snapshot did not have, rows that have left the table in files that
    this one does not have. Where that snapshot has expired, or the view's definition has changed,
    all rows are read. Killed at any moment, the same call again ends with the same store.

    Args:
        target: the view.
        snapshot: its rows.
        is_current: called once the view is claimed; raises where a newer snapshot is to be written
            instead. Checked before, a newer one could come between.
        rebuild: writes all rows whatever the store has, and removes all other entities. One that
            was cut short is completed by the next call, whether it asks for it or not.

    Raises:
        MaterializationError: the rows cannot be read, or a value is not Feast's.
        ConcurrentLoadError: another materialization of the view has begun.
    """
    view = OnlineView.of(target.view, target.config)
    done = _done(snapshot, _definition(target.view, view, snapshot))
    writer, notes = writer_of(target, view)
    with closing(writer):
        claimed = writer.claim(snapshot.snapshot_id, rebuild=rebuild)
        is_current()
        if claimed.rebuild and isinstance(writer, OnlineEraser):
            written = _rebuilt(writer, view, snapshot)
        else:
            written = _brought_up(writer, view, snapshot, claimed, done)
        writer.finish(done)
    return replace(written, notes=(*notes, *written.notes))


def _brought_up(
    writer: OnlineWriter,
    view: OnlineView,
    snapshot: Snapshot,
    claimed: Claimed,
    done: Materialized | None,
) -> Written:
    """Writes what is new, then takes back what is no longer there."""
    extent: Literal["whole", "changes"] = "whole"
    known, last = _still_there(snapshot, claimed.snapshots), claimed.last
    is_same_view = last is not None and done is not None and last.definition == done.definition
    if last is not None and is_same_view and last.snapshot_id in known:
        extent, snapshot = "changes", replace(snapshot, since=last.snapshot_id)
    rows, notes = _write(writer, view, snapshot, writer.write)
    count = 0
    if isinstance(writer, OnlineEraser):
        for now, taken in taken_back(snapshot, known, _BATCH_ROWS):
            _take_back(writer, view, now, taken)
            count += taken.num_rows
    if len(known) < len(claimed.snapshots):
        notes.append(_EXPIRED)
    if claimed.rebuild:
        notes.append(_NOT_REBUILT)
    return Written(rows, extent, tuple(notes), count)


def _still_there(snapshot: Snapshot, ids: Sequence[int]) -> list[int]:
    """Those of the snapshots that have not expired."""
    if not ids:
        return []
    table = snapshot.lake.table(snapshot.rows.table)
    return [one for one in ids if table.snapshot_by_id(one) is not None]


def _take_back(
    writer: OnlineEraser, view: OnlineView, now: pa.RecordBatch | None, taken: pa.RecordBatch
) -> None:
    before = OnlineRows(view, taken)
    if now is None:
        writer.remove(objects_of(before.keys), before)
    else:
        writer.overwrite(OnlineRows(view, now), before)


def _rebuilt(writer: OnlineEraser, view: OnlineView, snapshot: Snapshot) -> Written:
    """Writes all rows, then removes all entities that were not among them.

    In this order, so that those who read meanwhile find every entity.
    """
    with key_comparison(snapshot.settings) as keys:

        def put(rows: OnlineRows) -> None:
            keys.wanted(rows.keys)
            writer.overwrite(rows)

        count, notes = _write(writer, view, snapshot, put)
        for some in writer.stored_keys():
            keys.stored(some)
        for unwanted in keys.unwanted():
            writer.remove(unwanted)
    return Written(count, "rebuilt", tuple(notes))


def _done(snapshot: Snapshot, definition: str) -> Materialized | None:
    head = snapshot.snapshot_id
    return None if head is None else Materialized(head, definition)


def write_period(target: Target, snapshot: Snapshot, first: datetime, last: datetime) -> Written:
    """Writes the newest row of each entity among those of a period, both ends included.

    An entity of which the store has a newer row keeps that one.

    Raises:
        MaterializationError: the rows cannot be read, or a value is not Feast's.
        ConcurrentLoadError: another materialization of the view has begun.
    """
    view = OnlineView.of(target.view, target.config)
    writer, notes = writer_of(target, view)
    with closing(writer):
        writer.claim(snapshot.snapshot_id)
        rows, slow = _write(writer, view, snapshot, writer.write, (first, last))
        writer.finish(None)
    return Written(rows, "period", (*notes, *slow))


def _write(
    writer: OnlineWriter,
    view: OnlineView,
    snapshot: Snapshot,
    write: Callable[[OnlineRows], None],
    period: tuple[datetime | None, datetime | None] = (None, None),
) -> tuple[int, list[str]]:
    """Writes what there is; how many rows, and which features went the slow way."""
    written, notes = 0, []
    order = _key_order(view) if isinstance(writer, SqliteWriter) else ""
    for batch in point_in_time.latest(snapshot, *period, _BATCH_ROWS, order):
        if not written:
            notes = _slow_features(view, batch.schema)
        if batch.num_rows:
            write(OnlineRows(view, batch))
        written += batch.num_rows
    return written, notes


def writer_of(target: Target, view: OnlineView) -> tuple[OnlineWriter, list[str]]:
    """The fastest writer for a store, and why there is no faster one."""
    store, config = target.store, target.config
    kind = f"{type(store).__module__}.{type(store).__name__}".rpartition("online_stores.")[2]
    settings = config.online_store
    if kind == "sqlite.SqliteOnlineStore" and not any(getattr(settings, n) for n in _VECTORS):
        path = Path(settings.path)
        base = config.repo_path if config.repo_path and not path.is_absolute() else Path()
        return SqliteWriter(base / path, view), []
    fits = kind == "redis.RedisOnlineStore" and len(view.features) <= MOST_FEATURES
    if fits and settings.redis_type != "redis_cluster":
        client = store._get_client(settings)  # type: ignore[attr-defined]
        return RedisWriter(client, view, settings.key_ttl_seconds or 0), []
    why = f"written by Feast's own code, without a memory of earlier runs: {kind} as configured"
    return StockWriter(store, config, target.view), [why]


def _slow_features(view: OnlineView, schema: pa.Schema) -> list[str]:
    slow = (
        (name, why_stock(schema.field(name).type, kind)) for name, kind in view.features.items()
    )
    return [f"{name} is encoded by Feast's own code: {why}" for name, why in slow if why]


def _key_order(view: OnlineView) -> str:
    """SQL that sorts rows as their encoded keys: a tree that grows at its end is written fastest.

    Numbers are encoded lowest byte first, text begins with its length.
    """
    order: list[str] = []
    for name in sorted(view.keys):
        column, kind = quote_identifier(name), view.keys[name]
        if kind in ("INT32", "INT64"):
            shifts = range(0, 32 if kind == "INT32" else 64, 8)
            order += [f"({column} >> {shift}) & 255" for shift in shifts]
        else:
            order += [f"strlen({column})" if kind == "STRING" else "0", column]
    return ", ".join(order)


def _definition(registered: FeatureView, view: OnlineView, snapshot: Snapshot) -> str:
    """What tells whether rows that were materialized before would be written in the same way.

    Feast's time of the view's registration is part of it: with a view that is taken away, its rows
    go from the store.
    """
    rows = snapshot.rows
    parts: dict[str, Any] = {
        "format": _FORMAT,
        "table": rows.table,
        "columns": [(name, rows.source(name)) for name in rows.columns],
        "keys": sorted(view.keys.items()),
        "features": sorted(view.features.items()),
        "times": rows.timestamps,
        "registered": str(registered.created_timestamp),
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
