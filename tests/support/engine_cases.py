"""One rule said to every engine: cases from YAML, and what each engine says of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from duckdb import DuckDBPyConnection
from support.batches import Batch, places

from quality_platform.checks import specs
from quality_platform.checks.specs import (
    CheckSpec,
    Claim,
    Expectation,
    Scope,
    SodaCheck,
)
from quality_platform.checks.thresholds import Operator, Threshold

FOLDER = Path(__file__).parents[1] / "cases" / "engines"
CLAIMS: dict[str, type[Claim]] = {
    "not_null": specs.NotNull,
    "not_missing": specs.NotMissing,
    "in_set": specs.InSet,
    "matches": specs.Matches,
    "in_range": specs.InRange,
    "length": specs.LengthBetween,
    "satisfies": specs.Satisfies,
    "unique": specs.Unique,
}
TYPES: dict[str, pa.DataType] = {
    "int": pa.int64(),
    "double": pa.float64(),
    "text": pa.string(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "decimal": pa.decimal128(38, 2),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
}


@dataclass(frozen=True)
class Said:
    """What an engine says: the rows that break the rule, or "error"; and if the rule holds."""

    rows: tuple[int, ...] | str
    passed: bool


@dataclass(frozen=True)
class EngineCase:
    """A small table, one rule in the words of each engine, and what is expected of them.

    `rows` are the rows that break it, `differs` those of an engine that disagrees, and `why` the
    name of the disagreement in docs/semantics.md. `passes` tells the verdict where some rows may
    break the rule.
    """

    name: str
    table_name: str
    table: pa.Table = field(hash=False)
    claims: dict[str, Claim] = field(hash=False)
    rows: tuple[int, ...]
    differs: dict[str, tuple[int, ...] | str] = field(hash=False)
    passes: dict[str, bool] = field(hash=False)
    why: str
    allowed_percent: str

    def expected(self, engine: str) -> Said:
        """What the case says of an engine."""
        rows = self.differs.get(engine, self.rows)
        rows = rows if isinstance(rows, str) else tuple(sorted(rows))
        passed = self.passes.get(engine, rows == ())
        return Said(rows, passed)


def engine_cases(file: str) -> list[EngineCase]:
    """All cases of a file in tests/cases/engines."""
    text = (FOLDER / file).read_text(encoding="utf-8")
    return list(_cases(yaml.safe_load(text)))


def said(
    engine: str, cases: Sequence[EngineCase], connection: DuckDBPyConnection, folder: Path
) -> dict[str, Said]:
    """What an engine ("sql", "gx" or "soda") says of cases that share a table, by their names."""
    checks = [CheckSpec(case.name, case.claims[engine], Scope.ROW) for case in cases]
    gates = [_gate(case, engine) for case in cases if engine == "sql" and case.allowed_percent]
    batch = Batch(folder).checks(connection, cases[0].table)
    outcomes = batch.run([*checks, *gates])
    found: dict[str, Said] = {}
    for check in checks:
        outcome, gate = outcomes[check.name], outcomes.get(f"{check.name} (gate)")
        rows: tuple[int, ...] | str = "error"
        if not outcome.error:
            rows = tuple(sorted((outcome.positions or pa.array([])).to_pylist())) or tuple(
                position for _, position in places(batch, check)
            )
        found[check.name] = Said(rows, (gate or outcome).passed)
    return found


def _gate(case: EngineCase, engine: str) -> CheckSpec:
    """The case's rule with the share of rows that may break it."""
    bound = Threshold(Operator.LESS_OR_EQUAL, (Decimal(case.allowed_percent),), percent=True)
    return CheckSpec(f"{case.name} (gate)", case.claims[engine], Scope.GATE, threshold=bound)


def _cases(document: dict[str, Any]) -> Iterator[EngineCase]:
    tables = {name: _table(columns) for name, columns in document["tables"].items()}
    for entry in document["cases"]:
        yield EngineCase(
            name=entry["name"],
            table_name=entry["table"],
            table=tables[entry["table"]],
            claims={e: _claim(e, entry[e]) for e in ("sql", "gx", "soda") if e in entry},
            rows=tuple(entry.get("rows", ())),
            differs={e: _rows(rows) for e, rows in entry.get("differs", {}).items()},
            passes=entry.get("passes", {}),
            why=entry.get("why", ""),
            allowed_percent=str(entry.get("allowed_percent", "")),
        )


def _rows(written: Any) -> tuple[int, ...] | str:
    return written if isinstance(written, str) else tuple(written)


def _table(columns: dict[str, list[Any]]) -> pa.Table:
    """Columns as `name: [type, value, ...]`; values of exact types are written as text."""
    return pa.table({name: _array(kind, values) for name, (kind, *values) in columns.items()})


def _array(kind: str, values: list[Any]) -> pa.Array[Any]:
    if kind == "decimal":
        return pa.array([v if v is None else Decimal(str(v)) for v in values], TYPES[kind])
    if kind.startswith("timestamp"):
        return pa.array(values, pa.string()).cast(TYPES[kind])
    return pa.array(values, TYPES[kind])


def _claim(engine: str, written: dict[str, Any]) -> Claim:
    if engine == "soda":
        column = written.get("column")
        return SodaCheck({k: v for k, v in written.items() if k != "column"}, column)
    if engine == "gx":
        return Expectation(written["type"], {k: v for k, v in written.items() if k != "type"})
    [(kind, arguments)] = written.items()
    exact = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    return CLAIMS[kind](**exact)
