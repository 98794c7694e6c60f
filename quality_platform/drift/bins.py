"""Two samples counted in the same bins, and the measures that follow from the counts.

PSI and Jensen-Shannon are no standards: their values depend on how a column is binned. The binning
here, so that a threshold means the same thing everywhere:

* numbers: cut behind the deciles of the reference, without repetitions, into half-open bins
  (-inf, e1], (e1, e2], ... (en, inf). A value that spans several deciles gets a bin of its own, so
  that on columns of few values (0 and 1, counts) no change hides within a bin.
* categories: a bin per value of the reference with a share of at least 0.0005, if by that share at
  least 10 rows are to be expected on either side, or if it has at least 5 rows and a share of
  0.05. All others share one bin, be they rare in the reference or not in it at all: of rare
  values, some are always new, and some are always gone, without any drift. (`new_share` tells what
  is new.)
* NULL and NaN are one bin of their own.

Bins that are empty on both sides are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from quality_platform.drift.values import Family, Numbers, text_of

MISSING = "(missing)"
OTHER = "(rare or new values)"

RARE_SHARE = 5e-4
RARE_ROWS = 10
COMMON_SHARE = 0.05
COMMON_ROWS = 5
_SMALLEST_SHARE = 1e-4
_SMALLEST_ROWS = 0.5
"""Stand for an empty bin, whose logarithm would be infinite: the share, or so much of a row where
that is more. Of few rows, some bins are empty by chance, and must not weigh as if of thousands."""


@dataclass(frozen=True)
class Bins:
    """How many rows of two samples fall into each bin.

    `of_data` tells for each bin whether its label holds values of the data.

    Raises:
        ValueError: a sample has no rows.
    """

    labels: tuple[str, ...]
    reference: NDArray[np.int64]
    current: NDArray[np.int64]
    of_data: tuple[bool, ...]

    def __post_init__(self) -> None:
        if not self.reference.sum() or not self.current.sum():
            raise ValueError("both samples need rows to be compared")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def rows(self) -> tuple[int, int]:
        """The rows of the reference, and the current ones."""
        return int(self.reference.sum()), int(self.current.sum())

    @property
    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The fractions of the reference and of the current rows, bin by bin."""
        return self.reference / self.reference.sum(), self.current / self.current.sum()

    @property
    def contributions(self) -> NDArray[np.float64]:
        """What each bin adds to the PSI: (c - r) ln(c / r), with shares of a least size.

        That is 0.0001, or half a row where that is more.
        """
        reference, current = (
            _floored(share, rows) for share, rows in zip(self.shares, self.rows, strict=True)
        )
        return np.asarray((current - reference) * np.log(current / reference), dtype=np.float64)


@dataclass(frozen=True)
class Cuts:
    """Where numbers are cut into bins, in ascending order.

    The cut is behind its value, which then belongs to the bin below; where `before` it is in front.
    """

    values: Numbers
    before: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.values)

    def labels(self, family: Family) -> list[str]:
        """One label for each of the `len(cuts) + 1` bins; of a single value, that value."""
        texts = [text_of(value, family) for value in self.values]
        labels, low = [], "(-inf"
        for n, text in enumerate(texts):
            if n and self.before[n - 1] and self.values[n - 1] == self.values[n]:
                labels.append(text)
            else:
                labels.append(f"{low}, {text}{')' if self.before[n] else ']'}")
            low = f"{'[' if self.before[n] else '('}{text}"
        return [*labels, f"{low}, inf)"]


def decile_ranks(rows: int, bins: int) -> NDArray[np.int64]:
    """Ranks, from 0, of the values that cut so many rows into bins of equal share.

    Values that occur, not interpolations: ranks are rounded up, in whole numbers.
    """
    return np.asarray(-(-np.arange(1, bins, dtype=np.int64) * rows // bins) - 1)


def cuts_at(deciles: Numbers, low: Numbers, high: Numbers) -> Cuts:
    """The cuts at these values of the reference, whose least and greatest are `low` and `high`.

    Args:
        deciles: the values at `decile_ranks`.
        low: an array of one value.
        high: an array of one value.
    """
    spanned, times = np.unique(np.concatenate([low, deciles, high]), return_counts=True)
    alone, behind = spanned[times > 1], np.unique(deciles)
    values = np.concatenate([alone, behind])
    before = np.arange(values.size) < alone.size
    order = np.lexsort((~before, values))
    return Cuts(values[order], before[order])


def filled_bins(
    labels: Sequence[str],
    of_data: Sequence[bool],
    reference: NDArray[np.int64],
    current: NDArray[np.int64],
) -> Bins:
    """The bins that are not empty on both sides."""
    filled = (reference > 0) | (current > 0)
    kept = [n for n, wanted in enumerate(filled) if wanted]
    return Bins(
        tuple(labels[n] for n in kept),
        reference[filled],
        current[filled],
        tuple(of_data[n] for n in kept),
    )


def psi(bins: Bins) -> float:
    """The population stability index: 0 for equal shares, without limit.

    The sum over the bins of (c - r) ln(c / r), which is the symmetrised Kullback-Leibler divergence
    (Siddiqi, Credit Risk Scorecards, 2006, 9.2).
    """
    return float(bins.contributions.sum())


def jensen_shannon(bins: Bins) -> float:
    """The Jensen-Shannon distance, from 0 to 1: the root of the divergence to the base 2.

    Equal to `scipy.spatial.distance.jensenshannon(reference, current, base=2)` of the shares
    (Endres and Schindelin, A New Metric for Probability Distributions, 2003).
    """
    reference, current = bins.shares
    middle = (reference + current) / 2
    divergence = (_entropy_to(reference, middle) + _entropy_to(current, middle)) / 2
    return sqrt(max(divergence, 0.0) / log(2))


def chi_square(bins: Bins) -> float:
    """Pearson's chi-square statistic of the table of 2 samples by bins, without correction.

    Equal to `scipy.stats.chi2_contingency(..., correction=False)`.
    """
    observed = np.stack([bins.reference, bins.current]).astype(np.float64)
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / observed.sum()
    return float(((observed - expected) ** 2 / expected).sum())


def chi_square_p(bins: Bins) -> float:
    """How often two samples of one distribution have a chi-square statistic as large as this."""
    from scipy.special import chdtrc

    return float(chdtrc(len(bins) - 1, chi_square(bins))) if len(bins) > 1 else 1.0


def cramers_v(bins: Bins) -> float:
    """Cramer's V of the samples and the bins, from 0 (no drift) to 1; independent of the sizes.

    Equal to `scipy.stats.contingency.association(..., method="cramer")`.
    """
    return sqrt(chi_square(bins) / sum(bins.rows))


def _entropy_to(shares: NDArray[np.float64], middle: NDArray[np.float64]) -> float:
    some = shares > 0
    return float((shares[some] * np.log(shares[some] / middle[some])).sum())


def _floored(share: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    floored = np.maximum(share, max(_SMALLEST_SHARE, _SMALLEST_ROWS / rows))
    return np.asarray(floored / floored.sum(), dtype=np.float64)
