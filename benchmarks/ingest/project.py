"""A project of the platform for the benchmark's rows: a contract and runner.yaml in a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.ingest.rows import COLUMNS, OPTIONAL

_TYPES = {
    "BIGINT": ("integer", "long"),
    "INTEGER": ("integer", "int"),
    "VARCHAR": ("string", "string"),
    "DECIMAL(12,2)": ("number", "decimal(12, 2)"),
    "DOUBLE": ("number", "double"),
    "TIMESTAMPTZ": ("timestamp", "timestamptz"),
}
TABLE = "orders"


def write_project(
    folder: Path, source: Mapping[str, Any], load: Mapping[str, Any], url: str = ""
) -> Path:
    """Writes the project; gives the path of runner.yaml.

    The contract has a type for every column, and requires those that are not `OPTIONAL`. Where the
    load merges, `order_id` is the primary key. `url` is that of the connection `database`.
    """
    has_key = load.get("mode") == "merge"
    # JSON is YAML too.
    _write(folder / "orders.odcs.yaml", _contract(has_key=has_key))
    table = {"contract": "orders.odcs.yaml", "namespace": "shop", "source": source, "load": load}
    connections = {"connections": {"database": {"url": url}}} if url else {}
    return _write(folder / "runner.yaml", {"version": 1, **connections, "tables": {TABLE: table}})


def _write(path: Path, document: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return path


def _contract(*, has_key: bool) -> dict[str, Any]:
    key = {"primaryKey": True, "primaryKeyPosition": 1} if has_key else {}
    columns = []
    for name, kind in COLUMNS.items():
        logical, physical = _TYPES[kind]
        column = {"name": name, "logicalType": logical, "physicalType": physical}
        required = {} if name in OPTIONAL else {"required": True}
        columns.append(column | required | (key if name == "order_id" else {}))
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "benchmark-ingest",
        "name": TABLE,
        "version": "1.0.0",
        "status": "active",
        "schema": [
            {
                "name": TABLE,
                "logicalType": "object",
                "physicalType": "table",
                "properties": columns,
            }
        ],
    }
