"""The job of a run, loaded once for all of its steps: in the process that theirs are forked from.

Otherwise each step's process would load all tables of the run. The process from which they are
forked can do nothing but import modules: one of them (`preloaded_job`) loads what the run's worker
has announced in the environment.
"""

import base64
import json
import multiprocessing
import os
import sys
import zlib

import dagster as dg

from quality_platform.config.environment import environment_variable
from quality_platform.errors import QualityPlatformError
from quality_platform.orchestration.repository import PlatformRepository

MODULE = "quality_platform.orchestration.preloaded_job"
"""The module that loads the announced job when it is imported."""

VARIABLE = "QUALITY_PLATFORM_PRELOADED_JOB"
"""Holds the name of the job, and its selection. Only a run's worker sets it."""

_loaded: list[PlatformRepository] = []


def repository() -> PlatformRepository:
    """The repository of this process: where it was forked for a step, that of the run."""
    return _loaded[0] if _loaded else PlatformRepository()


def announced(job: dg.JobDefinition) -> list[str]:
    """Announces the job of this process's run; the modules to be imported for it, if any.

    A process that may have several runs announces none: files could change between them.
    """
    has_one_run = multiprocessing.parent_process() is not None or "execute_run" in sys.argv
    if not has_one_run or job.op_selection is not None:
        return []
    assets, checks = job.asset_selection, job.asset_check_selection
    told = {
        "job": job.name,
        "assets": assets and [list(key.path) for key in assets],
        "checks": None
        if checks is None
        else [[list(key.asset_key.path), key.name] for key in checks],
    }
    # As short as may be: a variable is limited to 128 KiB.
    packed = zlib.compress(json.dumps(told, separators=(",", ":")).encode())
    os.environ[VARIABLE] = base64.b64encode(packed).decode()
    return [MODULE]


def load_announced() -> None:
    """Loads the announced job into this process; processes that are forked from it have it."""
    written = environment_variable(VARIABLE)
    if written is None:
        return
    told = json.loads(zlib.decompress(base64.b64decode(written)))
    assets = {dg.AssetKey(path) for path in told["assets"] or ()}
    checks = {dg.AssetCheckKey(dg.AssetKey(path), name) for path, name in told["checks"] or ()}
    found = PlatformRepository()
    try:
        found.keep(told["job"], assets, None if told["checks"] is None else checks)
    except (QualityPlatformError, dg.DagsterError):
        # Each step finds the same, and tells it as its own failure.
        return
    _loaded.append(found)
