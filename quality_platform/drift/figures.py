"""What a comparison finds, as values: figures with their thresholds, and what adds to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import TYPE_CHECKING, Literal

from quality_platform.drift.values import Family, Kind

if TYPE_CHECKING:
    from quality_platform.drift.profiles import ColumnProfile

Measure = Literal[
    "psi", "ks", "js", "wasserstein", "cramers_v",
    "missing_share", "new_share", "vanished_share", "out_of_range_share",
]  # fmt: skip

NUMERIC_MEASURES: tuple[Measure, ...] = (
    "psi", "ks", "js", "wasserstein", "cramers_v", "missing_share", "out_of_range_share",
)  # fmt: skip
CATEGORICAL_MEASURES: tuple[Measure, ...] = (
    "psi", "js", "cramers_v", "missing_share", "new_share", "vanished_share",
)  # fmt: skip


@dataclass(frozen=True)
class DriftThresholds:
    """Effect sizes above which a column has drifted; a measure without one decides nothing.

    Each is raised to the noise floor of the sample sizes where that is higher.

    Attributes:
        psi: between 0.1, from which scorecard practice calls a shift slight, and 0.25, from which
            it calls it major (Siddiqi 2006).
        ks: at 0.15 some value exists whose share of values below it has moved by 15 percentage
            points. Numbers only.
        js: Jensen-Shannon distance to the base 2, from 0 to 1.
        wasserstein: in standard deviations of the reference. Numbers only.
        cramers_v: from 0 to 1.
        missing_share: difference of the shares of NULL and NaN, either way.
        new_share: current rows in categories that the reference does not have. Categories only.
        vanished_share: reference rows in categories that are gone. Categories only.
        out_of_range_share: current values outside of the reference's range. Numbers only.
        false_alarms: how often chance alone may let any column of a whole comparison drift. It is
            spread evenly over all tests (Bonferroni), which holds however columns depend on each
            other.
    """

    psi: float | None = 0.2
    ks: float | None = 0.15
    js: float | None = None
    wasserstein: float | None = None
    cramers_v: float | None = None
    missing_share: float | None = None
    new_share: float | None = None
    vanished_share: float | None = None
    out_of_range_share: float | None = None
    false_alarms: float = 0.01

    def effect(self, measure: Measure) -> float | None:
        """The effect size of a measure, None where it decides nothing."""
        found: float | None = getattr(self, measure)
        return found

    def deciding(self, kind: Kind) -> tuple[Measure, ...]:
        """The measures that decide on a column of the kind."""
        measures = NUMERIC_MEASURES if kind == "numeric" else CATEGORICAL_MEASURES
        return tuple(measure for measure in measures if self.effect(measure) is not None)


def count_tests(
    profiles: Iterable[ColumnProfile],
    thresholds: DriftThresholds,
    by_column: Mapping[str, DriftThresholds] | None = None,
) -> int:
    """How many tests the comparison of these columns is: each deciding measure of each column."""
    own = by_column or {}
    return sum(len(own.get(p.column, thresholds).deciding(p.kind)) for p in profiles)


@dataclass(frozen=True)
class Figure:
    """One measure of one column.

    Attributes:
        measure: its name, as in `DriftThresholds`.
        low: the least that it can be.
        high: the greatest; equal to `low` where it is exact.
        effect: the effect size that was asked for; None where the measure decides nothing.
        floor: what chance alone may give it, see `DriftThresholds.false_alarms`.
    """

    measure: Measure
    low: float
    high: float
    effect: float | None
    floor: float

    @property
    def threshold(self) -> float | None:
        """What decides: the effect size, or the noise floor where that is higher."""
        return None if self.effect is None else max(self.effect, self.floor)

    @property
    def exceeds(self) -> bool:
        """Whether it may be above its threshold: no drift passes because a profile is coarse."""
        return self.threshold is not None and self.high > self.threshold

    @property
    def is_certain(self) -> bool:
        """Whether the exact value would decide the same."""
        return self.threshold is None or (self.low > self.threshold) == self.exceeds

    def as_json(self) -> dict[str, float | None]:
        """The numbers by name; None for what is infinite, which JSON cannot say."""
        numbers = asdict(self) | {"threshold": self.threshold}
        del numbers["measure"]
        return {
            name: value if value is not None and isfinite(value) else None
            for name, value in numbers.items()
        }


@dataclass(frozen=True)
class Contributor:
    """A bin: its label, its share of both sides, and what it adds to the PSI.

    `is_value` tells whether the label holds values of the data.
    """

    label: str
    reference: float
    current: float
    contribution: float
    is_value: bool


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column has moved, and whether that is too far.

    Attributes:
        column: its name.
        kind: how its values were compared.
        family: what its values are.
        reference_rows: rows of the reference.
        current_rows: rows that were judged.
        figures: all measures that the column has.
        reference_null_share: share of NULL and NaN in the reference.
        current_null_share: the same of the current rows.
        contributors: the bins: numbers in their order, categories by what they add to the PSI, the
            largest first.
        wasserstein: in the unit of the column (days of dates, seconds of other times), least and
            greatest; None where the column has none.
        chi_square: Pearson's statistic of the bins.
        p_value: how often chance alone gives as great a statistic. It decides nothing: of many
            rows, every difference is significant.
        new: categories that the reference does not have, the most frequent first, 20 at most.
        vanished: categories that only the reference has, likewise.
    """

    column: str
    kind: Kind
    family: Family
    reference_rows: int
    current_rows: int
    figures: tuple[Figure, ...]
    reference_null_share: float
    current_null_share: float
    contributors: tuple[Contributor, ...]
    wasserstein: tuple[float, float] | None = None
    chi_square: float = 0.0
    p_value: float = 1.0
    new: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()

    @property
    def exceeding(self) -> tuple[Figure, ...]:
        """The measures by which the column has drifted."""
        return tuple(figure for figure in self.figures if figure.exceeds)

    @property
    def drifted(self) -> bool:
        """Whether a measure is above its threshold."""
        return bool(self.exceeding)

    @property
    def is_certain(self) -> bool:
        """Whether exact figures would decide the same."""
        if any(figure.exceeds and figure.is_certain for figure in self.figures):
            return True
        return all(figure.is_certain for figure in self.figures)

    def figure(self, measure: Measure) -> Figure | None:
        """One of the figures; None where the column has none of this measure."""
        return next((figure for figure in self.figures if figure.measure == measure), None)


