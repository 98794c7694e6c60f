"""Both distributions as a small image: SVG, which needs no library and stays sharp."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from quality_platform.drift.figures import ColumnDrift, Contributor
from quality_platform.drift.labels import printable, top

_REFERENCE, _CURRENT, _TEXT = "#8a94a6", "#e8743b", "#5b6472"
"""Told apart by brightness too, and readable on light and on dark ground."""

_LABELS, _BARS, _NUMBERS = 220, 300, 110
_ROW, _BAR, _HEAD = 30, 10, 30


def is_drawable(contributors: Sequence[Contributor]) -> bool:
    """Whether there is anything to draw."""
    return any(bin_.reference or bin_.current for bin_ in contributors)


def chart_uri(drift: ColumnDrift, contributors: Sequence[Contributor] | None = None) -> str:
    """The chart as a `data:` URI, as Markdown images take it."""
    svg = chart_svg(drift, contributors).encode()
    return f"data:image/svg+xml;base64,{b64encode(svg).decode('ascii')}"


def chart_svg(drift: ColumnDrift, contributors: Sequence[Contributor] | None = None) -> str:
    """A pair of bars for each bin: its share of the reference, and of the current rows.

    Args:
        drift: what was found.
        contributors: the bins in place of those of `drift`, such as masked ones.
    """
    shown, rest = top(drift.contributors if contributors is None else contributors)
    width = _LABELS + _BARS + _NUMBERS
    height = _HEAD + _ROW * len(shown) + (_ROW if rest else 0)
    largest = max(max(bin_.reference, bin_.current) for bin_ in shown)
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" '
            f'fill="{_TEXT}">',
            *_legend(),
            *(part for n, bin_ in enumerate(shown) for part in _pair(n, bin_, largest)),
            _text(_LABELS - 8, height - 10, f"and {rest} more", "end") if rest else "",
            "</svg>",
        ]
    )


def _legend() -> Iterator[str]:
    for x, color, name in (
        (_LABELS, _REFERENCE, "reference"),
        (_LABELS + 110, _CURRENT, "current"),
    ):
        yield f'<rect x="{x}" y="6" width="12" height="12" fill="{color}"/>'
        yield _text(x + 18, 16, name)


def _pair(number: int, bin_: Contributor, largest: float) -> Iterator[str]:
    y = _HEAD + _ROW * number
    yield _text(_LABELS - 8, y + 16, printable(bin_.label), "end")
    sides = ((bin_.reference, _REFERENCE), (bin_.current, _CURRENT))
    for place, (share, color) in enumerate(sides):
        top_, length = y + 2 + place * (_BAR + 1), _BARS * share / largest
        size = f'width="{length:.1f}" height="{_BAR}"'
        yield f'<rect x="{_LABELS}" y="{top_}" {size} fill="{color}"/>'
        yield _text(_LABELS + length + 6, top_ + 9, f"{share:.2%}", size=10)


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> str:
    written = escape("".join(sign for sign in text if sign.isprintable()))
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-size="{size}">{written}</text>'
