"""A project of `dg`, as `create-dagster project` writes it, in a folder of a test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TYPE = "quality_platform.ContractedTable"

_PYPROJECT = """\
[project]
name = "{name}"
requires-python = ">=3.10,<3.15"
version = "0.1.0"
dependencies = ["dagster==1.13.27"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "{name}"
registry_modules = ["{name}.components.*"]
"""

_DEFINITIONS = """\
from pathlib import Path

from dagster import definitions, load_from_defs_folder


@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


@dataclass(frozen=True)
class DgProject:
    """The project; `home` is the platform's."""

    folder: Path
    home: Path

    @property
    def name(self) -> str:
        """The root module."""
        return self.folder.name

    @property
    def defs(self) -> Path:
        """The folder of the components."""
        return self.folder / "src" / self.name / "defs"

    @property
    def instance(self) -> Path:
        """The folder of the Dagster instance."""
        return self.folder / "instance"

    def create(self) -> DgProject:
        """Writes the project, without any component."""
        package = self.folder / "src" / self.name
        for part in ("", "defs", "components"):
            (package / part).mkdir(parents=True, exist_ok=True)
            (package / part / "__init__.py").touch()
        self.instance.mkdir()
        # dg asks here as well whether it may tell its makers what it is used for.
        (self.instance / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        (self.folder / "pyproject.toml").write_text(_PYPROJECT.format(name=self.name))
        (package / "definitions.py").write_text(_DEFINITIONS)
        return self

    def table(self, name: str, attributes: dict[str, Any]) -> Path:
        """Writes the component of a table; the path of its defs.yaml."""
        path = self.defs / name / "defs.yaml"
        path.parent.mkdir()
        document = {"type": TYPE, "attributes": attributes}
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    def dg(self, *arguments: str, check: bool = True) -> str:
        """What a `dg` command prints to both of its streams.

        Raises:
            AssertionError: the command fails, where `check`.
        """
        ended = subprocess.run(
            [Path(sys.executable).parent / "dg", *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(self.folder / "src"),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "QUALITY_PLATFORM_HOME": str(self.home),
                "DAGSTER_HOME": str(self.instance),
                # Nothing is kept in the user's own home.
                "HOME": str(self.folder),
                "COLUMNS": "200",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        said = ended.stdout + ended.stderr
        assert ended.returncode == 0 or not check, said
        return said
