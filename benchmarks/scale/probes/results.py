"""What Dagster needs to keep the results of checks: runs of one op that has nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import dagster as dg
from support.postgres_server import postgres_server

from benchmarks.scale.location import write_instance
from benchmarks.scale.probes.probe import Figures, answer, timed

FEW, MANY = 20, 200
_REPEATS = 3
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
POSTGRES_VARIABLE = "SCALE_POSTGRES_URL"
STORAGE = {
    "custom": {
        "module": "quality_platform.orchestration.instance_storage",
        "class": "PostgresStorage",
        "config": {"postgres_url": {"env": POSTGRES_VARIABLE}},
    }
}


def results(folder: Path, storage: str) -> Figures:
    """Median seconds of runs with 0, 20 and 200 results of checks."""
    with ExitStack() as stack:
        settings = {}
        if storage == "postgres":
            os.environ[POSTGRES_VARIABLE] = stack.enter_context(postgres_server())
            settings = {"storage": STORAGE}
        write_instance(folder / storage, **settings)
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(folder / storage)))
        jobs = {count: _job(count) for count in (0, FEW, MANY)}
        return {f"run_{count}": _seconds(job, instance) for count, job in jobs.items()}


def _seconds(job: dg.JobDefinition, instance: dg.DagsterInstance) -> float:
    def run() -> None:
        assert job.execute_in_process(_QUIET, instance).success

    # The first run writes the job's snapshot.
    run()
    return median(timed(run) for _ in range(_REPEATS))


def _job(count: int) -> dg.JobDefinition:
    names = [f"check_{number}" for number in range(count)]
    asset = _asset(f"with_{count}", names)
    definitions = dg.Definitions([asset], jobs=[dg.define_asset_job("job", [asset])])
    return definitions.resolve_job_def("job")


def _asset(name: str, checks: Sequence[str]) -> dg.AssetsDefinition:
    @dg.asset(name=name, check_specs=[dg.AssetCheckSpec(check, asset=name) for check in checks])
    def body() -> Iterator[dg.MaterializeResult[None]]:
        metadata = {"rows_failing": 0, "share_failing": 0.0, "query": "SELECT count(*) FROM t"}
        found = [
            dg.AssetCheckResult(passed=True, check_name=check, metadata=metadata)
            for check in checks
        ]
        yield dg.MaterializeResult(check_results=found)

    return body


if __name__ == "__main__":
    answer(results)
