"""A replay and a load of one table at the same time: both end as if one had waited."""

from __future__ import annotations

import pytest
from support.project import Project
from support.replays import changed, deliver, discarded, held, ids, loaded, orders, replayed

from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.outcomes import Progress
from quality_platform.flows.platform import Platform
from quality_platform.flows.replay import Replay, replay_table


def once_at(step: str, does: object) -> Progress:
    """Does something when a flow comes to a step for the first time."""
    left = [does]

    def progress(now: str, _: str) -> None:
        if now == step and left:
            left.pop()()  # type: ignore[operator]

    return progress


@pytest.fixture
def platform(project: Project) -> Platform:
    """Orders of which 2 and 3 were held back, a contract under which 2 passes, and more to load."""
    deliver(project, "a", (1, 5), (2, 50), (3, 500))
    loaded(project)
    deliver(project, "b", (2, 7), (4, 400), (5, 5))
    return changed(project, orders(100))


@pytest.mark.parametrize("step", ["staged", "checked", "quarantine_committed"])
def test_a_load_that_is_faster_makes_the_replay_start_over(platform: Platform, step: str) -> None:
    load = once_at(step, lambda: load_table(platform, "orders", "load"))
    outcome = replay_table(Replay(platform, "orders", "replay", progress=load))
    # The load has published another row with the key 2.
    assert (outcome.rows_selected, outcome.rows_published, outcome.rows_held) == (3, 0, 3)
    assert (ids(platform), held(platform)) == ([1, 2, 5], [2, 3, 4])


@pytest.mark.parametrize("step", ["staged", "checked", "quarantine_committed"])
def test_a_replay_that_is_faster_makes_the_load_start_over(platform: Platform, step: str) -> None:
    replay = once_at(step, lambda: replayed(platform))
    outcome = load_table(platform, "orders", "load", replay)
    assert (outcome.rows_published, outcome.rows_quarantined) == (1, 2)
    assert (ids(platform), held(platform)) == ([1, 2, 5], [2, 3, 4])


def test_of_two_replays_one_finds_what_the_other_has_left(platform: Platform) -> None:
    other = once_at("checked", lambda: replayed(platform, "faster"))
    outcome = replay_table(Replay(platform, "orders", "slower", progress=other))
    assert (outcome.rows_selected, outcome.rows_published) == (1, 0)
    assert (ids(platform), held(platform)) == ([1, 2], [3])


def test_what_is_discarded_meanwhile_is_not_published(platform: Platform) -> None:
    other = once_at("checked", lambda: discarded(platform, where="id = 2"))
    outcome = replay_table(Replay(platform, "orders", "slower", progress=other))
    assert (outcome.rows_selected, outcome.rows_published) == (1, 0)
    assert (ids(platform), held(platform)) == ([1], [3])


def test_compaction_meanwhile_takes_nothing_away(platform: Platform) -> None:
    load_table(platform, "orders", "load")
    compact = Wanted(("compact",), force=True)
    other = once_at("checked", lambda: list(maintain(platform, ["orders"], compact)))
    outcome = replay_table(Replay(platform, "orders", "slower", progress=other))
    assert (outcome.rows_selected, outcome.rows_published) == (3, 0)
    assert (ids(platform), held(platform)) == ([1, 2, 5], [2, 3, 4])
