"""What an error says, in parts that a test can compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quality_platform.errors import Problem, QualityPlatformError


def problems_of(error: type[QualityPlatformError], call: Callable[[], object]) -> list[Problem]:
    """The problems of the error that a call must raise, of exactly this class."""
    with pytest.raises(error) as raised:
        call()
    assert type(raised.value) is error
    return list(raised.value.problems)


def only_problem(error: type[QualityPlatformError], call: Callable[[], object]) -> Problem:
    """The one problem of the error that a call must raise."""
    (problem,) = problems_of(error, call)
    return problem


def place(problem: Problem) -> tuple[str, int]:
    """File name and line of a problem."""
    assert problem.location is not None
    return Path(problem.location.file).name, problem.location.line
