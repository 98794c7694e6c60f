"""The table `events`: a project that loads it from a source that changes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.accounts import (
    assert_appended,
    assert_merged,
    assert_versions_kept,
    files_on_disk,
    needed_files,
)
from support.changing_source import ChangingSource
from support.postgres_database import PostgresDatabase, postgres_table
from support.project import Project, integer, key, number, predicate, text
from support.worker_server import Workers, WorkerServer

from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform

_AT = {"logicalType": "timestamp", "required": True}
_COLUMNS = {
    "id": key(integer()),
    "updated_at": _AT,
    "happened_at": _AT,
    "amount": number("decimal(12,2)"),
    "note": text(),
    "deleted": {"logicalType": "boolean"},
}
_NOT_NEGATIVE = predicate("amount_is_not_negative", "amount >= 0")
_LAYOUT = {"partition_by": ["day(happened_at)", "bucket(2, id)"], "sort_by": ["amount"]}
_FLAG = {"by": "flag", "column": "deleted", "value": True}
_APPEND = {"mode": "append", "incremental": {"cursor": "id"}}
_MERGE = {
    "mode": "merge",
    "incremental": {"cursor": "updated_at", "lookback": "1h"},
    "deletes": _FLAG,
}
_SNAPSHOT = {"mode": "snapshot", "order_by": "updated_at", "deletes": _FLAG}
UPKEEP = {"keep_snapshots": "0s", "keep_at_least": 1, "orphans_after": "0s"}
"""Upkeep that leaves nothing which is not needed now."""


@dataclass(frozen=True)
class Mode:
    """How the table is loaded.

    `keys` is how many rows each writer of the source changes, None to only add.
    """

    load: Mapping[str, Any]
    is_right: Callable[[Platform, ChangingSource], None]
    layout: Mapping[str, Any] = field(default_factory=dict)
    keys: int | None = None

    @property
    def merges(self) -> bool:
        """Whether rows take the place of others."""
        return self.keys is not None


MODES = {
    "append": Mode(_APPEND, assert_appended),
    "append_partitioned": Mode(_APPEND, assert_appended, _LAYOUT),
    "merge": Mode(_MERGE, assert_merged, keys=150),
    "merge_partitioned": Mode(_MERGE, assert_merged, _LAYOUT, keys=150),
    "snapshot": Mode(_SNAPSHOT, assert_versions_kept, keys=100),
}


@dataclass(frozen=True)
class Scene:
    """The table, its source, and the workers that load it; `stored` are the warehouse's files."""

    mode: Mode
    platform: Platform
    source: ChangingSource
    workers: Workers
    scratch: Path
    stored: Callable[[Platform], set[str]] = files_on_disk

    def load_to_the_end(self) -> None:
        """Nothing changes any more: one load, and everything is there."""
        with self.source.still():
            self._load()

    def assert_nothing_remains(self) -> None:
        """After a last load and upkeep all is right, and no file is left that nobody needs."""
        with self.source.still():
            self._load()
            done = list(maintain(self.platform, (), Wanted(force=True)))
            assert [upkeep.error for upkeep in done] == [None] * len(done)
            self.mode.is_right(self.platform, self.source)
        stored, needed = self.stored(self.platform), needed_files(self.platform)
        assert stored == needed, (stored - needed, needed - stored)
        assert list(self.scratch.glob("quality-platform-*")) == []

    def _load(self) -> None:
        assert self.workers.ask(lasts=0) == "by itself"
        self.mode.is_right(self.platform, self.source)


def set_scene(
    mode: Mode,
    project: Project,
    database: PostgresDatabase,
    server: WorkerServer,
    home: Path,
    *,
    seed: int = 1,
) -> Scene:
    """The table with its source, empty; other settings of the project are made before."""
    source = ChangingSource(database, "events", seed, mode.keys)
    source.create()
    postgres_table(project, database, "events", _COLUMNS, load=mode.load)
    project.contract("events", _COLUMNS, quality=[_NOT_NEGATIVE])
    project.tables["events"].update(mode.layout)
    project.settings["maintenance"] = UPKEEP
    workers = server.on(project.runner, home, "events")
    return Scene(mode, project.open(), source, workers, server.scratch)
