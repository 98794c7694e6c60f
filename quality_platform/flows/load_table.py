"""The flow of one table: find new files, load them batch by batch, publish or block."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from quality_platform.errors import ConcurrentLoadError, SourceChangedError
from quality_platform.flows.contracted_tables import ContractedTable, SourceTable
from quality_platform.flows.judging import Pins
from quality_platform.flows.outcomes import LoadOutcome, Progress, TableOutcome, merged, silent
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables, Load, LoadPlan
from quality_platform.flows.recording import recorded, starting_over
from quality_platform.flows.staging import Staging
from quality_platform.lake.position import Position
from quality_platform.lake.reading import published_snapshot, rows_of
from quality_platform.sources.csv_files import CsvFormat, CsvSource
from quality_platform.sources.files import find_files
from quality_platform.sources.protocol import SourceFile


def load_table(
    platform: Platform, name: str, run_id: str, progress: Progress = silent
) -> TableOutcome:
    """Loads what is new at the source of a table.

    Loads that were published stay published when a later one of the same run is blocked or fails.

    Raises:
        SourceError: a source file is missing, empty, malformed, or has changed.
        LakeError: the lake cannot be used.
    """
    table = platform.tables[name]
    loads: list[LoadOutcome] = []
    with recorded(platform, name, run_id, loads) as record:
        return record(
            starting_over(lambda: _load_new_files(platform, table, run_id, progress, loads))
        )


def _load_new_files(
    platform: Platform,
    table: SourceTable,
    run_id: str,
    progress: Progress,
    loads: list[LoadOutcome],
) -> TableOutcome:
    """Adds to `loads`, which keeps what was published before another run was faster."""
    files = source_files(platform, table)
    tables = LakeTables.of(platform, table)
    new = new_files(table, files, tables.position)
    pins = Pins.of(platform, table.references)
    for batch in _batches(table, new):
        loads.append(_load_batch(platform, table, batch, pins, run_id, progress))
        if loads[-1].blocked:
            break
    return outcome_of(platform, table, run_id, loads, pins)


def source_files(platform: Platform, table: SourceTable) -> dict[str, SourceFile]:
    """The files at a table's source, by their name below the source's folder."""
    files = find_files(
        table.source_pattern,
        location=platform.runner.location("tables", table.name, "source", "path"),
        field=f"tables.{table.name}.source.path",
    )
    folder = _fixed_folder(table.source_pattern)
    return {str(PurePath(file.path).relative_to(folder)): file for file in files}


def _fixed_folder(pattern: str) -> str:
    """The part of a glob before its first wildcard: where the source's folder begins."""
    path = Path(pattern)
    for parent in reversed(path.parents):
        if any(sign in parent.name for sign in "*?["):
            return str(parent.parent)
    return str(path.parent)


def new_files(
    table: SourceTable, files: Mapping[str, SourceFile], position: Position
) -> dict[str, SourceFile]:
    """The files whose content is not yet in the table; for `replace`, all files or none.

    Raises:
        SourceChangedError: a file that was appended has another content now.
    """
    known = {name: source.version for name, source in position.sources.items()}
    if table.config.load.mode == "replace":
        return {} if _versions(files) == known else dict(files)
    for name, file in files.items():
        if name in known and known[name] != file.sha256:
            raise SourceChangedError(
                f"the file {name} was ingested by load {position.sources[name].load_id} and has "
                "changed since",
                location=table.location,
                field=f"tables.{table.name}",
                received=f"sha256 {file.sha256[:12]}",
                allowed=f"sha256 {known[name][:12]}",
                action="deliver the corrected rows in a file of another name, "
                "or use load.mode: replace",
            )
    return {name: file for name, file in files.items() if name not in known}


def _versions(files: Mapping[str, SourceFile]) -> dict[str, str]:
    return {name: file.sha256 for name, file in files.items()}


def _batches(table: SourceTable, new: Mapping[str, SourceFile]) -> list[dict[str, SourceFile]]:
    if not new:
        return []
    if table.config.load.batch == "file":
        return [{name: file} for name, file in new.items()]
    return [dict(new)]


def load_id_of(identifier: str, versions: Mapping[str, str]) -> str:
    """A load's id: the same for the same table and the same versions of the same sources."""
    digest = hashlib.sha256(identifier.encode())
    for name, version in sorted(versions.items()):
        digest.update(f"\0{name}\0{version}".encode())
    return digest.hexdigest()[:16]


def _load_batch(
    platform: Platform,
    table: SourceTable,
    batch: Mapping[str, SourceFile],
    pins: Pins,
    run_id: str,
    progress: Progress,
) -> LoadOutcome:
    names, versions = tuple(batch), _versions(batch)
    progress("reading", ", ".join(names) if len(names) < 4 else f"{len(names)} files")
    plan = LoadPlan(
        load_id=load_id_of(table.identifier, versions),
        versions=versions,
        replace=table.config.load.mode == "replace",
        label=names[0] if table.config.load.batch == "file" else "",
    )
    tables = LakeTables.of(platform, table)
    _require_still_new(table, batch, tables.position)
    return Load(platform, table, tables, plan, pins, run_id, progress).run(_Reader(table, batch))


def _require_still_new(
    table: SourceTable, batch: Mapping[str, SourceFile], position: Position
) -> None:
    """Refuses a batch of which another run has published a file since the run was planned.

    The commit's compare-and-swap would not see it: it compares with the table of this moment.

    Raises:
        ConcurrentLoadError: at least one file of the batch is in the table.
    """
    if new_files(table, batch, position) != dict(batch):
        raise ConcurrentLoadError(
            f"another run has loaded files of {table.name} meanwhile",
            action="run it again: it starts from the new position",
        )


@dataclass(frozen=True)
class _Reader:
    table: SourceTable
    files: Mapping[str, SourceFile]

    def __call__(self, staging: Staging) -> None:
        config = self.table.config.source
        for name, file in self.files.items():
            source = CsvSource(
                file=file,
                columns=tuple(p.source_name for p in self.table.object.properties),
                ignored=config.ignore_columns,
                format=CsvFormat(config.delimiter, config.quote, config.null_strings),
            )
            for batch in source.batches():
                staging.add_records(batch, name)


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
