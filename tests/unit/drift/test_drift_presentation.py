from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

from quality_platform.drift.chart import chart_svg, chart_uri
from quality_platform.drift.comparison import compare, compare_volume
from quality_platform.drift.figures import ColumnDrift, DriftThresholds, Figure
from quality_platform.drift.presentation import as_markdown, as_text, volume_markdown

HOSTILE = "```\n# title <script>&| " + "long " * 20


def drift_of(before: object, after: object, **thresholds: float | None) -> ColumnDrift:
    tables = (pa.table({"x": before}), pa.table({"x": after}))
    [drift] = compare(*tables, ["x"], DriftThresholds(**thresholds))
    return drift


def test_the_markdown_shows_measures_thresholds_and_both_distributions() -> None:
    drift = drift_of(["a"] * 30 + ["b"] * 10, ["a", None] * 5, psi=9.0)
    text = as_markdown(drift, image=False)
    assert "**x** (categorical) has not drifted." in text
    psi = drift.figure("psi")
    assert psi is not None
    assert f"| PSI | {psi.high:.4f} | {psi.threshold:.4f} |" in text
    assert "Kolmogorov" not in text
    assert "| current | 10 | 50.00% |" in text
    assert f"a          reference  75.00% {'█' * 24}" in text
    assert f"           current    50.00% {'█' * 16}" in text
    assert "| `(missing)` | 0.00% | 50.00% |" in text
    assert "Vanished categories: `b`" in text


def test_the_chart_is_an_image_that_a_browser_can_read() -> None:
    drift = drift_of(np.arange(1000.0), np.arange(1000.0) * 2)
    uri = chart_uri(drift)
    assert f"]({uri})" in as_markdown(drift)
    assert "█" not in as_markdown(drift)
    image = ElementTree.fromstring(b64decode(uri.removeprefix("data:image/svg+xml;base64,")))
    bars = [e for e in image.iter() if e.tag.endswith("rect") and e.get("height") == "10"]
    assert len(bars) == 2 * len(drift.contributors)


@pytest.mark.parametrize("image", [True, False])
def test_a_hostile_label_stays_within_its_place(image: bool) -> None:
    drift = drift_of([HOSTILE, "a"] * 5, [HOSTILE])
    text = as_markdown(drift, image=image)
    assert "# title" not in [line[:7] for line in text.splitlines()]
    for line in text.splitlines():
        if line.startswith("| `"):
            assert line.count("|") == 5
            assert line.count("`") == 2
    if not image:
        inside = text.split("```text\n")[1].split("\n```")[0]
        assert "`" not in inside
    assert "<script>" not in chart_svg(drift)
    ElementTree.fromstring(chart_svg(drift))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["secret one"] * 9 + ["secret two"], ["secret three"] * 9 + [None]),
        (np.arange(1234567, 1234577), np.arange(1234567, 1234577) * 3),
    ],
)
def test_a_masked_column_shows_no_value_of_the_data(before: object, after: object) -> None:
    drift = drift_of(before, after)
    for image in (True, False):
        text = as_markdown(drift, masked=True, image=image)
        if image:
            encoded = text.split("base64,")[1].split(")")[0]
            text += b64decode(encoded).decode()
        assert "secret" not in text
        assert "12345" not in text
        assert "PSI" in text
    assert "secret" not in as_text(drift)
    if drift.kind == "categorical":
        assert "(rare or new values)" in as_markdown(drift, masked=True, image=False)


def test_many_categories_are_cut_with_a_word_about_the_rest() -> None:
    drift = drift_of([str(n) for n in range(50)] * 10, [str(n) for n in range(50)] * 11)
    assert len(drift.contributors) == 50
    assert "and 30 more that add less" in as_markdown(drift, image=False)
    assert "and 30 more" in chart_svg(drift)


def test_an_interval_is_shown_as_one_and_what_is_uncertain_is_told() -> None:
    drift = drift_of([1.0, 2.0], [1.0, 3.0])
    figure = Figure("ks", 0.1, 0.2, 0.15, 0.01)
    wide = replace(drift, figures=(figure,), wasserstein=(1.0, 2.5))
    text = as_markdown(wide)
    assert "| **Kolmogorov-Smirnov** | 0.1000 to 0.2000 | 0.1500 | 0.0100 |" in text
    assert "| Wasserstein | 1 to 2.5 | | |" in text
    assert "too coarse" in text
    assert as_text(wide) == "KS 0.100 to 0.200 (limit 0.150)"
    assert "too coarse" not in as_markdown(replace(drift, figures=(replace(figure, high=0.1),)))


def test_the_line_names_what_exceeds_first() -> None:
    drift = drift_of([1.0] * 500, [1.1] * 500, psi=1e9, wasserstein=0.5)
    assert as_text(drift).startswith("KS 1.000 (limit 0.150), Wasserstein infinite (limit 0.500)")
    assert as_text(drift).endswith("PSI 13.788 (limit 1000000000.000)")


def test_the_number_of_rows_is_shown_by_the_day() -> None:
    text = volume_markdown(
        compare_volume(310, 100, reference_days=31, current_days=5, threshold=0.5)
    )
    assert "has changed: 2.000 times as many a day" in text
    assert "| reference | 310 | 31 | 10.0 |" in text
    assert "| change | 1.00 | 0.50 |" in text
