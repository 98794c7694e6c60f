"""Claims about a row as conditions of a statement over the batch, which is aliased `b` in it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from quality_platform.checks.specs import CheckSpec, ForeignKey
from quality_platform.errors import EngineError
from quality_platform.lake.query import quote_identifier as q
from quality_platform.validation.engine_outcomes import without_values
from quality_platform.validation.reference_keys import ReferenceKeys, own
from quality_platform.validation.sql_predicates import broken, judged


@dataclass(frozen=True)
class Condition:
    """A row rule in SQL: what is true for a row that breaks it.

    `join` is the join that it needs, "" for none. `judged` is true for a row that counts in its
    share, "" where all do. `columns` are the columns that it reads.
    """

    sql: str
    columns: frozenset[str]
    join: str = ""
    judged: str = ""


def condition_of(
    spec: CheckSpec, keys: ReferenceKeys, n: int, schema: pa.Schema | None = None
) -> Condition:
    """The condition of the n-th rule of a statement.

    With the batch's `schema`, foreign keys of integers are looked up without a join where that is
    exact.

    Raises:
        EngineError: the table that a foreign key refers to cannot be read.
    """
    claim = spec.claim
    if isinstance(claim, ForeignKey):
        return _lookup(claim, keys, n, schema)
    expression = broken(claim)  # type: ignore[arg-type]
    counted = judged(claim)
    return Condition(
        sql=expression.sql(dialect="duckdb"),
        columns=frozenset(column.name for column in expression.find_all(exp.Column)),
        judged=counted.sql(dialect="duckdb") if counted is not None else "",
    )


def _lookup(claim: ForeignKey, keys: ReferenceKeys, n: int, schema: pa.Schema | None) -> Condition:
    columns = frozenset(claim.columns)
    if schema is not None and _is_integer(schema, claim.columns[0]):
        integers = keys.integers(claim)
        if integers is not None:
            return Condition(integers.lacks(f"b.{q(claim.columns[0])}"), columns)
    alias = f"r{n}"
    on = " AND ".join(f"b.{q(c)} = {alias}.{own(f'key{i}')}" for i, c in enumerate(claim.columns))
    present = " AND ".join(f"b.{q(c)} IS NOT NULL" for c in claim.columns)
    return Condition(
        sql=f"({alias}.{own('hit')} IS NULL AND {present})",
        columns=columns,
        join=f"LEFT JOIN {keys.relation(claim)} {alias} ON {on}",
    )


def _is_integer(schema: pa.Schema, column: str) -> bool:
    place = schema.get_field_index(column)
    return place >= 0 and pa.types.is_integer(schema.field(place).type)


def why(error: EngineError, spec: CheckSpec) -> str:
    """Why a check cannot run, without the value of the cell at which it failed.

    DuckDB quotes the value that it cannot convert, and the numbers that overflow; what the check
    itself says is kept.
    """
    message = error.problems[0].message
    if not message.startswith("DuckDB: "):
        return message
    known = f"{spec.claim} {' '.join(spec.columns)}"
    return " ".join(without_values(message.split("\nLINE ")[0], known).split())
