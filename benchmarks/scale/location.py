"""A generated project: tables with contracts of twenty checks, and a schedule for each table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import ROOT

GROUPS = 20
"""Namespaces of the lake that the tables are spread over."""

FIRST, LATER = "0 3 * * *", "30 16 * * *"
"""When the first schedules are due, and when all others are."""


def table_name(number: int) -> str:
    """The name of a table."""
    return f"table_{number:05d}"


def tenant_name(number: int, tenants: int) -> str:
    """The tenant of a table, where there are so many."""
    return f"tenant_{number % tenants}"


def write_location(folder: Path, tables: int, due: int = 0, tenants: int = 0) -> Path:
    """Writes the project of so many tables and schedules; its runner.yaml.

    The first `due` schedules are due at three o'clock, the others half a day later. Every table
    has one file with one row, every contract is a file of its own, and `tenants` share the tables.
    """
    contracts = folder / "contracts"
    contracts.mkdir(parents=True, exist_ok=True)
    names = [table_name(number) for number in range(tables)]
    for name in names:
        _write(contracts / f"{name}.odcs.yaml", _contract(name))
    landing = folder / "landing"
    landing.mkdir(exist_ok=True)
    for name in names:
        (landing / name).mkdir(exist_ok=True)
        (landing / name / "first.csv").write_text(_ROW, encoding="ascii")
    document = {
        "version": 1,
        "tenants": {f"tenant_{number}": {} for number in range(tenants)},
        "tables": {name: _table(name, number, tenants) for number, name in enumerate(names)},
        "schedules": {
            f"load_{name}": {
                "cron": FIRST if number < due else LATER,
                "timezone": "UTC",
                "targets": [name],
                "enabled": True,
            }
            for number, name in enumerate(names)
        },
    }
    return _write(folder / "runner.yaml", document)


def write_instance(home: Path, **settings: Any) -> Path:
    """Writes the instance's dagster.yaml: that of the repository, with these sections replaced."""
    home.mkdir(parents=True, exist_ok=True)
    present = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    return _write(home / "dagster.yaml", {**present, **settings})


def _table(name: str, number: int, tenants: int) -> dict[str, Any]:
    return {
        **({"tenant": tenant_name(number, tenants)} if tenants else {}),
        "contract": f"contracts/{name}.odcs.yaml",
        "namespace": f"group_{number % GROUPS}",
        "source": {"type": "csv", "path": f"landing/{name}/*.csv"},
        "load": {"mode": "append", "batch": "file"},
    }


_COLUMNS = 9
_KINDS: tuple[Mapping[str, Any], ...] = (
    {"logicalType": "string", "logicalTypeOptions": {"maxLength": 40, "pattern": "^[a-z]*$"}},
    {
        "logicalType": "number",
        "physicalType": "decimal(12,2)",
        "logicalTypeOptions": {"minimum": 0, "maximum": 1000},
    },
    {"logicalType": "timestamp"},
)
_VALUES = ("word", "12.50", "2026-01-01T00:00:00Z")
_ROW = (
    ",".join(["id", *(f"column_{n}" for n in range(_COLUMNS))])
    + "\n"
    + ",".join(["1", *(_VALUES[n % 3] for n in range(_COLUMNS))])
    + "\n"
)


def _contract(name: str) -> dict[str, Any]:
    """A contract of twenty checks: five required columns, a key, patterns, limits, SQL."""
    properties = [
        {
            "name": f"column_{number}",
            "description": f"Column {number}.",
            "required": number % 2 == 0,
            **_KINDS[number % 3],
        }
        for number in range(_COLUMNS)
    ]
    key = {"logicalType": "integer", "required": True, "primaryKey": True, "primaryKeyPosition": 1}
    schema = {
        "name": name,
        "logicalType": "object",
        "physicalType": "table",
        "description": f"The table {name}.",
        "quality": _QUALITY,
        "properties": [{"name": "id", **key}, *properties],
    }
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"contract-of-{name}",
        "name": name,
        "version": "1.0.0",
        "status": "active",
        "schema": [schema],
    }


_QUALITY = [
    {"name": "rows", "metric": "rowCount", "mustBeBetween": [1, 1_000_000]},
    {
        "name": "positive",
        "type": "text",
        "description": "The number and the key are positive.",
        "customProperties": [
            {"property": "rowPredicate", "value": "column_1 >= 0 AND id > 0"},
        ],
    },
    {
        "name": "not_negative",
        "type": "sql",
        "query": "SELECT count(*) FROM {object} WHERE column_1 < 0",
        "mustBe": 0,
    },
]


def _write(path: Path, document: Mapping[str, Any]) -> Path:
    text = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path
