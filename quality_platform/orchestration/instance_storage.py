"""The Dagster instance's storage in PostgreSQL, as `storage` of dagster.yaml names it."""

from typing import Any, Self

import dagster as dg
from dagster_postgres import DagsterPostgresStorage

from quality_platform.orchestration.instance_file import driver_url


class PostgresStorage(DagsterPostgresStorage):
    """Dagster's own storage in PostgreSQL, with any common way to write the URL."""

    @classmethod
    def config_type(cls) -> Any:
        """What dagster.yaml can say of it. Tables that are missing are made, unless told not to."""
        return {
            "postgres_url": dg.StringSource,
            "should_autocreate_tables": dg.Field(bool, default_value=True),
        }

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> Self:
        """The storage that a block of dagster.yaml describes; variables have their values here.

        Raises:
            ConfigurationError: the URL is not one of PostgreSQL. It is not shown.
        """
        url = driver_url(config_value["postgres_url"])
        return cls(url, config_value["should_autocreate_tables"], inst_data)
