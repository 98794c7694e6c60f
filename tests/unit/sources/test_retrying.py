"""Trying again to open a source: only what may pass, only for seconds, never sooner than asked."""

from __future__ import annotations

import pytest

from quality_platform.errors import SourceAccessError, SourceUnreachableError
from quality_platform.sources import retrying
from quality_platform.sources.retrying import opened


class Source:
    """Fails so many times before it answers."""

    def __init__(self, failures: int, retry_after: float | None = None) -> None:
        self.failures = failures
        self.retry_after = retry_after
        self.calls = 0

    def ask(self) -> str:
        self.calls += 1
        if self.calls > self.failures:
            return "answer"
        error = SourceUnreachableError(f"failure {self.calls}")
        error.retry_after_seconds = self.retry_after
        raise error


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, without making them."""
    made: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", made.append)
    return made


def test_a_source_that_fails_for_a_while_is_asked_until_it_answers(pauses: list[float]) -> None:
    source, told = Source(3), list[str]()
    assert opened(source.ask, 60, told.append) == "answer"
    assert (source.calls, len(pauses)) == (4, 3)
    assert [sentence.split(";")[0] for sentence in told] == ["failure 1", "failure 2", "failure 3"]


def test_pauses_are_random_and_grow_up_to_a_bound(pauses: list[float]) -> None:
    for _ in range(30):
        opened(Source(6).ask, 60)
    assert len(set(pauses)) > 100
    assert max(pauses[::6]) <= retrying.FIRST_PAUSE_SECONDS
    assert retrying.FIRST_PAUSE_SECONDS < max(pauses) <= retrying.LONGEST_PAUSE_SECONDS


def test_no_attempt_begins_after_the_time_is_over(pauses: list[float]) -> None:
    source = Source(10_000)
    with pytest.raises(SourceUnreachableError, match="failure 1"):
        opened(source.ask, 0)
    assert (source.calls, pauses) == (1, [])


def test_a_source_is_not_asked_sooner_than_it_says(pauses: list[float]) -> None:
    assert opened(Source(2, retry_after=7.5).ask, 60) == "answer"
    assert pauses == [7.5, 7.5]


def test_an_error_is_told_at_once_where_the_source_asks_for_more_time_than_there_is(
    pauses: list[float],
) -> None:
    source = Source(1, retry_after=120)
    with pytest.raises(SourceUnreachableError):
        opened(source.ask, 60)
    assert (source.calls, pauses) == (1, [])


def test_an_error_that_would_only_repeat_itself_is_told_at_once(pauses: list[float]) -> None:
    calls = []

    def ask() -> None:
        calls.append(1)
        raise SourceAccessError("wrong password")

    with pytest.raises(SourceAccessError):
        opened(ask, 60)
    assert (calls, pauses) == ([1], [])
