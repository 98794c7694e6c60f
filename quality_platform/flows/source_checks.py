"""Warnings about the reading of a source: files passed over, columns that have changed."""

from __future__ import annotations

from collections.abc import Sequence

from quality_platform.checks.results import CheckResult, verdict_of
from quality_platform.flows.contracted_tables import (
    ALL_FILES_LOADED,
    COLUMNS_AS_CONTRACTED,
    SourceTable,
)
from quality_platform.flows.outcomes import FailedFile


def source_results(
    table: SourceTable, failed: Sequence[FailedFile], drift: Sequence[str]
) -> tuple[CheckResult, ...]:
    """The results of the table's source checks after a run."""
    told = {
        ALL_FILES_LOADED: [file.told for file in failed],
        COLUMNS_AS_CONTRACTED: list(drift),
    }
    return tuple(
        CheckResult(
            spec=spec,
            verdict=verdict_of(spec, not told[spec.name]),
            rows=0,
            message=" ".join(told[spec.name]),
        )
        for spec in table.source_checks
    )
