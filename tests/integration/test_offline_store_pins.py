"""Historical reads by the Iceberg offline store: which state of a table, by tag, time or branch."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.feature_lake import TABLE, FeatureLake, asked, stats, trips, view
from support.offline_reads import ROWS

from quality_platform.errors import TableNotFoundError
from quality_platform.feature_store.snapshots import pinned


@pytest.fixture
def home(tmp_path: Path) -> FeatureLake:
    return FeatureLake(tmp_path)


def a_moment() -> str:
    """Now, with commits at other milliseconds before and after."""
    time.sleep(0.01)
    now = datetime.now(UTC).isoformat()
    time.sleep(0.01)
    return now


def test_a_time_pins_what_readers_saw_then(home: FeatureLake) -> None:
    home.publish(stats((1, 0, 10)))
    first = a_moment()
    home.publish(stats((1, 1, 20)))
    second = a_moment()
    home.publish(stats((1, 2, 30)))
    home.apply(view())
    for pin, expected in ((first, 10), (second, 20), ("main", 30)):
        assert trips(home.store(refs={TABLE: pin}), asked((1, 9))) == [expected]


def test_a_time_without_a_zone_is_in_utc_and_a_day_begins_at_midnight(home: FeatureLake) -> None:
    snapshot = home.publish(stats((1, 0, 10)))
    pin = a_moment().removesuffix("+00:00")
    home.publish(stats((1, 1, 20)))
    assert pinned(home.lake, ROWS, pin).snapshot_id == snapshot
    with pytest.raises(TableNotFoundError, match="cannot be told"):
        pinned(home.lake, ROWS, "2020-01-01")


@pytest.mark.parametrize("pin", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_a_time_before_the_first_snapshot_or_to_come_is_refused(
    home: FeatureLake, pin: str
) -> None:
    home.publish(stats((1, 0, 10)))
    with pytest.raises(TableNotFoundError, match=r"a time from .* until now"):
        pinned(home.lake, ROWS, pin)


def test_a_time_whose_snapshot_has_expired_is_refused_and_not_guessed(home: FeatureLake) -> None:
    home.publish(stats((1, 0, 10)))
    gone = home.publish(stats((1, 1, 20)))
    pin = a_moment()
    home.publish(stats((1, 2, 30)))
    table = home.lake.table(TABLE)
    table.maintenance.expire_snapshots().by_id(gone).commit()
    with pytest.raises(TableNotFoundError, match="cannot be told"):
        pinned(home.lake, ROWS, pin)


def test_a_tag_that_is_called_like_a_time_or_a_number_is_the_tag(home: FeatureLake) -> None:
    old = home.publish(stats((1, 0, 10)))
    for name in ("2026-01-01", "20260101"):
        home.lake.table(TABLE).manage_snapshots().create_tag(old, name).commit()
    home.publish(stats((1, 1, 20)))
    for name in ("2026-01-01", "20260101"):
        assert pinned(home.lake, ROWS, name).snapshot_id == old


def test_a_branch_is_read_at_its_head(home: FeatureLake) -> None:
    old = home.publish(stats((1, 0, 10)))
    home.lake.table(TABLE).manage_snapshots().create_branch(old, "review").commit()
    home.publish(stats((1, 1, 20)))
    home.apply(view())
    assert trips(home.store(refs={TABLE: "review"}), asked((1, 9))) == [10]


def test_a_job_reads_the_snapshot_of_its_beginning_however_often(home: FeatureLake) -> None:
    snapshot = home.publish(stats((1, 0, 10)))
    store = home.apply(view())
    job = store.get_historical_features(entity_df=asked((1, 9)), features=["stats:trips"])
    first = job.to_arrow()
    home.publish(stats((1, 1, 20)))
    assert job.to_arrow().equals(first)
    assert job.snapshots == {TABLE: snapshot}
