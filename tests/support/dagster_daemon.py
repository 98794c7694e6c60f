"""A real Dagster daemon beside a test: schedules tick, sensors look, queued runs are launched.

    with running_daemon(project, dagster_home) as daemon:
        run_id = daemon.launch("everything", ["shop/orders"])
        assert daemon.finished(run_id).status is dg.DagsterRunStatus.SUCCESS

The daemon is `dagster-daemon run` in a process of its own, with the code location of the project's
runner.yaml, which it serves by a process of its own as well; every run is a process below that one.
It takes about four seconds to start: put what belongs together into one test.

- `launch` queues a run as the UI does: of a job, of some of its assets, with tags and run config.
- `finished`, `wait_for` wait without sleeping longer than needed, and tell the daemon's log when
  what they wait for does not come.
- `switch_on` and `switch_off` use the switch of a schedule or sensor as the UI does.
- `clock=` sets the daemon's clock for its schedules: a cron tick can be seconds away.
- `stop` ends it as an operator would, `kill` as a machine that loses power (code server and runs
  are killed as well); a second `running_daemon` on the same home is a restart.
- `instance` is the Dagster instance, opened in the test's own process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import dagster as dg
import yaml
from support.project import Project

LOCATION = "quality_platform"
MODULE = "quality_platform.definitions"
PROGRAM = Path(__file__).with_name("daemon_process.py")
PATIENCE = 600.0
"""Seconds after which a test that waits gives up; it bounds a defect, it measures nothing."""

Found = TypeVar("Found")

_QUICK_MONITORING = {
    "enabled": True,
    "start_timeout_seconds": 180,
    "poll_interval_seconds": 1,
    "free_slots_after_run_end_seconds": 1,
}


@dataclass
class Daemon:
    """A daemon that runs."""

    project: Project
    home: Path
    instance: dg.DagsterInstance
    process: subprocess.Popen[bytes]
    log: Path
    clock: datetime | None
    """What time its scheduler believed it to be when it first looked."""

    def launch(
        self,
        job: str = "everything",
        assets: Sequence[str] = (),
        *,
        tags: Mapping[str, str] | None = None,
        run_config: Mapping[str, Any] | None = None,
    ) -> str:
        """Queues a run of a job, or of some of its assets (`shop/orders`); its id."""
        return queued_run(self.project, self.instance, job, assets, tags=tags, config=run_config)

    def wait_for(self, what: str, look: Callable[[], Found | None]) -> Found:
        """What `look` finds, once it finds something true.

        Raises:
            AssertionError: it does not come; the daemon's log is told.
        """
        last = time.monotonic() + PATIENCE
        while time.monotonic() < last:
            found = look()
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"waited in vain for {what}\n{self.told()[-6000:]}")

    def finished(self, run_id: str) -> dg.DagsterRun:
        """A run, once it has ended."""

        def ended() -> dg.DagsterRun | None:
            run = self.instance.get_run_by_id(run_id)
            return run if run is not None and run.is_finished else None

        return self.wait_for(f"the end of run {run_id}", ended)

    def runs(self, **tags: str) -> list[dg.DagsterRun]:
        """All runs, the first one first; those with these tags alone (`a/b` as `**{"a/b": x}`)."""
        return list(reversed(self.instance.get_runs(dg.RunsFilter(tags=tags or None))))

    def switch_on(self, name: str, *, schedule: bool = False) -> None:
        """Switches a sensor (or a schedule) on, as a person does in the UI."""
        at = self.clock.timestamp() if self.clock else time.time()
        switch(self.instance, name, schedule=schedule, on=True, at=at)

    def switch_off(self, name: str, *, schedule: bool = False) -> None:
        """Switches a sensor (or a schedule) off, as a person does in the UI."""
        switch(self.instance, name, schedule=schedule, on=False, at=0.0)

    def ticks(self, name: str) -> list[Any]:
        """What a schedule or sensor did, the first look first: objects with `status`,
        `skip_reason`, `run_ids`, `timestamp`, `error`."""
        found = [s for s in self.instance.all_instigator_state() if s.instigator_name == name]
        ticks = [
            t for s in found for t in self.instance.get_ticks(s.instigator_origin_id, s.selector_id)
        ]
        return sorted(ticks, key=lambda tick: tick.timestamp)

    def told(self) -> str:
        """The daemon's log so far."""
        return self.log.read_text(errors="replace")

    def processes(self) -> list[int]:
        """The process ids of everything below the daemon: code servers, runs, steps."""
        return descendants(self.process.pid)

    def stop(self) -> None:
        """Ends the daemon as an operator does, and waits for all that it started."""
        below = self.processes()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _end(below)

    def kill(self) -> None:
        """Kills the daemon with all that it started, as a machine that loses power."""
        below = self.processes()
        for pid in (self.process.pid, *below):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        _end(below)


