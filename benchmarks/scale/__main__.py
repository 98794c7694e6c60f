"""Runs the benchmark of scale.

    python -m benchmarks.scale                              the whole plan, then the report
    python -m benchmarks.scale --size 100 --probes load ui  a part of it, printed only

Scratch is kept below --folder (default: $BENCH_FOLDER, or .local/bench), and gone afterwards. The
report is written to docs/benchmarks-scale.md when the whole plan has run, or with --report.
"""

from __future__ import annotations

import argparse
from functools import partial
from importlib.metadata import version

from benchmarks.arguments import command_parser
from benchmarks.measure import repeated
from benchmarks.results import machine
from benchmarks.scale.measure import run_probe
from benchmarks.scale.plan import SIZES, plan
from benchmarks.scale.report import write_report
from benchmarks.scale.results import COMMITTED, Result, Run, result_of


def main() -> None:
    """Measures, and writes what was found."""
    arguments = _arguments()
    is_whole = arguments.report or not (arguments.size or arguments.probes)
    output = COMMITTED if is_whole else arguments.folder / "partial-scale.json"
    arguments.folder.mkdir(parents=True, exist_ok=True)
    versions = {name: version(name) for name in ("dagster", "dagster-postgres")}
    run = Run(machine(), versions, ())
    for case in plan(tuple(arguments.size) or SIZES):
        if arguments.probes and case.probe not in arguments.probes:
            continue
        result = result_of(
            case,
            repeated(case.repeats, partial(run_probe, case, arguments.folder, arguments.limit)),
        )
        print(_line(result), flush=True)
        run = Run(run.machine, run.versions, (*run.results, result))
        run.save(output)
    if is_whole:
        write_report(run)


def _line(result: Result) -> str:
    name = f"{result.probe} {result.variant} {result.tables or ''}"
    if result.failure:
        return f"{name:20} {result.failure}"
    figures = "  ".join(f"{key} {value:g}" for key, value in result.figures.items())
    cost = f"{result.wall:7.1f} s {result.cpu:7.1f} CPU s {result.rss / 1e6:6.0f} MB"
    return f"{name:20} {cost}  {figures}"


def _arguments() -> argparse.Namespace:
    parser = command_parser("benchmarks.scale", __doc__, limit=900)
    probes = list(dict.fromkeys(case.probe for case in plan()))
    parser.add_argument("--size", type=int, nargs="+", default=(), help="tables of the locations")
    parser.add_argument("--probes", nargs="+", default=(), choices=probes, help="only these")
    return parser.parse_args()


if __name__ == "__main__":
    main()
