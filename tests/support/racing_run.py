"""Runs a table in a process of its own when it is told to, in one project after another.

    python racing_run.py RUN_ID TABLE RUNNER...

For each runner file it says "ready", reads the time at which to begin, and prints what it did.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import open_platform


def main() -> None:
    """Races once in every project."""
    run_id, table, *runners = sys.argv[1:]
    for runner in runners:
        platform = open_platform(Path(runner))
        _say("ready")
        time.sleep(max(0.0, float(sys.stdin.readline()) - time.time()))
        outcome = load_table(platform, table, run_id)
        published = {load.files[0]: load.rows_published for load in outcome.loads}
        _say(json.dumps({"state": outcome.state, "published": published}))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
