"""Reruns after failed checks: limited, later each time, and begun anew by a success."""

from __future__ import annotations

import json
import random

import pytest

from quality_platform.flows.reruns import (
    Chain,
    Rerun,
    RerunPolicy,
    TableEnd,
    after,
    due_reruns,
)

POLICY = RerunPolicy(max_reruns=3, delay_seconds=60, multiplier=2, max_delay_seconds=200)
BROKEN = frozenset({"row_count"})


def failed(run: str, at: float, root: str = "", attempt: int = 0) -> TableEnd:
    return TableEnd("orders", run, at, failed=BROKEN, root=root, attempt=attempt)


def passed(run: str, at: float, *checks: str) -> TableEnd:
    return TableEnd("orders", run, at, passed=frozenset(checks or BROKEN))


def test_a_failure_asks_for_a_rerun_once_its_delay_is_over():
    chains = after({}, failed("a", 1000), POLICY)
    assert due_reruns(chains, 1059)[0] == []
    asked, chains = due_reruns(chains, 1060)
    assert asked == [Rerun("orders", "a", 1)]
    assert due_reruns(chains, 9999)[0] == []


def test_each_delay_is_longer_up_to_the_longest_and_the_reruns_end_at_their_limit():
    chains, at, delays = after({}, failed("a", 0), POLICY), 0.0, []
    for attempt in (1, 2, 3):
        due = chains["orders"].due
        assert due is not None
        delays.append(due - at)
        at = due
        (rerun,), chains = due_reruns(chains, at)
        assert rerun == Rerun("orders", "a", attempt)
        chains = after(chains, failed(f"r{attempt}", at, "a", attempt), POLICY)
    assert delays == [60, 120, 200]
    assert chains["orders"].due is None


def test_after_the_last_rerun_only_a_success_allows_others():
    spent = {"orders": Chain("a", 3, None, ("row_count",))}
    assert after(spent, failed("b", 5), POLICY)["orders"].due is None
    again = after(after(spent, passed("c", 6), POLICY), failed("d", 7), POLICY)
    assert (again["orders"].root, again["orders"].reruns) == ("d", 0)
    assert again["orders"].due == 67


def test_a_success_before_the_rerun_makes_it_needless():
    chains = after(after({}, failed("a", 0), POLICY), passed("b", 10), POLICY)
    assert chains == {}


def test_only_the_checks_that_failed_end_a_chain():
    chains = after({}, failed("a", 0), POLICY)
    assert after(chains, passed("b", 10, "another"), POLICY) == chains


def test_another_failing_run_does_not_put_off_a_waiting_rerun():
    chains = after({}, failed("a", 0), POLICY)
    assert after(chains, failed("b", 50), POLICY)["orders"].due == 60


def test_another_failing_run_while_a_rerun_is_under_way_counts_with_it():
    _, chains = due_reruns(after({}, failed("a", 0), POLICY), 60)
    chains = after(chains, failed("b", 70), POLICY)
    chains = after(chains, failed("r1", 80, "a", 1), POLICY)
    assert chains["orders"] == Chain("a", 1, 190, ("row_count",))


def test_a_rerun_that_crashes_without_a_result_is_one_of_them():
    _, chains = due_reruns(after({}, failed("a", 0), POLICY), 60)
    crashed = TableEnd("orders", "r1", 100, root="a", attempt=1, crashed=True)
    assert after(chains, crashed, POLICY)["orders"] == Chain("a", 1, 220, ("row_count",))


def test_another_run_that_crashes_asks_for_nothing():
    assert after({}, TableEnd("orders", "a", 0, crashed=True), POLICY) == {}


def test_what_is_told_twice_changes_nothing():
    first = after({}, failed("a", 0), POLICY)
    _, asked = due_reruns(first, 60)
    assert after(asked, failed("r0", 0, "a", 0), POLICY) == asked


def test_a_cursor_that_was_lost_before_it_was_saved_asks_for_the_same_rerun():
    waiting = after({}, failed("a", 0), POLICY)
    assert due_reruns(waiting, 61)[0] == due_reruns(waiting, 99)[0]


def test_a_rerun_that_ended_before_the_cursor_was_saved_is_counted_by_its_tags():
    waiting = after({}, failed("a", 0), POLICY)
    chains = after(waiting, failed("r1", 90, "a", 1), POLICY)
    assert chains["orders"] == Chain("a", 1, 210, ("row_count",))


def test_a_rerun_whose_chain_is_forgotten_is_counted_by_its_tags():
    chains = after({}, failed("r2", 90, "a", 2), POLICY)
    assert (chains["orders"].root, chains["orders"].reruns) == ("a", 2)


def test_a_chain_is_kept_as_json():
    chain = Chain("a", 2, 12.5, ("one", "two"))
    assert Chain.from_json(json.loads(json.dumps(chain.to_json()))) == chain


@pytest.mark.parametrize("seed", range(20))
def test_there_are_never_more_reruns_than_allowed_between_two_successes(seed: int):
    chance = random.Random(seed)
    chains: dict[str, Chain] = {}
    since, asked_ever, now = 0, set(), 0.0
    for n in range(300):
        now += chance.uniform(0, 150)
        asked, chains = due_reruns(chains, now)
        since += len(asked)
        assert since <= POLICY.max_reruns
        for rerun in asked:
            assert rerun.name not in asked_ever
            asked_ever.add(rerun.name)
            end = failed(f"r{n}", now + 1, rerun.root, rerun.attempt)
            chains = after(chains, end, POLICY)
        if chance.random() < 0.05:
            chains, since = after(chains, passed(f"p{n}", now), POLICY), 0
        else:
            chains = after(chains, failed(f"o{n}", now), POLICY)
    assert len(asked_ever) > 3
