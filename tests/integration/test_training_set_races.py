"""Attempts at training sets that fail, die, or meet others: one version, and no pin too many."""

from __future__ import annotations

from typing import Any

import pytest
from support.project import Project
from support.training_sets import TABLE, loaded, make, manifests, pins, rows, with_training_set

from quality_platform.errors import ConcurrentLoadError, TrainingSetError
from quality_platform.flows import training_sets
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform
from quality_platform.lake.tags import tags_of


@pytest.fixture
def shop(project: Project) -> Project:
    return with_training_set(project)


@pytest.fixture
def platform(shop: Project) -> Platform:
    return loaded(shop)


def test_an_attempt_that_fails_leaves_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise TrainingSetError("on purpose")

    monkeypatch.setattr(training_sets, "require_rows", fails)
    with pytest.raises(TrainingSetError, match="on purpose"):
        make(platform)
    assert (manifests(platform), pins(platform)) == ({}, set())
    assert tags_of(platform.lake.table(TABLE)) == {}


class Killed(BaseException):
    """Stands for the death of the process."""


def test_what_a_dead_attempt_pinned_is_released_once_it_must_be_dead(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = loaded(shop)

    def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training_sets, "replace_and_tag", dies)
        with pytest.raises(Killed):
            make(platform)
    assert manifests(platform) == {}
    left = {("features.totals", "v1"), ("shop.orders", "v1")}
    assert pins(platform) == left
    list(maintain(platform, ("orders", "totals"), Wanted(("tags",))))
    assert pins(platform) == left
    (told, *_) = maintain(platform, ("orders",), Wanted(("tags",), force=True, dry_run=True))
    assert told.tags is not None
    assert len(told.tags.pins) == 1
    assert pins(platform) == left
    assert make(platform).state == "made"
    # Those of the version that was made meanwhile stay.
    list(maintain(platform, ("orders", "totals"), Wanted(("tags",), force=True)))
    assert pins(platform) == left
    assert make(platform, verify=True).verified


def test_of_two_makers_of_one_version_the_slower_finds_that_of_the_faster(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, faster = training_sets.replace_and_tag, []

    def late(*arguments: Any) -> Any:
        if not faster:
            faster.append(None)
            faster[0] = make(platform)
        return commit(*arguments)

    monkeypatch.setattr(training_sets, "replace_and_tag", late)
    slower = make(platform)
    assert (faster[0].state, slower.state) == ("made", "existing")
    assert slower.manifest == faster[0].manifest
    identifiers = ("features.totals", "shop.orders")
    assert {i: len(tags_of(platform.lake.table(i))) for i in identifiers} == dict.fromkeys(
        identifiers, 1
    )
    assert make(platform, verify=True).verified


def test_another_version_that_is_made_meanwhile_is_no_obstacle(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, others = training_sets.replace_and_tag, []

    def late(*arguments: Any) -> Any:
        if not others:
            others.append("v2")
            make(platform, "v2")
        return commit(*arguments)

    monkeypatch.setattr(training_sets, "replace_and_tag", late)
    make(platform)
    assert set(manifests(platform)) == {"v1", "v2"}
    assert [len(rows(platform, tag)) for tag in ("v1", "v2")] == [3, 3]


def test_losing_every_race_is_told(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def loses(*_: object) -> None:
        raise ConcurrentLoadError("lost")

    monkeypatch.setattr(training_sets, "replace_and_tag", loses)
    monkeypatch.setattr("quality_platform.flows.recording.ATTEMPTS", 2)
    with pytest.raises(ConcurrentLoadError, match="lost"):
        make(platform)
    assert pins(platform) == set()
