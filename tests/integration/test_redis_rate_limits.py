"""Rate limits that machines share through Redis."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
import redis
from support.limited import most_within, turns_of
from support.local_servers import free_port

from quality_platform.config.source_models import RateLimitConfig
from quality_platform.errors import (
    RunnerFileError,
    SourceError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from quality_platform.sources.rate_limits import rate_limit


@pytest.fixture
def url(redis_url: str) -> str:
    with redis.Redis.from_url(redis_url) as client:
        client.delete("quality-platform:rate-limit:shop_db")
    return redis_url


def test_processes_that_share_a_redis_ask_no_more_than_the_limit_and_one_burst(
    url: str, tmp_path: Path
) -> None:
    times = turns_of(2, tmp_path, 5, "1s", 10, url)
    assert len(times) == 20
    assert most_within(times, 0.9) <= 5 + 5 + 2
    assert times[-1] - times[0] >= 2.5
    assert not list(tmp_path.iterdir())


def test_a_turn_that_does_not_come_in_time_is_told(url: str, tmp_path: Path) -> None:
    name = f"c{uuid.uuid4().hex}"
    limit = rate_limit(name, RateLimitConfig(requests=1, period="1m", max_wait="1s"), tmp_path, url)
    limit.wait()
    with pytest.raises(SourceTimeoutError, match="rate limit left no room"):
        limit.wait()


def test_a_redis_that_does_not_answer_is_told_without_its_url(tmp_path: Path) -> None:
    url = f"redis://user:hush-hush@127.0.0.1:{free_port()}/0"
    limit = rate_limit("shop_db", RateLimitConfig(requests=1), tmp_path, url)
    with pytest.raises(SourceUnreachableError, match="does not answer") as caught:
        limit.wait()
    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_redis_that_refuses_the_password_is_no_error_that_passes(
    url: str, tmp_path: Path
) -> None:
    wrong = url.replace("redis://", "redis://nobody:hush-hush@")
    limit = rate_limit("shop_db", RateLimitConfig(requests=1), tmp_path, wrong)
    with pytest.raises(SourceError, match="refuses the user") as caught:
        limit.wait()
    assert not caught.value.transient
    assert "hush" not in str(caught.value)


def test_a_url_that_cannot_be_read_is_told_without_it(tmp_path: Path) -> None:
    url = "redis://user:hush-hush@127.0.0.1:no-port/0"
    with pytest.raises(RunnerFileError, match="cannot be used") as caught:
        rate_limit("shop_db", RateLimitConfig(requests=1), tmp_path, url)
    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__