@dataclass(frozen=True)
class VolumeDrift:
    """How the number of rows has changed, each side's put in relation to its days.

    Attributes:
        reference_rows: rows of the reference.
        current_rows: rows that were judged.
        reference_days: days that the reference covers; 1 where both sides cover as many.
        current_days: days that were judged.
        threshold: greatest change that is none: 0.5 for half as many more, or for 1.5 times fewer;
            None decides nothing. Raised to the floor.
        floor: what chance alone may give, if rows came independently of each other. They rarely do.
    """

    reference_rows: int
    current_rows: int
    reference_days: float
    current_days: float
    effect: float | None
    floor: float

    @property
    def ratio(self) -> float:
        """Current rows a day to reference rows a day; infinite where the reference has none."""
        before = self.reference_rows / self.reference_days
        now = self.current_rows / self.current_days
        if before:
            return now / before
        return float("inf") if now else 1.0

    @property
    def change(self) -> float:
        """The ratio less 1, of the greater to the less: 1 for twice as many, or for half."""
        ratio = self.ratio
        return (max(ratio, 1 / ratio) if ratio else float("inf")) - 1

    @property
    def threshold(self) -> float | None:
        """What decides: the effect size, or the noise floor where that is higher."""
        return None if self.effect is None else max(self.effect, self.floor)

    @property
    def drifted(self) -> bool:
        """Whether the change is above its threshold."""
        return self.threshold is not None and self.change > self.threshold
