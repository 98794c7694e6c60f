"""The history table `history.drift_profiles`: what a drift test keeps of rows that it has read.

Runs only ever add rows. Profiles of a reference that any test may make again have a `cached_at`,
by which upkeep removes old ones; those that people froze under a name have none, and stay. Profiles
hold values, so that every tenant has a table of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from quality_platform.history.records import RETRIES, files_of_history
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake
from quality_platform.lake.data_files import RollingWriter
from quality_platform.lake.deleting import delete_rows
from quality_platform.lake.query import EngineSettings, duckdb_session, quote_literal
from quality_platform.lake.table_files import read_parquet

NAME = "drift_profiles"
"""The name of the table in every namespace that has one."""

DRIFT_PROFILES = f"history.{NAME}"
"""The table of all that is no tenant's."""

KEPT = timedelta(days=30)
"""How long a profile is kept that can be made again."""

CACHED_AT = "cached_at"
"""The column that says when such a profile was made."""

_AT = pa.timestamp("us", "UTC")
_FIELDS: list[pa.Field[Any]] = [
    pa.field("table", pa.string(), nullable=False),
    pa.field("column", pa.string(), nullable=False),
    pa.field("name", pa.string()),
    pa.field("rows_of", pa.string(), nullable=False),
    pa.field("definition", pa.string(), nullable=False),
    pa.field("snapshot_id", pa.int64()),
    pa.field("text", pa.string(), nullable=False),
    pa.field("days", pa.float64()),
    pa.field("made_at", _AT, nullable=False),
    pa.field(CACHED_AT, _AT),
    pa.field("profile", pa.binary(), nullable=False),
]
DRIFT_PROFILES_SCHEMA = pa.schema(_FIELDS)


@dataclass(frozen=True)
class ProfileRecord:
    """The profile of one column of some rows of a table.

    Attributes:
        table: The table's name in the lake.
        column: The column.
        rows_of: A digest of which rows: their files, and the condition that tells them.
        definition: By which definition the profile was made, and of which type.
        text: Which rows, for people.
        made_at: When it was made.
        profile: The profile's bytes.
        name: The name under which it was frozen; None where it can be made again.
        snapshot_id: The snapshot that the rows were read from.
        days: How many days the rows are of; None where they are of no period.
        cached_at: `made_at`, None where it was frozen.
    """

    table: str
    column: str
    rows_of: str
    definition: str
    text: str
    made_at: datetime
    profile: bytes
    name: str | None = None
    snapshot_id: int | None = None
    days: float | None = None
    cached_at: datetime | None = None


@dataclass(frozen=True)
class ProfileStore:
    """The profiles in one table of the lake, `identifier`."""

    lake: Lake
    settings: EngineSettings
    identifier: str = DRIFT_PROFILES

    def keep(self, records: Sequence[ProfileRecord]) -> None:
        """Adds profiles; what is there already is no obstacle.

        Raises:
            LakeError: the lake cannot be used.
        """
        if not records:
            return
        table = self.lake.ensure_table(self.identifier, DRIFT_PROFILES_SCHEMA, RETRIES)
        rows = [asdict(record) for record in records]
        columns = [pa.array([row[f.name] for row in rows], f.type) for f in DRIFT_PROFILES_SCHEMA]
        writer = RollingWriter(table, uuid.uuid4().hex)
        writer.write(pa.record_batch(columns, schema=DRIFT_PROFILES_SCHEMA))
        commits.append(self.lake, table, writer.close(), {})

    def of_rows(self, table: str, rows_of: str) -> dict[tuple[str, str], ProfileRecord]:
        """The profiles of these rows, frozen ones among them, by column and definition."""
        found = self._found({"table": table, "rows_of": rows_of})
        return {(record.column, record.definition): record for record in found}

    def frozen(self, table: str, name: str) -> dict[str, ProfileRecord]:
        """The profiles that were frozen under a name, by column; {} where none was."""
        found = self._found({"table": table, "name": name})
        return {record.column: record for record in found}

    def names(self, table: str) -> tuple[str, ...]:
        """The names under which profiles of a table were frozen, sorted."""
        files = files_of_history(self.lake, self.identifier)
        if not files:
            return ()
        with duckdb_session(self.settings) as connection:
            rows = connection.sql(
                f"SELECT DISTINCT name FROM {read_parquet(files)} "
                f'WHERE "table" = {quote_literal(table)} AND name IS NOT NULL ORDER BY name'
            ).fetchall()
        return tuple(name for (name,) in rows)

    def forget(self, table: str, name: str) -> int:
        """Removes what was frozen under a name; returns how many profiles that was.

        Raises:
            LakeError: the lake cannot be used.
        """
        found = len(self.frozen(table, name))
        if found:
            values = {"table": table, "name": name}
            delete_rows(self.lake, self.lake.table(self.identifier), values)
        return found

    def _found(self, wanted: Mapping[str, str]) -> list[ProfileRecord]:
        """The newest record of each column and definition."""
        files = files_of_history(self.lake, self.identifier)
        if not files:
            return []
        condition = " AND ".join(f'"{name}" = {quote_literal(v)}' for name, v in wanted.items())
        with duckdb_session(self.settings) as connection:
            rows = connection.sql(
                f'SELECT DISTINCT ON ("column", definition) * FROM {read_parquet(files)} '
                f'WHERE {condition} ORDER BY "column", definition, made_at DESC'
            ).to_arrow_table()
        return [ProfileRecord(**row) for row in rows.to_pylist()]
