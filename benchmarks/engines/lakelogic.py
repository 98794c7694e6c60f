"""LakeLogic with its DuckDB engine: good rows, and bad rows with the rules that they break.

It takes a frame of Polars, and judges the rules about the whole batch on the good rows alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from benchmarks.data import COLUMNS
from benchmarks.engines.protocol import Answer, Job, serve
from benchmarks.rules import Kind, Rule, broken_sql

_TYPES = {
    "BIGINT": "long",
    "INTEGER": "int",
    "VARCHAR": "string",
    "DECIMAL(12,2)": "decimal(12,2)",
    "DOUBLE": "double",
    "TIMESTAMPTZ": "timestamp",
}


def load() -> Mapping[str, str]:
    """Imports LakeLogic and what it runs on."""
    import duckdb
    import lakelogic  # noqa: F401
    import polars  # noqa: F401

    return {"lakelogic": version("lakelogic"), "duckdb": duckdb.__version__}


def run(job: Job) -> Answer:
    """Splits the rows into good ones and bad ones."""
    import polars as pl
    from lakelogic import DataProcessor

    processor = DataProcessor(_contract(job), engine="duckdb")
    result = processor.run(pl.read_parquet(list(job.orders)))
    answer = Answer(labelled=len(result.bad))
    broken: Counter[str] = Counter()
    for reasons in result.bad["_lakelogic_errors"]:
        broken.update(_names(reasons))
    results = {r["name"]: r for r in processor.adapter.dataset_rule_results}
    for rule in job.rules:
        if rule.kind in (Kind.UNIQUE, Kind.REPEATED_SHARE):
            answer.counts[rule.name] = int(results[rule.name]["value"].split()[0])
        elif rule.kind is Kind.NULL_SHARE:
            answer.verdicts[rule.name] = bool(results[rule.name]["passed"])
        else:
            answer.counts[rule.name] = broken[rule.name]
    return answer


def _names(reasons: Any) -> list[str]:
    return [re.sub(r"^Rule failed: (\w+) .*", r"\1", reason, flags=re.S) for reason in reasons]


def _contract(job: Job) -> dict[str, Any]:
    whole = (Kind.UNIQUE, Kind.REPEATED_SHARE, Kind.NULL_SHARE)
    fields = [{"name": name, "type": _TYPES[type_]} for name, type_ in COLUMNS.items()]
    return {
        "version": "1.0.0",
        "info": {"title": "orders", "version": "1.0.0"},
        "dataset": "orders",
        "model": {"fields": fields},
        "links": [{"name": "customers", "path": job.customers, "type": "parquet"}],
        "quality": {
            "row_rules": [_rule(rule) for rule in job.rules if rule.kind not in whole],
            "dataset_rules": [_rule(rule) for rule in job.rules if rule.kind in whole],
        },
    }


def _rule(rule: Rule) -> dict[str, Any]:
    named = {"field": rule.column, "name": rule.name}
    match rule.kind:
        case Kind.NOT_NULL:
            return {"not_null": named}
        case Kind.IN_SET:
            return {"accepted_values": {**named, "values": list(rule.values)}}
        case Kind.UNIQUE | Kind.REPEATED_SHARE:
            return {"unique": list(rule.columns), "name": rule.name}
        case Kind.NULL_SHARE:
            assert rule.maximum is not None
            return {"null_ratio": {**named, "max": rule.maximum / 100}}
        case Kind.FOREIGN_KEY:
            broken = f"{rule.column} NOT IN (SELECT customer_id FROM customers)"
        case _:
            broken = broken_sql(rule)
    # A rule that is NULL for a row counts as broken; here, as elsewhere, NULL keeps it.
    return {"name": rule.name, "sql": f"coalesce(NOT ({broken}), true)"}


if __name__ == "__main__":
    serve(load, run)
