"""Materializations that are killed at each of their steps, and what the store holds in the end.

    python killed_materializations.py FOLDER [REDIS_PORT [HOST]]

Into SQLite, or into the Redis at the port. In every story one materialization is killed: the
`first`, into an empty store, or the `second`, of what was published since. Writes one JSON object
a line: the `story`, the `moment` of the kill, how the process `died`, and what the store holds
once the view was materialized again, `stored`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
import warnings
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import redis.connection
from support.crashing_runs import Events, forked
from support.online_stores import (
    COUNTS,
    applied,
    client_of,
    counts,
    publish,
    settings_of,
    stored_in_redis,
    stored_in_sqlite,
)

from quality_platform.feature_store import materializing, online, redis_writer, sqlite_writer
from quality_platform.feature_store.definitions import (
    OnlineLocation,
    RedisOnline,
    SqliteOnline,
    StoreSettings,
)
from quality_platform.feature_store.store import materialize_snapshot

VIEW = replace(
    COUNTS,
    features=pa.schema([("count", pa.int64()), ("twice", pa.int64()), ("name", pa.string())]),
)
PERSONS = [f"p{number:02}" for number in range(9)]
WATCHED = (
    (sqlite_writer.SqliteWriter, "claim"),
    (sqlite_writer.SqliteWriter, "write"),
    (sqlite_writer.SqliteWriter, "_upsert"),
    (sqlite_writer.SqliteWriter, "finish"),
    (redis_writer.RedisWriter, "claim"),
    (redis_writer.RedisWriter, "finish"),
    (redis.connection.Connection, "send_packed_command"),
    (materializing, "_note"),
)


def make_small() -> None:
    """Some rows need several transactions, statements and commands."""
    online._BATCH_ROWS = 7
    sqlite_writer._FEATURES_AT_ONCE = 2
    redis_writer._ROWS_AT_ONCE = 3
    redis_writer._COMMANDS_UNDER_WAY = 1


def rows(*found: tuple[str, float, int]) -> list[dict[str, Any]]:
    """Rows of (person, seconds after the New Year, count) with all features of the view."""
    return [{**row, "twice": 2 * row["count"], "name": row["person"]} for row in counts(*found)]


def begin(settings: StoreSettings, told: Path) -> None:
    """Two snapshots: everybody, then newer, late and new rows."""
    first = publish(settings, VIEW, rows(*((person, 5, 1) for person in PERSONS)))
    changed = [(person, (3, 6, 7)[n % 3], 2) for n, person in enumerate(PERSONS)]
    second = publish(settings, VIEW, rows(*changed, ("new", 1, 3)))
    applied(settings, VIEW)
    told.write_text(json.dumps([first, second]))


def materialize(settings: StoreSettings, snapshot: int, kill_at: str | None, seen: Path) -> None:
    """One materialization of a snapshot, until it is killed."""
    make_small()
    events = Events(kill_at)
    for owner, name in WATCHED:
        events.watch(owner, name)
    materialize_snapshot(replace(settings, refs={VIEW.table: str(snapshot)}), VIEW.name)
    seen.write_text(json.dumps({"events": events.seen, "modules": sorted(sys.modules)}))


def look(location: OnlineLocation, told: Path) -> None:
    """Writes what the store holds."""
    if isinstance(location, SqliteOnline):
        held: Any = stored_in_sqlite(location.path, "tests_counts")
    elif isinstance(location, RedisOnline):
        held = sorted((key, sorted(f.items())) for key, f in stored_in_redis(location).items())
    told.write_text(f"{len(held)} {hashlib.sha256(repr(held).encode()).hexdigest()}")


def emptied(location: OnlineLocation) -> None:
    """Nothing of an earlier story is left."""
    if isinstance(location, SqliteOnline):
        for file in location.path.parent.glob(f"{location.path.name}*"):
            file.unlink()
    elif isinstance(location, RedisOnline):
        with client_of(location) as client:
            client.flushdb()


def story(settings: StoreSettings, folder: Path, which: str, moment: str | None) -> dict[str, Any]:
    """One life of a store."""
    first, second = json.loads((folder / "snapshots").read_text())
    emptied(settings.online_store)
    seen, told = folder / "seen", folder / "told"
    seen.unlink(missing_ok=True)
    snapshot = first
    if which == "second":
        assert forked(partial(materialize, settings, first, None, seen)) == "ended"
        seen.unlink()
        snapshot = second
    died = forked(partial(materialize, settings, snapshot, moment, seen))
    events = json.loads(seen.read_text()) if seen.exists() else {"events": [], "modules": []}
    assert forked(partial(materialize, settings, second, None, seen)) == "ended"
    assert forked(partial(look, settings.online_store, told)) == "ended"
    # What a process imports late need not be imported by every process anew.
    for module in events["modules"]:
        with suppress(ImportError), warnings.catch_warnings():
            importlib.import_module(module)
    return {
        "story": which,
        "moment": moment,
        "died": died,
        "stored": told.read_text(),
        "events": events["events"],
    }


def main() -> None:
    """For each story: undisturbed, then killed at every one of its moments."""
    folder = Path(sys.argv[1])
    location: OnlineLocation = SqliteOnline(folder / "online" / "online.db")
    if len(sys.argv) > 2:
        host = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"
        location = RedisOnline(host, int(sys.argv[2]), db=8)
    settings = settings_of(folder, location)
    assert forked(partial(begin, settings, folder / "snapshots")) == "ended"
    for which in ("first", "second"):
        moments: list[str | None] = [None]
        while moments:
            told = story(settings, folder, which, moments.pop(0))
            moments += told.pop("events")
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
