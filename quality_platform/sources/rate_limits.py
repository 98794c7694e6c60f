"""How often a connection may be asked: a token bucket that all runs share.

The bucket lies in a file of the platform's home, which the runs of one machine share, or in a
Redis, which machines share. It holds as many tokens as the limit allows in one period, and one is
added whenever a period's share of it is over: a run that begins after a rest may ask that often at
once, and then as often as the limit says.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pyrate_limiter import (
    AbstractClock,
    Decision,
    Rate,
    RedisStateStore,
    StateAlgorithm,
    StateStore,
    TokenBucket,
    WallClock,
)

from quality_platform.config.base_models import seconds
from quality_platform.config.source_models import RateLimitConfig
from quality_platform.errors import (
    RunnerFileError,
    SourceError,
    SourceTimeoutError,
    SourceUnreachableError,
)

if TYPE_CHECKING:
    import redis

FILE = "rate_limits.db"
"""The file in the platform's home."""

_ANSWER_SECONDS = 5.0
"""How long the file may be locked, and how long Redis may be silent."""


@dataclass(frozen=True)
class RateLimit:
    """The limit of one connection.

    Attributes:
        connection: Its name in runner.yaml, by which runs know that they share the limit.
        config: How often it may be asked.
        store: Where the bucket is.
    """

    connection: str
    config: RateLimitConfig
    store: StateStore

    def wait(self) -> None:
        """Waits for the turn of one request.

        Raises:
            SourceTimeoutError: it does not come within the limit's `max_wait`.
            SourceUnreachableError: the store of the limits does not answer.
        """
        deadline = time.monotonic() + seconds(self.config.max_wait)
        while pause := self._pause():
            if time.monotonic() + pause > deadline:
                raise SourceTimeoutError(
                    f"connection {self.connection}: its rate limit left no room for a request",
                    field=f"connections.{self.connection}.rate_limit",
                    received=f"{self.config.requests} requests in {self.config.period}",
                    allowed=f"a wait of {self.config.max_wait}",
                    action="run fewer tables at once, or raise the limit or its max_wait",
                )
            time.sleep(pause)

    def _pause(self) -> float:
        """Seconds until it may be asked again; 0.0 where a token was taken."""
        period = seconds(self.config.period) * 1000
        rate = Rate(self.config.requests, period)
        clock = cast("Any", self.store.default_clock)
        found = cast("Decision", self.store.check(TokenBucket(), [rate], clock.now(), 1))
        if found.allowed:
            return 0.0
        pause = found.retry_after_ms or 1
        if pause > period:
            # The bucket is full after a period at the latest: the clock was set back.
            self.store.reset()
            return 0.001
        return pause / 1000


def rate_limit(connection: str, config: RateLimitConfig, home: Path, url: str | None) -> RateLimit:
    """The limit of a connection, in a file of `home`, or in the Redis at `url`."""
    store = FileStore(home / FILE, connection) if url is None else _redis_store(url, connection)
    return RateLimit(connection, config, store)


class FileStore(StateStore):
    """A bucket in a SQLite file that processes share."""

    is_async = False
    default_clock = WallClock()

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name

    def check(
        self, algorithm: StateAlgorithm, rates: list[Rate], now: int, weight: int
    ) -> Decision:
        """Takes tokens, or says how long to wait for them; no other process comes between."""
        with self._locked() as connection:
            state = self._state(connection, algorithm, rates)
            after, decision = algorithm.step(rates, state, now, weight)
            if decision.allowed:
                connection.execute(
                    "INSERT OR REPLACE INTO buckets VALUES (?, ?)", [self._name, int(after[0])]
                )
            return decision

    def read(self, algorithm: StateAlgorithm, rates: list[Rate]) -> tuple[float, ...]:
        """The state of the bucket."""
        with self._locked() as connection:
            return self._state(connection, algorithm, rates)

    def reset(self) -> None:
        """Fills the bucket."""
        with self._locked() as connection:
            connection.execute("DELETE FROM buckets WHERE name = ?", [self._name])

    def _state(
        self, connection: sqlite3.Connection, algorithm: StateAlgorithm, rates: list[Rate]
    ) -> tuple[float, ...]:
        found = connection.execute("SELECT state FROM buckets WHERE name = ?", [self._name])
        rows: list[tuple[int]] = found.fetchall()
        return rows[0] if rows else algorithm.initial(rates)

    @contextmanager
    def _locked(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            opened = sqlite3.connect(self._path, timeout=_ANSWER_SECONDS, isolation_level=None)
            with closing(opened) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, state INTEGER)"
                )
                yield connection
                connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise _no_store(f"the file {self._path.name} of the platform's home") from error
        except sqlite3.DatabaseError as error:
            raise SourceError(
                f"{self._path.name} in the platform's home is no file of rate limits",
                action="remove it: it holds nothing that matters longer than a period",
            ) from error


class _RedisClock(AbstractClock):
    """The time of the Redis that machines share: their own clocks differ."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def now(self) -> int:
        with _answering():
            whole, micro = self._client.time()
        return int(whole) * 1000 + int(micro) // 1000


class _RedisStore(RedisStateStore):
    """A bucket in a Redis that machines share."""

    def __init__(self, client: redis.Redis, key: str) -> None:
        super().__init__(client, key)
        self.default_clock = _RedisClock(client)  # type: ignore[assignment]  # of this instance

    def check(
        self, algorithm: StateAlgorithm, rates: list[Rate], now: int, weight: int
    ) -> Decision:
        """Takes tokens, or says how long to wait for them, in one step of Redis."""
        with _answering():
            return cast("Decision", super().check(algorithm, rates, now, weight))  # type: ignore[no-untyped-call]

    def reset(self) -> None:
        """Fills the bucket."""
        with _answering():
            super().reset()


@contextmanager
def _answering() -> Iterator[None]:
    from redis import AuthenticationError, RedisError

    try:
        yield
    except AuthenticationError:
        raise SourceError(
            "the Redis of the rate limits refuses the user",
            field="rate_limits.store",
            action="correct user and password in its URL",
        ) from None
    except RedisError:
        # Its text may hold the URL.
        raise _no_store("the Redis of the rate limits") from None


def _redis_store(url: str, connection: str) -> RedisStateStore:
    import redis

    try:
        client = redis.Redis.from_url(
            url, socket_timeout=_ANSWER_SECONDS, socket_connect_timeout=_ANSWER_SECONDS
        )
    except ValueError:
        # Its text may hold a part of the URL.
        raise RunnerFileError(
            "the URL of the rate limits' Redis cannot be used",
            field="rate_limits.store",
            allowed="redis://USER:PASSWORD@HOST:PORT/NUMBER",
        ) from None
    return _RedisStore(client, f"quality-platform:rate-limit:{connection}")


def _no_store(what: str) -> SourceUnreachableError:
    return SourceUnreachableError(
        f"{what} does not answer",
        field="rate_limits.store",
        allowed=f"an answer within {_ANSWER_SECONDS:g} s",
        action="run it again once it does; nothing was asked of the source without it",
    )
