"""The processes of a run load what the run is about, and find in it what is in the whole."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support.dagster_runs import QUIET
from support.partitioned import by_day
from support.project import Project, integer, key

from quality_platform import definitions
from quality_platform.config.environment import RUNNER_VARIABLE
from quality_platform.contracts import loading
from quality_platform.errors import RunnerFileError
from quality_platform.flows import building
from quality_platform.orchestration import preloading
from quality_platform.orchestration import repository as module
from quality_platform.orchestration.backfill import BACKFILL
from quality_platform.orchestration.keys import EVERYTHING, MAINTENANCE
from quality_platform.orchestration.maintenance import ROLLBACK
from quality_platform.orchestration.replay import DISCARD, REPLAY
from quality_platform.orchestration.repository import PlatformRepository

IMPLICIT = "__ASSET_JOB"
IDS = {"id": key(integer())}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The contracts that were read since, by file name."""
    found: list[str] = []

    def load(path: Path) -> object:
        found.append(path.name.removesuffix(".odcs.yaml"))
        return loading.load_contract(path)

    monkeypatch.setattr(building, "load_contract", load)
    return found


def among_others(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project with some tables more, as the location that processes load."""
    for number in range(8):
        project.table(f"other_{number}", IDS)
    monkeypatch.setenv(RUNNER_VARIABLE, str(project.write_runner()))
    return project


@pytest.fixture
def location(shop: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The shop among other tables."""
    shop.views["totals"]["online"] = True
    return among_others(shop, monkeypatch)


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    """The collector works for the other tests of this process as ever."""
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def keys(*names: str) -> set[dg.AssetKey]:
    return {dg.AssetKey.from_user_string(name) for name in names}


def facts(job: dg.JobDefinition) -> list[Any]:
    """What Dagster knows of a job, without the job that it was taken from."""
    snapshot = job.get_job_snapshot()
    # Of a named job Dagster also lists the steps that are left out, to ignore their configuration.
    config = snapshot.config_schema_snapshot if job.name == IMPLICIT else None
    return [
        snapshot.name,
        snapshot.description,
        snapshot.tags,
        snapshot.node_defs_snapshot,
        snapshot.dep_structure_snapshot,
        config,
        job.partitions_def,
        sorted(job.asset_layer.selected_asset_keys),
        sorted(job.asset_layer.asset_graph.asset_check_keys),
    ]


def both(
    job: str,
    assets: Collection[dg.AssetKey] = (),
    checks: Collection[dg.AssetCheckKey] | None = None,
) -> tuple[dg.JobDefinition, dg.JobDefinition]:
    """The job of a selection as a worker makes it, and as Dagster takes it from everything."""
    chosen = None if checks is None else set(checks)
    part = PlatformRepository()
    found = part.get_maybe_subset_job_def(
        job, asset_selection=set(assets), asset_check_selection=chosen
    )
    whole = PlatformRepository()
    whole.load_all_definitions()
    return found, whole.get_job(job).get_subset(
        asset_selection=set(assets), asset_check_selection=chosen
    )


@pytest.mark.parametrize("job", [EVERYTHING, IMPLICIT])
@pytest.mark.parametrize(
    "selected",
    [
        ["shop/customers", "quarantine/customers"],
        ["shop/orders"],
        ["quarantine/orders"],
        ["features/totals", "quarantine/totals", "online/totals"],
        ["online/totals"],
        ["shop/customers", "shop/orders", "features/totals", "shop/other_3"],
    ],
)
def test_the_job_of_a_selection_is_that_of_the_whole(
    location: Project, job: str, selected: list[str]
) -> None:
    part, whole = both(job, keys(*selected))
    assert facts(part) == facts(whole)


def test_upkeep_of_some_tables_is_that_of_the_whole(location: Project) -> None:
    selected = keys("maintenance/orders", "maintenance/_history")
    part, whole = both(MAINTENANCE, selected)
    assert facts(part) == facts(whole)


def test_checks_alone_are_those_of_the_whole(location: Project) -> None:
    orders = dg.AssetKey(["shop", "orders"])
    checks = [dg.AssetCheckKey(orders, name) for name in ("customer_is_known", "row_count")]
    part, whole = both(IMPLICIT, (), checks)
    assert facts(part) == facts(whole)
    assert part.asset_layer.asset_graph.asset_check_keys == set(checks)


def test_partitions_and_what_they_need_are_those_of_the_whole(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    among_others(by_day(project), monkeypatch)
    (name, *_) = project.tables
    part, whole = both(IMPLICIT, keys(f"shop/{name}"))
    assert part.partitions_def is not None
    assert facts(part) == facts(whole)
    due, all_due = both(EVERYTHING, keys(f"due/{name}"))
    assert facts(due) == facts(all_due)


def test_sources_are_looked_at_in_the_same_step(location: Project) -> None:
    part, whole = both(EVERYTHING, keys("landing/orders", "shop/orders", "quarantine/orders"))
    assert {node.name for node in part.nodes} == {node.name for node in whole.nodes}
    assert part.asset_layer.selected_asset_keys == whole.asset_layer.selected_asset_keys


def test_the_code_location_is_such_a_repository() -> None:
    assert isinstance(definitions.platform(), PlatformRepository)


def test_a_worker_reads_the_contracts_of_its_run_alone(location: Project, read: list[str]) -> None:
    worker = PlatformRepository()
    # Dagster looks first whether there is such a job at all.
    worker.get_maybe_subset_job_def(EVERYTHING)
    assert read == []
    found = worker.get_maybe_subset_job_def(EVERYTHING, asset_selection=keys("shop/orders"))
    assert [node.name for node in found.nodes] == ["load_orders"]
    assert set(read) == {"orders", "customers"}


def test_a_job_without_a_selection_is_whole_when_it_is_used(
    location: Project, read: list[str]
) -> None:
    job = PlatformRepository().get_maybe_subset_job_def(EVERYTHING)
    assert isinstance(job, dg.JobDefinition)
    assert read == []
    assert job.name == EVERYTHING
    assert "load_other_7" in [node.name for node in job.nodes]
    assert "other_7" in read


def launched(job: str, home: Path, op: str, **config: Any) -> dg.ExecuteInProcessResult:
    """A run of a launchpad's job, as its worker finds it."""
    found = PlatformRepository().get_maybe_subset_job_def(job)
    ops = {"ops": {op: {"config": config}}}
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return found.execute_in_process({**QUIET, **ops}, instance, raise_on_error=False)


@pytest.mark.parametrize("job", [REPLAY, DISCARD, BACKFILL])
def test_a_job_of_the_launchpad_reads_its_own_table_alone(
    location: Project, dagster_home: Path, read: list[str], job: str
) -> None:
    location.deliver("customers/a.csv", "id,name\n1,a\n")
    reason = {} if job == REPLAY else {"reason": "a test"}
    assert launched(job, dagster_home, f"{job}_rows", table="customers", **reason).success
    assert set(read) == {"customers"}


def test_a_rollback_reads_its_own_table_alone(
    location: Project, dagster_home: Path, read: list[str]
) -> None:
    ended = launched(ROLLBACK, dagster_home, "roll_back", table="other_3", to="2026-01-01")
    (failure,) = [event for event in ended.all_events if event.is_step_failure]
    assert "other_3" in str(failure.step_failure_data.user_failure_data)
    assert set(read) == {"other_3"}


def test_upkeep_of_a_table_and_of_the_history_reads_no_other(
    location: Project, dagster_home: Path, read: list[str]
) -> None:
    job = PlatformRepository().get_maybe_subset_job_def(
        MAINTENANCE, asset_selection=keys("maintenance/customers", "maintenance/_history")
    )
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        assert job.execute_in_process(QUIET, instance).success
    assert set(read) == {"customers"}


def test_a_job_that_there_is_not_is_missed_when_it_is_used(location: Project) -> None:
    job = PlatformRepository().get_maybe_subset_job_def("nothing")
    with pytest.raises(dg.DagsterInvariantViolationError, match="nothing"):
        job.get_job_snapshot()


def test_an_asset_that_there_is_not_is_told_as_ever(location: Project) -> None:
    for selected in (keys("shop/nowhere"), keys("elsewhere/orders")):
        with pytest.raises(dg.DagsterInvalidSubsetError):
            PlatformRepository().get_maybe_subset_job_def(EVERYTHING, asset_selection=selected)


def test_a_broken_table_of_a_run_is_there_to_tell_why(
    location: Project, dagster_home: Path
) -> None:
    (location.folder / "contracts" / "other_2.odcs.yaml").write_text("kind: DataContract\n")
    job = PlatformRepository().get_maybe_subset_job_def(
        EVERYTHING, asset_selection=keys("shop/other_2", "shop/customers")
    )
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        result = job.execute_in_process(QUIET, instance, raise_on_error=False)
    ended = {e.step_key for e in result.all_events if e.is_step_success}
    failed = {e.step_key for e in result.all_events if e.is_step_failure}
    assert (ended, failed) == ({"load_customers"}, {"load_other_2"})


def test_a_server_of_a_small_location_takes_jobs_from_its_own(
    location: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = PlatformRepository()
    server.load_all_definitions()
    small = server.get_maybe_subset_job_def(EVERYTHING, asset_selection=keys("shop/orders"))
    assert small.get_parent_job_snapshot() == server.get_job(EVERYTHING).get_job_snapshot()
    monkeypatch.setattr(module, "SMALL", 3)
    large = server.get_maybe_subset_job_def(EVERYTHING, asset_selection=keys("shop/orders"))
    assert facts(large) == facts(small)
    parent = large.get_parent_job_snapshot()
    assert parent is not None
    assert "load_other_7" not in parent.node_names


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process takes itself for the worker of one run."""
    monkeypatch.setattr(sys, "argv", ["dagster", "api", "execute_run", "{}"])
    monkeypatch.setattr(preloading, "_loaded", [])
    monkeypatch.setenv(preloading.VARIABLE, "")


@pytest.mark.parametrize(
    ("assets", "checks"),
    [
        (None, None),
        ({"shop/orders", "shop/customers"}, None),
        ({"shop/orders"}, {"row_count", "customer_is_known"}),
        ({"shop/customers"}, set()),
    ],
)
def test_the_job_of_a_run_is_loaded_once_for_all_of_its_steps(
    location: Project,
    worker: None,
    read: list[str],
    assets: set[str] | None,
    checks: set[str] | None,
) -> None:
    orders = dg.AssetKey(["shop", "orders"])
    selected = {
        "asset_selection": assets and keys(*assets),
        "asset_check_selection": None
        if checks is None
        else {dg.AssetCheckKey(orders, check) for check in checks},
    }
    run = PlatformRepository().get_maybe_subset_job_def(EVERYTHING, **selected)
    assert preloading.announced(run) == [preloading.MODULE]
    importlib.reload(importlib.import_module(preloading.MODULE))
    read.clear()
    step = preloading.repository().get_maybe_subset_job_def(EVERYTHING, **selected)
    assert facts(step) == facts(run)
    assert read == []


def test_another_job_than_the_announced_one_is_loaded_as_ever(
    location: Project, worker: None
) -> None:
    selected = keys("shop/orders")
    preloading.announced(
        PlatformRepository().get_maybe_subset_job_def(EVERYTHING, asset_selection=selected)
    )
    preloading.load_announced()
    other = preloading.repository().get_maybe_subset_job_def(
        EVERYTHING, asset_selection=keys("shop/other_1")
    )
    assert [node.name for node in other.nodes] == ["load_other_1"]


def test_a_process_that_may_have_several_runs_announces_none(location: Project) -> None:
    job = PlatformRepository().get_maybe_subset_job_def(EVERYTHING)
    assert preloading.announced(job) == []


def test_what_cannot_be_loaded_is_left_to_the_steps(location: Project, worker: None) -> None:
    preloading.announced(PlatformRepository().get_maybe_subset_job_def(EVERYTHING))
    location.runner.write_text("version: 2\n")
    preloading.load_announced()
    with pytest.raises(RunnerFileError):
        preloading.repository().load_all_definitions()


def test_where_nothing_is_announced_nothing_is_loaded(worker: None, home: Path) -> None:
    preloading.load_announced()
    assert preloading.repository() is not preloading.repository()
