"""The environment chooses where steps are executed."""

from __future__ import annotations

import sys

import pytest
from support.project import Project

from quality_platform.errors import ConfigurationError
from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.executor import EXECUTOR_VARIABLE, executor


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
