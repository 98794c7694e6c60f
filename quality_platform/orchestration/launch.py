"""One run of the job `everything` in this process, on the instance that the UI shows."""

import fcntl
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import dagster as dg

from quality_platform.errors import ConfigurationError, QualityPlatformError
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.build import build_definitions, repository_of
from quality_platform.orchestration.instance_file import instance_file
from quality_platform.orchestration.keys import EVERYTHING, keys_of, step_names
from quality_platform.orchestration.run_attribution import LAUNCHED_BY
from quality_platform.orchestration.tenants import tenant_tags
from quality_platform.telemetry.traces import RunSpan, traces

if TYPE_CHECKING:
    from quality_platform.flows.run_platform import StepOutcome

LOCATION = "quality_platform"
"""The code location's name in workspace.yaml."""

_TERMINAL = "terminal"
"""What the runs say that live in the process that launched them."""

_LAUNCHED_ON = "quality-platform/launched-on"
"""Tag with the machine and the instance's folder: together they have one lock of launches."""

_LOCATION_TAGS = {
    ".dagster/repository": f"__repository__@{LOCATION}",
    "dagster/code_location": LOCATION,
}
"""What ties a run to the job in the UI."""

_INTERRUPTS = {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}
_BESIDE = (
    "run {} is under way: tables that it loads are waited for; "
    "if its process is gone, terminate it in the UI"
)
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def launch(
    platform: Platform,
    progress: Callable[[str, str, str], None],
    ended: Callable[["StepOutcome"], None],
    names: tuple[str, ...] = (),
) -> Sequence["StepOutcome"]:
    """Runs tables and views through Dagster and waits for it; everything where no names are given.

    `progress` is told of every step of every flow, `ended` how each table, feature view and
    materialization ended. The instance is that of `DAGSTER_HOME`, or `dagster` in the platform's
    home; its dagster.yaml is made where there is none.

    Raises:
        ConfigurationError: another launch is running on the same instance.
        KeyboardInterrupt: a person stopped it; the run is ended on the instance.
    """
    home = dagster_home(platform)
    follower = _Follower(progress, ended)
    job = repository_of(build_definitions(platform, follower)).get_job(EVERYTHING)
    with _only_launch(home), dg.DagsterInstance.from_config(str(home)) as instance:
        place = f"{socket.gethostname()}:{home}"
        _end_dead_launches(instance, place)
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
            progress(EVERYTHING, "beside", _BESIDE.format(run.run_id[:8]))
        progress(EVERYTHING, "starting", f"Dagster instance {home}")
        began = time.time()
        result = job.execute_in_process(
            run_config=_QUIET,
            instance=instance,
            raise_on_error=False,
            tags={
                LAUNCHED_BY: _TERMINAL,
                _LAUNCHED_ON: place,
                **_LOCATION_TAGS,
                **(tenant_tags(platform, names) if names else {}),
            },
            asset_selection=[key for name in names for key in keys_of(platform, name)] or None,
        )
    error = "" if result.success else "FAILURE"
    traces().run(RunSpan(result.run_id, EVERYTHING, began, time.time(), error))
    traces().flush()
    if _was_interrupted(result):
        raise KeyboardInterrupt
    for step in _without_outcome(platform, result, follower, names):
        follower.ended(step)
    return follower.steps


class _Follower:
    """Passes on what happens, and keeps how everything ended."""

    def __init__(
        self,
        progress: Callable[[str, str, str], None],
        ended: Callable[["StepOutcome"], None],
    ) -> None:
        self.progress = progress
        self.steps: list[StepOutcome] = []
        self._ended = ended

    def ended(self, outcome: "StepOutcome") -> None:
        self.steps.append(outcome)
        self._ended(outcome)


def dagster_home(platform: Platform) -> Path:
    """The folder of the Dagster instance, with a dagster.yaml in it.

    Raises:
        ConfigurationError: the instance keeps its state elsewhere than the environment says.
    """
    file = instance_file(platform.runner.document.path)
    file.ensure()
    return file.home


def terminal_stream() -> TextIO:
    """A stream to standard output that Dagster's capture of a run's output leaves alone."""
    return os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")


@contextmanager
def _only_launch(home: Path) -> Iterator[None]:
    """Holds the lock of launches; the operating system gives it back when the process dies."""
    with (home / "launch.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                "another launch is running on this Dagster instance",
                received=home,
                action="wait until it has ended",
            ) from None
        yield


def _end_dead_launches(instance: dg.DagsterInstance, place: str) -> None:
    """Ends the runs of launches that were killed at this place, and frees what they held.

    Without it the slots of their tables' pools would be taken for ever. Launches of other machines
    share a storage in PostgreSQL; whether they live cannot be seen from here.
    """
    unfinished = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED]
    tags = {LAUNCHED_BY: _TERMINAL, _LAUNCHED_ON: place}
    found = dg.RunsFilter(statuses=unfinished, tags=tags)
    for run in instance.get_runs(found):
        instance.report_run_failed(run, "The process of this run was killed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Whether Ctrl-C ended the run: Dagster takes the exception for a failure of the step."""
    failures = (e.step_failure_data.error for e in result.all_events if e.is_step_failure)
    return any(f is not None and f.cls_name in _INTERRUPTS for f in failures)


def _without_outcome(
    platform: Platform,
    result: dg.ExecuteInProcessResult,
    follower: _Follower,
    names: tuple[str, ...],
) -> Iterator["StepOutcome"]:
    """Steps that never ran because of another, and steps that ended in a defect."""
    from quality_platform.flows.run_platform import StepOutcome

    told = {step.name for step in follower.steps}
    failures = {e.step_key: e for e in result.all_events if e.is_step_failure}
    for op, name in step_names(platform).items():
        if name in told or (names and name.removeprefix("online.") not in names):
            continue
        if op in failures:
            message = f"a defect of the platform; the run {result.run_id} tells more in the UI"
            yield StepOutcome(name, error=QualityPlatformError(message))
        else:
            yield StepOutcome(name, skipped="something that it depends on did not succeed")
