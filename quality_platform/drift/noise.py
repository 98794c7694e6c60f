"""Noise floors: what chance alone gives the distances of two samples of one distribution.

Each function takes `risk`, the share of comparisons without drift that may exceed its result, and
the sizes of both samples. All hold for large samples; what is said of small ones is measured in the
tests.
"""

from __future__ import annotations

from math import log, pi, sqrt

from quality_platform.drift.bins import Bins


def psi_floor(risk: float, bins: Bins) -> float:
    """Of the PSI: it is distributed as chi2(bins - 1) * (1 / n + 1 / m).

    Yurdakul, Statistical Properties of Population Stability Index, 2018. For bins of few rows see
    `_statistic`.
    """
    return _statistic(risk, bins) * _of_sizes(*bins.rows)


def jensen_shannon_floor(risk: float, bins: Bins) -> float:
    """Of the Jensen-Shannon distance to the base 2.

    Near 0 the divergence is an eighth of the sum of (r - c)^2 / r, and so of the PSI.
    """
    return sqrt(psi_floor(risk, bins) / (8 * log(2)))


def cramers_v_floor(risk: float, bins: Bins) -> float:
    """Of Cramer's V: its square times all rows is Pearson's chi-square, by definition."""
    return sqrt(_statistic(risk, bins) / sum(bins.rows))


def ks_floor(risk: float, reference_values: int, current_values: int) -> float:
    """Of the Kolmogorov-Smirnov distance: sqrt(-ln(risk / 2) / 2) * sqrt(1 / n + 1 / m).

    The asymptotic critical value (Smirnov 1948); on columns of few values it is exceeded less
    often. A distance can be 1 at most.
    """
    return min(1.0, sqrt(-log(risk / 2) / 2 * _of_sizes(reference_values, current_values)))


def share_floor(
    risk: float, reference_part: int, reference_rows: int, current_part: int, current_rows: int
) -> float:
    """Of the difference of two shares: the two-sided test of two proportions.

    The normal approximation with the common share, and Yates' correction for continuity.
    """
    share = (reference_part + current_part) / (reference_rows + current_rows)
    sizes = _of_sizes(reference_rows, current_rows)
    return sqrt(_chi_square(risk, 2) * share * (1 - share) * sizes) + sizes / 2


def outside_floor(risk: float, reference_values: int, current_values: int) -> float:
    """Of the share of current values beyond the least and the greatest of the reference.

    Of n + m values in random order, k of the m lie beyond the extremes of the n with a probability
    that is negative binomial with two successes: more than k with q^(k + 1) (1 + (k + 1) p), where
    q = m / (n + m) and p = 1 - q.
    """
    q = current_values / (reference_values + current_values)
    outside = 0
    while q ** (outside + 1) * (1 + (outside + 1) * (1 - q)) > risk and outside < current_values:
        outside = max(outside + 1, int(outside * 1.02))
    return outside / current_values


def unseen_floor(risk: float, once: int, twice: int, known_rows: int, judged_rows: int) -> float:
    """Of the share of the judged rows whose category does not occur in the known ones.

    The known rows miss a part of the distribution that is about the share of categories which
    occur once in them (Good 1953), with a variance of (f1 + 2 f2) / n^2 (Esty, A Normal Limit Law
    for a Nonparametric Estimator of the Coverage of a Random Sample, 1983). The judged rows are a
    sample in turn. Where no category occurs once, a single one of a share up to -ln(risk) / n may
    still be missing.
    """
    z = sqrt(_chi_square(risk, 2))
    by_once = once + z * sqrt(once + 2 * twice) + z * z / 2 if once else 0.0
    missed = min(1.0, max(by_once, log(1 / risk)) / known_rows)
    return min(1.0, missed + z * sqrt(missed * (1 - missed) / judged_rows) + 1 / judged_rows)


def wasserstein_floor(
    risk: float, reference_values: int, current_values: int, relative_spread: float
) -> float:
    """Of the Wasserstein distance in standard deviations of the reference.

    Without drift the distance is near Z sqrt(1 / n + 1 / m), with Z the integral of the absolute
    value of a Brownian bridge over F (del Barrio, Gine and Matran, 1999). The mean of Z is
    sqrt(2 / pi) times the integral of sqrt(F (1 - F)), and it exceeds its mean by sqrt(2 ln(1 /
    risk)) standard deviations at most (Borell; Tsirelson, Ibragimov and Sudakov: the variance of
    an integral of the bridge against a function between -1 and 1 is at most that of the column).

    Args:
        risk: see above.
        reference_values: see above.
        current_values: see above.
        relative_spread: the integral of sqrt(F (1 - F)) in standard deviations.
    """
    highest = sqrt(2 / pi) * relative_spread + sqrt(2 * log(1 / risk))
    return highest * sqrt(_of_sizes(reference_values, current_values))


def volume_floor(risk: float, reference_rows: int, current_rows: int) -> float:
    """Of the logarithm of the ratio of two numbers of rows that each are Poisson."""
    return sqrt(_chi_square(risk, 2) * _of_sizes(reference_rows, current_rows))


def _statistic(risk: float, bins: Bins) -> float:
    """What Pearson's chi-square exceeds with probability `risk`; 0 for a single bin.

    A gamma law with the statistic's mean and variance: bins - 1, and 2 (bins - 1) plus the sum of
    the reciprocals of all expected rows (after Haldane, 1937). Of many rows it is chi2(bins - 1).
    """
    from scipy.special import gammainccinv

    if len(bins) < 2:
        return 0.0
    share = (bins.reference + bins.current) / sum(bins.rows)
    mean = len(bins) - 1
    variance = 2 * mean + float((1 / share).sum()) * _of_sizes(*bins.rows)
    return float(gammainccinv(mean * mean / variance, risk)) * variance / mean


def _chi_square(risk: float, bins: int) -> float:
    """What chi2(bins - 1) exceeds with probability `risk`; 0 for a single bin."""
    from scipy.special import chdtri

    return float(chdtri(bins - 1, risk)) if bins > 1 else 0.0


def _of_sizes(reference: int, current: int) -> float:
    return 1 / reference + 1 / current
