"""A server that comes late, or never, or refuses: what is tried again, how often, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.postgres_database import PostgresDatabase, postgres_database, postgres_table
from support.project import Project, column_of, integer, key, text
from support.relay import Relay

from quality_platform.errors import SourceAccessError, SourceUnreachableError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.requests import Request
from quality_platform.flows.run_platform import run_platform

ORDERS = {"id": key(integer()), "name": text()}
TABLE = "shop.orders"


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with postgres_database(postgres_url) as found:
        found.run(
            "CREATE TABLE orders (id bigint, name text)",
            "INSERT INTO orders SELECT n, 'x' FROM generate_series(1, 10) n",
        )
        yield found


@pytest.fixture
def relay(database: PostgresDatabase) -> Iterator[Relay]:
    found = Relay(database.url)
    yield found
    found.stop()


def orders(project: Project, url: str, **retries: float) -> Project:
    project.settings["retries"] = retries
    return postgres_table(
        project,
        PostgresDatabase(url),
        "orders",
        ORDERS,
        load={"mode": "append", "incremental": {"cursor": "id"}},
    )


def test_a_server_that_comes_late_is_waited_for_within_the_run(
    project: Project, relay: Relay
) -> None:
    platform = orders(project, relay.url, max_retries=0, opening_seconds=30).open()
    told: list[str] = []

    def progress(step: str, detail: str) -> None:
        if step == "waiting":
            told.append(detail)
            if len(told) == 2:
                relay.start()

    outcome = load_table(platform, "orders", "run-1", progress)
    assert outcome.rows_published == 10
    assert len(told) >= 2
    assert "nothing listens there; it is asked again in" in told[0]


def test_a_server_that_never_comes_is_given_up_after_the_time_for_opening(
    project: Project, relay: Relay
) -> None:
    platform = orders(project, relay.url, max_retries=0, opening_seconds=1).open()
    steps: list[str] = []
    with pytest.raises(SourceUnreachableError):
        load_table(platform, "orders", "run-1", lambda step, _: steps.append(step))
    assert set(steps) == {"waiting"}


def test_a_retry_does_not_try_again_within_itself(project: Project, relay: Relay) -> None:
    platform = orders(project, relay.url, max_retries=0, opening_seconds=30).open()
    steps: list[str] = []
    with pytest.raises(SourceUnreachableError):
        load_table(
            platform, "orders", "run-1", lambda step, _: steps.append(step), Request(retry=1)
        )
    assert steps == []


def test_a_wrong_password_is_tried_once_and_no_more(project: Project, relay: Relay) -> None:
    relay.start()
    url = relay.url.replace("tester:", "tester:wr0ng")
    platform = orders(project, url, max_retries=5, opening_seconds=30).open()
    (step,) = run_platform(platform, ["orders"], "run-1", lambda *_: None)
    assert isinstance(step.error, SourceAccessError)
    assert relay.connections == 1


def test_the_command_line_spends_the_retries_of_the_runner_file(
    project: Project, relay: Relay
) -> None:
    platform = orders(
        project, relay.url, max_retries=3, initial_delay_seconds=0.01, opening_seconds=0
    ).open()
    failed: list[str] = []

    def progress(name: str, step: str, detail: str) -> None:
        if step == "failed":
            failed.append(detail)
            if len(failed) == 2:
                relay.start()

    (step,) = run_platform(platform, ["orders"], "run-1", progress)
    assert step.succeeded
    assert len(failed) == 2
    assert "it will be tried again in" in failed[0]


def test_a_retry_never_reads_again_what_is_committed(
    project: Project, relay: Relay, database: PostgresDatabase
) -> None:
    relay.start()
    table = orders(project, relay.url, max_retries=2, initial_delay_seconds=0.01, opening_seconds=0)
    platform = table.open()
    load_table(platform, "orders", "run-1")
    database.run("INSERT INTO orders VALUES (11, 'late')")
    relay.stop()
    read: list[str] = []

    def progress(name: str, step: str, detail: str) -> None:
        if step == "failed":
            relay.start()
        if step == "staged":
            read.append(detail)

    (step,) = run_platform(platform, ["orders"], "run-2", progress)
    assert step.succeeded
    assert read == ["1 rows read"]
    assert column_of(platform, TABLE, "id") == list(range(1, 12))
    assert replace(Request(), retry=2) != Request()
