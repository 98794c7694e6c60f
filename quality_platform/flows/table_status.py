"""Where every table stands, read from the lake: what `quality-platform status` shows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from quality_platform.flows.broken_tables import namespace_of, quarantine_of, tenant_of
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.own_warehouses import looked_at
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import audit_branches
from quality_platform.history.records import latest_runs
from quality_platform.lake import commits
from quality_platform.lake.position import Position
from quality_platform.lake.reading import batches_of, published_snapshot, rows_of, snapshot_of
from quality_platform.quarantine.columns import META_COLUMNS


@dataclass(frozen=True)
class TableStatus:
    """One table: its rows, its quarantine, its snapshot, and its latest run of any effect.

    `latest_run` has the columns of `history.runs`, or is None where the table never ran.
    `blocked_branches` are loads that a gate keeps from being published. `broken` says why the table
    cannot be loaded at all: what runner.yaml or the contract says cannot be used, or a tenant's
    warehouse cannot be read, so that its rows are not known; "" where it can.
    `tenant` is whose it is, "" for nobody's.
    """

    name: str
    identifier: str
    kind: str
    rows: int
    quarantined: int
    snapshot_id: int | None
    published_at: datetime | None
    blocked_branches: tuple[str, ...]
    latest_run: dict[str, Any] | None
    broken: str = ""
    tenant: str = ""


@dataclass(frozen=True)
class _Place:
    """Where a table is in the lake, and its quarantine."""

    name: str
    identifier: str
    quarantine_identifier: str


def table_statuses(platform: Platform, names: Collection[str] = ()) -> list[TableStatus]:
    """The status of every table and feature view, in the order in which they run; broken ones last.

    Of those called `names` alone, where there are any.

    Raises:
        LakeError: the lake cannot be used.
    """
    runs = latest_runs(platform.lake, platform.engine)
    tables: list[ContractedTable] = [platform.tables[name] for name in platform.load_order]
    tables += platform.feature_tables.values()
    found = []
    for table in tables:
        if names and table.name not in names:
            continue
        place = _Place(table.name, table.identifier, table.quarantine_identifier)
        kind = "table" if table.name in platform.tables else "feature view"
        status = _status(platform, place, kind, runs.get(table.name))
        found.append(replace(status, tenant=table.tenant))
    for part in platform.broken_tables.values():
        if names and part.name not in names:
            continue
        place = _Place(part.name, f"{namespace_of(part)}.{part.name}", quarantine_of(part))
        status = _status(platform, place, part.noun, runs.get(part.name))
        broken = str(part.error.problems[0])
        found.append(replace(status, broken=broken, tenant=tenant_of(part)))
    return found


def _status(
    platform: Platform, table: _Place, kind: str, run: dict[str, Any] | None
) -> TableStatus:
    look = partial(_readable_status, platform, table, kind, run)
    found = looked_at(platform.runner, table.identifier, look)
    if isinstance(found, TableStatus):
        return found
    why = str(found.problems[0])
    return TableStatus(table.name, table.identifier, kind, 0, 0, None, None, (), run, broken=why)


def _readable_status(
    platform: Platform, table: _Place, kind: str, run: dict[str, Any] | None
) -> TableStatus:
    main = platform.lake.find_table(table.identifier)
    snapshot = published_snapshot(main)
    published = datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC) if snapshot else None
    return TableStatus(
        name=table.name,
        identifier=table.identifier,
        kind=kind,
        rows=rows_of(snapshot),
        quarantined=sum(batch.num_rows for batch in _quarantined(platform, table, ("_load_id",))),
        snapshot_id=snapshot.snapshot_id if snapshot else None,
        published_at=published,
        blocked_branches=audit_branches(main) if main is not None else (),
        latest_run=run,
    )


def quarantined_rows(platform: Platform, name: str) -> Iterator[dict[str, Any]]:
    """The rows held in a table's quarantine, with their reasons; provenance columns come last.

    Rows of attempts that died before their publish are left out: they do not count.

    Raises:
        RunnerFileError: there is no such table.
        LakeError: the lake cannot be used.
    """
    table = platform.contracted(name)
    columns = (*table.object.column_names, *META_COLUMNS)
    for batch in _quarantined(platform, table, columns):
        yield from batch.select(columns).to_pylist()


def quarantine_state(platform: Platform, name: str) -> tuple[str, frozenset[str]]:
    """A short name of what a quarantine holds, "" for no row, and the contracts that judged it.

    The name changes with every load that holds rows back, and with every replay; the contracts are
    told by their versions.

    Raises:
        LakeError: the lake cannot be used.
    """
    table = platform.contracted(name)
    main = platform.lake.find_table(table.identifier)
    versions: set[str] = set()
    for batch in _quarantined(platform, table, ("_contract_version",)):
        versions.update(batch.column("_contract_version").unique().to_pylist())
    if main is None or not versions:
        return "", frozenset()
    attempts = "".join(Position.of(main.properties).attempts)
    return hashlib.sha256(attempts.encode()).hexdigest()[:16], frozenset(versions)


def _quarantined(
    platform: Platform, table: ContractedTable | _Place, columns: tuple[str, ...]
) -> Iterator[Any]:
    main = platform.lake.find_table(table.identifier)
    held = platform.lake.find_table(table.quarantine_identifier)
    if main is None or held is None:
        return
    committed = Position.of(main.properties).attempts
    snapshot = snapshot_of(held)
    for batch in batches_of(
        held, snapshot.snapshot_id if snapshot else None, columns=(*columns, "_attempt")
    ):
        yield commits.of_attempts(batch, committed)
