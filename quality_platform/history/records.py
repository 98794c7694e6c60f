"""The history tables: `history.runs`, `history.check_results` and `history.decisions`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from quality_platform.checks.results import CheckResult, Verdict
from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake
from quality_platform.lake.data_files import RollingWriter
from quality_platform.lake.query import EngineSettings, duckdb_session, quote_literal
from quality_platform.lake.reading import files_of, snapshot_of
from quality_platform.lake.table_files import TableFiles, read_parquet

RUNS = "history.runs"
CHECK_RESULTS = "history.check_results"
DECISIONS = "history.decisions"

RETRIES = {
    "commit.retry.num-retries": "20",
    "commit.retry.min-wait-ms": "50",
    "commit.retry.max-wait-ms": "2000",
}
"""Table properties: rows are only ever added, so that a commit that lost a race may be repeated."""

_AT = pa.timestamp("us", "UTC")

_RUNS_FIELDS: list[pa.Field[Any]] = [
    pa.field("table", pa.string(), nullable=False),
    pa.field("run_id", pa.string(), nullable=False),
    pa.field("state", pa.string(), nullable=False),
    pa.field("started_at", _AT, nullable=False),
    pa.field("ended_at", _AT, nullable=False),
    pa.field("rows_read", pa.int64(), nullable=False),
    pa.field("rows_published", pa.int64(), nullable=False),
    pa.field("rows_quarantined", pa.int64(), nullable=False),
    pa.field("checks_passed", pa.int64(), nullable=False),
    pa.field("checks_warned", pa.int64(), nullable=False),
    pa.field("checks_failed", pa.int64(), nullable=False),
    pa.field("checks_in_error", pa.int64(), nullable=False),
    pa.field("snapshot_id", pa.int64()),
    pa.field("message", pa.string()),
    # Tables that are older than these columns get them with the next run.
    pa.field("rows_updated", pa.int64()),
    pa.field("rows_unchanged", pa.int64()),
    pa.field("rows_superseded", pa.int64()),
    pa.field("rows_deleted", pa.int64()),
    pa.field("partition", pa.string()),
    pa.field("bytes_read", pa.int64()),
    pa.field("bytes_written", pa.int64()),
    pa.field("tenant", pa.string()),
]
RUNS_SCHEMA = pa.schema(_RUNS_FIELDS)

_CHECK_RESULTS_FIELDS: list[pa.Field[Any]] = [
    pa.field("table", pa.string(), nullable=False),
    pa.field("run_id", pa.string(), nullable=False),
    pa.field("check", pa.string(), nullable=False),
    pa.field("verdict", pa.string(), nullable=False),
    pa.field("severity", pa.string(), nullable=False),
    pa.field("scope", pa.string(), nullable=False),
    pa.field("dimension", pa.string()),
    pa.field("rows", pa.int64(), nullable=False),
    pa.field("count", pa.int64()),
    pa.field("value", pa.float64()),
    pa.field("threshold", pa.string()),
    pa.field("message", pa.string()),
    pa.field("checked_at", _AT, nullable=False),
    # As above.
    pa.field("partition", pa.string()),
    pa.field("tenant", pa.string()),
]
CHECK_RESULTS_SCHEMA = pa.schema(_CHECK_RESULTS_FIELDS)

_DECISIONS_FIELDS: list[pa.Field[Any]] = [
    pa.field("decided_at", _AT, nullable=False),
    pa.field("table", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),
    pa.field("decided_by", pa.string(), nullable=False),
    pa.field("reason", pa.string(), nullable=False),
    pa.field("rows", pa.int64(), nullable=False),
    pa.field("run_id", pa.string(), nullable=False),
    pa.field("snapshot_id", pa.int64()),
    # As above.
    pa.field("tenant", pa.string()),
]
DECISIONS_SCHEMA = pa.schema(_DECISIONS_FIELDS)


@dataclass(frozen=True)
class RunRecord:
    """One run of one table.

    `state` is published, partly_published, blocked, materialized, compared, failed, rolled_back,
    replayed, released or discarded. `partition` is the partition that was loaded, or the first and
    the last of several; None where the table has none. `bytes_read` are those of the rows in
    memory, `bytes_written` those of the data files that were committed. `tenant` is whose the table
    is; "" for nobody's, and NULL in rows that are older than the column.
    """

    table: str
    run_id: str
    state: str
    started_at: datetime
    ended_at: datetime
    rows_read: int = 0
    rows_published: int = 0
    rows_quarantined: int = 0
    checks_passed: int = 0
    checks_warned: int = 0
    checks_failed: int = 0
    checks_in_error: int = 0
    snapshot_id: int | None = None
    message: str = ""
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_superseded: int = 0
    rows_deleted: int = 0
    partition: str | None = None
    bytes_read: int = 0
    bytes_written: int = 0
    tenant: str = ""


@dataclass(frozen=True)
class DecisionRecord:
    """What a person decided about rows, once it was carried out.

    `kind` is release or discard, where rows left the quarantine by it, or forget, where those of an
    entity were removed; `rows` is how many. `tenant` is as in `RunRecord`.
    """

    decided_at: datetime
    table: str
    kind: str
    decided_by: str
    reason: str
    rows: int
    run_id: str
    snapshot_id: int | None
    tenant: str = ""


def record_decision(lake: Lake, decision: DecisionRecord) -> None:
    """Adds a decision to the history.

    Raises:
        LakeError: the lake cannot be used.
    """
    append_rows(lake, DECISIONS, DECISIONS_SCHEMA, [asdict(decision)])


def record_run(
    lake: Lake,
    run: RunRecord,
    results: Sequence[CheckResult] = (),
    by_partition: Mapping[str, Sequence[CheckResult]] = MappingProxyType({}),
) -> None:
    """Adds a run and its check results to the history.

    `by_partition` are results of single partitions; `results` those of the whole run.

    Raises:
        LakeError: the lake cannot be used.
    """
    rows = [_result_row(run, result, None) for result in results]
    for partition, found in by_partition.items():
        rows += [_result_row(run, result, partition) for result in found]
    if rows:
        append_rows(lake, CHECK_RESULTS, CHECK_RESULTS_SCHEMA, rows)
    append_rows(lake, RUNS, RUNS_SCHEMA, [asdict(run)])


def _result_row(run: RunRecord, result: CheckResult, partition: str | None) -> dict[str, object]:
    spec = result.spec
    return {
        "table": run.table,
        "run_id": run.run_id,
        "check": spec.name,
        "verdict": result.verdict.value,
        "severity": spec.severity.value,
        "scope": spec.scope.value,
        "dimension": spec.dimension,
        "rows": result.rows,
        "count": result.count,
        "value": None if result.value is None else float(result.value),
        "threshold": str(spec.threshold),
        "message": result.message,
        "checked_at": run.ended_at,
        "partition": partition,
        "tenant": run.tenant,
    }


def append_rows(
    lake: Lake, identifier: str, schema: pa.Schema, rows: Sequence[Mapping[str, object]]
) -> None:
    """Adds rows to a table of the history, which is made when there is none.

    Raises:
        LakeError: the lake cannot be used.
    """
    table = lake.ensure_table(identifier, schema, RETRIES)
    writer = RollingWriter(table, uuid.uuid4().hex)
    columns = [pa.array([row[f.name] for row in rows], f.type) for f in schema]
    writer.write(pa.record_batch(columns, schema=schema))
    commits.append(lake, table, writer.close(), {})


def latest_runs(lake: Lake, settings: EngineSettings) -> dict[str, dict[str, Any]]:
    """The latest run of every table, by the table's name, with the columns of `history.runs`."""
    files = files_of_history(lake, RUNS)
    if not files:
        return {}
    with duckdb_session(settings) as connection:
        rows = connection.sql(
            f'SELECT DISTINCT ON ("table") * FROM {read_parquet(files)} '
            'ORDER BY "table", ended_at DESC'
        ).to_arrow_table()
    return {row["table"]: row for row in rows.to_pylist()}


def latest_results(
    lake: Lake, settings: EngineSettings, table: str, *, verdicts: Sequence[Verdict]
) -> list[dict[str, Any]]:
    """The results of the latest run of a table that had any, of these verdicts."""
    files = files_of_history(lake, CHECK_RESULTS)
    if not files:
        return []
    wanted = ", ".join(quote_literal(verdict.value) for verdict in verdicts)
    with duckdb_session(settings) as connection:
        rows = connection.sql(
            f'SELECT * FROM {read_parquet(files)} WHERE "table" = {quote_literal(table)} '
            f"QUALIFY dense_rank() OVER (ORDER BY checked_at DESC) = 1 AND verdict IN ({wanted}) "
            'ORDER BY verdict, "check"'
        ).to_arrow_table()
    return list(rows.to_pylist())


def files_of_history(lake: Lake, identifier: str) -> TableFiles:
    """The data files of a history table; none where nothing was recorded yet."""
    table = lake.find_table(identifier)
    snapshot = snapshot_of(table) if table is not None else None
    if table is None or snapshot is None:
        return TableFiles()
    return files_of(table, snapshot.snapshot_id)
