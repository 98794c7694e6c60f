"""The sensor's question to a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from support.local_servers import PASSWORD
from support.postgres_database import PostgresDatabase, postgres_database, postgres_table
from support.project import Project, integer, key, text

from quality_platform.config.sensor_models import DatabaseChangedSensorConfig
from quality_platform.errors import SourceAccessError, SourceError, SourceTimeoutError
from quality_platform.flows.high_water import high_water

TIME = {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}}
COLUMNS = {
    "id": key(integer()),
    "name": text(),
    "at": TIME,
    "price": {"logicalType": "number", "physicalType": "decimal(10,2)"},
}


@pytest.fixture
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with postgres_database(postgres_url) as found:
        found.run(
            "CREATE TABLE orders (id bigint, name text, at timestamptz, price numeric)",
            "INSERT INTO orders VALUES (1, 'a', '2024-01-01', 1.5), (2, 'B', '2024-02-01', 2.50)",
        )
        yield found


def asked(
    project: Project, database: PostgresDatabase, cursor: str = "", **sensor: Any
) -> str | None:
    load = {"mode": "merge", "incremental": {"cursor": cursor}} if cursor else {"mode": "replace"}
    postgres_table(project, database, "orders", COLUMNS, load=load)
    project.settings["sensors"] = {
        "changed": {"type": "database_changed", "table": "orders", **sensor}
    }
    platform = project.open()
    config = platform.runner.config.sensors["changed"]
    assert isinstance(config, DatabaseChangedSensorConfig)
    return high_water(platform, config, "changed")


@pytest.mark.parametrize(
    ("cursor", "before", "after"),
    [
        ("id", "2", "3"),
        ("at", "2024-02-01 00:00:00+00", "2024-03-01 00:00:00+00"),
        ("price", "2.50", "3"),
        # By their bytes, as the load compares texts: small letters come last.
        ("name", "a", "c"),
    ],
)
def test_the_answer_grows_with_the_cursor(
    project: Project, database: PostgresDatabase, cursor: str, before: str, after: str
):
    assert asked(project, database, cursor) == before
    database.run("INSERT INTO orders VALUES (3, 'c', '2024-03-01', 3)")
    assert asked(project, database, cursor) == after


@pytest.mark.parametrize(
    ("cursor", "row", "answer"),
    [
        ("at", "3, 'c', 'infinity', 1", "2024-02-01 00:00:00+00"),
        ("price", "3, 'c', NULL, 'NaN'", "2.50"),
    ],
)
def test_a_value_that_none_exceeds_does_not_hide_all_others(
    project: Project, database: PostgresDatabase, cursor: str, row: str, answer: str
):
    database.run(f"INSERT INTO orders VALUES ({row})")
    assert asked(project, database, cursor) == answer


def test_an_empty_table_has_no_answer(project: Project, database: PostgresDatabase):
    database.run("DELETE FROM orders")
    assert asked(project, database, "id") is None


def test_a_query_tells_of_changes_that_no_cursor_shows(
    project: Project, database: PostgresDatabase
):
    query = "SELECT count(*)::text || ' ' || sum(price) FROM orders"
    assert asked(project, database, query=query) == "2 4.00"
    database.run("UPDATE orders SET price = 9 WHERE id = 1")
    assert asked(project, database, query=query) == "2 11.50"


def test_a_question_that_takes_too_long_is_given_up(project: Project, database: PostgresDatabase):
    slow = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"
    with pytest.raises(SourceTimeoutError):
        asked(project, database, query=slow, timeout="1s")


def test_a_table_that_somebody_locks_is_given_up(project: Project, database: PostgresDatabase):
    with closing(database.connect()) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE orders")
        with pytest.raises(SourceError):
            asked(project, database, query="SELECT max(id) FROM orders", timeout="1s")


def test_a_wrong_password_is_an_error_without_it(project: Project, database: PostgresDatabase):
    wrong = PostgresDatabase(database.url.replace(PASSWORD, "canary-4711"))
    with pytest.raises(SourceAccessError) as raised:
        asked(project, wrong, "id")
    assert "canary" not in str(raised.value)
