"""Reads back in time: what is measured, promised and told of them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bars import Bar
from benchmarks.features.historical_rows import ASKED_SHARE
from benchmarks.features.plan import Case
from benchmarks.features.results import Result, Run
from benchmarks.report import table

HISTORIES = (10, 1000)
HAND_TIMES = 2
PEAK_BYTES = 1e9
STOCK_SHARE = 0.1
"""Of the rows, where Feast's own DuckDB store has a thousand rows of each entity to pair."""

_STOCK = "feast-duckdb"

CASES = (
    *(
        Case("historical", f"{history} {way}", repeats=3)
        for history in HISTORIES
        for way in ("ours", "hand-written")
    ),
    Case("historical", "10 dask"),
    Case("historical", "10 duckdb", environment=_STOCK),
    Case("historical", "1000 dask", times=STOCK_SHARE),
    Case("historical", "1000 duckdb", times=STOCK_SHARE, environment=_STOCK),
    Case("historical", "1000 ours", times=STOCK_SHARE),
)


def bars(run: Run) -> Iterator[Bar]:
    """The bars of reads back in time."""
    for history in HISTORIES:
        ours = run.find("historical", f"{history} ours")
        hand = run.find("historical", f"{history} hand-written")
        of = f"historical join, {history:,} rows of each entity"
        yield _times(f"{of}: at most {HAND_TIMES} x the CPU time of a join by hand", ours, hand)
        yield _within(f"{of}: peak memory under {PEAK_BYTES / 1e9:g} GB", ours)


def section(run: Run) -> Iterator[str]:
    """The section of the page."""
    if not run.of("historical"):
        return
    yield "## Historical reads"
    yield ""
    heads = ("way", "rows of each entity", "feature rows", "entity rows", "of them returned",
             "s", "CPU s", "peak MB")  # fmt: skip
    yield from table(heads, [_line(result) for result in run.of("historical")])
    yield ""
    yield _TEXT.strip()


def _line(result: Result) -> tuple[str, ...]:
    history, way = result.variant.split()
    known = (way, f"{int(history):,}", f"{result.rows:,}", f"{result.rows // ASKED_SHARE:,}")
    if result.failure:
        return (*known, result.failure, "", "", "")
    return (
        *known,
        f"{result.figures['rows']:,.0f}",
        f"{result.wall:.2f}",
        f"{result.cpu:.2f}",
        f"{result.rss / 1e6:.0f}",
    )


def _times(text: str, ours: Result | None, hand: Result | None) -> Bar:
    if ours is None or hand is None:
        return Bar(text, "", "not measured")
    times = ours.cpu / hand.cpu
    measured = f"{times:.2f} x ({ours.cpu:.2f} against {hand.cpu:.2f} CPU s)"
    return Bar(text, measured, "yes" if times <= HAND_TIMES else "no")


def _within(text: str, ours: Result | None) -> Bar:
    if ours is None:
        return Bar(text, "", "not measured")
    return Bar(text, f"{ours.rss / 1e9:.2f} GB", "yes" if ours.rss < PEAK_BYTES else "no")


_TEXT = """
Ten numbers of machines, and an entity row for every tenth feature row, at a random time. *ours* and
*dask* and *duckdb* are Feast's `get_historical_features` from a data frame to an Arrow table: over
this platform's Iceberg table, and with Feast's own stores over a Parquet file with the same rows.
*hand-written* is one ASOF join in DuckDB over the Iceberg table's files, which keeps neither the
order of the entity rows nor looks whether a value is the only one of its time. With a thousand rows
of each entity, Feast's own stores pair each entity row with all of them, and so are given fewer
rows. Feast's `dask` store does not return all entity rows.
"""
