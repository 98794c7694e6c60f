"""Writes docs/benchmarks-features.md from the results of one run, and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.features.parts import PARTS
from benchmarks.features.results import Run
from benchmarks.measure import ROOT
from benchmarks.report import machine_section, table

PAGE = ROOT / "docs" / "benchmarks-features.md"


def write_report(run: Run) -> None:
    """Writes the page."""
    PAGE.write_text(page(run), encoding="utf-8")


def page(run: Run) -> str:
    """The page as Markdown."""
    parts = ("\n".join(part) for part in _parts(run))
    return "\n\n".join(part for part in parts if part) + "\n"


def _parts(run: Run) -> Iterator[Iterable[str]]:
    load = run.machine.get("load at the start", "unknown")
    yield [_HEAD.strip()]
    yield [f"Of {run.rows / 1e6:g}M rows; load of the machine when the run began: {load}."]
    yield ["## What was promised, and what was measured"]
    bars = [bar for part in PARTS for bar in part.bars(run)]
    yield table(("bar", "measured", "met"), [(bar.text, bar.measured, bar.met) for bar in bars])
    for part in PARTS:
        yield part.section(run)
    yield _machine(run)


def _machine(run: Run) -> Iterator[str]:
    yield from machine_section(run.machine)
    yield ""
    yield "; ".join(f"{name} {number}" for name, number in run.versions.items()) + "."


_HEAD = """
<!-- Written by `make bench-features` from benchmarks/results/features.json; do not edit. -->
# Benchmarks of the feature store

Features from the lake into the online store, out of it again, and back in time: by this platform,
by Feast as it comes, and by the *raw* way, which shows what the machine could do at most. All
numbers are of one run. Run it: `make bench-features`, or a small one:
`make bench-features SIZE=0.1M`. The raw results are in [benchmarks/results](../benchmarks/results).
"""
