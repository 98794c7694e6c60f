"""A table of a real PostgreSQL that is altered between loads: `load.schema_drift`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.postgres_database import PostgresDatabase, postgres_database, postgres_table
from support.project import Project, integer, key, rows_of_table, text, verdicts

from quality_platform.errors import HeaderError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform

ORDERS = {"id": key(integer()), "amount": integer(required=True), "note": text()}
TABLE = "shop.orders"
CHECK = "source_columns_as_contracted"


@pytest.fixture
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with postgres_database(postgres_url) as found:
        found.run(
            "CREATE TABLE orders (id bigint, amount integer, note text)",
            "INSERT INTO orders VALUES (1, 5, 'n')",
        )
        yield found


def opened(project: Project, database: PostgresDatabase, policy: str) -> Platform:
    load = {"mode": "replace", "schema_drift": policy}
    return postgres_table(project, database, "orders", ORDERS, load=load).open()


def run(platform: Platform) -> TableOutcome:
    return load_table(platform, "orders", "run-1")


ALTERED = {
    "a further column": ("ADD channel text", "channel"),
    "an optional one gone": ("DROP note", "note"),
    "a required one gone": ("DROP amount", "amount"),
    "a type that never fits": ("ALTER amount TYPE boolean USING true", "amount"),
}


@pytest.mark.parametrize("change", ALTERED)
def test_where_drift_fails_each_change_stops_the_next_load_by_name(
    project: Project, database: PostgresDatabase, change: str
) -> None:
    platform = opened(project, database, "fail")
    assert run(platform).rows_published == 1
    statement, column = ALTERED[change]
    database.run(f"ALTER TABLE orders {statement}")
    with pytest.raises(HeaderError, match=f"'{column}'"):
        run(platform)
    assert rows_of_table(platform, TABLE) == [{"id": 1, "amount": 5, "note": "n"}]


@pytest.mark.parametrize("policy", ["evolve", "quarantine"])
def test_a_further_column_and_a_missing_optional_one_are_taken_and_told_once(
    project: Project, database: PostgresDatabase, policy: str
) -> None:
    platform = opened(project, database, policy)
    database.run("ALTER TABLE orders ADD channel text", "ALTER TABLE orders DROP note")
    outcome = run(platform)
    assert rows_of_table(platform, TABLE) == [{"id": 1, "amount": 5, "note": None}]
    assert outcome.drift == (
        "the source has no column 'note': it is NULL in every row of it.",
        "the source has a further column 'channel': it was left out.",
    )
    assert verdicts(outcome)[CHECK] == "warn"


@pytest.mark.parametrize("change", ["a required one gone", "a type that never fits"])
def test_evolving_takes_neither_a_missing_required_column_nor_a_type_that_never_fits(
    project: Project, database: PostgresDatabase, change: str
) -> None:
    platform = opened(project, database, "evolve")
    statement, column = ALTERED[change]
    database.run(f"ALTER TABLE orders {statement}")
    with pytest.raises(HeaderError, match=f"'{column}'"):
        run(platform)


@pytest.mark.parametrize("change", ["a required one gone", "a type that never fits"])
def test_quarantine_takes_both_and_holds_the_rows_back(
    project: Project, database: PostgresDatabase, change: str
) -> None:
    platform = opened(project, database, "quarantine")
    database.run(f"ALTER TABLE orders {ALTERED[change][0]}")
    outcome = run(platform)
    assert (outcome.rows_read, outcome.rows_published, outcome.rows_quarantined) == (1, 0, 1)
    assert len(outcome.drift) == 1


def test_a_wider_type_is_taken_as_far_as_its_values_fit(
    project: Project, database: PostgresDatabase
) -> None:
    platform = opened(project, database, "fail")
    database.run(
        "ALTER TABLE orders ALTER amount TYPE numeric",
        "INSERT INTO orders VALUES (2, 5.5, 'n')",
    )
    outcome = run(platform)
    assert (outcome.rows_published, outcome.rows_quarantined) == (1, 1)
