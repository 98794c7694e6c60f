"""Concurrency: never more loads at once than are allowed, counted in real runs of a real daemon."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import dagster as dg
import pytest
from support.dagster_daemon import Daemon, running_daemon
from support.dagster_runs import QUIET, run
from support.gated_tables import add_gated_tables, closed_gate
from support.project import Project

from quality_platform.errors import RunnerFileError
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.pools import apply_limits, pool_limits
from quality_platform.orchestration.run_queue import store_limits

Span = tuple[float, float]
LIMIT = 2
ROOMY = {
    "concurrency": {
        "runs": {
            "max_concurrent_runs": 9,
        },
        "pools": {"default_limit": 1, "granularity": "op"},
    }
}
"""A dagster.yaml in which only the limits of the tests keep runs apart."""


def most_at_once(spans: Iterable[Span]) -> int:
    """How many spans overlap at the moment where most do."""
    changes = sorted(change for begin, end in spans for change in ((begin, 1), (end, -1)))
    highest = now = 0
    for _, step in changes:
        now += step
        highest = max(highest, now)
    return highest


def told(instance: dg.DagsterInstance, run_id: str) -> list[tuple[float, str]]:
    """What the flow of a run has told its log, and when."""
    logs = instance.all_logs(run_id)
    return [(e.timestamp, e.user_message or "") for e in logs if not e.is_dagster_event]


def at_work(daemon: Daemon, run_id: str) -> Span:
    """From the first to the last word of a run's flow, without what it said while it waited."""
    words = [time for time, text in told(daemon.instance, run_id) if ": waiting: " not in text]
    return words[0], words[-1]


def whole_runs(daemon: Daemon, runs: Sequence[str]) -> list[Span]:
    """When each run began and ended."""
    records = daemon.instance.get_run_records(dg.RunsFilter(run_ids=list(runs)))
    spans = [(record.start_time, record.end_time) for record in records]
    return [(begin, end) for begin, end in spans if begin is not None and end is not None]


def test_no_more_loads_of_a_connection_a_table_and_a_tenant_are_at_work_than_may_be(
    shop: Project, dagster_home: Path
) -> None:
    gate = add_gated_tables(shop, ["a", "b", "c"], max_concurrent_loads=LIMIT)
    shop.settings["tenants"] = {"acme": {"max_concurrent_runs": 1}}
    shop.tables["customers"]["tenant"] = "acme"
    pool = "connection-gated"
    with running_daemon(shop, dagster_home, settings=ROOMY) as daemon:
        # The limit of the file has to reach the instance first: before, it is that of a table.
        daemon.wait_for("the limit", lambda: _limits(daemon.instance).get(pool) == LIMIT)
        acme = [launched_replay(daemon, "acme") for _ in range(2)]
        with closed_gate(gate):
            runs = [launched_load(daemon, name) for name in ("a", "b", "c")]
            daemon.wait_for("loads", lambda: begun(daemon, runs) == LIMIT)
            # Dagster does not even launch a run whose ops would all have to wait.
            daemon.wait_for("a full pool", lambda: "blocked by global concurrency" in daemon.told())
            assert begun(daemon, runs) == LIMIT
            assert queued(daemon, runs) == len(runs) - LIMIT
        ended = [daemon.finished(run_id) for run_id in runs]
        with closed_gate(gate):
            same = [launched_load(daemon, "a") for _ in range(2)]
            # Both have a slot of the connection, and one of them that of the table.
            daemon.wait_for("the second", lambda: any(waits_for_table(daemon, r) for r in same))
            daemon.wait_for("the first", lambda: begun(daemon, same) == len(same))
            assert sum(waits_for_table(daemon, run_id) for run_id in same) == 1
        ended += [daemon.finished(run_id) for run_id in (*same, *acme)]
        of_tenant = whole_runs(daemon, acme)
        of_table = [at_work(daemon, run_id) for run_id in same]
        slots = daemon.instance.event_log_storage.get_concurrency_info(pool).claimed_slots
    assert {run.status for run in ended} == {dg.DagsterRunStatus.SUCCESS}
    assert len(of_tenant) == 2
    assert most_at_once(of_tenant) == 1
    assert most_at_once(of_table) == 1
    assert slots == []


def launched_load(daemon: Daemon, name: str) -> str:
    return daemon.launch("everything", [f"shop/{name}", f"quarantine/{name}"])


def launched_replay(daemon: Daemon, tenant: str) -> str:
    tags = {"quality-platform/tenant": tenant}
    return daemon.launch("replay", tags=tags, run_config=_replay())


def begun(daemon: Daemon, runs: Sequence[str]) -> int:
    """How many of the runs have begun their op, which has the slot of its own pool then."""
    kind = {dg.DagsterEventType.STEP_START}
    return sum(bool(daemon.instance.all_logs(run_id, of_type=kind)) for run_id in runs)


def queued(daemon: Daemon, runs: Sequence[str]) -> int:
    """How many of the runs have not been launched yet."""
    records = daemon.instance.get_run_records(dg.RunsFilter(run_ids=list(runs)))
    return sum(r.dagster_run.status is dg.DagsterRunStatus.QUEUED for r in records)


def waits_for_table(daemon: Daemon, run_id: str) -> bool:
    words = told(daemon.instance, run_id)
    return any("waiting: for the pool table-a" in text for _, text in words)


def _replay() -> dict[str, object]:
    return {"ops": {"replay_rows": {"config": {"table": "customers"}}}}


def _limits(instance: dg.DagsterInstance) -> dict[str, int]:
    return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}


