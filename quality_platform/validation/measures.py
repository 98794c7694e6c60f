"""From a measured number to the outcome of a check."""

from __future__ import annotations

from decimal import Decimal

from quality_platform.checks.specs import CheckSpec
from quality_platform.errors import EngineError
from quality_platform.validation.conditions import why
from quality_platform.validation.engine_outcomes import EngineOutcome


def counted(spec: CheckSpec, rows: int, count: int) -> EngineOutcome:
    """The outcome of a check of which `count` of the `rows` judged break the claim."""
    return measured(spec, rows, count, _percent(count, rows) if spec.threshold.percent else count)


def measured(spec: CheckSpec, rows: int, count: int | None, value: Decimal | int) -> EngineOutcome:
    """The outcome of a check whose threshold the value keeps or breaks."""
    number = Decimal(value)
    return EngineOutcome(
        name=spec.name,
        passed=spec.threshold.holds(number),
        rows=rows,
        count=count,
        value=number,
        message=f"{_shown(spec, number)}, must be {spec.threshold}",
    )


def failed(spec: CheckSpec, rows: int, error: EngineError) -> EngineOutcome:
    """The outcome of a check that could not run; no value of a row is in its error."""
    return EngineOutcome(name=spec.name, passed=False, rows=rows, error=why(error, spec))


def _percent(count: int, rows: int) -> Decimal:
    """100 * count / rows; 0 for a batch without rows, in which no row can break anything."""
    return Decimal(0) if not rows else Decimal(100) * count / rows


def _shown(spec: CheckSpec, value: Decimal) -> str:
    """The value for people; it was compared with all its digits."""
    if not spec.threshold.percent:
        return f"{value.normalize():f}"
    return f"{Decimal(f'{value:.6g}').normalize():f}%"
