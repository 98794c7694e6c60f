"""Trying again what failed for a while: one budget, spent by Dagster or by the command line."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from quality_platform.config.models import RetryConfig
from quality_platform.errors import QualityPlatformError

Outcome = TypeVar("Outcome")


def delay_of(retries: RetryConfig, retry: int, error: QualityPlatformError | None = None) -> float:
    """Seconds before a retry; the first has the number 0.

    `initial_delay_seconds * backoff_multiplier ** retry`, varied by up to a half by jitter, but at
    most `max_delay_seconds`; never shorter than the source or catalog asked for.
    """
    delay: float = retries.initial_delay_seconds * retries.backoff_multiplier**retry
    # Spreads the retries of many tables; it guards nothing.
    spread = delay * random.uniform(0.5, 1.5) if retries.jitter else delay  # noqa: S311
    asked = (error.retry_after_seconds if error else None) or 0.0
    return max(min(spread, retries.max_delay_seconds), asked)


def may_pass(error: QualityPlatformError, retries: RetryConfig) -> bool:
    """Whether the same attempt may succeed later without anybody changing anything.

    That is so where the error's kind is transient, or where its text has one of the
    `retryable_error_patterns`.
    """
    text = str(error)
    return error.transient or any(
        re.search(pattern, text, re.IGNORECASE) for pattern in retries.retryable_error_patterns
    )


def announcement(
    retries: RetryConfig, retry: int, error: QualityPlatformError, seconds: float
) -> str:
    """What is told before a retry: which attempt failed, why, and when the next one begins."""
    begins = datetime.now(UTC) + timedelta(seconds=seconds)
    return (
        f"attempt {retry + 1} of {retries.max_retries + 1} failed: {error.problems[0].message}; "
        f"it will be tried again in {seconds:.1f} s, at {begins:%Y-%m-%d %H:%M:%S} UTC"
    )


def retried(
    attempt: Callable[[int], Outcome],
    retries: RetryConfig,
    tell: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """The outcome of the first attempt that does not fail for a while, where Dagster runs nothing.

    `attempt` is called with the number of the retry, 0 for the first attempt. What an attempt has
    published stays: the next begins at the position after it.

    Raises:
        QualityPlatformError: the last attempt's error, or the first that will not pass.
    """
    for retry in range(retries.max_retries):
        try:
            return attempt(retry)
        except QualityPlatformError as error:
            if not may_pass(error, retries):
                raise
            pause = delay_of(retries, retry, error)
            tell(announcement(retries, retry, error, pause))
        sleep(pause)
    return attempt(retries.max_retries)
