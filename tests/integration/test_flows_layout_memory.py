"""Memory of a load does not grow with the partitions that it writes to."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.project import Project, integer, text

SCRIPT = Path(__file__).parents[1] / "support" / "measured_load.py"
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
