"""What a comparison found, as people read it: Markdown, one line, and a chart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isinf

from quality_platform.drift.chart import chart_uri, is_drawable
from quality_platform.drift.figures import (
    ColumnDrift,
    Contributor,
    Figure,
    Measure,
    VolumeDrift,
)
from quality_platform.drift.labels import masked_contributors, printable, top
from quality_platform.drift.values import unit_of

TITLES: dict[Measure, str] = {
    "psi": "PSI",
    "ks": "Kolmogorov-Smirnov",
    "js": "Jensen-Shannon",
    "wasserstein": "Wasserstein, in standard deviations",
    "cramers_v": "Cramer's V",
    "missing_share": "difference of missing shares",
    "new_share": "rows in new categories",
    "vanished_share": "reference rows in vanished categories",
    "out_of_range_share": "values out of range",
}

_SHORT: dict[Measure, str] = {
    "psi": "PSI", "ks": "KS", "js": "JS", "wasserstein": "Wasserstein", "cramers_v": "V",
    "missing_share": "missing", "new_share": "new categories",
    "vanished_share": "vanished categories", "out_of_range_share": "out of range",
}  # fmt: skip

_BAR_WIDTH = 24
_TOP = 5


def as_text(drift: ColumnDrift) -> str:
    """One line: the deciding measures, those above their thresholds first. No value of the data."""
    deciding = [figure for figure in drift.figures if figure.threshold is not None]
    ordered = sorted(deciding, key=lambda figure: not figure.exceeds)
    return ", ".join(
        f"{_SHORT[figure.measure]} {_value(figure, 3)} (limit {_number(figure.threshold, 3)})"
        for figure in ordered
    )


def as_markdown(drift: ColumnDrift, *, masked: bool = False, image: bool = True) -> str:
    """The figures, what adds most to the drift, and both distributions, in Markdown.

    Args:
        drift: what was found.
        masked: leaves out every value of the data: bins and categories get numbers.
        image: draws the distributions as an image; otherwise as bars of text.
    """
    shown = masked_contributors(drift) if masked else drift.contributors
    return "\n".join(
        [
            _verdict(drift),
            "",
            *_chart(drift, shown, image=image),
            "",
            "| measure | value | threshold | chance alone |",
            "| --- | --- | --- | --- |",
            *(_figure(figure) for figure in drift.figures),
            *_further(drift),
            "",
            "| | rows | missing |",
            "| --- | --- | --- |",
            f"| reference | {drift.reference_rows} | {drift.reference_null_share:.2%} |",
            f"| current | {drift.current_rows} | {drift.current_null_share:.2%} |",
            "",
            *_top_table(shown),
            *([] if masked else _categories(drift)),
        ]
    ).rstrip()


def volume_markdown(volume: VolumeDrift) -> str:
    """The numbers of rows of both sides, in Markdown."""
    verdict = "has changed" if volume.drifted else "has not changed"
    limit = "" if volume.threshold is None else f"{volume.threshold:.2f}"
    rows = (
        ("reference", volume.reference_rows, volume.reference_days),
        ("current", volume.current_rows, volume.current_days),
    )
    return "\n".join(
        [
            f"The number of rows {verdict}: {_number(volume.ratio, 3)} times as many a day.",
            "",
            "| | rows | days | rows a day |",
            "| --- | --- | --- | --- |",
            *(f"| {name} | {n} | {days:g} | {n / days:.1f} |" for name, n, days in rows),
            "",
            "| measure | value | threshold | chance alone |",
            "| --- | --- | --- | --- |",
            f"| change | {_number(volume.change, 2)} | {limit} | {volume.floor:.2f} |",
        ]
    )


def _verdict(drift: ColumnDrift) -> str:
    verdict = "has drifted" if drift.drifted else "has not drifted"
    by = ", ".join(TITLES[figure.measure] for figure in drift.exceeding)
    line = f"**{drift.column}** ({drift.kind}) {verdict}{f': {by}' if by else ''}."
    if drift.is_certain:
        return line
    return f"{line} The profiles are too coarse to be sure: the greatest possible value decides."


def _figure(figure: Figure) -> str:
    title = TITLES[figure.measure]
    name = f"**{title}**" if figure.exceeds else title
    limit = "" if figure.threshold is None else _number(figure.threshold, 4)
    return f"| {name} | {_value(figure, 4)} | {limit} | {figure.floor:.4f} |"


def _further(drift: ColumnDrift) -> Iterable[str]:
    if drift.wasserstein is not None:
        low, high = (f"{value:.6g}" for value in drift.wasserstein)
        _, unit = unit_of(drift.family)
        area = low if low == high else f"{low} to {high}"
        yield f"| Wasserstein{f', in {unit}' if unit else ''} | {area} | | |"
    yield f"| chi-square (p = {drift.p_value:.2g}) | {drift.chi_square:.6g} | | |"


def _value(figure: Figure, digits: int) -> str:
    low, high = _number(figure.low, digits), _number(figure.high, digits)
    return high if low == high else f"{low} to {high}"


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return ""
    return "infinite" if isinf(value) else f"{value:.{digits}f}"


def _chart(drift: ColumnDrift, shown: Sequence[Contributor], *, image: bool) -> list[str]:
    if image and is_drawable(shown):
        return [f"![reference and current rows]({chart_uri(drift, shown)})"]
    return ["```text", *_bars(shown), "```"]


def _bars(contributors: Sequence[Contributor]) -> Iterable[str]:
    shown, rest = top(contributors)
    labels = [printable(bin_.label) for bin_ in shown]
    width = max(map(len, labels))
    largest = max(max(bin_.reference, bin_.current) for bin_ in shown)
    for label, bin_ in zip(labels, shown, strict=True):
        before, after = bin_.reference, bin_.current
        yield f"{label:<{width}}  reference {before:7.2%} {_bar(before, largest)}".rstrip()
        yield f"{'':<{width}}  current   {after:7.2%} {_bar(after, largest)}".rstrip()
    if rest:
        yield f"and {rest} more that add less"


def _bar(share: float, largest: float) -> str:
    return "█" * round(_BAR_WIDTH * share / largest)


def _top_table(contributors: Sequence[Contributor]) -> list[str]:
    moved = sorted(contributors, key=lambda bin_: -bin_.contribution)[:_TOP]
    if not moved or not moved[0].contribution:
        return []
    total = sum(bin_.contribution for bin_ in contributors)
    return [
        "| what moved most | reference | current | share of PSI |",
        "| --- | --- | --- | --- |",
        *(
            f"| {_cell(bin_.label)} | {bin_.reference:.2%} | {bin_.current:.2%} "
            f"| {bin_.contribution / total:.0%} |"
            for bin_ in moved
            if bin_.contribution
        ),
    ]


def _categories(drift: ColumnDrift) -> Iterable[str]:
    for title, values in (("New", drift.new), ("Vanished", drift.vanished)):
        if values:
            yield ""
            yield f"{title} categories: {', '.join(_cell(value) for value in values[: _TOP * 2])}"


def _cell(label: str) -> str:
    """The label as code, which no Markdown in it can leave."""
    return f"`{printable(label).replace('|', '¦')}`"
