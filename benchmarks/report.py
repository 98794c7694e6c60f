"""Writes docs/benchmarks.md from the results of one run; no number in it comes from elsewhere."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.bars import bars_of
from benchmarks.measure import ROOT
from benchmarks.plan import ENGINES, MILLION
from benchmarks.results import COMMITTED, Result, Run

PAGE = ROOT / "docs" / "benchmarks.md"
IMAGES = ROOT / "docs" / "images"


def write_report(run: Run, chart_python: Path) -> None:
    """Writes the page and its charts.

    Raises:
        subprocess.CalledProcessError: the charts cannot be drawn.
    """
    PAGE.write_text(page(run), encoding="utf-8")
    command = [str(chart_python), "-m", "benchmarks.chart", str(COMMITTED), str(IMAGES)]
    subprocess.run(command, check=True, cwd=ROOT)


def page(run: Run) -> str:
    """The page as Markdown."""
    parts = ("\n".join(part) for part in _parts(run))
    return "\n\n".join(part for part in parts if part) + "\n"


def _parts(run: Run) -> Iterator[Iterable[str]]:
    yield [_HEAD.strip()]
    yield _bars(run)
    yield ["## All engines"]
    yield ["![CPU seconds of all engines](images/benchmark-engines.svg)"]
    for rows, kind in ((10 * MILLION, "bad"), (10 * MILLION, "clean"), (MILLION, "bad")):
        yield _engines(run, rows, kind)
    yield _differences(run)
    yield ["## More rows"]
    yield ["![CPU seconds and memory over rows](images/benchmark-growth.svg)"]
    yield _growth(run)
    yield _rules(run)
    yield [_LEFT.strip()]
    yield [_METHOD.strip()]
    yield machine_section(run.machine, _versions(run))


def _bars(run: Run) -> Iterator[str]:
    yield "## What was promised, and what was measured"
    yield ""
    yield from table(
        ("bar", "measured", "met"),
        [(bar.text, bar.measured, bar.met) for bar in bars_of(run)],
    )


def _engines(run: Run, rows: int, kind: str) -> Iterator[str]:
    found = _of(run, rows, kind, 20)
    floor = run.find("floor", rows, kind, 20)
    if not found or floor is None:
        return
    share = "1.5% of them bad" if kind == "bad" else "all of them good"
    yield f"### {rows // MILLION}M rows, {share}, 20 rules"
    yield ""
    heads = ("engine", "CPU s", "x floor", "wall s", "peak GB", "rules", "what comes out")
    yield from table(heads, [_engine_line(result, floor) for result in found])


def _engine_line(result: Result, floor: Result) -> tuple[str, ...]:
    if result.failure:
        return (result.name, result.failure, "", "", "", "", "")
    ran = "none" if result.engine == "floor" else f"{result.ran} of {result.rules}"
    gives = result.gives
    if result.labelled is not None:
        gives += f" ({result.labelled:,} bad rows)"
    return (
        result.name,
        f"{result.cpu:.2f}",
        f"{result.cpu / floor.cpu:.1f}",
        f"{result.wall:.2f}",
        f"{result.rss / 1e9:.2f}",
        ran,
        gives,
    )


def _differences(run: Run) -> Iterator[str]:
    yield "### Where an answer is not the one of plain SQL, or there is none"
    yield ""
    lines = sorted({line for result in run.results for line in _differences_of(result)})
    yield from lines or ["Nowhere: all engines ran all rules, and gave the same counts."]


def _differences_of(result: Result) -> Iterator[str]:
    case = f"{result.rows // MILLION}M {result.kind}, {result.rules} rules"
    if result.failure:
        yield f"- **{result.name}** ({case}): {result.failure}"
    if (result.rows, result.kind, result.rules) != (MILLION, "bad", 20):
        # The same rules differ for the same reason on all rows: one set of numbers tells it.
        known = ("order_id_unique", "orders_not_repeated")
        differs = {name: text for name, text in result.differs.items() if name not in known}
    else:
        differs = dict(result.differs)
        for rule, reason in result.not_run.items():
            yield f"- **{result.name}**: `{rule}` did not run: {reason}"
    for rule, text in differs.items():
        yield f"- **{result.name}** ({case}): `{rule}` {text}"


def _growth(run: Run) -> Iterator[str]:
    heads = ("engine", "rows", "kind", "CPU s", "x floor", "wall s", "peak GB")
    lines = []
    for engine in ("floor", "ours", "soda"):
        for rows in (MILLION, 10 * MILLION, 30 * MILLION):
            for kind in ("clean", "bad"):
                result = run.find(engine, rows, kind, 20)
                floor = run.find("floor", rows, kind, 20)
                if result and floor:
                    size = f"{rows // MILLION}M"
                    cells = _engine_line(result, floor)
                    lines.append((result.name, size, kind, *cells[1:5]))
    yield from table(heads, lines)


def _rules(run: Run) -> Iterator[str]:
    yield "## More rules"
    yield ""
    yield "CPU seconds (times the floor) on rows of which 1.5% are bad."
    yield ""
    lines = []
    for rows in (MILLION, 10 * MILLION):
        floor = run.find("floor", rows, "bad", 20)
        for engine in ENGINES[1:]:
            found = [run.find(engine.key, rows, "bad", number) for number in (5, 20, 100)]
            if floor and any(found) and (rows == MILLION or all(found)):
                cells = [f"{r.cpu:.2f} ({r.cpu / floor.cpu:.1f})" if r else "" for r in found]
                lines.append((engine.name, f"{rows // MILLION}M", *cells))
    yield from table(("engine", "rows", "5 rules", "20 rules", "100 rules"), lines)


def machine_section(machine: Mapping[str, str], versions: Iterable[str] = ()) -> Iterator[str]:
    """What the results come from; `versions` are lines of a list, in any order."""
    yield "## Machine and versions"
    yield ""
    yield "; ".join(f"{key}: {value}" for key, value in machine.items()) + "."
    if lines := sorted(set(versions)):
        yield ""
        yield from (f"- {line}" for line in lines)


def versions_of(name: str, versions: Mapping[str, str]) -> Iterator[str]:
    """The line of what somebody was made of; none where that is not known."""
    if versions:
        yield f"{name}: {', '.join(f'{k} {v}' for k, v in versions.items())}"


def _versions(run: Run) -> Iterator[str]:
    for result in run.results:
        yield from versions_of(result.name, result.versions)


def _of(run: Run, rows: int, kind: str, rules: int) -> list[Result]:
    return [r for r in run.results if (r.rows, r.kind, r.rules) == (rows, kind, rules)]


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table in Markdown."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for cells in lines:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


_HEAD = """
<!-- Written by `make bench` from benchmarks/results/latest.json; do not edit. -->
# Benchmarks

