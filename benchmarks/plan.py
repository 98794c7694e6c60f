"""What is measured: which engines, on which rows, with which rules, how often."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from benchmarks.measure import Engine

MILLION = 1_000_000

FLOOR = Engine("floor", "floor", gives="hashes of all values")
OURS = Engine("quality-platform", "ours", gives="counts, every bad row with its rules")
SODA = Engine("Soda", "soda")
PANDERA = Engine("pandera", "pandera", "pandera", "counts, bad rows")
POINTBLANK = Engine("pointblank", "pointblank", "pointblank")
DATACONTRACT = Engine("datacontract-cli", "datacontract", "datacontract")
LAKELOGIC = Engine("LakeLogic", "lakelogic", "lakelogic", "good rows, bad rows")
GREAT_EXPECTATIONS = Engine(
    "Great Expectations, verdicts", "great_expectations", "", "pass or fail"
)
GREAT_EXPECTATIONS_COMPLETE = Engine(
    "Great Expectations, rows",
    "great_expectations",
    "",
    "counts, bad rows",
    ("complete",),
)
ENGINES = (
    FLOOR,
    OURS,
    SODA,
    PANDERA,
    POINTBLANK,
    DATACONTRACT,
    LAKELOGIC,
    GREAT_EXPECTATIONS,
    GREAT_EXPECTATIONS_COMPLETE,
)
_SLOW = (LAKELOGIC, GREAT_EXPECTATIONS, GREAT_EXPECTATIONS_COMPLETE)
_QUICK = tuple(engine for engine in ENGINES if engine not in _SLOW)
_THREE = (FLOOR, OURS, SODA)


@dataclass(frozen=True)
class Case:
    """Engines that are measured side by side on the same rows, turn by turn."""

    rows: int
    kind: str
    rules: int
    engines: tuple[Engine, ...]
    repeats: int = 1


PLAN = (
    Case(MILLION, "bad", 20, _QUICK, 3),
    Case(MILLION, "bad", 20, _SLOW),
    Case(MILLION, "bad", 5, ENGINES),
    Case(MILLION, "bad", 100, ENGINES),
    Case(10 * MILLION, "clean", 20, _THREE, 3),
    Case(10 * MILLION, "bad", 20, _QUICK, 3),
    Case(10 * MILLION, "bad", 5, _THREE),
    Case(10 * MILLION, "bad", 100, _THREE),
    Case(30 * MILLION, "clean", 20, _THREE),
    Case(30 * MILLION, "bad", 20, _THREE),
    Case(10 * MILLION, "bad", 20, _SLOW[1:]),
)
"""About a quarter of an hour on two cores, without making the data and the environments."""


def selected(
    engines: Collection[str] = (), sizes: Collection[int] = (), repeats: int | None = None
) -> Iterator[Case]:
    """The cases of the plan, with these engines (by key) and numbers of rows alone; () is all."""
    for case in PLAN:
        chosen = tuple(e for e in case.engines if not engines or e.key in engines)
        if chosen and (not sizes or case.rows in sizes):
            yield Case(case.rows, case.kind, case.rules, chosen, repeats or case.repeats)
