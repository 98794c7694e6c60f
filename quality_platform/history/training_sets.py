"""The history table `history.training_sets`: what became of every version of every training set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import pyarrow as pa

from quality_platform.history.records import append_rows, files_of_history
from quality_platform.lake.catalog import Lake
from quality_platform.lake.query import EngineSettings, duckdb_session
from quality_platform.lake.table_files import read_parquet

TRAINING_SETS = "history.training_sets"

_FIELDS: list[pa.Field[Any]] = [
    pa.field("at", pa.timestamp("us", "UTC"), nullable=False),
    pa.field("event", pa.string(), nullable=False),
    pa.field("name", pa.string(), nullable=False),
    pa.field("tag", pa.string(), nullable=False),
    pa.field("table", pa.string(), nullable=False),
    pa.field("snapshot_id", pa.int64(), nullable=False),
    pa.field("rows", pa.int64(), nullable=False),
    pa.field("digest", pa.string(), nullable=False),
    pa.field("owner", pa.string()),
    pa.field("by", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("run_id", pa.string()),
    pa.field("manifest", pa.string(), nullable=False),
    # A table that is older than this column gets it with the next event.
    pa.field("tenant", pa.string()),
]
TRAINING_SETS_SCHEMA = pa.schema(_FIELDS)

Event = Literal["made", "removed", "expired"]


class Version(Protocol):
    """What the history needs to know of a version."""

    @property
    def name(self) -> str:
        """The training set."""

    @property
    def tag(self) -> str:
        """The version."""

    @property
    def rows(self) -> int:
        """Its rows."""

    @property
    def digest(self) -> str:
        """SHA-256 of its rows."""

    @property
    def owner(self) -> str:
        """Who owns it."""

    @property
    def run_id(self) -> str:
        """The run that made it."""

    def as_json(self) -> str:
        """All of it."""


@dataclass(frozen=True)
class TrainingSetEvent:
    """Something that became of a version: it was made, removed by somebody, or expired.

    `by` and `reason` are those of a removal; `manifest` is all that is known of the version.
    `tenant` is whose it is; "" for nobody's.
    """

    at: datetime
    event: Event
    name: str
    tag: str
    table: str
    snapshot_id: int
    rows: int
    digest: str
    owner: str
    by: str
    reason: str
    run_id: str
    manifest: str
    tenant: str = ""

    @classmethod
    def of(
        cls, event: Event, version: Version, table: str, snapshot_id: int, by: str = "",
        reason: str = "",
    ) -> TrainingSetEvent:  # fmt: skip
        """The event, now."""
        return cls(
            at=datetime.now(UTC),
            event=event,
            name=version.name,
            tag=version.tag,
            table=table,
            snapshot_id=snapshot_id,
            rows=version.rows,
            digest=version.digest,
            owner=version.owner,
            by=by,
            reason=reason,
            run_id=version.run_id,
            manifest=version.as_json(),
        )


def record_training_set(lake: Lake, event: TrainingSetEvent) -> None:
    """Adds an event to the history.

    Raises:
        LakeError: the lake cannot be used.
    """
    append_rows(lake, TRAINING_SETS, TRAINING_SETS_SCHEMA, [asdict(event)])


def recorded_versions(lake: Lake, settings: EngineSettings) -> set[tuple[str, str, int]]:
    """The name, the tag and the snapshot of every version whose making the history tells."""
    return {
        (row["name"], row["tag"], row["snapshot_id"])
        for row in training_set_events(lake, settings)
        if row["event"] == "made"
    }


def training_set_events(lake: Lake, settings: EngineSettings) -> list[Mapping[str, Any]]:
    """All events but for the manifests, the oldest first."""
    files = files_of_history(lake, TRAINING_SETS)
    if not files:
        return []
    with duckdb_session(settings) as connection:
        rows = connection.sql(
            f'SELECT * EXCLUDE (manifest) FROM {read_parquet(files)} ORDER BY "at", name, tag'
        ).to_arrow_table()
    return list(rows.to_pylist())
