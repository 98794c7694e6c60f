"""Materialization: what is measured, promised and told of it."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bars import Bar
from benchmarks.features.plan import Case
from benchmarks.features.results import Result, Run
from benchmarks.report import table

STOCK_TIMES = 8
RAW_SHARE = 0.5
STOCK_SHARE = 0.1
"""Of the rows: Feast as it comes takes minutes and gigabytes for all of them."""

CASES = (
    Case("materialize", "redis ours", repeats=3),
    Case("materialize", "redis raw", repeats=3),
    Case("materialize", "redis stock", times=STOCK_SHARE),
    Case("materialize", "sqlite ours", repeats=3),
    Case("materialize", "sqlite raw"),
    Case("materialize", "sqlite stock", times=STOCK_SHARE),
)


def bars(run: Run) -> Iterator[Bar]:
    """The bars of materialization."""
    for kind, title in (("redis", "Redis"), ("sqlite", "SQLite")):
        ours = run.find("materialize", f"{kind} ours")
        stock = run.find("materialize", f"{kind} stock", STOCK_SHARE)
        text = f"materialize into {title}: at least {STOCK_TIMES} x Feast as it comes"
        yield _at_least(text, ours, stock, STOCK_TIMES)
        if kind == "redis":
            text = f"materialize into {title}: at least {RAW_SHARE} of the raw pipeline"
            yield _at_least(text, ours, run.find("materialize", "redis raw"), RAW_SHARE)


def section(run: Run) -> Iterator[str]:
    """The section of the page."""
    if not run.of("materialize"):
        return
    yield "## Materialization"
    yield ""
    heads = ("way", "rows", "rows/s", "s", "CPU s", "server CPU s", "peak MB")
    yield from table(heads, [_line(result) for result in run.of("materialize")])
    yield ""
    yield _TEXT.strip()


def _line(result: Result) -> tuple[str, ...]:
    rows = f"{result.rows:,}"
    if result.failure:
        return (result.variant, rows, "", "", "", "", result.failure)
    server = result.figures.get("server_cpu")
    return (
        result.variant,
        rows,
        f"{result.rows_per_second:,.0f}",
        f"{result.wall:.1f}",
        f"{result.cpu:.1f}",
        "" if server is None else f"{server:.1f}",
        f"{result.rss / 1e6:.0f}",
    )


def _at_least(text: str, ours: Result | None, other: Result | None, times: float) -> Bar:
    if ours is None or other is None:
        return Bar(text, "", "not measured")
    share = ours.rows_per_second / other.rows_per_second
    measured = (
        f"{share:.2f} x ({ours.rows_per_second:,.0f} against {other.rows_per_second:,.0f} rows/s)"
    )
    return Bar(text, measured, "yes" if share >= times else "no")


_TEXT = """
One row for each entity: a text key, a time, ten features (four floats, three integers, text, a
boolean, a time). *ours* reads the Iceberg table, finds the newest row of each entity, encodes and
writes, into an empty store, as `quality-platform run` does. *stock* is `FeatureStore.materialize`
of Feast with its defaults from a Parquet file, of fewer rows: its cost grows with the rows, and all
of them would need several gigabytes. *raw* has the rows in memory and encoded before the clock
starts, and writes them without looking at what is there: into Redis a stream of HSET, into SQLite
one transaction.
"""