@contextmanager
def running_daemon(
    project: Project,
    home: Path,
    extra_env: Mapping[str, str] | None = None,
    *,
    clock: datetime | None = None,
    settings: Mapping[str, Any] | None = None,
    off: Sequence[str] = (),
    program: Path = PROGRAM,
) -> Iterator[Daemon]:
    """A daemon on the instance in `home`, until the block ends.

    Args:
        project: Its runner.yaml is written, and is the code location.
        home: The instance's folder with a dagster.yaml, which is changed: polls are quick.
        extra_env: Variables for the daemon, its code servers and its runs.
        clock: What time its scheduler believes it to be when it first looks, so that a cron tick is
            seconds away; the real time where left out. Sensors and runs have the real clock.
        settings: Sections of dagster.yaml that replace those of `home`, such as `concurrency`.
        off: Schedules that a person has switched off before.
        program: What runs, with the arguments of `daemon_process.py`.
    """
    project.write_runner()
    quicken(home, settings or {})
    workspace = home / "workspace.yaml"
    module = {"module_name": MODULE, "location_name": LOCATION}
    workspace.write_text(yaml.safe_dump({"load_from": [{"python_module": module}]}))
    log = home / "daemon.log"
    start = clock.timestamp() if clock else 0.0
    arguments = ["run", "--workspace", str(workspace), "--log-format", "json"]
    command = [sys.executable, str(program), str(start), "1", *arguments]
    with log.open("ab") as output, dg.DagsterInstance.from_config(str(home)) as instance:
        for name in off:
            switch(instance, name, schedule=True, on=False, at=0.0)
        process = subprocess.Popen(
            command,
            cwd=project.folder,
            env=environment_of(project, home) | dict(extra_env or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C of the tests reaches them alone, who then stop the daemon.
            start_new_session=True,
        )
        daemon = Daemon(project, home, instance, process, log, clock)
        try:
            yield daemon
        finally:
            if process.poll() is None:
                daemon.stop()


def environment_of(project: Project, home: Path) -> dict[str, str]:
    """The variables of a process that works on the project and its instance."""
    return {
        **os.environ,
        "QUALITY_PLATFORM_RUNNER": str(project.runner),
        "DAGSTER_HOME": str(home),
        # How often the daemon looks for runs that failed and are to be run again.
        "DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "1",
    }


def quicken(home: Path, settings: Mapping[str, Any]) -> None:
    """Changes an instance's dagster.yaml so that tests do not wait for its polls."""
    file = home / "dagster.yaml"
    present = yaml.safe_load(file.read_text()) or {}
    plain = {"module": "dagster", "class": "QueuedRunCoordinator"}
    queue = present.get("run_coordinator", plain)
    config = {**queue.get("config", {}), "dequeue_interval_seconds": 1}
    quick = {
        "run_coordinator": {**queue, "config": config},
        "run_monitoring": {**present.get("run_monitoring", {}), **_QUICK_MONITORING},
    }
    file.write_text(yaml.safe_dump({**present, **quick, **settings}, sort_keys=False))


def queued_run(
    project: Project,
    instance: dg.DagsterInstance,
    job: str,
    assets: Sequence[str] = (),
    *,
    tags: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
) -> str:
    """Puts a run into the queue of the instance, as the UI does; its id."""
    # Only the webserver can queue a run by public means, and it takes ten seconds to start.
    from dagster._core.run_coordinator import SubmitRunContext

    from quality_platform.orchestration.build import build_definitions

    definitions = build_definitions(project.open())
    definition = definitions.resolve_job_def(job)
    keys = {dg.AssetKey(asset.split("/")) for asset in assets}
    subset = definition.get_subset(asset_selection=keys) if keys else definition
    origin = remote_origin().get_job_origin(job)
    run = instance.create_run_for_job(
        subset,
        run_config=config,
        tags=tags,
        asset_selection=frozenset(keys) if keys else None,
        remote_job_origin=origin,
        job_code_origin=_code_origin(job),
    )
    # Of the webserver's workspace, the queue looks at the assets' tags.
    workspace = SimpleNamespace(asset_graph=definitions.resolve_asset_graph())
    instance.run_coordinator.submit_run(SubmitRunContext(run, workspace=workspace))  # type: ignore[arg-type]
    return run.run_id


def remote_origin() -> Any:
    """How the daemon knows the repository of the code location."""
    from dagster._core.remote_origin import (
        ManagedGrpcPythonEnvCodeLocationOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    target = LoadableTargetOrigin(
        executable_path=sys.executable, module_name=MODULE, working_directory=None
    )
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, LOCATION)
    return RemoteRepositoryOrigin(location, "__repository__")


def _code_origin(job: str) -> Any:
    from dagster._core.code_pointer import ModuleCodePointer
    from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin

    pointer = ModuleCodePointer(MODULE, "defs", None)
    return JobPythonOrigin(job, RepositoryPythonOrigin(sys.executable, pointer))


def switch(instance: dg.DagsterInstance, name: str, *, schedule: bool, on: bool, at: float) -> None:
    """Switches a schedule or sensor on or off at a time, as a person does in the UI."""
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.definitions.selector import InstigatorSelector
    from dagster._core.scheduler.instigation import (
        InstigatorState,
        InstigatorStatus,
        ScheduleInstigatorData,
        SensorInstigatorData,
    )

    status = InstigatorStatus.RUNNING if on else InstigatorStatus.STOPPED
    origin = remote_origin().get_instigator_origin(name)
    selector = InstigatorSelector(
        location_name=LOCATION, repository_name="__repository__", name=name
    )
    known = instance.get_instigator_state(origin.get_id(), selector.get_id())
    if known is not None:
        data = known.instigator_data
        if schedule:
            data = data._replace(start_timestamp=at if on else None)
        instance.update_instigator_state(known.with_status(status).with_data(data))
        return
    data = ScheduleInstigatorData("", at) if schedule else SensorInstigatorData()
    kind = InstigatorType.SCHEDULE if schedule else InstigatorType.SENSOR
    instance.add_instigator_state(InstigatorState(origin, kind, status, data))


def descendants(pid: int) -> list[int]:
    """The process ids of all children of a process, and of theirs."""
    children = Path(f"/proc/{pid}/task")
    found: list[int] = []
    with suppress(OSError):
        for task in children.iterdir():
            with suppress(OSError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return [below for child in found for below in (child, *descendants(child))]


def _end(pids: Sequence[int]) -> None:
    """Waits until processes are gone; kills what stays."""
    last = time.monotonic() + 10
    while (alive := [pid for pid in pids if _lives(pid)]) and time.monotonic() < last:
        time.sleep(0.05)
    for pid in alive:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        # After its name in parentheses, which may hold anything, comes its state.
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
