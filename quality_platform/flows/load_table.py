"""The flow of one table: find new files, load them batch by batch, publish or block."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from quality_platform.errors import ConcurrentLoadError, RunnerFileError
from quality_platform.flows.contracted_tables import ContractedTable, SourceTable
from quality_platform.flows.judging import Pins
from quality_platform.flows.load_changes import LoadPlan
from quality_platform.flows.merge_rules import rules_of
from quality_platform.flows.outcomes import LoadOutcome, Progress, TableOutcome, merged, silent
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables, Load
from quality_platform.flows.recording import recorded, starting_over
from quality_platform.flows.requests import (
    NOTHING_IN_PARTICULAR,
    Request,
    range_condition,
    require_possible,
)
from quality_platform.flows.staging import Staging
from quality_platform.ingest.typed_columns import require_fitting
from quality_platform.lake.position import Position
from quality_platform.lake.reading import published_snapshot, rows_of
from quality_platform.sources.protocol import Part, SourceContext, Wanted
from quality_platform.sources.registry import open_source


def load_table(
    platform: Platform,
    name: str,
    run_id: str,
    progress: Progress = silent,
    request: Request = NOTHING_IN_PARTICULAR,
) -> TableOutcome:
    """Loads what is new at the source of a table, or what is asked for.

    Loads that were published stay published when a later one of the same run is blocked or fails.

    Raises:
        RunnerFileError: the table cannot be asked for this.
        SourceError: a source file is missing, empty, malformed, or has changed.
        LakeError: the lake cannot be used.
    """
    table = platform.tables[name]
    loads: list[LoadOutcome] = []
    require_possible(table, request)
    run = _TableRun(platform, table, run_id, progress, request)
    with recorded(platform, name, run_id, loads) as record:
        return record(starting_over(lambda: run.load_new_parts(loads)))


@dataclass(frozen=True)
class _TableRun:
    platform: Platform
    table: SourceTable
    run_id: str
    progress: Progress
    request: Request

    def load_new_parts(self, loads: list[LoadOutcome]) -> TableOutcome:
        """Adds to `loads`, which keeps what was published before another run was faster."""
        platform, table = self.platform, self.table
        planned = _position(platform, table)
        source = open_source(table.config.source, source_context(platform, table))
        wanted = Wanted(planned, self.request.backfill, self.request.full_refresh)
        batches = self._batches(source.parts(wanted))
        pins = Pins.of(platform, table.references)
        for batch in batches:
            plan = self._plan(batch, is_all=len(batches) == 1)
            loads.append(self._load(batch, plan, planned, pins))
            if loads[-1].blocked:
                break
        return outcome_of(platform, table, self.run_id, loads, pins)

    def _load(
        self, batch: Sequence[Part], plan: LoadPlan, planned: Position, pins: Pins
    ) -> LoadOutcome:
        names = [part.name for part in batch]
        self.progress("reading", ", ".join(names) if len(names) < 4 else f"{len(names)} files")
        tables = LakeTables.of(self.platform, self.table)
        _require_still_new(self.table, names, planned, tables.position)
        load = Load(self.platform, self.table, tables, plan, pins, self.run_id, self.progress)
        return load.run(_Reader(self.table, batch))

    def _batches(self, parts: Sequence[Part]) -> list[tuple[Part, ...]]:
        """What is loaded at once: a full refresh takes the place of all rows by one load."""
        if not parts:
            return []
        if self.table.config.load.batch == "file" and not self.request.full_refresh:
            return [(part,) for part in parts]
        return [tuple(parts)]

    def _plan(self, batch: Sequence[Part], *, is_all: bool) -> LoadPlan:
        table, request, mode = self.table, self.request, self.table.config.load.mode
        rules = rules_of(table)
        whole = is_all and all(part.whole for part in batch)
        if rules is not None and rules.compares and not whole:
            raise _not_whole(table)
        versions = {part.name: part.version for part in batch}
        again = {"backfill": f"{request.backfill}"} if request.backfill else {}
        one_file = table.config.load.batch == "file" and not request.full_refresh
        return LoadPlan(
            load_id=load_id_of(table.identifier, {**versions, **again}),
            versions=versions,
            # The history of a row is nothing that could be read again.
            replace=mode == "replace" or (request.full_refresh and mode != "snapshot"),
            label=batch[0].name if one_file else "",
            stamps={part.name: part.stamp for part in batch if part.stamp},
            merge=rules,
            whole=whole,
            full_refresh=request.full_refresh,
            range=self._range(),
        )

    def _range(self) -> str:
        """The published rows that go because their range is read again: a merge finds its own."""
        table, backfill = self.table, self.request.backfill
        if backfill is None or table.config.load.mode != "append":
            return ""
        return range_condition(table, source_context(self.platform, table), backfill)


def _position(platform: Platform, table: SourceTable) -> Position:
    """Where the table's rows come from; a table that is not there yet is not made for it."""
    if platform.lake.find_table(table.identifier) is None:
        return Position()
    return LakeTables.of(platform, table).position


