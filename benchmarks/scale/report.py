"""Writes docs/benchmarks-scale.md from the results of one run; no number comes from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from benchmarks.measure import ROOT
from benchmarks.report import machine_section, table
from benchmarks.scale.bars import bars_of, due_seconds, run_seconds
from benchmarks.scale.plan import CHECKS, DUE, QUEUED, TENANT_LIMIT, TENANTS
from benchmarks.scale.results import Result, Run
from quality_platform.orchestration.repository import SMALL

PAGE = ROOT / "docs" / "benchmarks-scale.md"
FAR = 10_000
"""Tables of the location that is not measured, but worked out."""


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
    yield [f"Load of the machine when the run began: {load}."]
    yield ["## What was promised, and what was measured"]
    yield table(("bar", "measured", "met"), [(b.text, b.measured, b.met) for b in bars_of(run)])
    yield from _section(run, "load", "Loading the code location", _load, _DOMINATES)
    yield _far(run)
    yield from _section(run, "ui", "The UI", _ui)
    yield from _section(run, "ticks", "Schedules", _ticks, _TICKS)
    yield from _section(run, "results", "Results of checks", _check_results)
    yield from _section(run, "run", "Runs", _runs)
    yield from _section(run, "queue", "The queue", _queue)
    yield [_METHOD.strip()]
    yield _machine(run)


def _section(
    run: Run, probe: str, title: str, lines: Callable[[Run], Iterator[str]], text: str = ""
) -> Iterator[Iterable[str]]:
    """A section about a probe, where it was measured."""
    if run.of(probe):
        yield [f"## {title}"]
        yield lines(run)
        yield [text.strip()]


def _load(run: Run) -> Iterator[str]:
    heads = ("tables", "checks", "s", "imports", "definitions", "snapshot", "CPU s", "peak MB")
    heads = (*heads, "snapshot MB", "jobs", "`definitions validate` s")
    yield from table(heads, [_load_line(run, result) for result in run.of("load")])


def _load_line(run: Run, result: Result) -> tuple[str, ...]:
    if result.failure:
        return (f"{result.tables:,}", *[""] * 9, result.failure)
    figures, validate = result.figures, run.find("validate", result.tables)
    return (
        f"{result.tables:,}",
        f"{figures['checks']:,.0f}",
        f"{result.wall:.1f}",
        *(f"{figures[part]:.1f}" for part in ("imports", "definitions", "snapshot")),
        f"{result.cpu:.1f}",
        f"{result.rss / 1e6:.0f}",
        f"{figures['snapshot_bytes'] / 1e6:.1f}",
        f"{figures['jobs']:g}",
        f"{validate.wall:.1f}" if validate else "",
    )


def _far(run: Run) -> Iterator[str]:
    """What ten thousand tables would take: the line through the two largest locations."""
    found = sorted((r for r in run.of("load") if not r.failure), key=lambda r: r.tables)
    if len(found) < 2:
        return
    small, large = found[-2:]
    times = (FAR - large.tables) / (large.tables - small.tables)
    seconds = large.wall + times * (large.wall - small.wall)
    memory = large.rss + times * (large.rss - small.rss)
    snapshot = large.figures["snapshot_bytes"] * FAR / large.tables
    yield f"**{FAR:,} tables**, from the line through {small.tables:,} and {large.tables:,}:"
    yield f"about {seconds:.0f} s, {memory / 1e9:.1f} GB and a snapshot of {snapshot / 1e6:.0f} MB."
    yield "Split such a project into several code locations, one for each runner.yaml:"
    yield "they share the instance, the catalog and the queue, and load beside each other."


def _ui(run: Run) -> Iterator[str]:
    heads = ("tables", "webserver answers, s", "reload, s", "query of the graph, s", "page, s")
    rows = [_plain(r, ("started", "reload", "query", "page")) for r in run.of("ui")]
    yield from table(heads, rows)


def _ticks(run: Run) -> Iterator[str]:
    heads = ("schedules", "first look, s", "nothing due, s", f"{DUE} due, s", "each, s")
    rows = []
    for result in run.of("ticks"):
        line = _plain(result, ("first_look", "idle_look", "due_look"))
        each = "" if result.failure else f"{due_seconds(result):.2f}"
        rows.append((*line, each))
    yield from table(heads, rows)


def _check_results(run: Run) -> Iterator[str]:
    heads = ("storage", "no result, s", "20 results, s", "200 results, s", "each, ms")
    rows = []
    for result in run.of("results"):
        figures = result.figures
        if result.failure:
            rows.append((result.variant, "", "", "", result.failure))
            continue
        each = (figures["run_200"] - figures["run_0"]) / 200 * 1000
        seconds = (f"{figures[name]:.2f}" for name in ("run_0", "run_20", "run_200"))
        rows.append((result.variant, *seconds, f"{each:.1f}"))
    yield from table(heads, rows)


def _runs(run: Run) -> Iterator[str]:
    names = {"empty": "Dagster's own, empty", "table": "a table of one row, {} in the location"}
    rows = [
        (
            names[result.variant].format(f"{result.tables:,}"),
            result.failure or f"{run_seconds(result):.1f}",
            f"{result.figures.get('check_results', 0):g}",
        )
        for result in run.of("run")
    ]
    yield from table(("run", "s", "results of checks"), rows)


def _queue(run: Run) -> Iterator[str]:
    found = run.find("queue", QUEUED)
    if found is None:
        yield run.of("queue")[0].failure
        return
    figures = found.figures
    yield f"{figures['queued']:g} runs of {TENANTS} tenants, each of which may have {TENANT_LIMIT}"
    yield f"under way: {figures['succeeded']:g} succeeded in {figures['seconds']:.0f} s; at most"
    yield f"{figures['most_of_a_tenant']:g} of one tenant and {figures['most_of_all']:g} of all"
    yield "were under way at the same time, from when they left the queue until they ended."


def _plain(result: Result, names: Sequence[str]) -> tuple[str, ...]:
    if result.failure:
        return (f"{result.tables:,}", *[""] * (len(names) - 1), result.failure)
    return (f"{result.tables:,}", *(f"{result.figures[name]:.2f}" for name in names))


def _machine(run: Run) -> Iterator[str]:
    yield from machine_section(run.machine)
    yield "; ".join(f"{key} {value}" for key, value in run.versions.items()) + "."


_HEAD = f"""
<!-- Written by `make bench-scale` from benchmarks/results/scale.json; do not edit. -->
# Benchmarks of scale

