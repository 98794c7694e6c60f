"""The bars that the platform sets itself for drift, and how far a run meets them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bars import Bar
from benchmarks.drift.plan import OURS, PROFILES, SCIPY
from benchmarks.drift.results import Result, Run, furthest
from benchmarks.drift.rows import NUMERIC

SECONDS_PER_COLUMN = 1.0
TEN_MILLION = 10_000_000
KS_APART = 1e-12
AREA_APART = 1e-9


def bars_of(run: Run) -> Iterator[Bar]:
    """All bars."""
    ours, scipy = run.find(OURS, "numeric"), run.find(SCIPY, "numeric")
    text = f"at most {SECONDS_PER_COLUMN:g} CPU second for a numeric column, 10M against 10M rows"
    seconds = ours.cpu / len(NUMERIC) if ours else 0.0
    # Fewer rows tell nothing: what does not grow with them would count as if it did.
    is_full = bool(ours and ours.rows == TEN_MILLION)
    measured = f"{seconds:.2f} CPU s" if is_full else None
    yield _bar(text, measured, seconds <= SECONDS_PER_COLUMN)
    apart = furthest(ours.ks, scipy.ks) if ours and scipy else 0.0
    text = f"Kolmogorov-Smirnov equal to scipy's, to {KS_APART:g}"
    yield _bar(text, ours and scipy and f"{apart:.1e} apart at most", apart <= KS_APART)
    apart = _relative(ours, scipy) if ours and scipy else 0.0
    text = f"Wasserstein equal to scipy's, to {AREA_APART:g} of it"
    yield _bar(text, ours and scipy and f"{apart:.1e} apart at most", apart <= AREA_APART)
    yield _intervals(run.find(PROFILES, "all"), run.find(SCIPY, "all"))


def _relative(one: Result, other: Result) -> float:
    return max(
        abs(one.wasserstein[c][0] - found[0]) / found[0] for c, found in other.wasserstein.items()
    )


def _intervals(profiles: Result | None, scipy: Result | None) -> Bar:
    text = "profiles: every interval of Kolmogorov-Smirnov holds the exact distance"
    if profiles is None or scipy is None:
        return Bar(text, "", "not measured")
    widest = max(high - low for low, high in profiles.ks.values())
    are_right = all(
        profiles.ks[column][0] <= exact + KS_APART and exact - KS_APART <= profiles.ks[column][1]
        for column, (exact, _) in scipy.ks.items()
    )
    return _bar(text, f"{widest:.1e} wide at most", are_right)


def _bar(text: str, measured: str | Result | None, is_met: bool) -> Bar:
    if not isinstance(measured, str):
        return Bar(text, "", "not measured")
    return Bar(text, measured, "yes" if is_met else "no")
