"""What of a sensor can only be judged with the SQL of its source's database."""

from __future__ import annotations

from collections.abc import Iterator

from quality_platform.checks.source_query import checked_source_query
from quality_platform.config.broken import Fault
from quality_platform.config.loading import RunnerFile
from quality_platform.config.sensor_models import DatabaseChangedSensorConfig
from quality_platform.config.source_models import (
    ConnectionConfig,
    DatabaseSourceConfig,
    MySqlSourceConfig,
    PostgresSourceConfig,
)
from quality_platform.errors import Location, PredicateError

_DIALECTS = {
    "postgresql": "postgres",
    "postgres": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "mssql": "tsql",
    "oracle": "oracle",
    "snowflake": "snowflake",
    "bigquery": "bigquery",
    "redshift": "redshift",
    "trino": "trino",
    "duckdb": "duckdb",
}
"""The SQL of a database by the scheme of its URL, by sqlglot's name."""


def query_faults(file: RunnerFile) -> Iterator[Fault]:
    """Queries of sensors that do more than read one column."""
    for name, sensor in file.config.sensors.items():
        if not isinstance(sensor, DatabaseChangedSensorConfig):
            continue
        source = file.config.tables[sensor.table].source
        assert isinstance(source, DatabaseSourceConfig)
        path = ("sensors", name, "query")
        connection = file.config.connections[source.connection]
        try:
            checked_query_of(sensor, source, connection, file.location(*path))
        except PredicateError as error:
            yield from (Fault(path, problem) for problem in error.problems)


def checked_query_of(
    sensor: DatabaseChangedSensorConfig,
    source: DatabaseSourceConfig,
    connection: ConnectionConfig,
    location: Location,
) -> str:
    """The sensor's query, guarded; "" where it has none.

    Raises:
        PredicateError: it does more than read, or has not one column.
    """
    if sensor.query is None:
        return ""
    return checked_source_query(sensor.query, _dialect(source, connection), location)


def _dialect(source: DatabaseSourceConfig, connection: ConnectionConfig) -> str:
    """The SQL of the database, as far as it is known without asking for a secret."""
    if isinstance(source, PostgresSourceConfig):
        return "postgres"
    if isinstance(source, MySqlSourceConfig):
        return "mysql"
    scheme = connection.url.known_start.partition(":")[0].partition("+")[0]
    return _DIALECTS.get(scheme, "")
