"""Memory of a load does not grow with its rows."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.project import Project, integer, key, number, predicate, text

SCRIPT = Path(__file__).parents[1] / "support" / "measured_load.py"
EVERY = 1000
"""One row of so many breaks a rule, and one repeats the key of another."""


def write_orders(project: Project, rows: int) -> None:
    path = project.folder / "landing" / "orders" / "a.csv"
    path.parent.mkdir(parents=True)
    # Text that does not compress: a page of digests, cut at another place for each row.
    page = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(200))
    with path.open("w") as stream:
        stream.write("id,amount,note\n")
        for n in range(rows):
            amount = "much" if n % EVERY == 1 else -1 if n % EVERY == 2 else n
            repeated = n - 7 if n % EVERY == 500 else n
            place = n * 31 % 11_000
            stream.write(f"{repeated},{amount},{page[place : place + 700]}{n}\n")


def measured(tmp_path: Path, rows: int) -> dict[str, Any]:
    folder = tmp_path / str(rows)
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
    columns = {"id": key(integer()), "amount": number("decimal(18,2)"), "note": text()}
    rules = [predicate("not_negative", "amount >= 0"), predicate("odd", "id % 100 > 0", "warning")]
    project.table("orders", columns, quality=rules)
    write_orders(project, rows)
    command = [sys.executable, str(SCRIPT), str(project.write_runner()), "orders"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_four_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    small, large = measured(tmp_path, 100_000), measured(tmp_path, 400_000)
    for found, rows in ((small, 100_000), (large, 400_000)):
        assert found["read"] == rows
        # For every thousand: one that does not convert, one negative, two that share a key.
        assert found["quarantined"] == 4 * rows // EVERY
        assert found["read"] == found["published"] + found["quarantined"]
    megabytes = (small["peak"] // 1024, large["peak"] // 1024)
    assert large["peak"] < 1.35 * small["peak"], f"peaks in MB: {megabytes}"
