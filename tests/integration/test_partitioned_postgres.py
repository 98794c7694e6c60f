"""Tables of a real PostgreSQL, loaded by partitions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.partitioned import by_partition, held, ids, of_days
from support.postgres_database import PostgresDatabase, postgres_database, postgres_table
from support.project import Project, integer, key, predicate, rows_of_table

from quality_platform.errors import SourceError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform

ZONED = {"logicalType": "timestamp", "physicalType": "timestamptz"}
NAIVE = {"logicalType": "timestamp", "physicalType": "timestamp"}
DAY = {"logicalType": "date"}


@pytest.fixture
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with postgres_database(postgres_url) as found:
        yield found


def orders(
    project: Project, database: PostgresDatabase, column: dict[str, str], **partitions: object
) -> Platform:
    """Orders that are loaded by days of Berlin."""
    columns = {"id": key(integer()), "placed": {**column, "physicalName": "placed_at"}}
    rule = predicate("id_is_positive", "id > 0")
    postgres_table(project, database, "orders", columns, load={"mode": "append"})
    project.contract("orders", columns, quality=[rule])
    days = {"every": "day", "start": "2024-01-01", "end": "2024-01-11", "column": "placed"}
    project.tables["orders"]["partitions"] = {**days, "timezone": "Europe/Berlin", **partitions}
    return project.open()


@pytest.mark.parametrize(
    ("column", "kind", "times"),
    [
        (
            ZONED,
            "timestamptz",
            ["2023-12-31 22:59:59.999999Z", "2023-12-31 23:00Z", "2024-01-01 22:59:59.999999Z",
             "2024-01-01 23:00Z", "2024-01-02 23:00Z"],
        ),
        (
            NAIVE,
            "timestamp",
            ["2023-12-31 23:59:59.999999", "2024-01-01 00:00", "2024-01-01 23:59:59.999999",
             "2024-01-02 00:00", "2024-01-03 00:00"],
        ),
        (DAY, "date", ["2023-12-31", "2024-01-01", "2024-01-01", "2024-01-02", "2024-01-03"]),
    ],
)  # fmt: skip
def test_partitions_of_a_database_are_ranges_of_their_column(
    project: Project,
    database: PostgresDatabase,
    column: dict[str, str],
    kind: str,
    times: list[str],
) -> None:
    rows = ", ".join(f"({n}, '{at}')" for n, at in enumerate(times, 1))
    database.run(
        f"CREATE TABLE orders (id int, placed_at {kind})", f"INSERT INTO orders VALUES {rows}"
    )
    platform = orders(project, database, column)

    first = load_table(platform, "orders", "r1", request=of_days(1))
    both = load_table(platform, "orders", "r2", request=of_days(1, 2))

    assert by_partition(first) == {"2024-01-01": (2, 2, 0)}
    assert by_partition(both) == {"2024-01-01": (2, 2, 0), "2024-01-02": (1, 1, 0)}
    assert ids(platform) == [2, 3, 4]
    assert load_table(platform, "orders", "r3").rows_read == 1
    assert ids(platform) == [2, 3, 4, 5]


def test_a_range_of_a_database_is_replaced_with_what_was_held_of_it(
    project: Project, database: PostgresDatabase
) -> None:
    database.run(
        "CREATE TABLE orders (id int, placed_at timestamptz)",
        "INSERT INTO orders SELECT n, '2024-01-01 06:00Z'::timestamptz + n * interval '6 hours' "
        "FROM generate_series(-1, 10) n",
    )
    platform = orders(project, database, ZONED)
    load_table(platform, "orders", "r1")
    assert held(platform) == [
        ("2024-01-01/cursor placed_at", -1),
        ("2024-01-01/cursor placed_at", 0),
    ]
    database.run("UPDATE orders SET id = id + 100 WHERE id IN (0, 2, 9)")

    outcome = load_table(platform, "orders", "r2", request=of_days(1, 2))

    assert (outcome.rows_read, outcome.rows_published, outcome.rows_quarantined) == (8, 7, 1)
    assert ids(platform) == [1, 3, 4, 5, 6, 7, 8, 9, 10, 100, 102]
    assert held(platform) == [("2024-01-01/cursor placed_at", -1)]


def test_rows_that_no_partition_would_ever_have_are_an_error(
    project: Project, database: PostgresDatabase
) -> None:
    database.run(
        "CREATE TABLE orders (id int, placed_at timestamptz)",
        "INSERT INTO orders VALUES (1, '2024-01-01'), (2, NULL)",
    )
    platform = orders(project, database, ZONED)
    with pytest.raises(SourceError, match="no load would ever read them"):
        load_table(platform, "orders", "r1")
    assert rows_of_table(platform, "shop.orders") == []
