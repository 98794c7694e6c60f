"""Runs the benchmark of drift tests.

    python -m benchmarks.drift                              the whole plan, then the report
    python -m benchmarks.drift --size 0.2M --methods ours   a part of it, printed only

Data, environments and scratch are kept below --folder (default: $BENCH_FOLDER, or .local/bench).
The report is written to docs/benchmarks-drift.md when the whole plan has run, or with --report.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from benchmarks.arguments import command_parser, number_of_rows
from benchmarks.drift.measure import Measured, run_method
from benchmarks.drift.plan import COLUMNS, METHODS, PLAN, Case
from benchmarks.drift.protocol import Job
from benchmarks.drift.report import write_report
from benchmarks.drift.results import COMMITTED, Result, Run, result_of
from benchmarks.drift.rows import parquet_files
from benchmarks.environments import python_of
from benchmarks.measure import repeated
from benchmarks.results import machine

_SIZE = 10_000_000


def main() -> None:
    """Measures, and writes what was found."""
    arguments = _arguments()
    is_whole = arguments.report or (arguments.size == _SIZE and not arguments.methods)
    output = COMMITTED if is_whole else arguments.folder / "partial-drift.json"
    run = Run(machine(), arguments.size, ())
    for case in PLAN:
        if arguments.methods and case.method.module not in arguments.methods:
            continue
        result = result_of(case, arguments.size, _runs(case, arguments))
        print(_line(result), flush=True)
        run = Run(run.machine, run.size, (*run.results, result))
        run.save(output)
    if is_whole:
        write_report(run)


def _runs(case: Case, arguments: argparse.Namespace) -> list[Measured]:
    folder: Path = arguments.folder.absolute()
    python = python_of(case.method.environment, folder / "venvs")
    files = parquet_files(folder / "data", case.rows(arguments.size))
    numeric, categorical = COLUMNS[case.columns]
    job = Job(str(files[0]), str(files[1]), numeric, categorical)
    once = partial(run_method, case.method, python, job, folder, arguments.limit)
    return repeated(case.repeats, once)


def _line(result: Result) -> str:
    name = f"{result.rows / 1e6:g}M {result.columns:8} {result.method:28}"
    if result.failure:
        return f"{name} {result.failure}"
    return f"{name} {result.cpu:8.2f} CPU s {result.wall:8.2f} s {result.rss / 1e6:6.0f} MB"


def _arguments() -> argparse.Namespace:
    parser = command_parser("benchmarks.drift", __doc__, limit=1800)
    methods = [method.module for method in METHODS]
    parser.add_argument(
        "--size", type=number_of_rows, default=_SIZE, help="rows: 10M, or fewer to try it"
    )
    parser.add_argument("--methods", nargs="+", default=(), choices=methods, help="only these")
    return parser.parse_args()


if __name__ == "__main__":
    main()
