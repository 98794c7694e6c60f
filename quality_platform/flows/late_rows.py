"""Rows that broke a check on the whole batch, found only when all of it had been read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from quality_platform.checks.specs import CheckSpec, Severity

Checks = tuple[CheckSpec, ...]


@dataclass(frozen=True)
class LateRows:
    """Rows of one file: their positions from 0, ascending, and the checks that each breaks.

    Rows are many and sets of checks are few: `which` has, for each row, the place of its set in
    `sets`. That is twelve bytes a row.
    """

    positions: NDArray[np.int64]
    which: NDArray[np.int32]
    sets: Sequence[Checks]

    def checks(self, first: int, last: int) -> list[Checks]:
        """What the rows from `first` to `last` (exclusive, counted in `positions`) break."""
        return [self.sets[n] for n in self.which[first:last].tolist()]


def late_rows(
    labelled: Iterable[pa.RecordBatch], specs: Sequence[CheckSpec]
) -> dict[str, LateRows]:
    """The rows that must be held back, by file: those that break a check of severity error.

    `labelled` is as `BatchChecks.labelled` gives it, in the order of files and positions.
    """
    errors = {spec.name: spec for spec in specs if spec.severity is Severity.ERROR}
    sets: dict[Checks, int] = {}
    found: dict[str, list[tuple[NDArray[np.int64], NDArray[np.int32]]]] = {}
    for batch in labelled:
        rules = batch.column("rules").to_pylist()
        checks = [tuple(errors[n] for n in names or () if n in errors) for names in rules]
        which = np.array([sets.setdefault(broken, len(sets)) for broken in checks], np.int32)
        keep = np.array([bool(broken) for broken in checks], bool)
        for file, start, end in _runs(batch.column("file")):
            kept = keep[start:end]
            positions = np.asarray(batch.column("position")[start:end])[kept]
            if len(positions):
                found.setdefault(file, []).append((positions, which[start:end][kept]))
    return _by_file(found, tuple(sets))


def _runs(files: pa.Array[pa.StringScalar]) -> Iterable[tuple[str, int, int]]:
    """Each file with the range of the rows that are of it; the rows of a file stand together."""
    encoded = files.dictionary_encode()
    numbers = np.asarray(encoded.indices)
    starts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    for start, end in pairwise(starts):
        if start < end:
            yield str(encoded.dictionary[int(numbers[start])].as_py()), start, end


def _by_file(
    found: Mapping[str, Sequence[tuple[NDArray[np.int64], NDArray[np.int32]]]],
    sets: Sequence[Checks],
) -> dict[str, LateRows]:
    return {
        file: LateRows(
            np.concatenate([positions for positions, _ in parts]),
            np.concatenate([which for _, which in parts]),
            sets,
        )
        for file, parts in found.items()
    }
