"""Runs whose process is gone, which Dagster would show as running for ever.

A code server tells when a run below it dies. When it dies itself, as with its machine or container,
nobody does: Dagster's default launcher does not look whether the processes of its runs live. The
code server that takes its place looks here. What is reported as failed is retried as `run_retries`
of dagster.yaml says.
"""

import os
import time
from pathlib import Path

import dagster as dg

LOST = "The process of this run is gone: it was killed, or its machine or container was."

_SERVED = ".dagster/grpc_info"
"""A tag that Dagster's default launcher puts on the runs that live below a code server."""

_FIRST_EVENTS = 20
"""A run tells of its process right after it was launched."""

_CLOCK_MOVES = 30.0
"""Seconds by which a process may seem younger than what it told: somebody may set the clock."""


def end_lost_runs(instance: dg.DagsterInstance, location: str | None) -> list[str]:
    """Reports the runs of a code location whose process is gone as failed; their ids.

    It must be called where the processes of the runs of this code location are.
    """
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    ended = []
    for run in instance.get_runs(started):
        if _SERVED not in run.tags or _location_of(run) != location or _lives(instance, run):
            continue
        # It may have told its end between the two looks: a process does so before it goes.
        now = instance.get_run_by_id(run.run_id)
        if now is not None and now.status is dg.DagsterRunStatus.STARTED:
            instance.report_run_failed(now, LOST)
            ended.append(run.run_id)
    return ended


def _location_of(run: dg.DagsterRun) -> str | None:
    origin = run.remote_job_origin
    return None if origin is None else origin.repository_origin.code_location_origin.location_name


def _lives(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the process that a run told of is there; True where it told of none."""
    kind = dg.DagsterEventType.ENGINE_EVENT
    found = instance.get_records_for_run(run.run_id, of_type=kind, limit=_FIRST_EVENTS)
    for entry in (record.event_log_entry for record in found.records):
        event = entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event is not None else None
        if isinstance(pid, dg.TextMetadataValue) and (pid.text or "").isdecimal():
            return is_there(int(pid.text or 0), entry.timestamp)
    return True


def is_there(pid: int, since: float) -> bool:
    """Whether a process lives that had this id at a time already: ids are given again.

    `since` is in seconds since 1970. Where there is no /proc, any process of this id counts.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    # After the name in parentheses, which may hold anything: the state, and 19 fields later the
    # time of the start in ticks since boot (proc(5), /proc/pid/stat).
    fields = text.rpartition(")")[2].split()
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return fields[0] != "Z" and time.time() - age <= since + _CLOCK_MOVES
