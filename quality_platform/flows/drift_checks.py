"""The checks of a drift test: one for each column, and one for all of them together."""

from __future__ import annotations

from collections.abc import Sequence

from quality_platform.checks.specs import CheckSpec, NoDrift, NoDriftOverall, Scope, Severity
from quality_platform.config.drift_models import DriftConfig
from quality_platform.config.drift_texts import reference_text
from quality_platform.errors import Location

OVERALL = "no_drift_overall"
"""The name of the check of all columns together, and of the number of rows."""


def column_check(column: str) -> str:
    """The name of the check of a column."""
    return f"{column}_has_not_drifted"


def drift_specs(
    config: DriftConfig, columns: Sequence[str], location: Location
) -> tuple[CheckSpec, ...]:
    """The checks of a drift test: those of its columns in their order, then that of all."""
    return (
        *(_column_spec(config, column, location) for column in columns),
        _overall_spec(config, location),
    )


def _column_spec(config: DriftConfig, column: str, location: Location) -> CheckSpec:
    own = config.per_column.get(column)
    where = reference_text(config.reference)
    return CheckSpec(
        name=column_check(column),
        claim=NoDrift(column, where),
        scope=Scope.GATE,
        severity=Severity((own and own.severity) or config.severity),
        dimension="consistency",
        description=f"{column} is distributed as {where}.",
        columns=(column,),
        location=location,
    )


def _overall_spec(config: DriftConfig, location: Location) -> CheckSpec:
    where, overall = reference_text(config.reference), config.overall
    text = f"Less than {overall.drifted_columns:.0%} of the columns have drifted"
    if overall.volume is not None:
        limit = 1 + overall.volume
        text += f", and rows are at most {limit:g} times as many, or as few, as {where}"
    return CheckSpec(
        name=OVERALL,
        claim=NoDriftOverall(where),
        scope=Scope.GATE,
        severity=Severity(overall.severity or config.severity),
        dimension="consistency",
        description=f"{text}.",
        location=location,
    )
