"""The script of `naive_psycopg` with the driver in C: `pip install "psycopg[binary]"`."""

from __future__ import annotations

from functools import partial

from benchmarks.ingest.loaders.naive_psycopg import load, run
from benchmarks.ingest.protocol import serve

if __name__ == "__main__":
    serve(partial(load, "binary"), run)
