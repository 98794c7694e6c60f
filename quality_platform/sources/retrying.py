"""Trying again, within seconds, what asks a source and reads no row of it.

Only the opening of a source is tried again here: making a connection and asking for what is new.
It has no effect, so it can be repeated; rows are never read twice by it. Everything else that fails
for a while is tried again by whoever runs the load, by `retries` of runner.yaml.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_before_delay,
    wait_random_exponential,
)

from quality_platform.errors import QualityPlatformError

Found = TypeVar("Found")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 4.0
"""Between these the longest pause doubles; each is anything up to it, so that runs spread out."""


def opened(
    ask: Callable[[], Found], seconds: float, tell: Callable[[str], None] = lambda _: None
) -> Found:
    """What `ask` gives; asked again for so many seconds while it fails for a while.

    A source that says when it can be asked again (`retry_after_seconds`) is not asked sooner; where
    that is later than the time allows, the error is raised at once.

    Args:
        ask: Asks the source; without effect.
        seconds: No attempt begins later than this after the first; 0 for a single one.
        tell: Takes a sentence for each attempt that failed and is followed by another.

    Raises:
        QualityPlatformError: the last attempt's error, or the first that is not transient.
    """

    def waiting(state: RetryCallState) -> None:
        pause = state.next_action.sleep if state.next_action else 0.0
        tell(f"{_error_of(state).problems[0].message}; it is asked again in {pause:.1f} s")

    attempts = Retrying(
        retry=retry_if_exception(_is_transient),
        wait=_pause,
        stop=stop_before_delay(seconds),
        before_sleep=waiting,
        reraise=True,
    )
    return attempts(ask)


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, QualityPlatformError) and error.transient


_spread = wait_random_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS)


def _pause(state: RetryCallState) -> float:
    return max(_spread(state), _error_of(state).retry_after_seconds or 0.0)


def _error_of(state: RetryCallState) -> QualityPlatformError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, QualityPlatformError)
    return error
