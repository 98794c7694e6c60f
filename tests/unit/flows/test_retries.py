"""The retries of runner.yaml where Dagster runs nothing: on the command line."""

from __future__ import annotations

import pytest

from quality_platform.config.models import RetryConfig
from quality_platform.errors import CatalogUnreachableError, HeaderError, QualityPlatformError
from quality_platform.flows.retries import delay_of, retried

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
    assert flow.told[0] == "the catalog does not answer; it will be tried again in 2.0 s"


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
