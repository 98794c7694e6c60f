"""The drift test of a feature view, as check results."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa

from quality_platform.checks.results import CheckResult, Verdict, verdict_of
from quality_platform.checks.specs import CheckSpec
from quality_platform.config.models import DriftConfig, ReferencePeriod
from quality_platform.drift.comparison import (
    ColumnDrift,
    DriftThresholds,
    as_markdown,
    compare,
)
from quality_platform.errors import FeatureViewError
from quality_platform.flows.contracted_tables import FeatureTable
from quality_platform.flows.platform import Platform
from quality_platform.lake.query import duckdb_session
from quality_platform.lake.query import quote_identifier as q
from quality_platform.lake.reading import files_of, snapshot_of
from quality_platform.lake.table_files import read_parquet


def drift_results(platform: Platform, view: FeatureTable) -> tuple[CheckResult, ...]:
    """A result for every drift check of the view, on its published rows; () where it has none."""
    config = view.config.drift
    if config is None:
        return ()
    try:
        reference, current = _periods(platform, view, config)
        found = compare(reference, current, config.columns, DriftThresholds(config.psi, config.ks))
    except FeatureViewError as error:
        return tuple(_error(spec, error) for spec in view.drift_checks)
    return tuple(_result(s, drift) for s, drift in zip(view.drift_checks, found, strict=True))


def _periods(
    platform: Platform, view: FeatureTable, config: DriftConfig
) -> tuple[pa.Table, pa.Table]:
    table = platform.lake.table(view.identifier)
    snapshot = snapshot_of(table)
    files = files_of(table, snapshot.snapshot_id if snapshot else None)
    if not files:
        raise FeatureViewError(f"nothing has been published to {view.identifier} yet")
    columns = ", ".join(q(column) for column in config.columns)
    time = q(view.config.event_timestamp)
    with duckdb_session(platform.engine) as connection:
        relation = read_parquet(files)
        current = config.current
        if not isinstance(current, ReferencePeriod):
            latest = connection.execute(f"SELECT max({time}) FROM {relation}").fetchall()[0][0]
            current = _month_of(latest)
        return (
            connection.sql(_select(columns, relation, time, config.reference)).to_arrow_table(),
            connection.sql(_select(columns, relation, time, current)).to_arrow_table(),
        )


def _select(columns: str, relation: str, time: str, period: ReferencePeriod) -> str:
    start, end = (_midnight(day).isoformat() for day in (period.start, period.end))
    return (
        f"SELECT {columns} FROM {relation} "
        f"WHERE {time} >= TIMESTAMPTZ '{start}' AND {time} < TIMESTAMPTZ '{end}'"
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _month_of(moment: datetime) -> ReferencePeriod:
    day = moment.astimezone(UTC).date().replace(day=1)
    after = day.replace(year=day.year + day.month // 12, month=day.month % 12 + 1)
    return ReferencePeriod(start=day, end=after)


def _result(spec: CheckSpec, drift: ColumnDrift) -> CheckResult:
    ks = f", KS {drift.ks:.3f} (limit {drift.ks_threshold:.3f})" if drift.ks is not None else ""
    return CheckResult(
        spec=spec,
        verdict=verdict_of(spec, not drift.drifted),
        rows=drift.current_rows,
        value=Decimal(f"{drift.psi:.6f}"),
        message=f"PSI {drift.psi:.3f} (limit {drift.psi_threshold:.3f}){ks}",
        detail=as_markdown(drift),
    )


def _error(spec: CheckSpec, error: FeatureViewError) -> CheckResult:
    message = f"could not run: {error.problems[0].message}"
    return CheckResult(spec=spec, verdict=Verdict.ERROR, rows=0, message=message)
