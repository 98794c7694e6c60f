"""Runs the benchmark of scale.

    python -m benchmarks.scale                              the whole plan, then the report
    python -m benchmarks.scale --size 100 --probes load ui  a part of it, printed only

Scratch is kept below --folder (default: $BENCH_FOLDER, or .local/bench), and gone afterwards. The
report is written to docs/benchmarks-scale.md when the whole plan has run, or with --report.
"""

from __future__ import annotations

import argparse
import os
from importlib.metadata import version
from pathlib import Path

from benchmarks.results import machine
from benchmarks.scale.measure import Measured, run_probe
from benchmarks.scale.plan import SIZES, Case, plan
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
        result = result_of(case, _runs(case, arguments.folder, arguments.limit))
        print(_line(result), flush=True)
        run = Run(run.machine, run.versions, (*run.results, result))
        run.save(output)
    if is_whole:
        write_report(run)


def _runs(case: Case, folder: Path, limit: float) -> list[Measured]:
    runs: list[Measured] = []
    while len(runs) < case.repeats and not any(run.failure for run in runs):
        runs.append(run_probe(case, folder, limit))
    return runs


def _line(result: Result) -> str:
    name = f"{result.probe} {result.variant} {result.tables or ''}"
    if result.failure:
        return f"{name:20} {result.failure}"
    figures = "  ".join(f"{key} {value:g}" for key, value in result.figures.items())
    cost = f"{result.wall:7.1f} s {result.cpu:7.1f} CPU s {result.rss / 1e6:6.0f} MB"
    return f"{name:20} {cost}  {figures}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = Path(os.environ.get("BENCH_FOLDER", ".local/bench"))
    probes = list(dict.fromkeys(case.probe for case in plan()))
    parser.add_argument("--folder", type=Path, default=default, help="where scratch is kept")
    parser.add_argument("--size", type=int, nargs="+", default=(), help="tables of the locations")
    parser.add_argument("--probes", nargs="+", default=(), choices=probes, help="only these")
    parser.add_argument("--limit", type=float, default=900, help="seconds for one run")
    parser.add_argument("--report", action="store_true", help="write the report in any case")
    return parser.parse_args()


if __name__ == "__main__":
    main()
