"""Writes docs/benchmarks-ingest.md from the results of one run; no number comes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.ingest.bars import bars_of, megabytes_per_cpu_second
from benchmarks.ingest.plan import GROWTH, LIMIT
from benchmarks.ingest.results import Result, Run
from benchmarks.measure import ROOT
from benchmarks.report import machine_section, table, versions_of

PAGE = ROOT / "docs" / "benchmarks-ingest.md"

_TITLES = {
    "postgres": "PostgreSQL",
    "mysql": "MariaDB",
    "csv": "CSV",
    "merge": "Merge of changes by key",
}


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
    yield [f"Of {run.rows / 1e6:g}M rows; load of the machine when the run began: {load}."]
    yield ["## What was promised, and what was measured"]
    yield table(("bar", "measured", "met"), [(b.text, b.measured, b.met) for b in bars_of(run)])
    for source, title in _TITLES.items():
        if found := [r for r in run.results if r.source == source]:
            yield [f"## {title}"]
            yield _lines(run, found)
    yield [_METHOD.strip()]
    yield machine_section(run.machine, _versions(run))


def _lines(run: Run, found: list[Result]) -> Iterator[str]:
    heads = ("reader", "rows", "CPU s", "x limit", "server CPU s", "wall s", "peak MB", "in table")
    yield from table(heads, [_line(run, result) for result in found])


def _line(run: Run, result: Result) -> tuple[str, ...]:
    rows = f"{result.source_rows / 1e6:g}M{' with bad ones' if result.kind == 'bad' else ''}"
    if result.failure:
        return (result.loader, rows, "", "", "", "", "", result.failure)
    limit = run.find(LIMIT, result.source, times=result.source_rows // run.rows)
    speed = f" ({megabytes_per_cpu_second(result):.0f} MB/s)" if result.source == "csv" else ""
    is_limit = result.loader == LIMIT.name
    return (
        result.loader,
        rows,
        f"{result.cpu:.2f}{speed}",
        f"{result.cpu / limit.cpu:.1f}" if limit and result.source != "csv" else "",
        f"{result.cpu_server:.2f}" if result.cpu_server else "",
        "" if is_limit else f"{result.wall:.1f}",
        "" if is_limit else f"{result.rss / 1e6:.0f}",
        "" if is_limit else _told(result),
    )


def _told(result: Result) -> str:
    if result.rows is None:
        return "not told"
    held = f", {result.held:,} held back" if result.held else ""
    wrong = "" if result.rows == result.expected else f" (should be {result.expected:,})"
    return f"{result.rows:,}{held}{wrong}"


def _versions(run: Run) -> Iterator[str]:
    for result in run.results:
        yield from versions_of(result.loader, result.versions)


_HEAD = """
<!-- Written by `make bench-ingest` from benchmarks/results/ingest.json; do not edit. -->
# Benchmarks of ingestion

The same rows from PostgreSQL, MariaDB and CSV into an Iceberg table: by this platform, by dlt, by
a script with a driver and pandas, and the *limit*: a program of the source's own that reads the
rows and throws them away. All numbers are of one run.
"""

_METHOD = f"""
## How it is measured

- **Rows.** Orders of 10 columns, about 216 bytes each as CSV, a tenth of the notes quoted:
  [benchmarks/ingest/rows.py](../benchmarks/ingest/rows.py). Where there are *bad ones*, one row in
  a thousand has a word for a number, too many decimals, no time, too few or too many fields, or no
  value where one is required.
- **This platform** does all that a run does: checksums of files, a type for every column, required
  values, records with their lines, one commit with the position, results and history.
- **CPU seconds** are user and system time of the reader and the processes that it starts, from the
  moment at which its libraries are imported; `server` is what the database used meanwhile. The
  limit of PostgreSQL is `psql -c "COPY ... (FORMAT binary)" > /dev/null`, that of MariaDB
  `mariadb --quick -N > /dev/null`, that of CSV `cat > /dev/null`. The bar of PostgreSQL counts the
  server too, on both sides: most of COPY's work is done there, and a select list that makes text
  of exact numbers costs the server more.
- **Repeats.** What may come near its bar runs three times, turn by turn with what it is compared
  with, and the medians are shown: one slow minute decides nothing. All else runs once.
- **Memory** is the greatest resident set, summed over a reader's processes, imports included.
  {GROWTH} times the rows show whether it grows with them.
- **Merge.** Changes to 1% of the rows and as many new rows, into a table of three or so files that
  the platform has written; the first load is not measured.
- **Peers.** dlt reads databases by connectorx, its fastest backend, and CSV by DuckDB, and writes
  an Iceberg table in a folder. The script reads with a cursor of the server (CSV: pandas), and
  appends 250,000 rows at a time with pyiceberg. Neither checks what it loads. The driver of
  PostgreSQL is psycopg 3 as `pip install psycopg` gives it, in Python, and by that the bar is
  judged; `psycopg[binary]`, which has a driver in C, is shown as well.

Run it: `make bench-ingest`, or a small one: `make bench-ingest SIZE=0.2M`. It starts a PostgreSQL
and a MariaDB of its own. The raw results are in [benchmarks/results](../benchmarks/results).
"""
