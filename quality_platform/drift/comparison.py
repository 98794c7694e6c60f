"""Drift of a table's columns: measured, and compared with thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from quality_platform.drift import noise
from quality_platform.drift.bins import (
    MISSING,
    Bins,
    chi_square,
    chi_square_p,
    cramers_v,
    filled_bins,
    jensen_shannon,
    psi,
)
from quality_platform.drift.categories import (
    category_bins,
    category_profile,
    counts_of,
    only_in,
)
from quality_platform.drift.figures import (
    CATEGORICAL_MEASURES,
    NUMERIC_MEASURES,
    ColumnDrift,
    Contributor,
    DriftThresholds,
    Figure,
    Measure,
    VolumeDrift,
    count_tests,
)
from quality_platform.drift.profiles import CategoryProfile, ColumnProfile, NumericProfile
from quality_platform.drift.sample_distances import SamplePair
from quality_platform.drift.samples import NumericSample
from quality_platform.drift.staircases import Interval, ProfilePair
from quality_platform.drift.values import (
    Family,
    Kind,
    comparable_column,
    family_of,
    kind_of,
    named_field,
    numbers_of,
    unit_of,
)
from quality_platform.errors import FeatureViewError

Side: TypeAlias = NumericProfile | NumericSample | CategoryProfile
NumericPair: TypeAlias = ProfilePair | SamplePair

Found: TypeAlias = dict[Measure, tuple[Interval, float]]
"""Each measure's value, and its noise floor."""


def compare(
    reference: pa.Table,
    current: pa.Table,
    columns: Sequence[str],
    thresholds: DriftThresholds | None = None,
) -> tuple[ColumnDrift, ...]:
    """The drift of each column, in the order of `columns`: all distances are exact.

    Both sides are held in memory, a column after the other. A column has drifted when a measure is
    above its threshold: the configured effect size, or what chance alone gives samples of this size
    (see `DriftThresholds.false_alarms`), whichever is greater.

    Raises:
        FeatureViewError: a side has no rows, or a column is unknown, of different kinds on the two
            sides, or of a type that cannot be compared.
    """
    _check_rows(reference.num_rows, current.num_rows)
    chosen = thresholds or DriftThresholds()
    families = {column: _family(column, reference, current) for column in columns}
    tests = sum(len(chosen.deciding(kind_of(family))) for family in families.values())
    return tuple(
        compare_column(side_of(reference, column), side_of(current, column), chosen, tests)
        for column in columns
    )


def compare_profiles(
    reference: Mapping[str, ColumnProfile],
    current: Mapping[str, ColumnProfile],
    columns: Sequence[str],
    thresholds: DriftThresholds | None = None,
    by_column: Mapping[str, DriftThresholds] | None = None,
) -> tuple[ColumnDrift, ...]:
    """The drift of each column, in the order of `columns`, from profiles alone.

    Args:
        reference: profiles by column.
        current: profiles that were made with `like=reference`.
        columns: those to compare.
        thresholds: of all columns.
        by_column: thresholds of single columns, in place of those. How often chance alone may let
            a column drift is what `thresholds` say.

    Raises:
        FeatureViewError: a side has no rows, or a column is of different kinds on the two sides.
    """
    chosen, own = thresholds or DriftThresholds(), by_column or {}
    tests = count_tests((reference[column] for column in columns), chosen, own)
    return tuple(
        compare_column(reference[column], current[column], own.get(column, chosen), tests)
        for column in columns
    )


def compare_column(
    reference: Side, current: Side, thresholds: DriftThresholds, tests: int
) -> ColumnDrift:
    """The drift of one column, as one of so many tests (`count_tests`) of a whole comparison.

    Raises:
        FeatureViewError: a side has no rows, or the sides are of different kinds.
    """
    _check_rows(reference.rows, current.rows)
    risk = thresholds.false_alarms / max(tests, 1)
    if reference.family == current.family:
        match reference, current:
            case CategoryProfile(), CategoryProfile():
                return _categorical(reference, current, thresholds, risk)
            case NumericProfile(), NumericProfile():
                return _numeric(ProfilePair(reference, current), thresholds, risk)
            case NumericSample(), NumericSample():
                return _numeric(SamplePair(reference, current), thresholds, risk)
    raise _unlike(reference.column, reference.family, current.family)


def side_of(table: pa.Table, column: str) -> Side:
    """One side of the comparison of a column, to be held in memory.

    Raises:
        FeatureViewError: the column is unknown, or of a type that cannot be compared.
    """
    type_, family = comparable_column(table.schema, column)
    values = table.column(column)
    if kind_of(family) == "numeric":
        numbers, nulls, nans = numbers_of(values)
        return NumericSample(column, family, len(values), nulls, nans, numbers)
    counts = counts_of(values)
    counted = (len(values), len(values) - sum(counts.values()), counts)
    return category_profile(column, str(type_), family, counted)


def compare_volume(
    reference_rows: int,
    current_rows: int,
    *,
    reference_days: float = 1.0,
    current_days: float = 1.0,
    threshold: float | None = None,
    risk: float = 0.01,
) -> VolumeDrift:
    """The change of the number of rows.

    Args:
        reference_rows: rows of the reference.
        current_rows: rows that are judged.
        reference_days: days that the reference covers; 1 for both where they cover as many.
        current_days: days that are judged.
        threshold: the greatest change that is none, see `VolumeDrift`; None decides nothing.
        risk: how often chance alone may exceed the floor.
    """
    rows = reference_rows, current_rows
    floor = float(np.expm1(noise.volume_floor(risk, *rows))) if all(rows) else 0.0
    return VolumeDrift(*rows, reference_days, current_days, threshold, floor)


