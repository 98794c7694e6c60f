"""Trying again what failed for a while: one budget, spent by Dagster or by the command line."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from quality_platform.config.models import RetryConfig
from quality_platform.errors import QualityPlatformError

Outcome = TypeVar("Outcome")


def delay_of(retries: RetryConfig, retry: int, error: QualityPlatformError | None = None) -> float:
    """Seconds before a retry; the first has the number 0.

    The delay doubles with each retry, jitter varies it by up to a half, and it is never shorter
    than the source or catalog asked for.
    """
    delay: float = retries.initial_delay_seconds * 2**retry
    # Spreads the retries of many tables; it guards nothing.
    spread = delay * random.uniform(0.5, 1.5) if retries.jitter else delay  # noqa: S311
    return max(spread, (error.retry_after_seconds if error else None) or 0.0)


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
        QualityPlatformError: the last attempt's error, or the first that is not transient.
    """
    for retry in range(retries.max_retries):
        try:
            return attempt(retry)
        except QualityPlatformError as error:
            if not error.transient:
                raise
            pause = delay_of(retries, retry, error)
            tell(f"{error.problems[0].message}; it will be tried again in {pause:.1f} s")
        sleep(pause)
    return attempt(retries.max_retries)
