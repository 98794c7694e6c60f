"""Runs of several tenants in a queue on PostgreSQL, worked off by the real daemon."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import dagster as dg
from support.dagster_daemon import running_daemon
from support.postgres_server import postgres_server
from support.project import Project

from benchmarks.scale.location import table_name, tenant_name, write_instance
from benchmarks.scale.plan import QUEUED, TENANT_LIMIT, TENANTS
from benchmarks.scale.probes.probe import Figures, answer
from benchmarks.scale.probes.results import POSTGRES_VARIABLE, STORAGE
from benchmarks.scale.probes.served import Location
from quality_platform.orchestration.keys import keys_of, landing_key

_TENANT = "quality-platform/tenant"
_AT_ONCE = 4
"""Runs of all tenants that may be under way: more would only wait for the two cores."""

Span = tuple[float, float]


def queue(folder: Path, _: str) -> Figures:
    """How the runs ended, and how many of one tenant were under way at the same time at most."""
    home = folder / "dagster"
    limit = {
        "key": _TENANT,
        "value": {"applyLimitPerUniqueValue": True},
        "limit": TENANT_LIMIT,
    }
    runs = {"max_concurrent_runs": _AT_ONCE, "tag_concurrency_limits": [limit]}
    with postgres_server() as url:
        os.environ[POSTGRES_VARIABLE] = url
        write_instance(home, storage=STORAGE, concurrency={"runs": runs})
        with running_daemon(Location(folder), home) as daemon:
            assets = _assets(daemon.project)
            ids = [
                daemon.launch(assets=assets[number], tags={_TENANT: tenant_name(number, TENANTS)})
                for number in by_tenant(len(assets))
            ]
            ended = [daemon.finished(run_id) for run_id in ids]
            spans = _spans(daemon.instance)
    return {
        "queued": len(set(ids)),
        "succeeded": sum(run.status is dg.DagsterRunStatus.SUCCESS for run in ended),
        "most_of_a_tenant": max(most_at_once(found) for found in spans.values()),
        "most_of_all": most_at_once([span for found in spans.values() for span in found]),
        "seconds": max(end for found in spans.values() for _, end in found)
        - min(begin for found in spans.values() for begin, _ in found),
        "limit": TENANT_LIMIT,
    }


def by_tenant(tables: int) -> list[int]:
    """The numbers of the tables, those of one tenant after those of the other.

    In turn, tenants would never have more under way than the limit lets them, limit or not.
    """
    return sorted(range(tables), key=lambda number: number % TENANTS)


def most_at_once(spans: Iterable[Span]) -> int:
    """How many spans overlap at the moment where most do."""
    changes = sorted(change for begin, end in spans for change in ((begin, 1), (end, -1)))
    highest = now = 0
    for _, step in changes:
        now += step
        highest = max(highest, now)
    return highest


def _assets(project: Project) -> list[list[str]]:
    """What each run is about: a table and its quarantine."""
    platform = project.open()
    return [
        [
            key.to_user_string()
            for key in keys_of(platform, table_name(number))
            if key != landing_key(table_name(number))
        ]
        for number in range(QUEUED)
    ]


def _spans(instance: dg.DagsterInstance) -> dict[str, list[Span]]:
    """By tenant, from when each run was taken out of the queue until it ended."""
    found: dict[str, list[Span]] = {}
    launched = {dg.DagsterEventType.RUN_STARTING}
    for record in instance.get_run_records():
        (event,) = instance.all_logs(record.dagster_run.run_id, of_type=launched)
        end = record.end_time or float("inf")
        found.setdefault(record.dagster_run.tags[_TENANT], []).append((event.timestamp, end))
    return found


if __name__ == "__main__":
    answer(queue)
