"""One run as its worker lives it: the process that a launcher starts, and those of its steps.

`empty` is a job of Dagster's own with one asset that does nothing; `table` loads a file of one row.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg

# What a launcher does has no public name.
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import serialize_value

from benchmarks.scale.location import table_name, write_instance
from benchmarks.scale.probes.probe import Figures, answer, timed

_TABLE = frozenset(
    [dg.AssetKey(["group_0", table_name(0)]), dg.AssetKey(["quarantine", table_name(0)])]
)


@dg.asset
def nothing() -> None:
    """An asset without any work."""


@dg.definitions
def empty() -> dg.Definitions:
    """A job of one asset, with Dagster's default executor."""
    return dg.Definitions([nothing], jobs=[dg.define_asset_job("empty", [nothing])])


def run(folder: Path, variant: str) -> Figures:
    """Seconds from the start of the worker's process to its end, and what came of the run."""
    home = folder / f"dagster-{variant}"
    write_instance(home)
    module, name = ("quality_platform.definitions", "platform")
    job, keys = "everything", _TABLE
    if variant == "empty":
        module, name, job, keys = "benchmarks.scale.probes.run", "empty", "empty", frozenset()
    location = ReconstructableRepository.for_module(module, name)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        found = location.get_reconstructable_job(job)
        launched = _launched(instance, found, keys)
        worker = ExecuteRunArgs(found.get_python_origin(), launched.run_id, instance.get_ref())
        command = [sys.executable, "-m", "dagster", "api", "execute_run", serialize_value(worker)]
        seconds = timed(lambda: subprocess.run(command, check=True))
        ended = instance.get_run_by_id(launched.run_id)
        assert ended is not None
        assert ended.is_success
        entries = instance.all_logs(launched.run_id)
    events = [entry.get_dagster_event() for entry in entries if entry.is_dagster_event]
    checks = (event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION for event in events)
    return {
        "seconds": seconds,
        "materializations": sum(event.is_step_materialization for event in events),
        "check_results": sum(checks),
    }


def _launched(
    instance: dg.DagsterInstance, job: ReconstructableJob, keys: frozenset[dg.AssetKey]
) -> dg.DagsterRun:
    """The run in the instance, as it is when a launcher starts its worker."""
    return instance.create_run_for_job(
        job.get_subset(asset_selection=keys or None).get_definition(),
        asset_selection=keys or None,
        job_code_origin=job.get_python_origin(),
    )


if __name__ == "__main__":
    answer(run)
