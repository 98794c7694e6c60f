"""Materializations that are killed at each of their steps, and what the store holds in the end.

    python killed_materializations.py FOLDER [REDIS_PORT [HOST]]

Into SQLite, or into the Redis at the port. In every story one materialization is killed: the
`first`, into an empty store, the `second`, of what was published since, the one that takes it
`back` when the table was rolled back, or a `rebuild` of a store with wrong values. Writes one JSON
object a line: the `story`, the `moment` of the kill, how the process `died`, and what the store
holds once the view was materialized again, `stored`.
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
    counts,
    emptied,
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
from quality_platform.feature_store.store import materialize_snapshot, open_store

VIEW = replace(
    COUNTS,
    features=pa.schema([("count", pa.int64()), ("twice", pa.int64()), ("name", pa.string())]),
)
PERSONS = [f"p{number:02}" for number in range(9)]
WATCHED = (
    (sqlite_writer.SqliteWriter, "claim"),
    (sqlite_writer.SqliteWriter, "write"),
    (sqlite_writer.SqliteWriter, "_upsert"),
    (sqlite_writer.SqliteWriter, "remove"),
    (sqlite_writer.SqliteWriter, "finish"),
    (redis_writer.RedisWriter, "claim"),
    (redis_writer.RedisWriter, "remove"),
    (redis_writer.RedisWriter, "finish"),
    (redis.connection.Connection, "send_packed_command"),
    (materializing, "_note"),
)


class Numbered(Events):
    """Events with a number for each time that the same one happens."""

    def _happen(self, name: str) -> None:
        times = sum(seen.rpartition(" ")[0] == name for seen in self.seen)
        super()._happen(f"{name} {times + 1}")


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


def materialize(
    settings: StoreSettings, kill_at: str | None, seen: Path, snapshot: int, rebuild: bool = False
) -> None:
    """One materialization of a snapshot, until it is killed."""
    make_small()
    events = Numbered(kill_at)
    for owner, name in WATCHED:
        events.watch(owner, name)
    pinned = replace(settings, refs={VIEW.table: str(snapshot)})
    materialize_snapshot(pinned, VIEW.name, rebuild=rebuild)
    seen.write_text(json.dumps({"events": events.seen, "modules": sorted(sys.modules)}))


def damage(settings: StoreSettings) -> None:
    """Puts values of a time to come into the store, one of them of somebody unknown."""
    import pandas as pd

    wrong = pd.DataFrame(rows(*((person, 10**8, 9) for person in (*PERSONS[:5], "nobody"))))
    open_store(settings).write_to_online_store(VIEW.name, df=wrong)


def look(location: OnlineLocation, told: Path) -> None:
    """Writes what the store holds."""
    if isinstance(location, SqliteOnline):
        held: Any = stored_in_sqlite(location.path, "tests_counts")
    elif isinstance(location, RedisOnline):
        held = sorted((key, sorted(f.items())) for key, f in stored_in_redis(location).items())
    told.write_text(f"{len(held)} {hashlib.sha256(repr(held).encode()).hexdigest()}")


def story(
    settings: StoreSettings, folder: Path, which: str, moment: str | None, is_begun: bool
) -> dict[str, Any]:
    """One life of a store; `is_begun` tells that the moment comes after the view was claimed."""
    first, second = json.loads((folder / "snapshots").read_text())
    before, killed, after = {
        "first": ([], first, second),
        "second": ([first], second, second),
        "back": ([second], first, first),
        "rebuild": ([second], second, second),
    }[which]
    emptied(settings.online_store)
    seen, told = folder / "seen", folder / "told"
    for snapshot in before:
        assert forked(partial(materialize, settings, None, seen, snapshot)) == "ended"
    if which == "rebuild":
        assert forked(partial(damage, settings)) == "ended"
    seen.unlink(missing_ok=True)
    rebuild = which == "rebuild"
    died = forked(partial(materialize, settings, moment, seen, killed, rebuild))
    events = json.loads(seen.read_text()) if seen.exists() else {"events": [], "modules": []}
    # One that has begun is completed also where nobody asks for it again.
    again = partial(materialize, settings, None, seen, after, rebuild and not is_begun)
    assert forked(again) == "ended"
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


def tell(found: dict[str, Any]) -> None:
    """Writes what became of a store."""
    sys.stdout.write(json.dumps({**found, "events": len(found["events"])}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """For each story: undisturbed, then killed at every one of its moments."""
    folder = Path(sys.argv[1])
    location: OnlineLocation = SqliteOnline(folder / "online" / "online.db")
    if len(sys.argv) > 2:
        host = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"
        location = RedisOnline(host, int(sys.argv[2]), db=8)
    settings = settings_of(folder, location)
    assert forked(partial(begin, settings, folder / "snapshots")) == "ended"
    for which in ("first", "second", "back", "rebuild"):
        undisturbed = story(settings, folder, which, None, is_begun=True)
        events = undisturbed["events"]
        claimed = events.index("begin > after claim 1")
        tell(undisturbed)
        for number, moment in enumerate(events):
            tell(story(settings, folder, which, moment, is_begun=number >= claimed))


if __name__ == "__main__":
    main()
