"""Labels of bins as they are shown: on one line, short, and without values where asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quality_platform.drift.figures import ColumnDrift, Contributor

_SHOWN_BINS = 20
_LABEL_WIDTH = 32


def masked_contributors(drift: ColumnDrift) -> tuple[Contributor, ...]:
    """The bins with numbers for names, where a name holds values of the data."""
    word = "bin" if drift.kind == "numeric" else "category"
    return tuple(
        replace(bin_, label=f"{word} {number}") if bin_.is_value else bin_
        for number, bin_ in enumerate(drift.contributors, start=1)
    )


def top(contributors: Sequence[Contributor]) -> tuple[Sequence[Contributor], int]:
    """The first bins, as many as can be shown, and how many are left."""
    shown = contributors[:_SHOWN_BINS]
    return shown, len(contributors) - len(shown)


def printable(label: str) -> str:
    """The label on one line, without what would end the code around it."""
    flat = "".join(sign if sign.isprintable() else " " for sign in label).replace("`", "'")
    return flat if len(flat) <= _LABEL_WIDTH else f"{flat[: _LABEL_WIDTH - 1]}…"
