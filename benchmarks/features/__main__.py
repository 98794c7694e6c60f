"""Runs the benchmark of the feature store.

    python -m benchmarks.features                                   the whole plan, then the report
    python -m benchmarks.features --size 0.1M --probes materialize  a part of it, printed only

Data and scratch are kept below --folder (default: $BENCH_FOLDER, or .local/bench). The report is
written to docs/benchmarks-features.md when the whole plan has run, or with --report.
"""

from __future__ import annotations

import argparse
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.arguments import command_parser, number_of_rows
from benchmarks.features.measure import run_probe
from benchmarks.features.parts import PARTS
from benchmarks.features.report import write_report
from benchmarks.features.results import COMMITTED, Result, Run, result_of
from benchmarks.measure import repeated
from benchmarks.results import machine

_SIZE = 1_000_000
_CASES = tuple(case for part in PARTS for case in part.CASES)


def main() -> None:
    """Measures, and writes what was found."""
    arguments = _arguments()
    is_whole = arguments.report or (arguments.size == _SIZE and not arguments.probes)
    folder: Path = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    output = COMMITTED if is_whole else folder / "partial-features.json"
    run = Run(machine(), _versions(), arguments.size, ())
    for case in _CASES:
        if arguments.probes and case.probe not in arguments.probes:
            continue
        rows = int(arguments.size * case.times)
        result = result_of(
            case,
            rows,
            repeated(case.repeats, partial(run_probe, case, rows, folder, arguments.limit)),
        )
        print(_line(result), flush=True)
        run = Run(run.machine, run.versions, run.rows, (*run.results, result))
        run.save(output)
    if is_whole:
        write_report(run)


def _versions() -> dict[str, str]:
    found = {}
    for name in ("feast", "redis", "pyarrow", "duckdb", "pyiceberg"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _line(result: Result) -> str:
    name = f"{result.probe} {result.variant} {result.rows:,}"
    if result.failure:
        return f"{name:40} {result.failure}"
    figures = "  ".join(f"{key} {value:g}" for key, value in result.figures.items())
    cost = f"{result.wall:7.2f} s {result.cpu:7.2f} CPU s {result.rss / 1e6:6.0f} MB"
    return f"{name:40} {cost} {result.rows_per_second:9,.0f} rows/s  {figures}"


def _arguments() -> argparse.Namespace:
    parser = command_parser("benchmarks.features", __doc__, limit=1800)
    probes = list(dict.fromkeys(case.probe for case in _CASES))
    parser.add_argument(
        "--size", type=number_of_rows, default=_SIZE, help="rows: 1M, or fewer to try it"
    )
    parser.add_argument("--probes", nargs="+", default=(), choices=probes, help="only these")
    return parser.parse_args()


if __name__ == "__main__":
    main()
