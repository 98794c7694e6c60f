"""What is SQLite's own in materialization; the rest is in `test_online_materialization`."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from support.online_stores import (
    COUNTS,
    EVERYTHING,
    FEATURES,
    NEW_YEAR,
    applied,
    counted,
    counts,
    emptied,
    publish,
    roll_back,
    rows_of_everything,
    settings_of,
    stored,
    written_by_feast,
)

from quality_platform.feature_store.definitions import SqliteOnline, StoreSettings
from quality_platform.feature_store.sqlite_writer import last_snapshot
from quality_platform.feature_store.store import (
    materialize,
    materialize_snapshot,
    open_store,
)


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return settings_of(tmp_path, SqliteOnline(tmp_path / "feast" / "online.db"))


def test_a_table_of_feasts_with_rows_is_taken_over(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 5, 5)))
    applied(settings, COUNTS)
    import pandas as pd

    at = NEW_YEAR + timedelta(seconds=9)
    frame = pd.DataFrame({"person": ["ann", "eve"], "at": [at, at], "count": [9, 8]})
    open_store(settings).write_to_online_store("counts", df=frame)
    materialize(settings, COUNTS)
    assert counted(settings, "ann", "eve") == [9, 8]


def test_a_file_without_the_state_tells_of_no_snapshot(tmp_path: Path) -> None:
    file = tmp_path / "online.db"
    assert last_snapshot(file, "tests", "counts") is None
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE other (a)")
    assert last_snapshot(file, "tests", "counts") is None


@pytest.fixture
def new_york() -> Iterator[None]:
    """The process's time zone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("new_york")
def test_times_are_kept_as_feast_keeps_them_where_the_clock_is_not_utc(
    settings: StoreSettings,
) -> None:
    publish(settings, EVERYTHING, rows_of_everything(seed=1, persons=15))
    applied(settings, EVERYTHING)
    assert materialize(settings, EVERYTHING) == 30
    ours = stored(settings, "everything")
    emptied(settings.online_store)
    applied(settings, EVERYTHING)
    with written_by_feast():
        assert materialize(settings, EVERYTHING) == 30
    assert len(ours) == 30 * len(FEATURES)
    assert ours == stored(settings, "everything")


def test_the_file_of_an_earlier_version_is_gone_on_with(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 1)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    file = settings.online_store.path  # type: ignore[union-attr]
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("ALTER TABLE quality_platform_materialized DROP COLUMN begun")
        connection.execute("ALTER TABLE quality_platform_materialized DROP COLUMN rebuild")
    # Nothing is known of what that version had begun.
    assert last_snapshot(file, "tests", "counts") is None
    settings.lake.table(COUNTS.table).delete("person = 'ann'")
    assert materialize_snapshot(settings, "counts").extent == "changes"
    assert counted(settings, "ann", "bob") == [None, 1]
    head = settings.lake.table(COUNTS.table).current_snapshot()
    assert head is not None
    assert last_snapshot(file, "tests", "counts") == head.snapshot_id


def test_rows_that_leave_are_told_apart_within_one_second(settings: StoreSettings) -> None:
    first = publish(settings, COUNTS, counts(("ann", 1.25, 1)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    publish(settings, COUNTS, counts(("ann", 1.75, 2)))
    materialize(settings, COUNTS)
    roll_back(settings, COUNTS, first)
    materialize(settings, COUNTS)
    assert counted(settings, "ann") == [1]
