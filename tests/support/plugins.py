"""Distributions with plugins, put where Python finds them as if pip had installed them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

GROUP = "quality_platform.sources"
EXAMPLES = Path(__file__).parents[2] / "examples"


def installed_example(example: str, site: Path, *files: str) -> Path:
    """An example's modules and packages with what its pyproject.toml says of it, in a folder."""
    site.mkdir()
    source = EXAMPLES / example
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    for file in files:
        copy = shutil.copytree if (source / file).is_dir() else shutil.copy2
        copy(source / file, site / file)
    register(site, project["name"], project["entry-points"][GROUP], project["version"])
    return site


def register(
    site: Path, distribution: str, sources: Mapping[str, str], version: str = "1.0.0"
) -> None:
    """Says in a folder that a distribution is installed, with these entry points."""
    folder = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    )
    entries = "".join(f"{name} = {target}\n" for name, target in sources.items())
    (folder / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}")


def python(
    site: Path, arguments: Sequence[str | Path], folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs Python with the folder's distributions installed."""
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if "QUALITY_PLATFORM" not in name},
            "PYTHONPATH": f"{site}{os.pathsep}{root}",
            "COLUMNS": "200",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def run_tests_of(example: str, site: Path) -> None:
    """Runs the tests that an example has; all of them must pass."""
    folder = EXAMPLES / example
    call = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", site.parent / "runs"]
    ended = python(site, [*call, "--rootdir", folder, folder], site)
    assert ended.returncode == 0, ended.stdout
    assert "skipped" not in ended.stdout
