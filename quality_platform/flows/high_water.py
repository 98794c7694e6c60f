"""Whether a table's database has changed, told by a cheap question."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from quality_platform.config.sensor_models import DatabaseChangedSensorConfig
from quality_platform.config.source_models import DatabaseSourceConfig
from quality_platform.flows.load_table import source_context
from quality_platform.flows.platform import Platform
from quality_platform.flows.sensor_rules import checked_query_of
from quality_platform.sources.high_water import greatest_at_source


@dataclass(frozen=True)
class HighWater:
    """What was known of a database at one look.

    `value` is a digest of the answer, "" for none: an answer may be a value of a row, and is
    written nowhere. `changes` is a digest of all answers up to this one, in their order, so that
    an answer that comes again is another state.
    """

    value: str = ""
    changes: str = ""

    @classmethod
    def from_cursor(cls, cursor: str | None) -> Self:
        """What a sensor's cursor tells; nothing is known where there is none."""
        known: Mapping[str, str] = json.loads(cursor or "{}")
        return cls(known.get("value", ""), known.get("changes", ""))

    @property
    def cursor(self) -> str:
        """As JSON."""
        return json.dumps({"value": self.value, "changes": self.changes})

    def then(self, answer: str | None) -> HighWater:
        """What is known after an answer; the same where the answer is the one before."""
        value = "" if answer is None else _digest(answer)
        return self if value == self.value else HighWater(value, _digest(self.changes + value))


def high_water(platform: Platform, sensor: DatabaseChangedSensorConfig, name: str) -> str | None:
    """The database's answer to the sensor of this name; None where the table has no rows.

    Raises:
        PredicateError: the sensor's query does more than read.
        SecretError: the connection's secret cannot be had.
        SourceError: the database does not answer in time, or refuses.
    """
    table = platform.tables[sensor.table]
    source = table.config.source
    assert isinstance(source, DatabaseSourceConfig)
    context = source_context(platform, table)
    assert context.connection is not None
    where = platform.runner.location("sensors", name, "query")
    query = checked_query_of(sensor, source, context.connection, where)
    limited = context.connection.model_copy(
        update={"connect_timeout": sensor.timeout, "statement_timeout": sensor.timeout}
    )
    return greatest_at_source(source, replace(context, connection=limited), query)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
