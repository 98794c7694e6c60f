"""What is measured: which loaders, on which sources, with how many rows."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.ingest.measure import Loader

LIMIT = Loader("limit")
OURS = Loader("quality-platform", "ours")
DLT = Loader("dlt", "dlt_pipeline", "dlt")
NAIVE = Loader("driver, pandas, pyiceberg", "naive")
PSYCOPG = Loader("psycopg, pandas, pyiceberg", "naive_psycopg", "psycopg")
PSYCOPG_BINARY = Loader("psycopg[binary], pandas, pyiceberg", "naive_psycopg_binary", "psycopg")
UPSERT = Loader("pyiceberg upsert", "upsert")

GROWTH = 4
"""Times the rows of the plan, to see whether memory grows with them."""

CHANGES = 50
"""One change for so many rows."""


@dataclass(frozen=True)
class Case:
    """Loaders on one source; `kind` is that of the rows, `times` a multiple of their number."""

    source: str
    loaders: tuple[Loader, ...]
    kind: str = "clean"
    times: int = 1
    repeats: int = 1


PLAN = (
    Case("postgres", (LIMIT, OURS), repeats=3),
    Case("postgres", (DLT, PSYCOPG, PSYCOPG_BINARY)),
    Case("mysql", (LIMIT, OURS), repeats=3),
    Case("mysql", (DLT, NAIVE)),
    Case("csv", (LIMIT, OURS), repeats=3),
    Case("csv", (DLT, NAIVE)),
    Case("csv", (OURS, DLT, NAIVE), kind="bad"),
    Case("merge", (OURS, UPSERT), repeats=3),
    Case("csv", (OURS,), times=GROWTH),
    Case("postgres", (OURS,), times=GROWTH),
    Case("mysql", (OURS,), times=GROWTH),
)
"""About 20 minutes on two quiet cores, once the data and the peers are there."""
