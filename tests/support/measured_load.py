"""Loads a table and prints its rows and its peak memory: python measured_load.py RUNNER TABLE."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import open_platform
from quality_platform.lake import data_files


def main() -> None:
    """Prints one JSON object; `peak` is in kilobytes."""
    # The writer's buffer is full early: whatever still grows with the rows shows itself.
    data_files.ROW_GROUP_BYTES = 8 * 2**20
    platform = open_platform(Path(sys.argv[1]))
    outcome = load_table(platform, sys.argv[2], "measured")
    found = {
        "read": outcome.rows_read,
        "published": outcome.rows_published,
        "quarantined": outcome.rows_quarantined,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
