"""Drift of a table's columns: measured, compared with a threshold, and shown."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quality_platform.documents.suggestions import did_you_mean
from quality_platform.drift.distances import (
    Bins,
    categorical_bins,
    cramers_v,
    ks,
    ks_noise_floor,
    numeric_bins,
    psi_noise_floor,
    psi_of,
)
from quality_platform.errors import FeatureViewError

Kind = Literal["numeric", "categorical"]

_SHOWN_BINS = 20
_BAR_WIDTH = 24
_LABEL_WIDTH = 32


@dataclass(frozen=True)
class DriftThresholds:
    """Effect sizes above which a column has drifted.

    `psi`: between 0.1, from which scorecard practice calls a shift slight, and 0.25, from which it
    calls it major (Siddiqi 2006). `ks`: at 0.15 some value exists whose share of rows below it has
    moved by 15 percentage points. Both are raised to the noise floor of the sample sizes.
    """

    psi: float = 0.2
    ks: float = 0.15


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column has moved, and whether that is too far.

    `ks` and its threshold are None for categorical columns, and where a sample has nothing but
    missing values. Cramer's V is reported, it decides nothing. `contributors` holds each bin's
    label, reference share and current share: numbers in their order, categories by what they add to
    the PSI, the largest first. The labels of categories are values of the data.
    """

    column: str
    kind: Kind
    reference_rows: int
    current_rows: int
    psi: float
    psi_threshold: float
    ks: float | None
    ks_threshold: float | None
    reference_null_share: float
    current_null_share: float
    drifted: bool
    contributors: tuple[tuple[str, float, float], ...]
    cramers_v: float


def compare(
    reference: pa.Table,
    current: pa.Table,
    columns: Sequence[str],
    thresholds: DriftThresholds | None = None,
) -> tuple[ColumnDrift, ...]:
    """The drift of each column, in the order of `columns`.

    A column has drifted when its PSI, or the Kolmogorov-Smirnov distance of its values, is above
    its threshold: the configured effect size, or what chance alone gives samples of this size in
    one of a hundred comparisons, whichever is greater.

    Raises:
        FeatureViewError: a side has no rows, or a column is unknown, of different types on the two
            sides, or of a type that is neither number, text nor boolean.
    """
    if not reference.num_rows or not current.num_rows:
        raise FeatureViewError(
            "drift cannot be measured: one of the two periods has no rows",
            received=f"{reference.num_rows} reference rows, {current.num_rows} current rows",
            allowed="at least one row on each side",
            action="choose a reference period and a current period that the table covers",
        )
    chosen = thresholds or DriftThresholds()
    return tuple(_drift_of(column, reference, current, chosen) for column in columns)


def as_markdown(drift: ColumnDrift) -> str:
    """The measures as a table and both distributions as bars, in Markdown."""
    rows = [f"| PSI | {drift.psi:.4f} | {drift.psi_threshold:.4f} |"]
    if drift.ks is not None:
        rows.append(f"| Kolmogorov-Smirnov | {drift.ks:.4f} | {drift.ks_threshold:.4f} |")
    rows.append(f"| Cramer's V | {drift.cramers_v:.4f} | |")
    verdict = "has drifted" if drift.drifted else "has not drifted"
    return "\n".join(
        [
            f"**{drift.column}** ({drift.kind}) {verdict}.",
            "",
            "| measure | value | threshold |",
            "| --- | --- | --- |",
            *rows,
            "",
            "| | rows | missing |",
            "| --- | --- | --- |",
            f"| reference | {drift.reference_rows} | {drift.reference_null_share:.2%} |",
            f"| current | {drift.current_rows} | {drift.current_null_share:.2%} |",
            "",
            "```text",
            *_bars(drift.contributors),
            "```",
        ]
    )


def _drift_of(
    column: str, reference: pa.Table, current: pa.Table, thresholds: DriftThresholds
) -> ColumnDrift:
    before, after = _column(reference, column), _column(current, column)
    kind = _kind(column, before.type, after.type)
    if kind == "numeric":
        samples = _numbers(before), _numbers(after)
        bins, distance = numeric_bins(*samples), _ks(*samples)
        ks_threshold = _ks_threshold(distance, samples, thresholds)
    else:
        bins, distance, ks_threshold = categorical_bins(_counts(before), _counts(after)), None, None
    value = psi_of(bins)
    psi_floor = psi_noise_floor(len(before), len(after), len(bins))
    psi_threshold = max(thresholds.psi, psi_floor)
    return ColumnDrift(
        column=column,
        kind=kind,
        reference_rows=len(before),
        current_rows=len(after),
        psi=value,
        psi_threshold=psi_threshold,
        ks=distance,
        ks_threshold=ks_threshold,
        reference_null_share=_missing_share(before),
        current_null_share=_missing_share(after),
        drifted=value > psi_threshold
        or (distance is not None and ks_threshold is not None and distance > ks_threshold),
        contributors=_contributors(bins, kind),
        cramers_v=cramers_v(bins),
    )


