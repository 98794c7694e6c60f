"""Pandera on Polars: one schema, validated lazily, with all failure cases."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from benchmarks.data import COLUMNS
from benchmarks.engines.protocol import Answer, Job, serve
from benchmarks.rules import Kind, Rule


def load() -> Mapping[str, str]:
    """Imports pandera and Polars."""
    import pandera.polars  # noqa: F401
    import polars

    return {"pandera": version("pandera"), "polars": polars.__version__}


def run(job: Job) -> Answer:
    """Validates all rows at once; pandera does not take several pieces for one table."""
    import polars as pl
    from pandera.errors import SchemaErrors

    frame = pl.read_parquet(list(job.orders))
    keys = pl.read_parquet(job.customers, columns=["customer_id"])
    answer = Answer(
        counts={rule.name: 0 for rule in job.rules if not rule.is_gate},
        verdicts={rule.name: True for rule in job.rules if rule.is_gate},
        labelled=0,
    )
    try:
        _schema(job, keys).validate(frame, lazy=True)
    except SchemaErrors as errors:
        _add_failures(answer, errors.failure_cases)
    return answer


def _add_failures(answer: Answer, cases: Any) -> None:
    for column, check, number in cases.group_by("column", "check").len().rows():
        name = {
            "not_nullable": f"{column}_not_null",
            "field_uniqueness": f"{column}_unique",
        }.get(check, check)
        if name in answer.verdicts:
            answer.verdicts[name] = False
        else:
            answer.counts[name] += number
    of_rows = cases.filter(~cases["check"].is_in(list(answer.verdicts)))
    answer.labelled = of_rows["index"].n_unique()


def _schema(job: Job, keys: Any) -> Any:
    import pandera.polars as pa

    kinds = {name: {r.kind for r in job.rules if r.column == name} for name in COLUMNS}
    columns = {
        name: pa.Column(
            nullable=Kind.NOT_NULL not in kinds[name],
            unique=Kind.UNIQUE in kinds[name],
            checks=[_check(r) for r in job.rules if r.column == name and r.kind in _ON_COLUMNS],
        )
        for name in COLUMNS
    }
    across = [r for r in job.rules if r.kind in (Kind.FOREIGN_KEY, *_ACROSS)]
    return pa.DataFrameSchema(columns, checks=[_custom(rule, keys) for rule in across])


_ON_COLUMNS = (Kind.PATTERN, Kind.IN_SET, Kind.LENGTH, Kind.IN_RANGE)
_ACROSS = (Kind.WITHIN_TOTAL, Kind.CANCELLED, Kind.NULL_SHARE, Kind.REPEATED_SHARE)


def _check(rule: Rule) -> Any:
    import pandera.polars as pa

    match rule.kind:
        case Kind.PATTERN:
            return pa.Check.str_matches(rule.pattern, error=rule.name)
        case Kind.IN_SET:
            return pa.Check.isin(rule.values, error=rule.name)
        case Kind.LENGTH:
            return pa.Check.str_length(rule.minimum, rule.maximum, error=rule.name)
        case _ if rule.maximum is None:
            return pa.Check.ge(_value(rule.minimum), error=rule.name)
        case _ if rule.minimum is None:
            return pa.Check.le(rule.maximum, error=rule.name)
        case _:
            return pa.Check.in_range(rule.minimum, rule.maximum, error=rule.name)


def _value(bound: Any) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(bound) if isinstance(bound, str) else bound


def _custom(rule: Rule, keys: Any) -> Any:
    import pandera.polars as pa

    condition = _condition(rule, keys)
    return pa.Check(lambda data: data.lazyframe.select(condition), error=rule.name)


def _condition(rule: Rule, keys: Any) -> Any:
    """True for a row that keeps the rule, or for a batch that does."""
    import polars as pl

    column, bound = pl.col(rule.column), rule.maximum
    match rule.kind:
        case Kind.FOREIGN_KEY:
            return column.is_in(keys["customer_id"].implode()) | column.is_null()
        case Kind.WITHIN_TOTAL:
            total = pl.col("price").cast(pl.Float64) * pl.col("quantity")
            return (column <= total + bound).fill_null(True)
        case Kind.CANCELLED:
            return ((pl.col("status") != "cancelled") | (column <= bound)).fill_null(True)
        case Kind.NULL_SHARE:
            return column.is_null().mean() * 100 <= bound
        case _:
            present = pl.all_horizontal(pl.col(c).is_not_null() for c in rule.columns)
            keyed = pl.struct(rule.columns).filter(present)
            return (keyed.len() - keyed.n_unique()) * 100 / pl.len() <= bound


if __name__ == "__main__":
    serve(load, run)
