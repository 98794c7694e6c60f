"""The sensor's question to a real MariaDB."""

from __future__ import annotations

from typing import Any

import pytest
from support.local_servers import PASSWORD
from support.mariadb_server import MariaDb
from support.mariadb_tables import mysql_table
from support.project import Project, integer, key, text

from quality_platform.config.sensor_models import DatabaseChangedSensorConfig
from quality_platform.errors import SourceError, SourceTimeoutError
from quality_platform.flows.high_water import high_water

TIME = {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}}
COLUMNS = {"id": key(integer()), "name": text(), "at": TIME}


@pytest.fixture
def server(mariadb: MariaDb) -> MariaDb:
    mariadb.empty()
    mariadb.run(
        "CREATE TABLE orders (id bigint PRIMARY KEY, name text, at timestamp(6) NULL)",
        "INSERT INTO orders VALUES (1, 'a', '2024-01-01'), (2, 'b', '2024-02-01')",
    )
    return mariadb


def asked(project: Project, server: MariaDb, cursor: str = "", **sensor: Any) -> str | None:
    load = {"mode": "merge", "incremental": {"cursor": cursor}} if cursor else {"mode": "replace"}
    mysql_table(project, server, "orders", COLUMNS, load=load)
    project.settings["sensors"] = {
        "changed": {"type": "database_changed", "table": "orders", **sensor}
    }
    platform = project.open()
    config = platform.runner.config.sensors["changed"]
    assert isinstance(config, DatabaseChangedSensorConfig)
    return high_water(platform, config, "changed")


@pytest.mark.parametrize(
    ("cursor", "before", "after"),
    [("id", "2", "3"), ("at", "2024-02-01 00:00:00.000000", "2024-03-01 00:00:00.000000")],
)
def test_the_answer_grows_with_the_cursor(
    project: Project, server: MariaDb, cursor: str, before: str, after: str
):
    assert asked(project, server, cursor) == before
    server.run("INSERT INTO orders VALUES (3, 'c', '2024-03-01')")
    assert asked(project, server, cursor) == after
    server.run("DELETE FROM orders")
    assert asked(project, server, cursor) is None


def test_a_query_tells_of_changes_that_no_cursor_shows(project: Project, server: MariaDb):
    query = "SELECT CONCAT(COUNT(*), ' ', MAX(name)) FROM orders"
    assert asked(project, server, query=query) == "2 b"
    server.run("UPDATE orders SET name = 'z' WHERE id = 1")
    assert asked(project, server, query=query) == "2 z"


def test_a_question_that_takes_too_long_is_given_up(project: Project, server: MariaDb):
    digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)"
    many = " CROSS JOIN ".join(f"{digits} AS t{n}" for n in range(18))
    with pytest.raises(SourceTimeoutError):
        asked(project, server, query=f"SELECT COUNT(*) FROM {many}", timeout="1s")


def test_a_server_that_is_gone_is_an_error_without_its_password(project: Project, server: MariaDb):
    gone = MariaDb(server.url_with(port="1"))
    with pytest.raises(SourceError) as raised:
        asked(project, gone, "id", timeout="1s")
    assert PASSWORD not in str(raised.value)
