"""What the engine's ways of scanning cost, each against the plain way, in CPU seconds.

    python -m benchmarks.engine.scans --rows 10M --kind bad --folder .local/bench/data

Every statement reads the same Parquet files. The smallest of three runs is shown: other programs on
the machine only make a run slower.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from duckdb import DuckDBPyConnection

from benchmarks.data import COLUMNS, COUNTRIES, Dataset, dataset, size
from benchmarks.rules import EMAIL, SKU
from quality_platform.checks.specs import ForeignKey, Unique
from quality_platform.lake.query import EngineSettings, duckdb_session
from quality_platform.validation.reference_keys import ReferenceKeys
from quality_platform.validation.uniqueness import Uniqueness

_RUNS = 3


def main(arguments: list[str]) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=size, default=size("10M"))
    parser.add_argument("--kind", choices=["clean", "bad"], default="bad")
    parser.add_argument("--folder", type=Path, default=Path(".local/bench/data"))
    options = parser.parse_args(arguments)
    data = dataset(options.folder, options.rows, options.kind)
    with duckdb_session(EngineSettings()) as connection:
        files = [str(path) for path in data.orders]
        connection.execute(
            "CREATE TEMP VIEW orders AS SELECT *, filename AS file "
            f"FROM read_parquet({files}, filename = true, file_row_number = true)"
        )
        for name, run in _cases(connection, data).items():
            sys.stdout.write(f"{_cpu(run):7.2f}  {name}\n")


def _cpu(run: Callable[[], object]) -> float:
    """The least CPU seconds of some runs."""
    seconds = []
    for _ in range(_RUNS):
        before = resource.getrusage(resource.RUSAGE_SELF)
        run()
        after = resource.getrusage(resource.RUSAGE_SELF)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds)


def _cases(connection: DuckDBPyConnection, data: Dataset) -> dict[str, Callable[[], object]]:
    def statement(sql: str) -> Callable[[], object]:
        return lambda: connection.execute(sql).fetchall()

    def where(condition: str) -> Callable[[], object]:
        return statement(f"SELECT count(*), max(file_row_number) FROM orders b WHERE {condition}")

    keys = ReferenceKeys(connection, {"customers": [str(data.customers)]})
    claim = ForeignKey(("customer_id",), "customers", ("customer_id",))
    relation, integers = keys.relation(claim), keys.integers(claim)
    hashes = ", ".join(f"bit_xor(hash({column}))" for column in COLUMNS)
    group = "SELECT count(*) FROM (SELECT 1 FROM orders GROUP BY {} HAVING count(*) > 1)"
    return {
        "floor: all values hashed": statement(f"SELECT {hashes} FROM orders"),
        "email: regular expression": where(f"NOT regexp_matches(email, '{EMAIL}')"),
        "sku: regular expression": where(f"NOT regexp_matches(sku, '{SKU}')"),
        "sku: GLOB": where(f"NOT sku GLOB '{_GLOB}'"),
        "country: IN, filter of its own": where(f"country NOT IN {COUNTRIES}"),
        "country: IN, among other conditions": where(f"country NOT IN {COUNTRIES} OR price < 0"),
        "customer: left join": statement(
            f"SELECT count(*) FROM orders b LEFT JOIN {relation} r "
            'ON b.customer_id = r."quality_platform.key0" WHERE r."quality_platform.hit" IS NULL'
        ),
        "customer: range or bits": where(integers.lacks("customer_id") if integers else "FALSE"),
        "order_id: GROUP BY": statement(group.format("order_id")),
        "order_id: as the engine does": _unique(connection, ("order_id",)),
        "three columns: GROUP BY": statement(group.format("customer_id, sku, created_at")),
        "three columns: as the engine does": _unique(
            connection, ("customer_id", "sku", "created_at")
        ),
    }


_GLOB = "[A-Z][A-Z][A-Z]-[0-9][0-9][0-9][0-9]-[A-Z0-9][A-Z0-9]"


def _unique(connection: DuckDBPyConnection, columns: tuple[str, ...]) -> Callable[[], object]:
    schema = connection.sql("SELECT * FROM orders LIMIT 0").to_arrow_table().schema
    search = Uniqueness(connection, "orders", "file, file_row_number", schema)
    return lambda: search.repeats(Unique(columns))


if __name__ == "__main__":
    main(sys.argv[1:])
