"""One run as its worker lives it: a process that loads the job, and a process for the step.

`empty` is a job of Dagster's own with one asset that does nothing; `table` loads a file of one row.
"""

from __future__ import annotations

import time
from pathlib import Path

import dagster as dg

from benchmarks.scale.location import table_name, write_instance
from benchmarks.scale.probes.probe import Figures, answer

_TABLE = [dg.AssetKey(["group_0", table_name(0)]), dg.AssetKey(["quarantine", table_name(0)])]


@dg.asset
def nothing() -> None:
    """An asset without any work."""


def empty() -> dg.JobDefinition:
    """A job of one asset, with Dagster's default executor."""
    job = dg.define_asset_job("empty", [nothing])
    return dg.Definitions([nothing], jobs=[job]).resolve_job_def("empty")


def everything() -> dg.JobDefinition:
    """The platform's job, as a worker finds it."""
    from quality_platform import definitions

    return definitions.platform().resolve_job_def("everything")


def run(folder: Path, variant: str) -> Figures:
    """What came of the run, and seconds to make the instance, which are not the run's."""
    home = folder / f"dagster-{variant}"
    write_instance(home)
    job, keys = (everything, _TABLE) if variant == "table" else (empty, None)
    begin = time.perf_counter()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        # Its databases are made here, which is not a matter of runs.
        instance.get_asset_keys()
        made = time.perf_counter() - begin
        done = dg.execute_job(
            dg.reconstructable(job), instance, asset_selection=keys, raise_on_error=True
        )
        events = done.all_events
    return {
        "instance": made,
        "materializations": sum(event.is_step_materialization for event in events),
        "check_results": sum(
            event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION for event in events
        ),
    }


if __name__ == "__main__":
    # The steps' processes import the job by the name of its module.
    from benchmarks.scale.probes.run import run as imported_run

    answer(imported_run)
