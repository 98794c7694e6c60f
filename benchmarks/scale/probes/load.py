"""The code location, as its server loads it.

Modules, runner.yaml, definitions, and the snapshot that webserver and daemon are sent.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.scale.probes.probe import Figures, answer


def load(_: Path, __: str) -> Figures:
    """Seconds of each part, and what came of them."""
    moments = [time.perf_counter()]

    def past() -> float:
        moments.append(time.perf_counter())
        return moments[-1] - moments[-2]

    from quality_platform.definitions import PlatformRepository

    imports = past()
    repository = PlatformRepository()
    repository.load_all_definitions()
    built = past()
    # What the code server answers with; there is no public name for it.
    from dagster._core.remote_representation.external_data import RepositorySnap
    from dagster._serdes import serialize_value

    text = serialize_value(RepositorySnap.from_def(repository, defer_snapshots=True))
    return {
        "imports": imports,
        "definitions": built,
        "snapshot": past(),
        "snapshot_bytes": len(text),
        "assets": len(repository.asset_graph.get_all_asset_keys()),
        "checks": len(repository.asset_graph.asset_check_keys),
        "jobs": len(repository.job_names),
        "schedules": len(repository.schedule_defs),
    }


if __name__ == "__main__":
    answer(load)
    # A server goes on from here: to take everything down again is no part of loading.
    os._exit(0)
