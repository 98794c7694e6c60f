"""Memory of arranging rows grows neither with the partitions nor beyond what the docs say."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.project import Project, integer, text

SCRIPT = Path(__file__).parents[1] / "support" / "measured_load.py"
ARRANGING = SCRIPT.with_name("measured_arranging.py")
ROWS = 60_000


def measured(tmp_path: Path, partitions: int) -> dict[str, Any]:
    folder = tmp_path / str(partitions)
    folder.mkdir()
    project = Project(folder)
    project.settings = {
        "engine": {"memory_limit": "100MB"},
        "lake": {
            "catalog": {"uri": f"sqlite:///{folder}/catalog.db"},
            "warehouse": "warehouse",
            "target_file_size": "16MB",
        },
    }
    project.table("orders", {"id": integer(), "part": integer(), "note": text()})
    project.tables["orders"].update(partition_by=["part"], sort_by=["note"])
    page = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(200))
    places = [n * 31 % 11_000 for n in range(ROWS)]
    lines = [f"{n},{n % partitions},{page[at : at + 700]}{n}" for n, at in enumerate(places)]
    project.deliver("orders/a.csv", "id,part,note\n" + "\n".join(lines) + "\n")
    command = [sys.executable, str(SCRIPT), str(project.write_runner()), "orders"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    files = list((folder / "warehouse" / "shop" / "orders").rglob("*.parquet"))
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "files": len(files)}


def test_two_thousand_partitions_take_hardly_more_memory_than_four(tmp_path: Path) -> None:
    few, many = measured(tmp_path, 4), measured(tmp_path, 2000)
    assert few["read"] == few["published"] == many["read"] == many["published"] == ROWS
    assert (few["files"], many["files"]) == (4, 2000)
    megabytes = (few["peak"] // 1024, many["peak"] // 1024)
    assert many["peak"] < 1.35 * few["peak"], f"peaks in MB: {megabytes}"


def test_rows_of_many_times_the_memory_are_arranged_within_what_the_docs_say(
    tmp_path: Path,
) -> None:
    rows = 1_500_000
    command = [sys.executable, str(ARRANGING), str(tmp_path), str(rows)]
    path = {"PYTHONPATH": str(ARRANGING.parents[1])}
    done = subprocess.run(command, check=True, capture_output=True, env={**os.environ, **path})
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["rows"], found["files"]) == (rows, 20)
    # docs/layout.md: 260 MB at most with the default memory limit; whole rows took 386 here.
    assert found["grown"] < 260, found