def _column(table: pa.Table, name: str) -> pa.ChunkedArray[Any]:
    if table.schema.names.count(name) != 1:
        raise FeatureViewError(
            f"drift cannot be measured: there is no column {name!r}",
            field=name,
            allowed=table.schema.names,
            action=did_you_mean(name, table.schema.names),
        )
    return table.column(name)


def _kind(column: str, before: pa.DataType, after: pa.DataType) -> Kind:
    kinds = {_kind_of(before), _kind_of(after)}
    if len(kinds) == 1 and (kind := kinds.pop()) is not None:
        return kind
    raise FeatureViewError(
        "drift cannot be measured on a column of this type",
        field=column,
        received=f"{before} in the reference, {after} in the current rows",
        allowed="numbers, or texts and booleans, on both sides",
    )


def _kind_of(type_: pa.DataType) -> Kind | None:
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "numeric"
    if pa.types.is_dictionary(type_):
        return "categorical" if _kind_of(type_.value_type) == "categorical" else None
    is_text = pa.types.is_string(type_) or pa.types.is_large_string(type_)
    return "categorical" if is_text or pa.types.is_boolean(type_) else None


def _numbers(column: pa.ChunkedArray[Any]) -> NDArray[np.generic]:
    """The numbers, NaN for the missing; integers stay integers where none is missing."""
    if pa.types.is_decimal(column.type) or column.null_count:
        # Unsafe means that integers above 2**53 are rounded: their order is what counts here.
        column = pc.cast(column, pa.float64(), safe=False)
    return np.asarray(column.to_numpy())


def _counts(column: pa.ChunkedArray[Any]) -> dict[Hashable, int]:
    counted: Any = pc.value_counts(column)
    return {entry["values"]: entry["counts"] for entry in counted.to_pylist()}


def _ks(before: NDArray[np.generic], after: NDArray[np.generic]) -> float | None:
    return ks(before, after) if _present(before) and _present(after) else None


def _ks_threshold(
    distance: float | None,
    samples: tuple[NDArray[np.generic], NDArray[np.generic]],
    thresholds: DriftThresholds,
) -> float | None:
    if distance is None:
        return None
    return max(thresholds.ks, ks_noise_floor(_present(samples[0]), _present(samples[1])))


def _present(values: NDArray[np.generic]) -> int:
    return int(values.size - np.isnan(values).sum())


def _missing_share(column: pa.ChunkedArray[Any]) -> float:
    missing = pc.is_null(column, nan_is_null=True).to_numpy()
    return float(missing.sum() / len(column))


def _contributors(bins: Bins, kind: Kind) -> tuple[tuple[str, float, float], ...]:
    reference, current = bins.shares
    order = (
        range(len(bins)) if kind == "numeric" else np.argsort(-bins.contributions, kind="stable")
    )
    return tuple((bins.labels[n], float(reference[n]), float(current[n])) for n in order)


def _bars(contributors: Sequence[tuple[str, float, float]]) -> list[str]:
    shown = contributors[:_SHOWN_BINS]
    labels = [_printable(label) for label, _, _ in shown]
    width = max(map(len, labels))
    largest = max(max(before, after) for _, before, after in shown)
    lines = []
    for label, (_, before, after) in zip(labels, shown, strict=True):
        lines.append(f"{label:<{width}}  reference {before:7.2%} {_bar(before, largest)}".rstrip())
        lines.append(f"{'':<{width}}  current   {after:7.2%} {_bar(after, largest)}".rstrip())
    if len(contributors) > len(shown):
        lines.append(f"and {len(contributors) - len(shown)} more that add less")
    return lines


def _bar(share: float, largest: float) -> str:
    return "█" * round(_BAR_WIDTH * share / largest)


def _printable(label: str) -> str:
    """The label on one line, without what would end the code block around it."""
    flat = "".join(sign if sign.isprintable() else " " for sign in label).replace("`", "'")
    return flat if len(flat) <= _LABEL_WIDTH else f"{flat[: _LABEL_WIDTH - 1]}…"