def _numeric(sides: NumericPair, thresholds: DriftThresholds, risk: float) -> ColumnDrift:
    reference, current = sides.reference, sides.current
    bins = _numeric_bins(sides)
    found = _of_bins(bins, risk)
    found["missing_share"] = _missing(reference, current, risk)
    if not (reference.present and current.present):
        return _drift((reference, current), bins, found, thresholds)
    area, deviation = sides.wasserstein(), sides.deviation
    is_spread = deviation > 0
    sizes = risk, reference.present, current.present
    found["ks"] = sides.ks(), noise.ks_floor(*sizes)
    found["wasserstein"] = (
        area.divided(deviation if is_spread else 0.0),
        noise.wasserstein_floor(*sizes, sides.spread / deviation) if is_spread else 0.0,
    )
    outside = _exactly(sides.outside() / current.present)
    found["out_of_range_share"] = outside, noise.outside_floor(*sizes)
    in_unit = area.divided(unit_of(reference.family)[0])
    drift = _drift((reference, current), bins, found, thresholds)
    return replace(drift, wasserstein=(in_unit.low, in_unit.high))


def _categorical(
    reference: CategoryProfile, current: CategoryProfile, thresholds: DriftThresholds, risk: float
) -> ColumnDrift:
    bins = category_bins(reference, current)
    found = _of_bins(bins, risk)
    found["missing_share"] = _missing(reference, current, risk)
    new, vanished = only_in(current, reference), only_in(reference, current)
    if new is None or vanished is None:
        return _drift((reference, current), bins, found, thresholds)
    found["new_share"] = (
        _exactly(new.rows / current.rows),
        noise.unseen_floor(risk, new.once, new.twice, reference.rows, current.rows),
    )
    found["vanished_share"] = (
        _exactly(vanished.rows / reference.rows),
        noise.unseen_floor(risk, vanished.once, vanished.twice, current.rows, reference.rows),
    )
    drift = _drift((reference, current), bins, found, thresholds)
    return replace(drift, new=new.values, vanished=vanished.values)


def _drift(
    sides: tuple[Side, Side], bins: Bins, found: Found, thresholds: DriftThresholds
) -> ColumnDrift:
    reference, current = sides
    measures = NUMERIC_MEASURES if reference.kind == "numeric" else CATEGORICAL_MEASURES
    return ColumnDrift(
        column=reference.column,
        kind=reference.kind,
        family=reference.family,
        reference_rows=reference.rows,
        current_rows=current.rows,
        figures=tuple(
            Figure(measure, value.low, value.high, thresholds.effect(measure), floor)
            for measure in measures
            if measure in found
            for value, floor in [found[measure]]
        ),
        reference_null_share=reference.missing / reference.rows,
        current_null_share=current.missing / current.rows,
        contributors=_contributors(bins, reference.kind),
        chi_square=chi_square(bins),
        p_value=chi_square_p(bins),
    )


def _numeric_bins(sides: NumericPair) -> Bins:
    labels = sides.cuts.labels(sides.reference.family)
    before, after = sides.rows_between()
    return filled_bins(
        [*labels, MISSING],
        [*(True for _ in labels), False],
        np.append(before, sides.reference.missing),
        np.append(after, sides.current.missing),
    )


def _of_bins(bins: Bins, risk: float) -> Found:
    return {
        "psi": (_exactly(psi(bins)), noise.psi_floor(risk, bins)),
        "js": (_exactly(jensen_shannon(bins)), noise.jensen_shannon_floor(risk, bins)),
        "cramers_v": (_exactly(cramers_v(bins)), noise.cramers_v_floor(risk, bins)),
    }


def _missing(reference: Side, current: Side, risk: float) -> tuple[Interval, float]:
    apart = abs(reference.missing / reference.rows - current.missing / current.rows)
    floor = noise.share_floor(
        risk, reference.missing, reference.rows, current.missing, current.rows
    )
    return _exactly(apart), floor


def _contributors(bins: Bins, kind: Kind) -> tuple[Contributor, ...]:
    reference, current = bins.shares
    added = bins.contributions
    order = range(len(bins)) if kind == "numeric" else np.argsort(-added, kind="stable")
    return tuple(
        Contributor(
            bins.labels[n], float(reference[n]), float(current[n]), float(added[n]), bins.of_data[n]
        )
        for n in order
    )


def _family(column: str, reference: pa.Table, current: pa.Table) -> Family:
    types = [named_field(table.schema, column).type for table in (reference, current)]
    families = {family_of(type_) for type_ in types}
    if len(families) == 1 and (family := families.pop()) is not None:
        return family
    raise _unlike(column, *types)


def _check_rows(reference: int, current: int) -> None:
    if not reference or not current:
        raise FeatureViewError(
            "drift cannot be measured: one of the two periods has no rows",
            received=f"{reference} reference rows, {current} current rows",
            allowed="at least one row on each side",
            action="choose a reference period and a current period that the table covers",
        )


def _unlike(column: str, before: object, after: object) -> FeatureViewError:
    return FeatureViewError(
        "drift cannot be measured on a column of this type",
        field=column,
        received=f"{before} in the reference, {after} in the current rows",
        allowed="numbers, times, or texts and booleans, of the same kind on both sides",
    )


def _exactly(value: float) -> Interval:
    return Interval(value, value)
