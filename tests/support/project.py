"""A small platform project on disk: contracts, runner.yaml, delivered files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.lake.reading import batches_of, snapshot_of

Columns = Mapping[str, Mapping[str, Any]]


def integer(**more: Any) -> dict[str, Any]:
    """A column of 64-bit integers."""
    return {"logicalType": "integer", **more}


def text(**more: Any) -> dict[str, Any]:
    """A column of text."""
    return {"logicalType": "string", **more}


def number(physical_type: str = "double", **more: Any) -> dict[str, Any]:
    """A column of numbers with a fraction."""
    return {"logicalType": "number", "physicalType": physical_type, **more}


def key(column: dict[str, Any], position: int = 1) -> dict[str, Any]:
    """The column as (a part of) the primary key."""
    return {**column, "required": True, "primaryKey": True, "primaryKeyPosition": position}


def foreign_key(to: str, name: str, severity: str = "error") -> dict[str, Any]:
    """Relationships of a column that refers to one column, written `object.column`."""
    custom = [{"property": "name", "value": name}, {"property": "severity", "value": severity}]
    return {"relationships": [{"type": "foreignKey", "to": to, "customProperties": custom}]}


def predicate(name: str, sql: str, severity: str = "error") -> dict[str, Any]:
    """A rule of an object: a SQL predicate over one row."""
    return {
        "name": name,
        "type": "text",
        "description": f"{name} holds.",
        "severity": severity,
        "customProperties": [{"property": "rowPredicate", "value": sql}],
    }


def row_count(minimum: int, maximum: int = 1_000_000, severity: str = "error") -> dict[str, Any]:
    """A rule of an object: the number of rows in a batch."""
    return {
        "name": "row_count",
        "metric": "rowCount",
        "mustBeBetween": [minimum, maximum],
        "severity": severity,
    }


@dataclass
class Project:
    """Builds the project's files; `open` writes runner.yaml and opens the platform."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def runner(self) -> Path:
        """The runner file."""
        return self.folder / "runner.yaml"

    def contract(
        self,
        name: str,
        columns: Columns,
        *,
        quality: Sequence[Mapping[str, Any]] = (),
        relationships: Sequence[Mapping[str, Any]] = (),
        version: str = "1.0.0",
    ) -> Path:
        """Writes the contract of an object called `name`."""
        document = {
            "apiVersion": "v3.1.0",
            "kind": "DataContract",
            "id": f"contract-of-{name}",
            "name": name,
            "version": version,
            "status": "active",
            "schema": [
                {
                    "name": name,
                    "logicalType": "object",
                    "physicalType": "table",
                    "description": f"The table {name}.",
                    "quality": list(quality),
                    "relationships": list(relationships),
                    "properties": [{"name": n, **column} for n, column in columns.items()],
                }
            ],
        }
        path = self.folder / "contracts" / f"{name}.odcs.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    def table(
        self,
        name: str,
        columns: Columns,
        *,
        path: str = "",
        load: Mapping[str, str] | None = None,
        source: Mapping[str, Any] | None = None,
        **contract: Any,
    ) -> Project:
        """Adds a table of the namespace `shop` with its contract; its files are `<name>/*.csv`."""
        self.contract(name, columns, **contract)
        self.tables[name] = {
            "contract": f"contracts/{name}.odcs.yaml",
            "namespace": "shop",
            "source": {"type": "csv", "path": path or f"landing/{name}/*.csv", **(source or {})},
            "load": dict(load or {"mode": "append", "batch": "file"}),
        }
        return self

    def view(
        self, name: str, sql: str, columns: Columns, settings: Mapping[str, Any], **contract: Any
    ) -> Project:
        """Adds a feature view with its contract and its SQL."""
        self.contract(name, columns, **contract)
        (self.folder / f"{name}.sql").write_text(sql)
        self.views[name] = {
            "contract": f"contracts/{name}.odcs.yaml",
            "sql": f"{name}.sql",
            **settings,
        }
        return self

    def deliver(self, file: str, content: str | bytes) -> Path:
        """Puts a file into the landing folder, as a whole; text may be indented."""
        path = self.folder / "landing" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        data = textwrap.dedent(content).encode() if isinstance(content, str) else content
        path.write_bytes(data)
        return path

    def write_runner(self) -> Path:
        """Writes runner.yaml."""
        # Tests of retries say so: all others see what fails at once.
        once = {"max_retries": 0, "opening_seconds": 0}
        document: dict[str, Any] = {"version": 1, **self.settings, "tables": self.tables}
        document.setdefault("retries", once)
        if self.views:
            document["feature_views"] = self.views
        self.runner.write_text(yaml.safe_dump(document, sort_keys=False))
        return self.runner

    def open(self) -> Platform:
        """The platform as it is described now, all of which must be fit for use."""
        return open_platform(self.write_runner(), strict=True)


def rows_of_table(platform: Platform, identifier: str, ref: str = "main") -> list[dict[str, Any]]:
    """All rows of a branch of a table, as a reader of the lake sees them."""
    table = platform.lake.table(identifier)
    snapshot = snapshot_of(table, ref)
    batches = batches_of(table, snapshot.snapshot_id if snapshot else None)
    return [row for batch in batches for row in batch.to_pylist()]


def column_of(platform: Platform, identifier: str, column: str, ref: str = "main") -> list[Any]:
    """The values of one column, sorted."""
    return sorted(row[column] for row in rows_of_table(platform, identifier, ref))


def data_files(platform: Platform, pattern: str = "**/*.parquet") -> set[str]:
    """Every data file in the warehouse, whether a snapshot refers to it or not."""
    warehouse = platform.home / "warehouse"
    return {str(path.relative_to(warehouse)) for path in warehouse.glob(pattern)}


def counts(outcome: TableOutcome) -> dict[str, int | None]:
    """The number of rows that break each check, by the check's name."""
    return {result.spec.name: result.count for result in outcome.results}


def verdicts(outcome: TableOutcome) -> dict[str, str]:
    """The verdict of each check, by the check's name."""
    return {result.spec.name: result.verdict.value for result in outcome.results}


def csv_text(header: str, rows: Iterable[Sequence[object]]) -> str:
    """A CSV file's text."""
    lines = [header, *(",".join(str(cell) for cell in row) for row in rows)]
    return "\n".join(lines) + "\n"
