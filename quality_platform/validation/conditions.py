"""Claims about a row as conditions of a statement over the batch, which is aliased `b` in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from quality_platform.checks.specs import CheckSpec, ForeignKey
from quality_platform.errors import EngineError
from quality_platform.lake.query import engine_errors, time_limit
from quality_platform.lake.query import quote_identifier as q
from quality_platform.validation.engine_outcomes import without_values
from quality_platform.validation.reference_keys import ReferenceKeys, own
from quality_platform.validation.sql_predicates import broken, judged

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


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


def judged_rows(
    connection: DuckDBPyConnection,
    relation: str,
    conditions: Mapping[str, Condition],
    timeout_seconds: float | None = None,
) -> tuple[dict[str, int], dict[str, EngineError]]:
    """The rows that each rule judges, for rules that do not judge all; and rules that cannot tell.

    Rules of one condition are counted once. A condition that fails takes no other down.
    """
    judged_by = {name: found.judged for name, found in conditions.items() if found.judged}
    different = list(dict.fromkeys(judged_by.values()))
    counts: dict[str, int | EngineError] = {}
    for start in range(0, len(different), _AT_ONCE):
        some = different[start : start + _AT_ONCE]
        counts |= _counts(connection, relation, some, timeout_seconds)
    told = {name: counts[condition] for name, condition in judged_by.items()}
    return (
        {name: found for name, found in told.items() if isinstance(found, int)},
        {name: found for name, found in told.items() if isinstance(found, EngineError)},
    )


_AT_ONCE = 50
"""Conditions of a statement: the time to plan one grows faster than their number."""


def _counts(
    connection: DuckDBPyConnection,
    relation: str,
    conditions: Sequence[str],
    timeout_seconds: float | None,
) -> dict[str, int | EngineError]:
    """The rows for which each condition is true, or why that cannot be told."""
    numbers = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in conditions)
    try:
        with engine_errors(), time_limit(connection, timeout_seconds):
            found = connection.execute(f"SELECT {numbers} FROM {relation} b").fetchall()[0]
    except EngineError as error:
        if len(conditions) == 1:
            return {conditions[0]: error}
    else:
        return dict(zip(conditions, found, strict=True))
    alone = (_counts(connection, relation, [one], timeout_seconds) for one in conditions)
    return {condition: count for some in alone for condition, count in some.items()}


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
