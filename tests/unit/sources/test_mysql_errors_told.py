"""What the driver says becomes an error of its own kind, and no value of a row is in it."""

from __future__ import annotations

import pytest

from quality_platform.errors import (
    Location,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from quality_platform.sources.mysql_errors import driver_error
from quality_platform.sources.sql_errors import DatabasePlace

URL = "mysql://reader:s3cr3t-pw@db/shop"
PLACE = DatabasePlace("shop_db", "tables.orders.source", Location("runner.yaml", 3), URL)


def server(code: int, text: str) -> str:
    """How connectorx shows an error of the server that came amid the rows."""
    return f"cx writer failed: Source(MySQLError(MySqlError {{ ERROR {code} (HY000): {text} }}))"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (server(1045, "Access denied for user 'reader'@'db'"), SourceAccessError),
        (server(1146, "Table 'shop.orders' doesn't exist"), SourceNotFoundError),
        (server(1969, "Query execution was interrupted"), SourceTimeoutError),
        (server(3024, "maximum statement execution time exceeded"), SourceTimeoutError),
        (server(1213, "Deadlock found"), SourceTimeoutError),
        (server(1927, "Connection was killed"), SourceUnreachableError),
        (server(1040, "Too many connections"), SourceUnreachableError),
        ("IoError { server disconnected }", SourceUnreachableError),
        ("Could not connect to address `db:3306': refused", SourceUnreachableError),
        ("anything else", SourceError),
    ],
)
def test_each_has_its_kind(text: str, kind: type[SourceError]) -> None:
    assert type(driver_error(text, PLACE)) is kind


@pytest.mark.parametrize(
    "text",
    [
        server(1366, "Incorrect integer value: 'jane@example.com'"),
        'Couldn\'t convert the value `Bytes("jane@example.com")` to a desired type',
        f"Could not connect: {URL} jane@example.com",
    ],
)
def test_values_and_urls_are_not_shown(text: str) -> None:
    told = str(driver_error(text, PLACE))

    assert "jane@example.com" not in told
    assert "s3cr3t-pw" not in told


def test_the_servers_text_is_shown_where_it_speaks_of_names() -> None:
    text = server(1142, "SELECT command denied to user 'reader'@'db' for table `shop`.`orders`")

    assert "for table `shop`.`orders`" in str(driver_error(text, PLACE))


def test_a_full_disk_is_told_as_one() -> None:
    text = "[Errno 28] No space left on device"

    assert "no room left" in str(driver_error(text, PLACE))


def test_a_code_that_is_not_known_is_named() -> None:
    assert "error 1366" in str(driver_error(server(1366, "x"), PLACE))
