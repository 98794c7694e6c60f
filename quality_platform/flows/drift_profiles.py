"""The profiles of a drift test's rows: made once for the same rows, or frozen under a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import pyarrow as pa

from quality_platform.config.tenant_models import namespace_of_tenant
from quality_platform.errors import ConcurrentLoadError, FeatureViewError
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.drift_rows import DriftRows, Side
from quality_platform.flows.platform import Platform
from quality_platform.history.drift_profiles import NAME, ProfileRecord, ProfileStore
from quality_platform.lake.query import duckdb_session
from quality_platform.lake.reading import require_columns

if TYPE_CHECKING:
    from quality_platform.drift.profiles import ColumnProfile

_NOTHING = "nothing"
"""The name of a relation without rows."""


@dataclass(frozen=True)
class Profiled:
    """One side of a drift test, profiled.

    Attributes:
        text: Which rows, for people.
        snapshot_id: The snapshot that they were read from.
        days: How many days they are of; None where they are of no period.
        profiles: By column; a frozen side may lack some.
        was_kept: Whether none of its rows had to be read.
    """

    text: str
    snapshot_id: int | None
    days: float | None
    profiles: Mapping[str, ColumnProfile]
    was_kept: bool = False

    @property
    def rows(self) -> int:
        """The number of rows."""
        return next((profile.rows for profile in self.profiles.values()), 0)


@dataclass(frozen=True)
class Profiler:
    """Makes and keeps the profiles of a table's columns."""

    platform: Platform
    table: ContractedTable
    columns: tuple[str, ...]

    def reference(self, rows: DriftRows, side: Side) -> Profiled:
        """The profiles of a reference, of which only what was not profiled before is read."""
        known = self._store.of_rows(self.table.identifier, side.digest)
        found = {
            column: _read(record.profile)
            for column in self.columns
            if (record := known.get((column, self._definition(column)))) is not None
        }
        missing = tuple(column for column in self.columns if column not in found)
        made = self._made(rows, side, missing)
        # What is not kept is made again: no reason to fail.
        with suppress(ConcurrentLoadError):
            self._keep(side, made)
        profiles = {**found, **made}
        ordered = {column: profiles[column] for column in self.columns}
        return Profiled(side.text, side.snapshot_id, side.days, ordered, was_kept=not missing)

    def current(self, rows: DriftRows, side: Side, like: Mapping[str, ColumnProfile]) -> Profiled:
        """The profiles of the rows that are judged, cut as those of the reference are."""
        columns = tuple(column for column in self.columns if column in like)
        made = self._made(rows, side, columns, like)
        return Profiled(side.text, side.snapshot_id, side.days, made)

    def frozen(self, name: str) -> Profiled:
        """What was frozen under a name.

        Raises:
            FeatureViewError: nothing was.
        """
        identifier = self.table.identifier
        records = self._store.frozen(identifier, name)
        if not records:
            self._unknown(name)
        if not any(column in records for column in self.columns):
            raise FeatureViewError(
                f"the profile {name!r} of {identifier} has none of the columns",
                received=", ".join(self.columns),
                allowed=tuple(records),
                action="freeze a profile of these columns, under another name",
            )
        first = next(iter(records.values()))
        text = f"the profile {name!r} of {first.made_at:%Y-%m-%d}: {first.text}"
        profiles = {c: _read(records[c].profile) for c in self.columns if c in records}
        return Profiled(text, first.snapshot_id, first.days, profiles, was_kept=True)

    def freeze(self, rows: DriftRows, side: Side, name: str) -> Profiled:
        """Profiles rows and keeps that under a name, which no profile of the table may have.

        Raises:
            FeatureViewError: the name is taken, there are no rows, or all columns are restricted.
        """
        identifier = self.table.identifier
        if name in self._store.names(identifier):
            raise FeatureViewError(
                f"there is a profile {name!r} of {identifier} already",
                action="choose another name, or remove that one: "
                f"quality-platform drift forget {self.table.name} --name {name}",
            )
        kept = tuple(column for column in self.columns if column not in self._restricted)
        made = self._made(rows, side, kept)
        found = Profiled(side.text, side.snapshot_id, side.days, made)
        if not found.rows:
            raise FeatureViewError(
                f"there is nothing of {identifier} to freeze",
                received=f"{found.rows} rows ({side.text}), {len(kept)} columns",
                allowed="at least one row, and one column that is not restricted",
            )
        self._keep(side, made, name)
        return found

    def forget(self, name: str) -> int:
        """Removes what was frozen under a name; returns of how many columns that was.

        Raises:
            FeatureViewError: nothing was.
            LakeError: the lake cannot be used.
        """
        identifier = self.table.identifier
        return self._store.forget(identifier, name) or self._unknown(name)

    def _unknown(self, name: str) -> NoReturn:
        identifier = self.table.identifier
        raise FeatureViewError(
            f"there is no profile {name!r} of {identifier}",
            allowed=self._store.names(identifier),
            action=f"quality-platform drift freeze {self.table.name} --name {name}",
        )

    @property
    def _store(self) -> ProfileStore:
        namespace = namespace_of_tenant(self.table.tenant, "history")
        return ProfileStore(self.platform.lake, self.platform.engine, f"{namespace}.{NAME}")

    @property
    def _restricted(self) -> frozenset[str]:
        return self.table.object.restricted_columns

    def _definition(self, column: str) -> str:
        from quality_platform.drift.profiles import ProfileSettings

        return f"{ProfileSettings().definition} {self.table.schema.field(column).type}"

    def _made(
        self,
        rows: DriftRows,
        side: Side,
        columns: Sequence[str],
        like: Mapping[str, ColumnProfile] | None = None,
    ) -> dict[str, ColumnProfile]:
        from quality_platform.drift import profiling

        if not columns:
            return {}
        require_columns(rows.main, columns)
        fields = [self.table.schema.field(column) for column in columns]
        with duckdb_session(self.platform.engine) as connection:
            # A relation needs types, and where there is no file nothing else has them.
            connection.register(_NOTHING, pa.schema(fields).empty_table())
            relation = side.relation(fields) if side.files else _NOTHING
            return profiling.profile_relation(connection, relation, columns, like=like)

    def _keep(
        self, side: Side, profiles: Mapping[str, ColumnProfile], name: str | None = None
    ) -> None:
        from quality_platform.drift.profile_bytes import profile_to_bytes

        now = datetime.now(UTC)
        records = [
            ProfileRecord(
                table=self.table.identifier,
                column=column,
                rows_of=side.digest,
                definition=self._definition(column),
                text=side.text,
                made_at=now,
                profile=profile_to_bytes(profile),
                name=name,
                snapshot_id=side.snapshot_id,
                days=side.days,
                cached_at=None if name else now,
            )
            for column, profile in profiles.items()
            # What a person asks to be forgotten must not stay behind in a profile. And of no rows
            # there is nothing to keep.
            if column not in self._restricted and profile.rows
        ]
        self._store.keep(records)


def _read(data: bytes) -> ColumnProfile:
    from quality_platform.drift.profile_bytes import profile_from_bytes

    return profile_from_bytes(data)
