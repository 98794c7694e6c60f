"""What `dg scaffold defs quality_platform.ContractedTable` writes."""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import BaseModel, Field

from quality_platform.errors import ConfigurationError

_RUNNER = """\
# The lake, connections, schedules and all else that tables share: docs/configuration.md.
version: 1

lake:
  catalog: {name: lake, type: sql, uri: "sqlite:///${QUALITY_PLATFORM_HOME}/catalog.db"}
  warehouse: ${QUALITY_PLATFORM_HOME}/warehouse
"""

_DEFS = """\
type: {type}

attributes:
  # Beside this file. `quality-platform import` makes contracts of tables that exist.
  contract: {name}.odcs.yaml
  namespace: {namespace}
  source:
    type: csv
    path: ${{QUALITY_PLATFORM_HOME}}/landing/{name}/*.csv
  load:
    mode: append
    batch: file
"""

_CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: {name}
name: {name}
version: 0.1.0
status: draft
schema:
  - name: {name}
    logicalType: object
    physicalType: table
    description: One row for each ... (say what).
    properties:
      - name: id
        logicalType: integer
        required: true
        primaryKey: true
        primaryKeyPosition: 1
        description: Identifies the row.
"""


class ContractedTableParams(BaseModel):
    """Options of the command."""

    namespace: str = Field(default="main", description="The Iceberg namespace of the table.")


class ContractedTableScaffolder(dg.Scaffolder[ContractedTableParams]):
    """Writes a table's defs.yaml and contract, and a runner.yaml where the project has none."""

    @classmethod
    def get_scaffold_params(cls) -> type[ContractedTableParams]:
        """The options."""
        return ContractedTableParams

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Writes the files.

        Raises:
            ConfigurationError: the component is wanted in Python, or in a file that exists.
        """
        if request.scaffold_format != "yaml" or request.append:
            raise ConfigurationError("a ContractedTable is written in a defs.yaml of its own")
        folder = request.target_path
        values = {
            "type": request.type_name,
            "name": folder.name,
            "namespace": request.params.namespace if request.params else "main",
        }
        (folder / "defs.yaml").write_text(_DEFS.format(**values), encoding="utf-8")
        (folder / f"{folder.name}.odcs.yaml").write_text(
            _CONTRACT.format(**values), encoding="utf-8"
        )
        if request.project_root is not None:
            _write_where_missing(request.project_root / "runner.yaml", _RUNNER)


def _write_where_missing(path: Path, content: str) -> None:
    if not path.exists():
        path.write_text(content, encoding="utf-8")
