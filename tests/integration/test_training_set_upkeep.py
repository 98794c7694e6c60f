"""The end of versions: removed by somebody, expired, or made impossible to make again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.project import Project, data_files, rows_of_table
from support.shop import ORDERS
from support.training_sets import (
    TABLE,
    deliver_more,
    loaded,
    make,
    manifests,
    pins,
    with_training_set,
)

from quality_platform.errors import ConfigurationError, TableNotFoundError, TrainingSetError
from quality_platform.flows import training_upkeep
from quality_platform.flows.decisions import Decision
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform
from quality_platform.flows.training_export import training_rows
from quality_platform.flows.training_upkeep import remove_version, versions
from quality_platform.history.training_sets import training_set_events
from quality_platform.lake.tags import tags_of

WHY = Decision("ada", "trained on the wrong month")


@pytest.fixture
def shop(project: Project) -> Project:
    return with_training_set(project)


def events(platform: Platform) -> list[tuple[str, str, str, str]]:
    found = training_set_events(platform.lake, platform.engine)
    return [(e["event"], e["tag"], e["by"], e["reason"]) for e in found]


def two_versions(shop: Project) -> Platform:
    make(loaded(shop))
    platform = deliver_more(shop, 1)
    make(platform, "v2")
    return platform


def files_of_set() -> str:
    return "training_sets/**/*.parquet"


@pytest.mark.parametrize(("tag", "other", "head"), [("v1", "v2", 6), ("v2", "v1", 3)])
def test_a_removed_version_is_gone_with_its_rows_and_pins(
    shop: Project, tag: str, other: str, head: int
) -> None:
    platform = two_versions(shop)
    before = data_files(platform, files_of_set())
    remove_version(platform, "churn", tag, WHY)
    assert list(manifests(platform)) == [other]
    assert len(before - data_files(platform, files_of_set())) == 1
    assert pins(platform) == {("features.totals", other), ("shop.orders", other)}
    assert len(rows_of_table(platform, TABLE)) == head
    assert make(platform, other, verify=True).verified
    assert events(platform)[-1] == ("removed", tag, "ada", "trained on the wrong month")
    # The name is free again.
    assert make(platform, tag).state == "made"


def test_of_the_last_version_no_row_stays(shop: Project) -> None:
    platform = loaded(shop)
    make(platform)
    remove_version(platform, "churn", "v1", WHY)
    assert data_files(platform, files_of_set()) == set()
    assert rows_of_table(platform, TABLE) == []
    assert versions(platform, "churn") == []
    assert make(platform).state == "made"
    assert len(rows_of_table(platform, TABLE)) == 3


def test_a_removal_needs_a_reason_and_a_version(shop: Project) -> None:
    platform = loaded(shop)
    make(platform)
    with pytest.raises(ConfigurationError, match="for a reason"):
        remove_version(platform, "churn", "v1", Decision("ada", " "))
    with pytest.raises(TrainingSetError, match="no version 'v9'"):
        remove_version(platform, "churn", "v9", WHY)
    with pytest.raises(TrainingSetError, match="no training set 'chrun'"):
        versions(platform, "chrun")
    assert remove_version(platform, "churn", "v1", WHY, dry_run=True).manifest.rows == 3
    assert list(manifests(platform)) == ["v1"]


def later(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(days=days)

    monkeypatch.setattr(training_upkeep, "datetime", Later)


def test_upkeep_removes_what_was_kept_long_enough(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = two_versions(shop)
    (state, _) = versions(platform)
    made_at = datetime.fromisoformat(state.manifest.made_at)
    assert state.expires_at == made_at + timedelta(days=365)
    tags = Wanted(("tags",))
    assert not [one for one in maintain(platform, (), tags) if one.tags and one.tags.versions]
    later(monkeypatch, 366)
    dry = [one.tags for one in maintain(platform, (), Wanted(("tags",), dry_run=True))]
    assert ("v1", "v2") in [one.versions for one in dry if one]
    assert list(manifests(platform)) == ["v1", "v2"]
    list(maintain(platform, (), tags))
    assert manifests(platform) == {}
    assert pins(platform) == set()
    assert events(platform)[-2:] == [
        ("expired", tag, "upkeep", "kept for 365d") for tag in ("v1", "v2")
    ]


def test_the_time_to_keep_is_that_of_today_and_of_then_where_nothing_is_declared(
    shop: Project,
) -> None:
    make(loaded(shop))
    settings = shop.settings["training_sets"]
    settings["churn"]["keep"] = "7d"
    (state,) = versions(shop.open())
    assert state.expires_at == datetime.fromisoformat(state.manifest.made_at) + timedelta(days=7)
    del settings["churn"]["keep"]
    assert [state.expires_at for state in versions(shop.open())] == [None]
    del settings["churn"]
    (state,) = versions(shop.open())
    assert state.expires_at == datetime.fromisoformat(state.manifest.made_at) + timedelta(days=365)


def test_retention_is_stronger_than_a_pin_and_the_version_says_so(shop: Project) -> None:
    made = make(loaded(shop))
    retention = {"property": "retention", "value": 30, "unit": "d", "element": "orders.placed_at"}
    contract = shop.contract("orders", ORDERS)
    text = contract.read_text()
    contract.write_text(f"{text}slaProperties:\n- {retention}\n")
    platform = shop.open()
    wanted = Wanted(("retention",), force=True)
    (upkeep, _) = maintain(platform, ("orders",), wanted)
    assert upkeep.retention is not None
    assert upkeep.retention.refs == (made.manifest.refs["shop.orders"].tag,)
    (state,) = versions(platform)
    assert state.lost == ("shop.orders",)
    assert training_rows(platform, TABLE, manifests(platform)["v1"]).num_rows == 3
    # Its features are still pinned, and its entity rows are its own.
    assert make(platform, verify=True).verified
    table = platform.lake.table("features.totals")
    table.manage_snapshots().remove_tag(made.manifest.refs["features.totals"].tag).commit()
    with pytest.raises(TableNotFoundError, match="is gone"):
        make(platform, verify=True)


def test_other_tags_and_branches_of_people_stay(shop: Project, tmp_path: Path) -> None:
    platform = loaded(shop)
    table = platform.lake.table("shop.orders")
    head = table.current_snapshot().snapshot_id
    for name in ("training-set.churn", "training-set.churn.v1.2026", "q1"):
        table.manage_snapshots().create_tag(head, name).commit()
    make(platform)
    remove_version(platform, "churn", "v1", WHY)
    list(maintain(platform, (), Wanted(("tags", "expire"), force=True)))
    names = {"training-set.churn", "training-set.churn.v1.2026", "q1"}
    assert set(tags_of(platform.lake.table("shop.orders"))) == names


def test_rows_that_have_another_name_stay_under_that(shop: Project) -> None:
    platform = loaded(shop)
    made = make(platform)
    platform.lake.table(TABLE).manage_snapshots().create_tag(made.snapshot_id, "mine").commit()
    remove_version(platform, "churn", "v1", WHY)
    assert versions(platform, "churn") == []
    assert len(rows_of_table(platform, TABLE, "mine")) == len(rows_of_table(platform, TABLE)) == 3
