"""Runs the benchmark.

    python -m benchmarks                                    the whole plan, then the report
    python -m benchmarks --sizes 1M --engines floor ours    a part of it, printed only

Data and environments are kept below --folder (default: $BENCH_FOLDER, or .local/bench). The report
is written to docs/benchmarks.md when the whole plan has run, or with --report.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.arguments import command_parser
from benchmarks.data import dataset, size
from benchmarks.environments import python_of
from benchmarks.expected import expected
from benchmarks.measure import run_once
from benchmarks.plan import ENGINES, Case, selected
from benchmarks.report import write_report
from benchmarks.results import COMMITTED, Result, Run, machine, result_of


def main() -> None:
    """Measures, and writes what was found."""
    arguments = _arguments()
    cases = list(selected(arguments.engines, arguments.sizes, arguments.repeats))
    is_whole = not arguments.engines and not arguments.sizes
    output = COMMITTED if is_whole or arguments.report else arguments.folder / "partial.json"
    at_start, results = machine(), []
    for case in cases:
        for result in _measured(case, arguments.folder, arguments.limit):
            print(_line(result), flush=True)
            results.append(result)
        Run(at_start, tuple(results)).save(output)
    if output == COMMITTED:
        write_report(Run(at_start, tuple(results)), python_of("chart", arguments.folder / "venvs"))


def _arguments() -> argparse.Namespace:
    parser = command_parser("benchmarks", __doc__, limit=600)
    parser.add_argument(
        "--engines", nargs="+", default=(), choices=[e.key for e in ENGINES], metavar="ENGINE",
        help=f"only these: {', '.join(e.key for e in ENGINES)}",
    )  # fmt: skip
    parser.add_argument("--sizes", nargs="+", type=size, default=(), help="only these: 1M 10M 30M")
    parser.add_argument("--repeats", type=int, help="runs of each case; the median counts")
    return parser.parse_args()


def _measured(case: Case, folder: Path, limit: float) -> Iterator[Result]:
    """The engines of a case, turn by turn, so that a slow minute hits all of them."""
    data = dataset(folder / "data", case.rows, case.kind)
    answers = expected(data)
    pythons = {e.key: python_of(e.environment, folder / "venvs") for e in case.engines}
    runs = {
        engine.key: [run_once(engine, pythons[engine.key], data, case.rules, limit)]
        for engine in case.engines
    }
    for _ in range(case.repeats - 1):
        for engine in case.engines:
            if not runs[engine.key][-1].failure:
                again = run_once(engine, pythons[engine.key], data, case.rules, limit)
                runs[engine.key].append(again)
    for engine in case.engines:
        yield result_of(engine, case, runs[engine.key], answers)


def _line(result: Result) -> str:
    case = f"{result.rows / 1e6:g}M {result.kind}, {result.rules} rules"
    if result.failure:
        return f"{case:22} {result.name:30} {result.failure}"
    cost = f"{result.cpu:8.2f} CPU s {result.wall:7.2f} s {result.rss / 1e9:5.2f} GB"
    unlike: Sequence[str] = [f"{name} {what}" for name, what in result.differs.items()]
    return f"{case:22} {result.name:30} {cost} {result.ran} rules {'; '.join(unlike)}"


if __name__ == "__main__":
    main()
