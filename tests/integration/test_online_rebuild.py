"""An online store that is lost or damaged is built anew from the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from support.online_stores import (
    COUNTS,
    EVERYTHING,
    NEW_YEAR,
    applied,
    counted,
    counts,
    emptied,
    publish,
    rows_of_everything,
    settings_of,
    stored,
    written_by_feast,
)

from quality_platform.errors import MaterializationError
from quality_platform.feature_store import online
from quality_platform.feature_store.definitions import OnlineLocation, StoreSettings
from quality_platform.feature_store.store import (
    materialize,
    materialize_snapshot,
    online_features,
    open_store,
)


@pytest.fixture
def settings(tmp_path: Path, online_store: OnlineLocation) -> StoreSettings:
    return settings_of(tmp_path, online_store)


def damaged(settings: StoreSettings) -> None:
    """Puts wrong values of a time to come, and an entity that the table does not have."""
    at = NEW_YEAR + timedelta(days=9999)
    frame = pd.DataFrame({"person": ["ann", "eve"], "at": [at, at], "count": [-1, -1]})
    open_store(settings).write_to_online_store("counts", df=frame)


def test_a_rebuilt_store_is_the_same_as_a_new_one(settings: StoreSettings) -> None:
    publish(settings, EVERYTHING, rows_of_everything(seed=5, persons=6))
    publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 2), ("person 1", 1, 3)))
    applied(settings, EVERYTHING, COUNTS)
    for view in ("everything", "counts"):
        materialize_snapshot(settings, view)
    sound = [stored(settings, view) for view in ("everything", "counts")]
    damaged(settings)
    assert counted(settings, "ann", "eve") == [-1, -1]
    written = materialize_snapshot(settings, "counts", rebuild=True)
    assert (written.rows, written.extent, written.notes) == (3, "rebuilt", ())
    assert [stored(settings, view) for view in ("everything", "counts")] == sound


def test_a_rebuild_fills_a_store_that_is_lost(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 2)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    emptied(settings.online_store)
    assert materialize_snapshot(settings, "counts", rebuild=True).rows == 2
    assert counted(settings, "ann", "bob") == [1, 2]
    publish(settings, COUNTS, counts(("bob", 2, 3)))
    assert materialize_snapshot(settings, "counts").extent == "changes"
    assert counted(settings, "ann", "bob") == [1, 3]


def test_a_rebuild_that_was_cut_short_is_completed_by_the_next_materialization(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1), ("bob", 1, 2)))
    applied(settings, COUNTS)
    materialize(settings, COUNTS)
    damaged(settings)

    def fails(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(online, "_rebuilt", fails)
        with pytest.raises(MaterializationError, match="the disk is full"):
            materialize_snapshot(settings, "counts", rebuild=True)
    assert materialize_snapshot(settings, "counts").extent == "rebuilt"
    assert counted(settings, "ann", "bob", "eve") == [1, 2, None]
    assert materialize_snapshot(settings, "counts").extent == "changes"


def test_a_store_that_feasts_own_code_writes_says_that_it_is_not_rebuilt(
    settings: StoreSettings,
) -> None:
    publish(settings, COUNTS, counts(("ann", 1, 1)))
    applied(settings, COUNTS)
    with written_by_feast():
        written = materialize_snapshot(settings, "counts", rebuild=True)
    assert (written.rows, written.extent) == (1, "whole")
    [note] = written.notes
    assert "nothing was removed" in note
    assert counted(settings, "ann") == [1]


def test_more_entities_than_are_looked_at_once_are_told_apart(settings: StoreSettings) -> None:
    publish(settings, COUNTS, counts(*((f"p{n}", 1, n) for n in range(12_345))))
    others = replace(COUNTS, name="others")
    applied(settings, COUNTS, others)
    materialize(settings, COUNTS)
    materialize(settings, others)
    settings.lake.table(COUNTS.table).delete("count < 6000")
    assert materialize_snapshot(settings, "counts", rebuild=True).rows == 6_345
    assert counted(settings, "p0", "p5999", "p6000", "p12344") == [None, None, 6000, 12_344]
    wanted = [{"person": "p0"}, {"person": "p12344"}]
    assert online_features(settings, ["others:count"], wanted)["count"] == [0, 12_344]
