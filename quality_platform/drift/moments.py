"""Mean and variance of streams of values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quality_platform.drift.values import Numbers

_BLOCK = 2**17
"""Values whose moments are taken at once: they fit into the cache."""


@dataclass
class Moments:
    """Mean and variance of the finite values so far, by the update of Chan, Golub and LeVeque."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: Numbers) -> None:
        """Takes in more values."""
        for start in range(0, values.size, _BLOCK):
            block = values[start : start + _BLOCK].astype(np.float64, copy=False)
            finite = np.isfinite(block)
            if finite.any():
                self._add_block(block if finite.all() else block[finite])

    @property
    def deviation(self) -> float:
        """The standard deviation, of all values (not of a sample); NaN where there are none."""
        return float(np.sqrt(self.squares / self.count)) if self.count else float("nan")

    def _add_block(self, block: NDArray[np.float64]) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(block.mean())
            away = block - mean
            # Not by BLAS, whose threads burn more than they save on a block of this size.
            squares = float(np.square(away, out=away).sum())
            total, step = self.count + block.size, mean - self.mean
            self.squares += squares + step * step * self.count * block.size / total
            self.mean += step * block.size / total
        self.count = total