def test_overlaps_are_counted_right() -> None:
    assert most_at_once([]) == 0
    assert most_at_once([(0, 1), (1, 2)]) == 1
    assert most_at_once([(0, 3), (1, 2), (1.5, 4), (5, 6)]) == 3


def test_the_pool_of_an_op_is_that_of_its_connection_where_this_has_a_limit(shop: Project) -> None:
    add_gated_tables(shop, ["a"], max_concurrent_loads=3)
    graph = build_definitions(shop.open()).resolve_asset_graph()
    assert graph.get(dg.AssetKey(["shop", "a"])).pools == {"connection-gated"}
    assert graph.get(dg.AssetKey(["shop", "orders"])).pools == {"table-orders"}
    assert pool_limits(shop.open()) == {"connection-gated": 3}


def test_without_a_limit_of_its_connection_the_pool_is_that_of_the_table(shop: Project) -> None:
    add_gated_tables(shop, ["a"])
    graph = build_definitions(shop.open()).resolve_asset_graph()
    assert graph.get(dg.AssetKey(["shop", "a"])).pools == {"table-a"}
    assert pool_limits(shop.open()) == {}


def test_a_limit_of_the_file_reaches_the_instance_and_one_of_a_person_stays(
    instance: dg.DagsterInstance,
) -> None:
    wanted = {"connection-crm": 3}
    assert apply_limits(instance, wanted, {}) == ["connection-crm"]
    assert _limits(instance) == wanted
    instance.event_log_storage.set_concurrency_slots("connection-crm", 0)
    assert apply_limits(instance, wanted, wanted) == []
    assert _limits(instance) == {"connection-crm": 0}
    assert apply_limits(instance, {"connection-crm": 5}, wanted) == ["connection-crm"]
    assert _limits(instance) == {"connection-crm": 5}


def test_a_pool_that_an_op_has_made_by_default_gets_the_limit_of_the_file(
    instance: dg.DagsterInstance,
) -> None:
    instance.event_log_storage.initialize_concurrency_limit_to_default("connection-crm")
    assert _limits(instance) == {"connection-crm": 1}
    wanted = {"connection-crm": 3}
    assert apply_limits(instance, wanted, wanted) == ["connection-crm"]
    assert _limits(instance) == wanted


@pytest.mark.parametrize("job", ["replay", "rollback"])
def test_what_changes_a_table_waits_until_its_load_has_ended(
    shop: Project, instance: dg.DagsterInstance, job: str
) -> None:
    platform = shop.open()
    assert run(platform, instance, ["shop/customers", "quarantine/customers"]).success
    storage = instance.event_log_storage
    assert storage.claim_concurrency_slot("table-customers", "a-load", "load_customers").is_claimed
    snapshot = str(platform.lake.table("shop.customers").current_snapshot().snapshot_id)  # type: ignore[union-attr]
    op, config = {
        "replay": ("replay_rows", {"table": "customers"}),
        "rollback": ("roll_back", {"table": "customers", "to": snapshot}),
    }[job]
    ended: list[float] = []

    def load_ends() -> None:
        ended.append(time.time())
        storage.free_concurrency_slots_for_run("a-load")

    timer = threading.Timer(1.5, load_ends)
    timer.start()
    definition = build_definitions(platform).resolve_job_def(job)
    result = definition.execute_in_process(
        {**QUIET, "ops": {op: {"config": config}}}, instance=instance, raise_on_error=False
    )
    timer.join()
    texts = [entry.user_message or "" for entry in instance.all_logs(result.run_id)]
    assert any("waiting: for the pool table-customers" in text for text in texts)
    (end,) = [
        e.timestamp
        for e in instance.all_logs(result.run_id)
        if e.dagster_event_type
        in {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
    ]
    assert end > ended[0]
    assert storage.get_concurrency_info("table-customers").claimed_slots == []


def test_a_rollback_of_what_there_is_not_leaves_no_pool(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    config = {"ops": {"roll_back": {"config": {"table": "nonsense", "to": "1"}}}}
    definition = build_definitions(shop.open()).resolve_job_def("rollback")
    result = definition.execute_in_process(
        {**QUIET, **config}, instance=instance, raise_on_error=False
    )
    assert not result.success
    assert "table-nonsense" not in _limits(instance)


def test_a_limit_of_no_load_at_all_is_an_error(shop: Project) -> None:
    add_gated_tables(shop, ["a"], max_concurrent_loads=0)
    with pytest.raises(RunnerFileError, match=r"connections\.gated\.max_concurrent_loads"):
        shop.open()


def test_the_limits_of_tenants_are_limits_of_the_queue(instance: dg.DagsterInstance) -> None:
    assert store_limits(instance, "here", {"acme": 3, "zeta": 1})
    assert not store_limits(instance, "here", {"acme": 3, "zeta": 1})
    assert _queue(instance) == (2, {"acme": 3, "zeta": 1})
    # Another code location of the instance has a tenant of the same name.
    assert store_limits(instance, "there", {"acme": 2})
    assert _queue(instance) == (2, {"acme": 2, "zeta": 1})
    assert store_limits(instance, "here", {})
    assert _queue(instance) == (2, {"acme": 2})


def _queue(instance: dg.DagsterInstance) -> tuple[int, dict[str, int]]:
    """How many runs may be under way, of all and of each tenant."""
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    limits = queue.tag_concurrency_limits
    assert {limit["key"] for limit in limits} <= {"quality-platform/tenant"}
    return queue.max_concurrent_runs, {limit["value"]: limit["limit"] for limit in limits}
