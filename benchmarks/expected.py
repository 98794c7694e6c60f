"""What the right answers are: every rule counted by plain SQL, written apart from any engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from benchmarks.data import Dataset
from benchmarks.rules import Kind, Rule, broken_sql, rules_of

_KEYS = (Kind.UNIQUE, Kind.REPEATED_SHARE)


@dataclass(frozen=True)
class Expected:
    """The answers for one rule.

    `rows` break the rule. Of a repeated key, `rows` are all rows of its group, `extra` all but one
    of each group, and `nulls` all rows where NULL is taken for a value: tools differ in what they
    count.
    """

    rows: int
    extra: int | None = None
    nulls: int | None = None

    def agreement(self, count: int) -> str | None:
        """Which of the answers this count is; None where it is none of them."""
        return next((name for name, n in vars(self).items() if n == count), None)


def expected(data: Dataset) -> Mapping[str, Expected]:
    """The answers for all rules, by name; computed once and kept beside the data."""
    kept = data.folder / "expected.json"
    if not kept.exists():
        kept.write_text(json.dumps(_counted(data)), encoding="utf-8")
    answers = json.loads(kept.read_text(encoding="utf-8"))
    return {name: Expected(**answer) for name, answer in answers.items()}


def holds(rule: Rule, answer: Expected, rows: int) -> bool:
    """Whether a gate holds on so many rows."""
    assert rule.maximum is not None
    counted = answer.rows if answer.extra is None else answer.extra
    return 100 * counted <= rule.maximum * rows


def _counted(data: Dataset) -> dict[str, dict[str, int]]:
    connection = duckdb.connect(config={"threads": "2", "memory_limit": "2GB"})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE VIEW orders AS FROM read_parquet({[*map(str, data.orders)]})")
    connection.execute(f"CREATE VIEW customers AS FROM '{data.customers}'")
    single = [rule for rule in rules_of(100) if rule.kind not in _KEYS]

    counts = ", ".join(f"count(*) FILTER (WHERE {broken_sql(rule)})" for rule in single)
    found = connection.execute(f"SELECT {counts} FROM orders").fetchall()[0]
    answers = {rule.name: {"rows": n} for rule, n in zip(single, found, strict=True)}
    repeated = [rule for rule in rules_of(100) if rule.kind in _KEYS]
    return answers | {rule.name: _repeated(connection, rule) for rule in repeated}


def _repeated(connection: duckdb.DuckDBPyConnection, rule: Rule) -> dict[str, int]:
    keys = ", ".join(rule.columns)
    present = " AND ".join(f"{column} IS NOT NULL" for column in rule.columns)

    def answers(condition: str) -> tuple[int, int]:
        groups = f"SELECT count(*) AS n FROM orders WHERE {condition} GROUP BY {keys} HAVING n > 1"
        summed = f"SELECT coalesce(sum(n), 0)::BIGINT, count(*) FROM ({groups})"
        rows, values = connection.execute(summed).fetchall()[0]
        return rows, values

    rows, values = answers(present)
    return {"rows": rows, "extra": rows - values, "nulls": answers("true")[0]}