A generated project: each table has a contract of {CHECKS} checks in a file of its own, its source,
its quarantine, its upkeep, and a schedule. All numbers are of one run.
"""

_DOMINATES = """
Most of it is Dagster's: an op has an output for each table, quarantine and check, and each of them
is described again in the snapshots of the jobs. Therefore all tables share two jobs: a schedule
asks for its tables within a job, and has none of its own. The rest is imports, and reading:
contracts (YAML, models), and the SQL in them, which is parsed to be sure of what it does. SQL that
is written alike is parsed once, and the contracts of this project are alike: two rules of its own
would add about 0.7 ms for each table.

Runs do not load all of it: a worker reads runner.yaml, and of the contracts those of the tables
that its run selects or, in a job of the launchpad, names, and of what they refer to. The steps of a
run of several tables are forked from one process that has loaded them.

A daemon whose workspace names a Python module (as workspace.yaml does) starts a new server for it
**every minute**, to notice changes. Where loading takes seconds, run one code server beside daemon
and webserver, as [deploy/](deploy.md) does: it loads once.
"""

_TICKS = f"""
The *first look* writes a line for every new schedule; it happens once. A look at schedules of which
none is due costs next to nothing, and takes place each minute. For each one that is due Dagster
makes a job of the selected tables, and keeps the job from which they were taken. Above {SMALL}
tables that is a job of these tables alone, so that the cost does not grow with the location; in
return the UI says of the job, at the button that runs it again, that it may have changed since.
"""

_METHOD = f"""
## How it is measured

Every case runs in a process of its own, on files that are generated for it
([benchmarks/scale](../benchmarks/scale)).

- **Loading** is the whole process of a code server until it could send its snapshot: imports,
  runner.yaml and contracts, definitions, snapshot. CPU seconds and peak memory are of the process.
- **UI.** A real webserver, with a code server of its own. *Answers*: from the start of its process.
  *Reload* is the button of the UI. *Query* asks for all assets with what the graph shows of them.
  *Page* is a headless Chromium with an empty profile, from the address until the first group.
- **Schedules.** A real daemon on SQLite, whose scheduler has another clock and looks each two
  seconds; no run leaves the queue. Time is measured around one look at all schedules.
- **Results of checks.** A run in one process whose op has nothing but results.
- **Runs.** From the start of the worker's process to its end, as a launcher starts it. Dagster's
  own has one process for its step; a run of one table is one process. Both load the code from a
  cache of compiled modules.
- **Queue.** {QUEUED} loads of {QUEUED} tables, a real daemon, `tag_concurrency_limits` on the tag
  `quality-platform/tenant`, Dagster's storage in PostgreSQL.

Run it: `make bench-scale`, or a small one: `make bench-scale SIZE=100`. The raw results are in
[benchmarks/results](../benchmarks/results).
"""
