"""The flow of one table: find new files, load them batch by batch, publish or block."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from quality_platform.errors import ConcurrentLoadError, RunnerFileError, SourceError
from quality_platform.flows.contracted_tables import ContractedTable, SourceTable
from quality_platform.flows.drift_test import with_drift
from quality_platform.flows.judging import Pins
from quality_platform.flows.load_changes import LoadPlan
from quality_platform.flows.merge_rules import rules_of
from quality_platform.flows.outcomes import (
    FailedFile,
    LoadOutcome,
    Progress,
    TableOutcome,
    merged,
    silent,
)
from quality_platform.flows.partition_sources import load_of_partitions
from quality_platform.flows.partitions import require_no_partitions
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables, Load
from quality_platform.flows.recording import recorded, starting_over
from quality_platform.flows.requests import (
    NOTHING_IN_PARTICULAR,
    Request,
    range_condition,
    require_possible,
)
from quality_platform.flows.source_checks import source_results
from quality_platform.flows.staging import Staging
from quality_platform.ingest.typed_columns import require_fitting, unfitting
from quality_platform.lake.position import Position
from quality_platform.lake.reading import published_snapshot, rows_of
from quality_platform.lake.scratch import remove_scratch_of_the_dead
from quality_platform.sources.protocol import (
    UNLIMITED,
    Part,
    RequestLimit,
    SourceContext,
    Wanted,
    tell_nobody,
)
from quality_platform.sources.registry import open_source
from quality_platform.sources.retrying import opened


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
    remove_scratch_of_the_dead()
    flow = _flow_of(platform, table, run_id, progress, request)
    with recorded(platform, name, run_id, loads) as record:
        return record(starting_over(lambda: flow(loads)))


def _flow_of(
    platform: Platform, table: SourceTable, run_id: str, progress: Progress, request: Request
) -> Callable[[list[LoadOutcome]], TableOutcome]:
    if table.config.partitions is None:
        return _TableRun(platform, table, run_id, progress, request).load_new_parts
    # It is built from the parts of this module.
    from quality_platform.flows.load_partitions import PartitionedRun

    return PartitionedRun(platform, table, run_id, progress, request).load


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
        planned = position_of(platform, table)
        told: list[str] = []
        context = source_context(platform, table, told.append)
        if table.config.load.mode == "append" and not self.request.full_refresh:
            require_no_partitions(table.name, planned)
        batches = self._batches(self._parts(context, planned))
        pins = Pins.of(platform, table.references)
        failed: dict[str, SourceError] = {}
        for batch in batches:
            plan = self._plan(batch, is_all=len(batches) == 1)
            try:
                loads.append(self._load(batch, plan, planned, pins, context.tell))
            except SourceError as error:
                failed[self._passed_over(batch, error)] = error
                continue
            if loads[-1].blocked:
                break
        outcome = outcome_of(platform, table, self.run_id, loads, pins)
        ended = partly(table, outcome, failed, tuple(dict.fromkeys(told)))
        return with_drift(platform, table, ended)

    def _parts(self, context: SourceContext, planned: Position) -> Sequence[Part]:
        """What is there to load; a source that does not answer at once is asked again."""
        source = open_source(self.table.config.source, context)
        wanted = Wanted(planned, self.request.backfill, self.request.full_refresh)
        # A retry waited already, and longer: attempts would multiply.
        patience = 0 if self.request.retry else self.table.retries.opening_seconds
        return opened(lambda: source.parts(wanted), patience, partial(self.progress, "waiting"))

    def _passed_over(self, batch: Sequence[Part], error: SourceError) -> str:
        """The name of the file that cannot be loaded, where the others can be without it.

        Raises:
            SourceError: the error, where it stops the run.
        """
        may_continue = self.table.config.load.on_file_error == "continue"
        if error.transient or not may_continue or self.request.full_refresh:
            raise error
        self.progress("passed_over", f"{batch[0].name}: {error.problems[0].message}")
        return batch[0].name

    def _load(
        self,
        batch: Sequence[Part],
        plan: LoadPlan,
        planned: Position,
        pins: Pins,
        tell: Callable[[str], None],
    ) -> LoadOutcome:
        names = [part.name for part in batch]
        self.progress("reading", ", ".join(names) if len(names) < 4 else f"{len(names)} files")
        tables = LakeTables.of(self.platform, self.table)
        _require_still_new(self.table, names, planned, tables.position)
        load = Load(self.platform, self.table, tables, plan, pins, self.run_id, self.progress)
        return load.run(SourceReader(self.table, batch, tell))

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


def position_of(platform: Platform, table: SourceTable) -> Position:
    """Where the table's rows come from; a table that is not there yet is not made for it."""
    if platform.lake.find_table(table.identifier) is None:
        return Position()
    return LakeTables.of(platform, table).position


