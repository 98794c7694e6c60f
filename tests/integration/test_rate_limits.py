"""How often a connection is asked: by one run, and by several processes at once."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support.limited import most_within, turns_of
from support.project import Project, integer, key, rows_of_table, text

from quality_platform.config.source_models import RateLimitConfig
from quality_platform.errors import (
    RunnerFileError,
    SourceError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from quality_platform.flows.load_table import load_table
from quality_platform.sources import rate_limits
from quality_platform.sources.rate_limits import FILE, rate_limit

ORDERS = {"order_id": key(integer()), "status": text()}


def limited(project: Project, rate: dict[str, Any], **settings: Any) -> Project:
    database = project.folder / "shop.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE orders (order_id INTEGER, status TEXT)")
        connection.execute("INSERT INTO orders VALUES (1, 'new')")
    connection.close()
    project.settings |= settings
    project.settings["connections"] = {
        "shop_db": {"url": f"sqlite:///{database}", "rate_limit": rate}
    }
    project.table("orders", ORDERS, load={"mode": "replace"})
    project.tables["orders"]["source"] = {
        "type": "sql",
        "connection": "shop_db",
        "table": "orders",
    }
    return project


def test_processes_that_share_a_limit_ask_no_more_than_it_and_one_burst(tmp_path: Path) -> None:
    times = turns_of(2, tmp_path, 5, "1s", 10)
    assert len(times) == 20
    # A full bucket, what a period adds to it, and a turn of each that was noted late.
    assert most_within(times, 0.9) <= 5 + 5 + 2
    assert times[-1] - times[0] >= 2.5


def test_a_rested_limit_gives_a_burst_and_then_one_turn_at_a_time(tmp_path: Path) -> None:
    times = turns_of(1, tmp_path, 4, "2s", 7)
    assert most_within(times, 1.4) <= 4 + 3 + 1
    assert times[6] - times[0] >= 1.4


def test_limits_of_other_connections_do_not_matter(tmp_path: Path) -> None:
    config = RateLimitConfig(requests=1, period="1h", max_wait="0s")
    for name in ("a", "b", "c"):
        rate_limit(name, config, tmp_path, None).wait()
    with pytest.raises(SourceTimeoutError):
        rate_limit("a", config, tmp_path, None).wait()


def test_a_turn_that_does_not_come_in_time_is_told_with_the_limit(tmp_path: Path) -> None:
    limit = rate_limit(
        "shop_db", RateLimitConfig(requests=2, period="1h", max_wait="10s"), tmp_path, None
    )
    limit.wait()
    limit.wait()
    with pytest.raises(SourceTimeoutError, match="rate limit left no room") as caught:
        limit.wait()
    (problem,) = caught.value.problems
    assert problem.field == "connections.shop_db.rate_limit"
    assert problem.received == "2 requests in 1h"
    assert caught.value.transient


def test_a_clock_that_was_set_back_does_not_stop_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = RateLimitConfig(requests=1, period="1h", max_wait="1m")
    limit = rate_limit("shop_db", config, tmp_path, None)
    monkeypatch.setattr(limit.store.default_clock, "now", lambda: 10**13)
    limit.wait()
    monkeypatch.setattr(limit.store.default_clock, "now", lambda: 10**12)
    limit.wait()


def test_every_query_of_a_load_takes_a_turn(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = []
    platform = limited(project, {"requests": 1000}).open()
    monkeypatch.setattr(rate_limits.RateLimit, "wait", lambda self: turns.append(self.connection))
    assert load_table(platform, "orders", "run-1").rows_published == 1
    # To connect and to ask for the columns, twice; and to read the rows.
    assert turns == ["shop_db"] * 5


def test_a_load_that_is_limited_too_far_fails_for_a_while_and_publishes_nothing(
    project: Project,
) -> None:
    platform = limited(project, {"requests": 3, "period": "1h", "max_wait": "1s"}).open()
    with pytest.raises(SourceTimeoutError, match="rate limit"):
        load_table(platform, "orders", "run-1")
    assert rows_of_table(platform, "shop.orders") == []


def test_a_file_of_limits_that_is_damaged_or_locked_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = rate_limit("shop_db", RateLimitConfig(requests=1), tmp_path, None)
    limit.wait()
    with sqlite3.connect(tmp_path / FILE, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(rate_limits, "_ANSWER_SECONDS", 0.1)
        with pytest.raises(SourceUnreachableError, match="does not answer"):
            limit.wait()
        other.execute("ROLLBACK")
    other.close()
    (tmp_path / FILE).write_text("no database at all, and longer than a header of SQLite's" * 9)
    with pytest.raises(SourceError, match="no file of rate limits"):
        limit.wait()


@pytest.mark.parametrize(
    ("rate", "settings", "message"),
    [
        ({"requests": 0}, {}, "greater than or equal to 1"),
        ({"requests": 1, "period": "0s"}, {}, "at least 1s"),
        ({"requests": 1}, {"rate_limits": {"store": "http://x"}}, "redis://"),
    ],
)
def test_a_limit_that_cannot_be_is_told(
    project: Project, rate: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(RunnerFileError, match=message):
        limited(project, rate, **settings).open()