def source_context(platform: Platform, table: SourceTable) -> SourceContext:
    """What the table's source is opened with."""
    config = table.config.source
    connections = platform.runner.config.connections
    names = [column.source_name for column in table.object.properties]
    return SourceContext(
        table=table.name,
        columns=pa.schema([f.with_name(n) for n, f in zip(names, table.schema, strict=True)]),
        load=table.config.load,
        resolve=platform.runner.resolve,
        location=partial(platform.runner.location, "tables", table.name),
        connection=connections.get(getattr(config, "connection", "")),
        lake=platform.lake,
        home=platform.home,
    )


def load_id_of(identifier: str, versions: Mapping[str, str]) -> str:
    """A load's id: the same for the same table and the same versions of the same sources."""
    digest = hashlib.sha256(identifier.encode())
    for name, version in sorted(versions.items()):
        digest.update(f"\0{name}\0{version}".encode())
    return digest.hexdigest()[:16]


def _not_whole(table: SourceTable) -> RunnerFileError:
    """What is compared must be all that the source has, or rows would be deleted that it has."""
    return RunnerFileError(
        "a comparison needs all rows of the source, and this load does not have them",
        location=table.location,
        field=f"tables.{table.name}.load.deletes.by",
        received="comparison",
        allowed="flag, or a source whose rows are one load: a whole table, all files together",
    )


def _require_still_new(
    table: SourceTable, names: Sequence[str], planned: Position, now: Position
) -> None:
    """Refuses a batch of which another run has published a part since the run was planned.

    The commit's compare-and-swap would not see it: it compares with the table of this moment.

    Raises:
        ConcurrentLoadError: at least one part of the batch has another position.
    """
    if any(planned.sources.get(name) != now.sources.get(name) for name in names):
        raise ConcurrentLoadError(
            f"another run has loaded the same of {table.name} meanwhile",
            action="run it again: it starts from the new position",
        )


@dataclass(frozen=True)
class _Reader:
    table: SourceTable
    parts: Sequence[Part]

    def __call__(self, staging: Staging) -> None:
        where = self.table.location
        for part in self.parts:
            for number, batch in enumerate(part.batches()):
                if not batch.text and not number:
                    require_fitting(batch.columns.schema, self._schema, where)
                staging.add_records(batch, part.name)

    @property
    def _schema(self) -> pa.Schema:
        """The contract's types under the names at the source."""
        columns = self.table.object.properties
        return pa.schema(
            [f.with_name(c.source_name) for c, f in zip(columns, self.table.schema, strict=True)]
        )


def outcome_of(
    platform: Platform,
    table: ContractedTable,
    run_id: str,
    loads: Sequence[LoadOutcome],
    pins: Pins,
) -> TableOutcome:
    """The outcome of a run from the outcomes of its loads, and the table as it is now."""
    snapshot = published_snapshot(platform.lake.table(table.identifier))
    blocked = any(load.blocked for load in loads)
    return TableOutcome(
        table=table.name,
        identifier=table.identifier,
        run_id=run_id,
        state="blocked" if blocked else "published" if loads else "nothing_new",
        loads=tuple(loads),
        results=merged([load.results for load in loads]),
        snapshot_id=snapshot.snapshot_id if snapshot else None,
        total_rows=rows_of(snapshot),
        pins=pins.snapshots,
    )