def source_context(
    platform: Platform, table: SourceTable, tell: Callable[[str], None] = tell_nobody
) -> SourceContext:
    """What the table's source is opened with; `tell` takes what people must know of the load."""
    config = table.config.source
    connection = getattr(config, "connection", "")
    names = [column.source_name for column in table.object.properties]
    return SourceContext(
        table=table.name,
        columns=pa.schema([f.with_name(n) for n, f in zip(names, table.schema, strict=True)]),
        load=load_of_partitions(table),
        resolve=platform.runner.resolver("tables", table.name),
        location=partial(platform.runner.location, "tables", table.name),
        connection=platform.runner.config.connections.get(connection),
        lake=platform.lake,
        home=platform.home,
        limit=_limit(platform, connection),
        tell=tell,
        fence=table.fence,
    )


def _limit(platform: Platform, name: str) -> RequestLimit:
    """How often the connection of this name may be asked."""
    config = platform.runner.config
    connection = config.connections.get(name)
    if connection is None or connection.rate_limit is None:
        return UNLIMITED
    from quality_platform.sources.rate_limits import rate_limit

    store = config.rate_limits.store
    url = store.get_secret_value() if store else None
    return rate_limit(name, connection.rate_limit, platform.home, url)


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
class SourceReader:
    """Stages the parts of a source, of a type that fits; `tell` takes what people must know."""

    table: SourceTable
    parts: Sequence[Part]
    tell: Callable[[str], None]

    def __call__(self, staging: Staging) -> None:
        """Adds all records of the parts to a staging."""
        for part in self.parts:
            for number, batch in enumerate(part.batches()):
                if not batch.text and not number:
                    self._judge_types(batch.columns.schema, part.name)
                staging.add_records(batch, part.name)

    def _judge_types(self, found: pa.Schema, part: str) -> None:
        if self.table.config.load.schema_drift != "quarantine":
            require_fitting(found, self._schema, self.table.location)
            return
        for name in unfitting(found, self._schema):
            kind = found.field(name).type
            self.tell(f"{part} has the column {name!r} of the type {kind}: it was read as text.")

    @property
    def _schema(self) -> pa.Schema:
        """The contract's types under the names at the source."""
        columns = self.table.object.properties
        return pa.schema(
            [f.with_name(c.source_name) for c, f in zip(columns, self.table.schema, strict=True)]
        )


def partly(
    table: SourceTable,
    outcome: TableOutcome,
    failed: Mapping[str, SourceError],
    drift: tuple[str, ...],
) -> TableOutcome:
    """The outcome with the files that were passed over, and what differs at the source.

    Raises:
        SourceError: files were passed over, and nothing was ever published: the first of their
            errors, with the problems of all.
    """
    if failed and outcome.snapshot_id is None and not outcome.loads:
        errors = list(failed.values())
        raise type(errors[0]).of(problem for error in errors for problem in error.problems)
    files = tuple(FailedFile.of(name, error) for name, error in failed.items())
    state = outcome.state if outcome.state == "blocked" or not files else "partly_published"
    results = (*outcome.results, *source_results(table, files, drift))
    return replace(outcome, state=state, failed=files, drift=drift, results=results)


def outcome_of(
    platform: Platform,
    table: ContractedTable,
    run_id: str,
    loads: Sequence[LoadOutcome],
    pins: Pins,
) -> TableOutcome:
    """The outcome of a run from the outcomes of its loads, and the table as it is now."""
    snapshot = published_snapshot(platform.lake.find_table(table.identifier))
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