The same rules on the same rows, by this platform, by its peers, and by the *floor*: a DuckDB scan
that hashes every value of every column and checks nothing. All numbers are of one run.
"""

_LEFT = """
## What is left between us and the floor

Measured part by part at 10M rows while the engine was built.

- **The pattern of an e-mail address**, about 1.1 CPU s, half of the floor: RE2 takes 0.11 µs a row
  whatever the pattern is. Fixed sequences (the article number) become `GLOB` and cost a quarter of
  that; no combination of string functions was found that means the same as the e-mail pattern and
  is cheaper than RE2.
- **Uniqueness**, about 0.5 CPU s on clean rows: one aggregate over neighbourhoods of 64 keys in
  place of a hash table of all, and one pass over an ordered column for the composite key. Keys that
  are neither close together nor in order need the hash table: 1.4 to 1.7 CPU s.
- **Reading columns more than once**: rules that read the same columns share a scan, others read
  them again.
- **Bad rows**, about 2 CPU s for 150,000: their places are read, kept and counted, and repeated
  keys are compared exactly.
"""

_METHOD = """
## How it is measured

- **Rows.** Orders of 12 columns in four Parquet files (zstd), and customers, a tenth as many, that
  the orders refer to: [benchmarks/data.py](../benchmarks/data.py). In *bad* data 1.5% of the rows
  carry one of 19 defects. Order ids are dense, as a sequence of a database makes them.
- **Rules.** The 20 are [one contract](../benchmarks/contracts/orders.odcs.yaml): required columns,
  a unique key, a foreign key, two patterns, sets, ranges, lengths, two conditions across columns,
  and two gates with a percentage. The 100 have ten patterns more. NULL breaks only "required".
- **Answers.** Every count of every engine is compared with plain SQL, written apart from any
  engine: [benchmarks/expected.py](../benchmarks/expected.py).
- **Cost.** Each run is a process of its own. CPU seconds are user and system time from the moment
  at which the engine's libraries are imported; medians where a case ran three times; engines take
  turns. Memory is the greatest resident set that the kernel saw, imports included. Trust CPU
  seconds more than wall time: other work on the machine slows the clock, and hardly the CPU.
- **Engines.** The floor, this platform and Soda have two threads and `memory_limit` 512 MB; the
  others take what they want. Great Expectations reads pandas with Arrow types, and judges
  conditions across columns on a column computed for it. LakeLogic is given 1M rows at most, as it
  keeps all rows in memory several times; it judges keys on the rows that no other rule found bad.

Run it: `make bench`, or a part of it: `make bench SIZE=1M`. Peers are installed apart, as pinned
in [benchmarks/peers](../benchmarks/peers). The raw results are in
[benchmarks/results](../benchmarks/results).
"""
