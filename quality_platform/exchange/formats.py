"""The formats by name."""

from __future__ import annotations

from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import ConfigurationError

IMPORTED = ("csv", "dativo", "dbt", "great-expectations", "iceberg", "parquet", "postgres", "soda")
"""What `quality-platform import` reads."""

EXPORTED = ("ddl", "great-expectations", "json-schema", "markdown", "soda")
"""What `quality-platform export` writes."""


def known_format(name: str, formats: tuple[str, ...]) -> str:
    """The format of this name; case, `_` and `-` do not matter, nor does the short name `gx`.

    Raises:
        ConfigurationError: there is none; the nearest one is named.
    """
    written = name.casefold().replace("_", "-")
    written = {"gx": "great-expectations", "sql": "ddl", "postgresql": "postgres"}.get(
        written, written
    )
    if written not in formats:
        raise ConfigurationError(
            "there is no such format",
            received=name,
            allowed=formats,
            action=did_you_mean(name, formats),
        )
    return written
