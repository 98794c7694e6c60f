"""What is measured: which methods, on how many rows and which columns."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.drift.rows import CATEGORICAL, NUMERIC


@dataclass(frozen=True)
class Method:
    """One line of the tables.

    Attributes:
        name: as people write it.
        module: below `benchmarks.drift.methods`.
        environment: name of a list of packages in benchmarks/peers; empty for this project's own.
    """

    name: str
    module: str
    environment: str = ""


OURS = Method("quality-platform, exact", "ours")
PROFILES = Method("quality-platform, profiles", "profiles")
SCIPY = Method("scipy", "scipy_tests")
EVIDENTLY = Method("Evidently", "evidently_report", "evidently")
FROUROS = Method("Frouros, numbers only", "frouros_tests", "frouros")
METHODS = (OURS, PROFILES, SCIPY, EVIDENTLY, FROUROS)

COLUMNS = {
    "all": (NUMERIC, CATEGORICAL),
    "numeric": (NUMERIC, ()),
}
"""By name, the columns of numbers and of categories."""

PART = 10
"""The rows of the peers are so many times fewer: at 10M they need hours or more than 16 GB."""


@dataclass(frozen=True)
class Case:
    """One method on the columns of one kind, on all rows or on a tenth."""

    method: Method
    columns: str = "all"
    is_part: bool = False
    repeats: int = 1

    def rows(self, size: int) -> int:
        """The rows of each sample where the plan is about `size`."""
        return size // PART if self.is_part else size


PLAN = (
    Case(OURS, "numeric", repeats=3),
    Case(OURS, repeats=3),
    Case(PROFILES),
    Case(SCIPY, "numeric"),
    Case(SCIPY),
    Case(OURS, is_part=True),
    Case(SCIPY, is_part=True),
    Case(EVIDENTLY, is_part=True),
    Case(FROUROS, "numeric", is_part=True),
    Case(OURS, "numeric", is_part=True),
)
"""About six minutes on two quiet cores."""
