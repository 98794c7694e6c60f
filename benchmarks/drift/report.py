"""Writes docs/benchmarks-drift.md from the results of one run; no number comes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.drift.bars import bars_of
from benchmarks.drift.plan import OURS, PART
from benchmarks.drift.results import Result, Run
from benchmarks.measure import ROOT
from benchmarks.report import machine_section, table, versions_of

PAGE = ROOT / "docs" / "benchmarks-drift.md"


def write_report(run: Run) -> None:
    """Writes the page."""
    PAGE.write_text(page(run), encoding="utf-8")


def page(run: Run) -> str:
    """The page as Markdown."""
    parts = ("\n".join(part) for part in _parts(run))
    return "\n\n".join(part for part in parts if part) + "\n"


def _parts(run: Run) -> Iterator[Iterator[str] | list[str]]:
    yield [_HEAD.strip()]
    load = run.machine.get("load at the start", "unknown")
    size = f"{run.size / 1e6:g}M"
    yield [f"Of {size} against {size} rows; load of the machine when the run began: {load}."]
    yield ["## What was promised, and what was measured"]
    yield table(("bar", "measured", "met"), [(b.text, b.measured, b.met) for b in bars_of(run)])
    for rows in sorted({result.rows for result in run.results}, reverse=True):
        yield [f"## {rows / 1e6:g}M against {rows / 1e6:g}M rows"]
        yield _lines(run, rows)
    yield [_METHOD.strip()]
    yield machine_section(run.machine, _versions(run))


def _lines(run: Run, rows: int) -> Iterator[str]:
    found = [result for result in run.results if result.rows == rows]
    heads = ("method", "columns", "CPU s", "x this platform", "wall s", "peak MB")
    yield from table(heads, [_line(run, result) for result in found])


def _line(run: Run, result: Result) -> tuple[str, ...]:
    columns = {"all": "15", "numeric": "10 numeric"}[result.columns]
    if result.failure:
        return (result.method, columns, "", "", "", result.failure)
    ours = run.find(OURS, result.columns, result.rows)
    times = f"{result.cpu / ours.cpu:.1f}" if ours and ours.cpu else ""
    return (
        result.method,
        columns,
        f"{result.cpu:.2f}",
        times,
        f"{result.wall:.1f}",
        f"{result.rss / 1e6:.0f}",
    )


def _versions(run: Run) -> Iterator[str]:
    for result in run.results:
        yield from versions_of(result.method, result.versions)


_HEAD = """
<!-- Written by `make bench-drift` from benchmarks/results/drift.json; do not edit. -->
# Benchmarks of drift tests

Two samples of ten columns of numbers and five of categories, compared by this platform, by scipy,
by Evidently and by Frouros. All numbers are of one run.
"""

_METHOD = f"""
## How it is measured

- **Rows.** Two Parquet files: [benchmarks/drift/rows.py](../benchmarks/drift/rows.py). Numbers are
  normal, with heavy tails, mostly zero, in cents, whole, bimodal, and partly missing; about half of
  the columns drift.
- **This platform, exact** has both samples of a column in memory. It finds PSI,
  Kolmogorov-Smirnov, Jensen-Shannon, Wasserstein, Cramer's V, chi-square, missing and out-of-range
  shares, with their noise floors ([definitions](drift.md#definitions)).
- **This platform, profiles** makes a profile of each file by DuckDB, and compares these: what a run
  does, except that the profile of the reference is there already the second time.
- **scipy** finds Kolmogorov-Smirnov and Wasserstein of numbers, and chi-square of categories; no
  PSI. **Evidently** is its preset for data drift with its own choice of tests. **Frouros** finds
  Kolmogorov-Smirnov, PSI, Jensen-Shannon and Wasserstein. The last two get a {PART}th of the rows.
- **CPU seconds** are user and system time of the process from the moment at which its libraries
  are imported, reading of the files included; **memory** is the greatest resident set since then,
  libraries included.

Run it: `make bench-drift`, or a small one: `make bench-drift SIZE=0.2M`. The raw results are in
[benchmarks/results](../benchmarks/results).
"""
