"""Draws the charts of the report: python -m benchmarks.chart results.json folder.

It runs in an environment of its own, which has matplotlib and nothing of this project.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_OURS, _OTHER, _FLOOR = "#1f6feb", "#8b949e", "#d0d7de"


def main() -> None:
    """Draws both charts."""
    import matplotlib as mpl

    mpl.use("svg")
    # Without these every drawing of the same numbers would be another file.
    mpl.rcParams.update({"svg.hashsalt": "benchmark", "svg.fonttype": "none", "font.size": 10})
    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["results"]
    folder = Path(sys.argv[2])
    draw_engines([r for r in results if not r["failure"]], folder / "benchmark-engines.svg")
    draw_growth([r for r in results if not r["failure"]], folder / "benchmark-growth.svg")


def draw_engines(results: Sequence[Mapping[str, Any]], path: Path) -> None:
    """CPU seconds of all engines for 20 rules on the greatest number of rows that most ran."""
    import matplotlib.pyplot as plt

    rows = _largest_compared(results)
    chosen = sorted(_cases(results, rows=rows, kind="bad", rules=20), key=lambda r: -r["cpu"])
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(chosen) + 1.1))
    # Points: the length of a bar would mean nothing on a logarithmic axis.
    for place, result in enumerate(chosen):
        color = {"ours": _OURS, "floor": _FLOOR}.get(result["engine"], _OTHER)
        axes.plot(result["cpu"], place, "o", color=color, markersize=9)
        axes.annotate(
            f"{result['cpu']:.1f}",
            (result["cpu"], place),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(range(len(chosen)), [r["name"] for r in chosen])
    axes.grid(axis="y", color=_FLOOR, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xscale("log")
    axes.set_xlim(right=max(r["cpu"] for r in chosen) * 2)
    axes.set_xlabel(f"CPU seconds, {rows // 10**6}M rows, 20 rules, 1.5% bad rows (logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def draw_growth(results: Sequence[Mapping[str, Any]], path: Path) -> None:
    """CPU seconds and memory over the number of rows, for the engines that ran all sizes."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
    for engine, color in (("ours", _OURS), ("soda", _OTHER), ("floor", _FLOOR)):
        found = sorted(_cases(results, engine=engine, kind="bad", rules=20), key=_rows)
        sizes = [_rows(r) / 1e6 for r in found]
        name = found[0]["name"] if found else engine
        left.plot(sizes, [r["cpu"] for r in found], marker="o", color=color, label=name)
        right.plot(sizes, [r["rss"] / 1e9 for r in found], marker="o", color=color, label=name)
    left.set_ylabel("CPU seconds")
    right.set_ylabel("peak memory, GB")
    for axes in (left, right):
        axes.set_xlabel("million rows, 20 rules, 1.5% bad rows")
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)
    _save(figure, path)


def _largest_compared(results: Sequence[Mapping[str, Any]]) -> int:
    """The most rows that at least five engines were given; else the most that any was."""
    counted = {_rows(r): len(_cases(results, rows=_rows(r), kind="bad", rules=20)) for r in results}
    compared = [rows for rows, engines in counted.items() if engines >= 5]
    return max(compared or counted)


def _cases(results: Sequence[Mapping[str, Any]], **wanted: object) -> list[Mapping[str, Any]]:
    return [r for r in results if all(r[key] == value for key, value in wanted.items())]


def _rows(result: Mapping[str, Any]) -> int:
    return int(result["rows"])


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


if __name__ == "__main__":
    main()
