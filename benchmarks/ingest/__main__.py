"""Runs the benchmark of ingestion.

    python -m benchmarks.ingest                                  the whole plan, then the report
    python -m benchmarks.ingest --size 0.2M --sources csv        a part of it, printed only

Data, environments and scratch are kept below --folder (default: $BENCH_FOLDER, or .local/bench).
The report is written to docs/benchmarks-ingest.md when the whole plan has run, or with --report.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.arguments import command_parser, number_of_rows
from benchmarks.environments import python_of
from benchmarks.ingest import rows
from benchmarks.ingest.measure import Loader, Machinery, Measured, run_command, run_loader
from benchmarks.ingest.plan import CHANGES, LIMIT, PLAN, Case
from benchmarks.ingest.protocol import Job
from benchmarks.ingest.report import write_report
from benchmarks.ingest.results import COMMITTED, Result, Run, Source, result_of
from benchmarks.ingest.servers import Database, database
from benchmarks.results import machine

_SIZE = 5_000_000


def main() -> None:
    """Measures, and writes what was found."""
    arguments = _arguments()
    is_whole = arguments.report or (arguments.size == _SIZE and not arguments.sources)
    output = COMMITTED if is_whole else arguments.folder / "partial-ingest.json"
    at_start, results = machine(), []
    with ExitStack() as stack:
        bench = _Bench(arguments.folder.absolute(), arguments.size, arguments.limit, stack)
        for case in PLAN:
            if arguments.sources and case.source not in arguments.sources:
                continue
            for result in bench.measured(case, arguments.repeats or case.repeats):
                print(_line(result), flush=True)
                results.append(result)
                Run(at_start, arguments.size, tuple(results)).save(output)
    if is_whole:
        write_report(Run(at_start, arguments.size, tuple(results)))


def _arguments() -> argparse.Namespace:
    parser = command_parser("benchmarks.ingest", __doc__, limit=900)
    sources = list(dict.fromkeys(case.source for case in PLAN))
    parser.add_argument(
        "--size", type=number_of_rows, default=_SIZE, help="rows: 5M, or fewer to try it"
    )
    parser.add_argument("--sources", nargs="+", default=(), choices=sources, help="only these")
    parser.add_argument("--repeats", type=int, help="runs of each case; the median counts")
    return parser.parse_args()


@dataclass
class _Bench:
    folder: Path
    size: int
    limit: float
    stack: ExitStack
    databases: dict[str, Database] = field(default_factory=dict)

    def measured(self, case: Case, repeats: int) -> Iterator[Result]:
        """The loaders of a case, turn by turn, so that a slow minute hits all of them."""
        source, job, server = self._prepared(case)
        cpu = server.cpu_seconds if server else lambda: 0.0
        machinery = Machinery(self.folder, self.limit, cpu)
        runs: dict[Loader, list[Measured]] = {loader: [] for loader in case.loaders}
        for _ in range(repeats):
            for loader in case.loaders:
                if not runs[loader] or not runs[loader][-1].failure:
                    runs[loader].append(self._run(loader, job, server, machinery))
        for loader in case.loaders:
            yield result_of(loader, case, source, runs[loader])

    def _run(
        self, loader: Loader, job: Job, server: Database | None, machinery: Machinery
    ) -> Measured:
        if loader != LIMIT:
            python = python_of(loader.environment, self.folder / "venvs")
            return run_loader(loader, python, job, machinery)
        return run_command(server.limit if server else ("cat", job.location), machinery)

    def _prepared(self, case: Case) -> tuple[Source, Job, Database | None]:
        number, data = self.size * case.times, self.folder / "data"
        if case.source == "merge":
            return self._merge(number, data)
        file = rows.csv_file(data, number, case.kind)
        if case.source == "csv":
            good = number - rows.bad_rows(number, case.kind)
            job = Job("csv", str(file), "", number)
            return Source(number, good, file.stat().st_size), job, None
        server = self._database(case.source, number, file)
        return Source(number, number), Job(case.source, server.url, "", number), server

    def _database(self, kind: str, number: int, file: Path) -> Database:
        if kind not in self.databases:
            self.databases[kind] = self.stack.enter_context(database(kind))
        found = self.databases[kind]
        if found.rows != number:
            found.fill(file)
            found.rows = number
        return found

    def _merge(self, number: int, data: Path) -> tuple[Source, Job, None]:
        half = number // CHANGES // 2
        before = rows.parquet_file(data / f"before-{number}.parquet", f"range({number}) t(i)")
        changed = f"SELECT DISTINCT hash(n) % {number} AS i FROM range({half}) t(n)"
        added = f"SELECT i FROM range({number}, {number + half}) t(i)"
        after = rows.parquet_file(
            data / f"changes-{number}.parquet",
            f"(SELECT i::BIGINT AS i FROM ({changed}) UNION ALL {added})",
            changed=True,
        )
        job = Job("merge", str(before), "", number, str(after))
        return Source(number, number + half), job, None


def _line(result: Result) -> str:
    case = f"{result.source_rows / 1e6:g}M {result.source} {result.kind}"
    if result.failure:
        return f"{case:22} {result.loader:26} {result.failure}"
    cost = f"{result.cpu:8.2f} CPU s {result.cpu_server:7.2f} in the server {result.wall:7.2f} s"
    unlike: Sequence[str] = (
        [] if result.rows in (None, result.expected) else [f"not {result.expected}"]
    )
    memory = f"{result.rss / 1e6:6.0f} MB"
    return f"{case:22} {result.loader:26} {cost} {memory} {result.rows} {' '.join(unlike)}"


if __name__ == "__main__":
    main()
