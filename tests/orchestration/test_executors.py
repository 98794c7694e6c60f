"""The environment chooses where steps are executed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from support.dagster_runs import QUIET
from support.project import Project

from quality_platform.config.environment import RUNNER_VARIABLE
from quality_platform.errors import ConfigurationError
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.executor import (
    EXECUTOR_VARIABLE,
    FewProcesses,
    executor,
)


@pytest.mark.parametrize(
    ("wanted", "name"), [("", "multiprocess"), ("multiprocess", "multiprocess"), ("k8s", "k8s")]
)
def test_the_location_has_the_executor_that_the_environment_names(
    shop: Project, monkeypatch: pytest.MonkeyPatch, wanted: str, name: str
) -> None:
    monkeypatch.setenv(EXECUTOR_VARIABLE, wanted)
    definitions = build_definitions(shop.open())
    assert definitions.executor is not None
    assert definitions.executor.name == name  # type: ignore[union-attr]
    job = definitions.resolve_job_def("everything")
    assert job.executor_def.name == name


def test_an_executor_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXECUTOR_VARIABLE, "celery")
    with pytest.raises(ConfigurationError, match="no such executor"):
        executor()


def test_without_its_library_the_way_to_install_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(EXECUTOR_VARIABLE, "k8s")
    monkeypatch.setitem(sys.modules, "dagster_k8s", None)
    with pytest.raises(ConfigurationError, match=r"quality-platform\[kubernetes\]"):
        executor()


class Told(dg.Executor):
    """An executor that tells what it is asked to execute."""

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        yield self.name, execution_plan.step_keys_to_execute

    @property
    def retries(self) -> Any:
        return self.name


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], "alone"),
        (["load_orders"], "alone"),
        (["look_at_sources"], "alone"),
        (["look_at_sources", "load_orders"], "alone"),
        (["load_customers", "load_orders"], "several"),
        (["look_at_sources", "load_orders", "materialize_totals"], "several"),
    ],
)
def test_only_runs_of_several_tables_have_several_processes(
    steps: list[str], expected: str
) -> None:
    chosen = FewProcesses(Told("alone"), lambda: Told("several"))
    plan = SimpleNamespace(step_keys_to_execute=steps)
    assert [*chosen.execute(None, plan)] == [(expected, steps)]


@pytest.mark.parametrize(
    ("selected", "processes"),
    [(["landing/customers", "shop/customers"], 1), (["shop/customers", "shop/orders"], 3)],
)
def test_a_run_of_one_table_is_one_process(
    shop: Project,
    dagster_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    selected: list[str],
    processes: int,
) -> None:
    monkeypatch.setenv(RUNNER_VARIABLE, str(shop.write_runner()))
    keys = [dg.AssetKey.from_user_string(name) for name in selected]
    # As a launcher finds it, for which there is no public name.
    location = ReconstructableRepository.for_module("quality_platform.definitions", "platform")
    job = location.get_reconstructable_job("everything")
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        done = dg.execute_job(job, instance, QUIET, asset_selection=keys)
        ended = [e for e in done.all_events if e.is_step_success or e.is_job_event]
    assert done.success
    assert len({event.pid for event in ended}) == processes
