"""What runner.yaml says over a contract, put upon it."""

from __future__ import annotations

from quality_platform.config.override_models import OverridesConfig
from quality_platform.contracts.models import Contract
from quality_platform.contracts.overrides import Overrides, overridden, override_problems
from quality_platform.errors import Location, RunnerFileError


def with_overrides(
    contract: Contract, config: OverridesConfig, location: Location, wanted: str | None
) -> Contract:
    """The contract with what is said over it; `wanted` names the table's object, if anything does.

    Raises:
        RunnerFileError: a column is classified that the contract does not have.
    """
    overrides = Overrides(
        classification=config.classification,
        owner=config.owner or "",
        retention_days=config.retention_days,
        properties=config.properties,
        location=location,
    )
    objects = [obj for obj in contract.objects if wanted in (None, obj.name)]
    problems = [problem for obj in objects for problem in override_problems(overrides, obj)]
    if problems:
        raise RunnerFileError.of(problems)
    return overridden(contract, overrides)
