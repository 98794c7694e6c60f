"""Rows of a replay that must stay because nothing tells whether they are newer than the table's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from quality_platform.checks.specs import CheckSpec, Note, Scope
from quality_platform.flows.late_rows import LateRows

UNDECIDED = CheckSpec(
    name="is_newer_than_published",
    claim=Note(""),
    scope=Scope.ROW,
    description="the table has another row with this key, and nothing tells which of them is newer",
)
"""What stands among the reasons of such a row: a person may release it."""


def with_undecided(
    late: Mapping[str, LateRows], undecided: Mapping[str, NDArray[np.int64]]
) -> dict[str, LateRows]:
    """Late rows and undecided ones together, by file; a row may be both."""
    found = dict(late)
    for file, places in undecided.items():
        known = late.get(file)
        found[file] = _alone(places) if known is None else _joined(known, places)
    return found


def _alone(places: NDArray[np.int64]) -> LateRows:
    return LateRows(places, np.zeros(len(places), np.int32), ((UNDECIDED,),))


def _joined(late: LateRows, places: NDArray[np.int64]) -> LateRows:
    """Every set of checks twice, with and without the one of undecided rows, and it alone."""
    sets = (*late.sets, *((*checks, UNDECIDED) for checks in late.sets), (UNDECIDED,))
    positions = np.union1d(late.positions, places)
    which = np.full(len(positions), len(sets) - 1, np.int32)
    own = np.searchsorted(positions, late.positions)
    which[own] = late.which
    both = np.isin(late.positions, places)
    which[own[both]] += len(late.sets)
    return LateRows(positions, which, sets)
