"""What a sensor remembers of a database: whether an answer is another one, and never the answer."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support.project import Project, integer, key, text

from quality_platform.config.sensor_models import DatabaseChangedSensorConfig
from quality_platform.errors import (
    ConfigurationError,
    HeaderError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
)
from quality_platform.flows.high_water import HighWater, high_water
from quality_platform.flows.platform import open_platform

COLUMNS = {"id": key(integer()), "name": text()}


def test_an_answer_that_stays_is_no_change():
    first = HighWater().then("5")
    assert first != HighWater()
    assert first.then("5") == first


def test_no_answer_at_the_first_look_is_no_change():
    assert HighWater().then(None) == HighWater()


def test_an_answer_that_comes_again_after_another_is_a_new_state():
    first = HighWater().then("5")
    again = first.then("4").then("5")
    assert again.value == first.value
    assert again.changes != first.changes
    emptied = first.then(None)
    assert emptied != first
    assert emptied.then("5").changes != first.changes


def test_the_same_answers_are_the_same_state_again():
    assert HighWater().then("5").then("6") == HighWater().then("5").then("6")


def test_the_cursor_keeps_the_state_and_not_the_answer():
    state = HighWater().then("ada@example.com")
    assert HighWater.from_cursor(state.cursor) == state
    assert "ada" not in state.cursor
    assert HighWater.from_cursor(None) == HighWater()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER, name TEXT)")
        connection.executemany("INSERT INTO orders VALUES (?, ?)", [(1, "a"), (7, "b"), (3, None)])
    connection.close()
    return path


def changed(database: Path, statement: str) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(statement)
    connection.close()


def asked(project: Project, url: str, query: str | None = None, **load: Any) -> str | None:
    """The answer to a sensor of `orders`, which follows the ids."""
    project.settings["connections"] = {"shop": {"url": url}}
    project.table(
        "orders", COLUMNS, load=load or {"mode": "append", "incremental": {"cursor": "id"}}
    )
    source = {"type": "sql", "connection": "shop", "table": "orders"}
    project.tables["orders"]["source"] = source
    sensor = {"type": "database_changed", "table": "orders"} | ({"query": query} if query else {})
    project.settings["sensors"] = {"changed": sensor}
    platform = project.open()
    config = platform.runner.config.sensors["changed"]
    assert isinstance(config, DatabaseChangedSensorConfig)
    return high_water(platform, config, "changed")


@pytest.mark.parametrize("scheme", ["sqlite:///{}", "adbc+adbc_driver_sqlite:{}"])
def test_the_greatest_value_of_the_cursor_is_asked_for(
    project: Project, database: Path, scheme: str
):
    assert asked(project, scheme.format(database)) == "7"
    changed(database, "INSERT INTO orders VALUES (12, 'c')")
    assert asked(project, scheme.format(database)) == "12"
    changed(database, "DELETE FROM orders")
    assert asked(project, scheme.format(database)) is None


@pytest.mark.parametrize("scheme", ["sqlite:///{}", "adbc+adbc_driver_sqlite:{}"])
@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SELECT count(*) FROM orders", "3"),
        ("SELECT max(name) FROM orders;", "b"),
        ("SELECT id FROM orders -- the greatest of them", "7"),
        ("WITH o AS (SELECT id FROM orders) SELECT sum(id) AS total FROM o", "11"),
        ("SELECT id FROM orders WHERE id > 100", None),
    ],
)
def test_a_query_of_one_column_is_asked_instead(
    project: Project, database: Path, scheme: str, query: str, answer: str | None
):
    assert asked(project, scheme.format(database), query, mode="replace") == answer


def test_a_query_that_does_more_than_read_breaks_its_sensor_alone(project: Project, database: Path):
    query = "SELECT load_extension('x')"
    with pytest.raises(ConfigurationError, match="nothing but read") as raised:
        asked(project, f"sqlite:///{database}", query)
    (problem,) = raised.value.problems
    assert problem.location is not None
    lines = Path(problem.location.file).read_text().splitlines()
    assert "query" in lines[problem.location.line - 1]
    platform = open_platform(project.runner)
    assert [(part.section, part.name) for part in platform.broken] == [("sensors", "changed")]
    assert list(platform.tables) == ["orders"]


def test_a_query_of_a_table_that_is_not_there_is_an_error(project: Project, database: Path):
    with pytest.raises(SourceNotFoundError):
        asked(project, f"sqlite:///{database}", "SELECT max(id) FROM nothing")


def test_a_database_that_is_not_there_is_an_error(project: Project, tmp_path: Path):
    with pytest.raises(SourceError, match="connection shop"):
        asked(project, f"sqlite:///{tmp_path}/nothing.db")


def test_a_cursor_that_the_table_lacks_is_an_error(project: Project, database: Path):
    changed(database, "ALTER TABLE orders RENAME COLUMN id TO number")
    with pytest.raises(HeaderError, match="greatest value"):
        asked(project, f"sqlite:///{database}")


def test_an_error_has_no_password(project: Project):
    url = "postgresql+psycopg2://somebody:canary-7@127.0.0.1:1/shop"
    with pytest.raises(SourceError) as raised:
        asked(project, url)
    assert not isinstance(raised.value, SourceAccessError)
    assert "canary" not in str(raised.value)
