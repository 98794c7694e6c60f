"""A drift test, run: what was compared, and how far each column has moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, get_args

from quality_platform.checks.specs import CheckSpec
from quality_platform.config.drift_models import (
    CurrentName,
    DriftConfig,
    ProfileReference,
    Reference,
)
from quality_platform.errors import FeatureViewError
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.drift_checks import drift_specs
from quality_platform.flows.drift_profiles import Profiled, Profiler
from quality_platform.flows.drift_rows import DriftRows, Side
from quality_platform.flows.platform import Platform

if TYPE_CHECKING:
    from quality_platform.drift.figures import ColumnDrift, DriftThresholds, VolumeDrift
    from quality_platform.drift.profiles import ColumnProfile

_OF_CONFIG = {
    "psi": "psi",
    "ks": "ks",
    "js": "jensen_shannon",
    "wasserstein": "wasserstein",
    "cramers_v": "cramers_v",
    "missing_share": "missing_share",
    "new_share": "new_share",
    "vanished_share": "vanished_share",
    "out_of_range_share": "out_of_range_share",
}
"""The key of runner.yaml for each threshold of the engine."""


@dataclass(frozen=True)
class DriftTest:
    """One drift test of one table or feature view.

    `is_asked` says that its rows are not those of runner.yaml: somebody asked for others.
    """

    platform: Platform
    table: ContractedTable
    config: DriftConfig
    is_asked: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are compared."""
        return self.table.drift_tested.columns_of(self.config)

    @property
    def specs(self) -> tuple[CheckSpec, ...]:
        """Its checks: those of the columns, then that of all of them together."""
        return drift_specs(self.config, self.columns, self.table.location)

    def run(self) -> DriftReport:
        """Compares the current rows with the reference.

        Raises:
            FeatureViewError: the two sides cannot be compared at all.
            EngineError: the rows cannot be read.
            LakeError: the table, a tag or a snapshot is not there.
        """
        rows = DriftRows(self.platform, self.table, self.table.drift_tested.time_of(self.config))
        profiler = Profiler(self.platform, self.table, self.columns)
        current = rows.current(self.config.current)
        reference = self._reference(rows, profiler, current)
        return self._compared(reference, profiler.current(rows, current, reference.profiles))

    def freeze(self, wanted: Reference | CurrentName, name: str) -> Profiled:
        """Profiles rows and keeps that under a name; the columns are those of the test.

        Raises:
            FeatureViewError: the name is taken, or there is nothing to keep.
            EngineError: the rows cannot be read.
            LakeError: the table, a tag or a snapshot is not there.
        """
        rows = DriftRows(self.platform, self.table, self.table.drift_tested.time_of(self.config))
        side = (
            rows.current(cast("CurrentName", wanted))
            if wanted in get_args(CurrentName)
            else rows.reference(cast("Reference", wanted), None)
        )
        return Profiler(self.platform, self.table, self.columns).freeze(rows, side, name)

    def _reference(self, rows: DriftRows, profiler: Profiler, current: Side) -> Profiled:
        wanted = self.config.reference
        if isinstance(wanted, ProfileReference):
            return profiler.frozen(wanted.profile)
        return profiler.reference(rows, rows.reference(wanted, current))

    def _compared(self, reference: Profiled, current: Profiled) -> DriftReport:
        from quality_platform.drift.comparison import compare_column
        from quality_platform.drift.figures import count_tests

        least = self.config.minimum_rows
        if min(reference.rows, current.rows) < least:
            return DriftReport(reference, current, {}, too_few=least)
        columns: dict[str, ColumnDrift | FeatureViewError] = {}
        general = thresholds_of(self.config)
        by_column = {name: thresholds_of(self.config, name) for name in self.config.per_column}
        tests = count_tests(reference.profiles.values(), general, by_column)
        for name in self.columns:
            try:
                columns[name] = compare_column(
                    _profile(reference, name),
                    _profile(current, name),
                    by_column.get(name, general),
                    tests,
                )
            except FeatureViewError as error:
                columns[name] = error
        return DriftReport(reference, current, columns, self._volume(reference, current))

    def _volume(self, reference: Profiled, current: Profiled) -> VolumeDrift | None:
        """How the numbers of rows differ; None where they are of nothing that could be compared.

        Raises:
            FeatureViewError: they must be compared, and cannot be.
        """
        from quality_platform.drift.comparison import compare_volume

        threshold = self.config.overall.volume
        if (reference.days is None) != (current.days is None) or self.config.current == "new_rows":
            if threshold is None:
                return None
            raise FeatureViewError(
                "the numbers of rows cannot be compared: one is of a period, the other is not",
                received=f"{reference.text} and {current.text}",
                action="compare two periods, or two snapshots",
            )
        return compare_volume(
            reference.rows,
            current.rows,
            reference_days=reference.days or 1.0,
            current_days=current.days or 1.0,
            threshold=threshold,
        )


@dataclass(frozen=True)
class DriftReport:
    """What a drift test found.

    Attributes:
        reference: The rows that count as normal.
        current: The rows that were judged.
        columns: How far each column has moved, or why that cannot be told.
        volume: How the numbers of rows differ; None where that cannot be compared.
        too_few: The rows that are needed on either side, where there are fewer; then nothing was
            compared.
    """

    reference: Profiled
    current: Profiled
    columns: Mapping[str, ColumnDrift | FeatureViewError]
    volume: VolumeDrift | None = None
    too_few: int | None = None


def thresholds_of(config: DriftConfig, column: str = "") -> DriftThresholds:
    """The thresholds of the engine for all columns, or for one."""
    from quality_platform.drift.figures import DriftThresholds

    own = config.per_column.get(column)
    return DriftThresholds(
        **{
            measure: getattr(own, key, None) or getattr(config, key)
            for measure, key in _OF_CONFIG.items()
        }
    )


def _profile(side: Profiled, column: str) -> ColumnProfile:
    if column not in side.profiles:
        raise FeatureViewError(
            f"{side.text} has no column {column!r}",
            field=column,
            allowed=tuple(side.profiles),
            action="freeze a profile with this column, under another name",
        )
    return side.profiles[column]
