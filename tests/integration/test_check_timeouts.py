"""A check that takes longer than its limit is stopped and is an error; the session lives on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from support.batches import SMALL, Batch, bound, gate, rows

from quality_platform.checks.specs import SqlMetric
from quality_platform.checks.thresholds import Operator
from quality_platform.errors import EngineError
from quality_platform.lake.query import duckdb_session, time_limit

ENDLESS = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a <> b"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb_session(SMALL) as opened:
        yield opened


def test_a_statement_is_stopped_and_the_connection_can_be_used_again(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    with (
        pytest.raises(EngineError, match=r"took longer than 0\.1 s and was stopped"),
        time_limit(connection, 0.1),
    ):
        connection.execute(ENDLESS)

    assert connection.execute("SELECT 42").fetchall() == [(42,)]


def test_every_statement_after_the_limit_is_stopped_too(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    def swallow_one_interrupt() -> None:
        with time_limit(connection, 0.1) as late:
            with pytest.raises(duckdb.InterruptException):
                connection.execute(ENDLESS)
            assert late is not None
            assert late.is_set()
            connection.execute(ENDLESS)

    with pytest.raises(EngineError, match="took longer"):
        swallow_one_interrupt()


def test_an_error_of_its_own_stays_what_it_is(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.BinderException), time_limit(connection, 60):
        connection.execute("SELECT nowhere")


@pytest.mark.parametrize("seconds", [None, 60])
def test_within_the_limit_nothing_happens_and_no_thread_is_left(
    connection: duckdb.DuckDBPyConnection, seconds: float | None
) -> None:
    before = threading.active_count()
    with time_limit(connection, seconds):
        assert connection.execute("SELECT 1").fetchall() == [(1,)]

    assert threading.active_count() == before


def test_a_metric_that_takes_too_long_is_an_error_and_spoils_nothing(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    long = gate("long", SqlMetric(ENDLESS), bound(Operator.MUST_BE, 0))
    short = gate("short", SqlMetric("SELECT count(*) FROM batch"), bound(Operator.MUST_BE, 1))
    checks = Batch(tmp_path).checks(connection, rows([1, "x"]), timeout_seconds=0.2)
    outcomes = checks.run([long, short])

    assert outcomes["long"].error == "took longer than 0.2 s and was stopped"
    assert not outcomes["long"].passed
    assert outcomes["short"].passed
