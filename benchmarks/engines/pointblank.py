"""Pointblank on Polars: one validation plan, a step for each rule; counts, no rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any

from benchmarks.engines.protocol import Answer, Job, serve
from benchmarks.rules import Kind, Rule


def load() -> Mapping[str, str]:
    """Imports Pointblank and Polars."""
    import pointblank  # noqa: F401
    import polars

    return {"pointblank": version("pointblank"), "polars": polars.__version__}


def run(job: Job) -> Answer:
    """Interrogates the rows; a step for each rule."""
    import pointblank as pb
    import polars as pl

    customers = pl.read_parquet(job.customers, columns=["customer_id"])
    plan = pb.Validate(pl.read_parquet(list(job.orders)))
    for rule in job.rules:
        plan = _with_step(plan, rule, customers)
    failed = plan.interrogate(collect_extracts=False).n_failed()
    counts = {rule.name: int(failed[n]) for n, rule in enumerate(job.rules, 1)}
    return Answer(counts=counts)


def _with_step(plan: Any, rule: Rule, customers: Any) -> Any:
    if rule.is_gate:
        return _with_gate(plan, rule)
    column = rule.column
    match rule.kind:
        case Kind.NOT_NULL:
            return plan.col_vals_not_null(column)
        case Kind.UNIQUE:
            return plan.rows_distinct(column)
        case Kind.FOREIGN_KEY:
            return plan.col_vals_in_table(column, customers, "customer_id", na_pass=True)
        case Kind.PATTERN:
            return plan.col_vals_regex(column, rule.pattern, na_pass=True)
        case Kind.IN_SET:
            return plan.col_vals_in_set(column, list(rule.values))
        case Kind.LENGTH | Kind.IN_RANGE:
            return _with_bounds(plan, rule)
        case _:
            return plan.col_vals_expr(expr=_condition(rule))


def _with_gate(plan: Any, rule: Rule) -> Any:
    assert rule.maximum is not None
    share = rule.maximum / 100
    if rule.kind is Kind.NULL_SHARE:
        return plan.col_vals_not_null(rule.column, thresholds=share)
    return plan.rows_distinct(list(rule.columns), thresholds=share)


def _with_bounds(plan: Any, rule: Rule) -> Any:
    low = rule.minimum
    if rule.kind is Kind.LENGTH:
        return plan.col_vals_str_len(rule.column, low, rule.maximum, na_pass=True)
    low = datetime.fromisoformat(low) if isinstance(low, str) else low
    if rule.maximum is None:
        return plan.col_vals_ge(rule.column, low, na_pass=True)
    if low is None:
        return plan.col_vals_le(rule.column, rule.maximum, na_pass=True)
    return plan.col_vals_between(rule.column, low, rule.maximum, na_pass=True)


def _condition(rule: Rule) -> Any:
    import polars as pl

    if rule.kind is Kind.WITHIN_TOTAL:
        total = pl.col("price").cast(pl.Float64) * pl.col("quantity")
        return (pl.col("discount") <= total + rule.maximum).fill_null(True)
    is_other = pl.col("status") != "cancelled"
    return (is_other | (pl.col("discount") <= rule.maximum)).fill_null(True)


if __name__ == "__main__":
    serve(load, run)
