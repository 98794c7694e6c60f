"""Runs whose process is lost are run again and end right; retries never multiply."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest
from support.dagster_daemon import LOCATION, Daemon, descendants, remote_origin, running_daemon
from support.gated_tables import add_gated_tables, closed_gate
from support.project import Project, column_of

from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.lost_runs import LOST, end_lost_runs, is_there

SERVED = {".dagster/grpc_info": "{}"}


def engine_events(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    return [str(entry.dagster_event.message) for entry in events if entry.dagster_event]


def process_of(daemon: Daemon, run_id: str) -> int:
    """The process of a run, once one of its steps has begun."""

    def begun() -> bool:
        of_type = {dg.DagsterEventType.STEP_START}
        return bool(daemon.instance.all_logs(run_id, of_type=of_type))

    daemon.wait_for("the beginning of a step", begun)
    (told,) = [e for e in engine_events(daemon.instance, run_id) if e.startswith("Started process")]
    return int(told.rpartition(" ")[2].strip(".)"))


def kill_with_steps(pid: int) -> None:
    """Kills the process of a run, and those of its steps."""
    for process in (pid, *descendants(pid)):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def retry_of(daemon: Daemon, run_id: str) -> dg.DagsterRun:
    """The end of the run that Dagster has made of a lost one."""
    children = daemon.wait_for(
        "the retry", lambda: daemon.runs(**{"dagster/parent_run_id": run_id})
    )
    return daemon.finished(children[0].run_id)


def loaded_once(project: Project, table: str) -> bool:
    return column_of(project.open(), f"shop.{table}", "id") == [1]


def test_a_run_whose_worker_is_killed_is_run_again_and_ends_right(
    shop: Project, dagster_home: Path
) -> None:
    gate = add_gated_tables(shop, ["first", "second"])
    with running_daemon(shop, dagster_home) as daemon:
        with closed_gate(gate):
            lost = daemon.launch("everything", ["shop/first", "quarantine/first"])
            kill_with_steps(process_of(daemon, lost))
            ended = daemon.finished(lost)
        again = retry_of(daemon, lost)
        with closed_gate(gate):
            # What the power takes away with it, nobody tells of: the next daemon has to look.
            forgotten = daemon.launch("everything", ["shop/second", "quarantine/second"])
            process_of(daemon, forgotten)
            daemon.kill()
        status = daemon.instance.get_run_by_id(forgotten)
    with running_daemon(shop, dagster_home) as daemon:
        found = daemon.finished(forgotten)
        events = [entry.dagster_event for entry in daemon.instance.all_logs(forgotten)]
        after_all = retry_of(daemon, forgotten)
        runs = daemon.runs()
    assert ended.status is dg.DagsterRunStatus.FAILURE
    assert again.status is dg.DagsterRunStatus.SUCCESS
    assert again.tags["dagster/retry_number"] == "1"
    assert status is not None
    assert status.status is dg.DagsterRunStatus.STARTED
    assert found.status is dg.DagsterRunStatus.FAILURE
    assert LOST in [event.message for event in events if event]
    assert after_all.status is dg.DagsterRunStatus.SUCCESS
    assert len(runs) == 4
    assert loaded_once(shop, "first")
    assert loaded_once(shop, "second")


def test_retries_of_an_op_are_not_multiplied_by_retries_of_its_run(
    shop: Project, dagster_home: Path
) -> None:
    shop.settings["retries"]["retryable_error_patterns"] = ["does not exist"]
    shutil.rmtree(shop.folder / "landing" / "customers")
    with running_daemon(shop, dagster_home) as daemon:
        run_id = daemon.launch("everything", ["shop/customers", "quarantine/customers"])
        ended = daemon.finished(run_id)
        daemon.wait_for(
            "the daemon's decision",
            lambda: any(
                e.startswith("Not retrying run since it failed due to an asset or op failure")
                for e in engine_events(daemon.instance, run_id)
            ),
        )
        ups = daemon.instance.all_logs(run_id, of_type={dg.DagsterEventType.STEP_UP_FOR_RETRY})
        runs = daemon.runs()
    assert ended.status is dg.DagsterRunStatus.FAILURE
    assert len(ups) == 2
    assert [run.run_id for run in runs] == [run_id]
    assert runs[0].tags["dagster/will_retry"] == "false"


@pytest.fixture
def started(shop: Project, instance: dg.DagsterInstance) -> dg.DagsterRun:
    """A run below a code server that is shown as running, and has told of no process yet."""
    job = build_definitions(shop.open()).resolve_job_def("everything")
    return instance.create_run_for_job(
        job,
        tags=SERVED,
        status=dg.DagsterRunStatus.STARTED,
        remote_job_origin=remote_origin().get_job_origin("everything"),
    )


def tell_process(instance: dg.DagsterInstance, run: dg.DagsterRun, pid: int) -> None:
    from dagster._core.events import EngineEventData

    instance.report_engine_event("Started process for run", run, EngineEventData.in_process(pid))


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_whose_process_is_gone_is_ended(
    instance: dg.DagsterInstance, started: dg.DagsterRun, dead: int
) -> None:
    tell_process(instance, started, dead)
    assert end_lost_runs(instance, LOCATION) == [started.run_id]
    run = instance.get_run_by_id(started.run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert end_lost_runs(instance, LOCATION) == []


def test_a_run_whose_process_lives_is_left_alone(
    instance: dg.DagsterInstance, started: dg.DagsterRun
) -> None:
    tell_process(instance, started, os.getpid())
    assert end_lost_runs(instance, LOCATION) == []


def test_a_run_that_has_told_of_no_process_is_left_alone(
    instance: dg.DagsterInstance, started: dg.DagsterRun
) -> None:
    assert end_lost_runs(instance, LOCATION) == []


def test_a_run_of_another_code_location_is_left_alone(
    instance: dg.DagsterInstance, started: dg.DagsterRun, dead: int
) -> None:
    tell_process(instance, started, dead)
    assert end_lost_runs(instance, "of_somebody_else") == []
    assert end_lost_runs(instance, None) == []


def test_a_run_that_lives_below_no_code_server_is_left_alone(
    shop: Project, instance: dg.DagsterInstance, dead: int
) -> None:
    job = build_definitions(shop.open()).resolve_job_def("everything")
    run = instance.create_run_for_job(
        job,
        status=dg.DagsterRunStatus.STARTED,
        remote_job_origin=remote_origin().get_job_origin("everything"),
    )
    tell_process(instance, run, dead)
    assert end_lost_runs(instance, LOCATION) == []


def test_a_process_that_was_given_the_id_of_another_is_not_the_same() -> None:
    assert is_there(os.getpid(), time.time())
    assert not is_there(os.getpid(), time.time() - 86400 * 365)


def test_a_process_that_has_ended_and_is_not_waited_for_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        status = Path(f"/proc/{process.pid}/stat")
        while status.read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)
        assert not is_there(process.pid, time.time())
