"""Distances between two samples of one column, exact, and the size that chance alone gives them.

PSI is not a standard: its value depends on how the column is binned. The binning here, so that a
threshold means the same thing everywhere:

* numbers: the deciles of the reference, without repetitions, as upper ends of half-open bins
  (-inf, e1], (e1, e2], ... (en, inf). A value that spans several deciles gets a bin of its own, so
  that on columns of few values (0 and 1, counts) no change hides within a bin.
* everything else: a bin per value of the reference; values with a share below 0.0005 share one, and
  so do all values that the reference does not have.
* NULL and NaN are one bin of their own.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

MISSING = "(missing)"
RARE = "(rare values)"
UNSEEN = "(not in the reference)"

_RARE_SHARE = 5e-4
_SMALLEST_SHARE = 1e-4
"""Stands for an empty bin's share, whose logarithm would be infinite."""

_KS_CRITICAL_99 = 1.628
"""c(0.01) of the two-sided two-sample test: sqrt(-ln(0.01 / 2) / 2)."""


@dataclass(frozen=True)
class Bins:
    """How many rows of two samples fall into each bin; bins that are empty in both are left out.

    Raises:
        ValueError: a sample has no rows.
    """

    labels: tuple[str, ...]
    reference: NDArray[np.int64]
    current: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not self.reference.sum() or not self.current.sum():
            raise ValueError("both samples need rows to be compared")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The fractions of the reference and of the current rows, bin by bin."""
        return self.reference / self.reference.sum(), self.current / self.current.sum()

    @property
    def contributions(self) -> NDArray[np.float64]:
        """What each bin adds to the PSI: (c - r) ln(c / r), with shares of at least 0.0001."""
        reference, current = (_floored(share) for share in self.shares)
        return np.asarray((current - reference) * np.log(current / reference), dtype=np.float64)


def numeric_bins(reference: ArrayLike, current: ArrayLike, *, bins: int = 10) -> Bins:
    """Both samples, binned by the quantiles of the reference (see the module's text).

    Args:
        reference: numbers; NaN stands for a missing value.
        current: numbers; NaN stands for a missing value.
        bins: into how many parts of equal share the reference is cut, before repetitions.
    """
    before, after = _sorted(reference), _sorted(current)
    edges = _edges(before, bins)
    missing = (np.size(reference) - before.size, np.size(current) - after.size)
    counts = [
        np.append(_rows_between(edges, values), absent)
        for values, absent in zip((before, after), missing, strict=True)
    ]
    return _without_empty([*_interval_labels(edges), MISSING], counts[0], counts[1])


def categorical_bins(reference: Mapping[Hashable, int], current: Mapping[Hashable, int]) -> Bins:
    """Both samples, given as rows by value, binned by the values of the reference.

    None stands for a missing value.
    """
    total = sum(reference.values())
    kept = [
        value
        for value, rows in reference.items()
        if value is not None and rows >= _RARE_SHARE * total
    ]
    labels = [*(str(value) for value in kept), RARE, UNSEEN, MISSING]
    counts = [_pooled(sample, kept, reference) for sample in (reference, current)]
    return _without_empty(labels, counts[0], counts[1])


def psi(reference: ArrayLike, current: ArrayLike, *, bins: int = 10) -> float:
    """The population stability index of two samples of numbers: 0 for equal shares, without limit.

    The sum over the bins of (c - r) ln(c / r), which is the symmetrised Kullback-Leibler divergence
    (Siddiqi, Credit Risk Scorecards, 2006, 9.2), with the bins of the module's text.
    """
    return psi_of(numeric_bins(reference, current, bins=bins))


def categorical_psi(reference: Mapping[Hashable, int], current: Mapping[Hashable, int]) -> float:
    """The population stability index of two samples given as rows by value."""
    return psi_of(categorical_bins(reference, current))


def psi_of(bins: Bins) -> float:
    """The population stability index of two samples that are binned already."""
    return float(bins.contributions.sum())


def psi_noise_floor(reference_rows: int, current_rows: int, bins: int) -> float:
    """The PSI that two samples of one distribution exceed in one of a hundred comparisons.

    Without drift, PSI is distributed as chi2(bins - 1) * (1 / n + 1 / m) (Yurdakul, Statistical
    Properties of Population Stability Index, 2018).
    """
    from scipy.stats import chi2

    if bins < 2:
        return 0.0
    return float(chi2.ppf(0.99, bins - 1)) * (1 / reference_rows + 1 / current_rows)


def ks(reference: ArrayLike, current: ArrayLike) -> float:
    """The two-sample Kolmogorov-Smirnov distance, from 0 to 1, of the values that are not NaN.

    The largest difference between the two empirical distribution functions; equal to
    `scipy.stats.ks_2samp(...).statistic`.

    Raises:
        ValueError: a sample has no values.
    """
    before, after = _sorted(reference), _sorted(current)
    if not before.size or not after.size:
        raise ValueError("the Kolmogorov-Smirnov distance needs values in both samples")
    values = np.concatenate([before, after])
    difference = (
        np.searchsorted(before, values, side="right") / before.size
        - np.searchsorted(after, values, side="right") / after.size
    )
    return float(np.abs(difference).max())


def ks_noise_floor(reference_rows: int, current_rows: int) -> float:
    """The distance that two samples of one distribution exceed in one of a hundred comparisons.

    1.628 * sqrt((n + m) / (n m)), the asymptotic critical value (Smirnov 1948); on columns of few
    values it is exceeded less often.
    """
    return _KS_CRITICAL_99 * sqrt((reference_rows + current_rows) / (reference_rows * current_rows))


def chi_square(bins: Bins) -> float:
    """Pearson's chi-square statistic of the table of 2 samples by bins, without correction."""
    observed = np.stack([bins.reference, bins.current]).astype(np.float64)
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / observed.sum()
    return float(((observed - expected) ** 2 / expected).sum())


def cramers_v(bins: Bins) -> float:
    """Cramer's V of the samples and the bins, from 0 (no drift) to 1; independent of the sizes."""
    return sqrt(chi_square(bins) / float(bins.reference.sum() + bins.current.sum()))


def _sorted(values: ArrayLike) -> NDArray[np.generic]:
    array = np.asarray(values)
    return np.sort(array[~np.isnan(array)])


def _edges(reference: NDArray[np.generic], bins: int) -> NDArray[np.float64]:
    if not reference.size:
        return np.empty(0)
    values = reference.astype(np.float64)
    # Values that occur, not interpolations: ranks rounded up, without the error of k / bins * n.
    ranks = -(-np.arange(1, bins) * values.size // bins) - 1
    spanned, times = np.unique(
        np.concatenate([values[:1], values[ranks], values[-1:]]), return_counts=True
    )
    alone = np.nextafter(spanned[times > 1], -np.inf)
    return np.unique(np.concatenate([values[ranks], alone]))


def _rows_between(edges: NDArray[np.float64], values: NDArray[np.generic]) -> NDArray[np.int64]:
    below = np.searchsorted(values, edges, side="right")
    return np.diff(below, prepend=0, append=values.size)


def _interval_labels(edges: NDArray[np.float64]) -> list[str]:
    """One label per bin; a bin that holds a single value is labelled with it."""
    single = np.nextafter(edges[1:], -np.inf) == edges[:-1]
    labels, low = [], "-inf"
    for index, edge in enumerate(edges):
        if index and single[index - 1]:
            labels.append(f"{edge:.6g}")
        elif index < single.size and single[index]:
            labels.append(f"({low}, {edges[index + 1]:.6g})")
        else:
            labels.append(f"({low}, {edge:.6g}]")
        low = f"{edge:.6g}"
    return [*labels, f"({low}, inf)"]


def _pooled(
    sample: Mapping[Hashable, int], kept: Sequence[Hashable], reference: Mapping[Hashable, int]
) -> NDArray[np.int64]:
    own = [sample.get(value, 0) for value in kept]
    missing = sample.get(None, 0)
    known = sum(rows for value, rows in sample.items() if value is not None and value in reference)
    unseen = sum(sample.values()) - known - missing
    return np.array([*own, known - sum(own), unseen, missing], dtype=np.int64)


def _without_empty(
    labels: Sequence[str], reference: NDArray[np.int64], current: NDArray[np.int64]
) -> Bins:
    filled = (reference > 0) | (current > 0)
    kept = tuple(label for label, wanted in zip(labels, filled, strict=True) if wanted)
    return Bins(kept, reference[filled], current[filled])


def _floored(share: NDArray[np.float64]) -> NDArray[np.float64]:
    floored = np.maximum(share, _SMALLEST_SHARE)
    return np.asarray(floored / floored.sum(), dtype=np.float64)
