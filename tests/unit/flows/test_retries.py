"""The retries of runner.yaml where Dagster runs nothing: on the command line."""

from __future__ import annotations

import pytest

from quality_platform.config.models import RetryConfig
from quality_platform.errors import CatalogUnreachableError, HeaderError, QualityPlatformError
from quality_platform.flows.retries import delay_of, may_pass, retried

STEADY = RetryConfig(max_retries=3, initial_delay_seconds=2, jitter=False)


class Flow:
    """Fails with each of the errors, and then has an outcome."""

    def __init__(self, *errors: QualityPlatformError) -> None:
        self.errors = list(errors)
        self.retries: list[int] = []
        self.pauses: list[float] = []
        self.told: list[str] = []

    def attempt(self, retry: int) -> str:
        self.retries.append(retry)
        if self.errors:
            raise self.errors.pop(0)
        return "outcome"

    def run(self, retries: RetryConfig = STEADY) -> str:
        return retried(self.attempt, retries, self.told.append, self.pauses.append)


def unreachable() -> CatalogUnreachableError:
    return CatalogUnreachableError("the catalog does not answer")


def test_what_fails_for_a_while_is_tried_again_after_doubling_delays() -> None:
    flow = Flow(unreachable(), unreachable(), unreachable())
    assert flow.run() == "outcome"
    assert (flow.retries, flow.pauses) == ([0, 1, 2, 3], [2, 4, 8])
    assert flow.told[0].startswith(
        "attempt 1 of 4 failed: the catalog does not answer; it will be tried again in 2.0 s, at 2"
    )


def test_after_the_last_retry_the_error_is_raised() -> None:
    flow = Flow(*(unreachable() for _ in range(4)))
    with pytest.raises(CatalogUnreachableError):
        flow.run()
    assert (flow.retries, flow.pauses) == ([0, 1, 2, 3], [2, 4, 8])


def test_an_error_that_would_only_repeat_itself_is_never_tried_again() -> None:
    flow = Flow(unreachable(), HeaderError("no column"))
    with pytest.raises(HeaderError):
        flow.run()
    assert (flow.retries, flow.pauses) == ([0, 1], [2])


def test_without_retries_there_is_one_attempt() -> None:
    flow = Flow(unreachable())
    with pytest.raises(CatalogUnreachableError):
        flow.run(RetryConfig(max_retries=0))
    assert (flow.retries, flow.pauses) == ([0], [])


def test_a_delay_is_never_shorter_than_the_other_side_asked_for() -> None:
    error = unreachable()
    error.retry_after_seconds = 30
    assert delay_of(STEADY, 0, error) == 30
    assert delay_of(STEADY, 5, error) == 64
    flow = Flow(error)
    flow.run()
    assert flow.pauses == [30]


def test_delays_grow_by_the_multiplier_up_to_the_longest() -> None:
    retries = RetryConfig(
        initial_delay_seconds=5, backoff_multiplier=3, max_delay_seconds=100, jitter=False
    )
    assert [delay_of(retries, retry) for retry in range(5)] == [5, 15, 45, 100, 100]


def test_no_jitter_makes_a_delay_longer_than_the_longest() -> None:
    retries = RetryConfig(initial_delay_seconds=50, max_delay_seconds=60)
    delays = [delay_of(retries, 3) for _ in range(100)]
    assert max(delays) == 60
    assert all(delay_of(retries, 0) >= 25 for _ in range(100))


def test_what_the_other_side_asks_for_may_be_longer_than_the_longest_delay() -> None:
    error = unreachable()
    error.retry_after_seconds = 900
    assert delay_of(STEADY, 0, error) == 900


@pytest.mark.parametrize("pattern", ["NO COLUMN", r"no\s+col", "QP203"])
def test_an_error_whose_text_has_a_pattern_is_tried_again(pattern: str) -> None:
    retries = STEADY.model_copy(update={"retryable_error_patterns": ("other", pattern)})
    flow = Flow(HeaderError("no column"))
    assert flow.run(retries) == "outcome"
    assert flow.retries == [0, 1]


def test_an_error_without_any_pattern_in_its_text_is_not_tried_again() -> None:
    retries = STEADY.model_copy(update={"retryable_error_patterns": ("^column$",)})
    assert not may_pass(HeaderError("no column"), retries)
    assert may_pass(unreachable(), retries)
