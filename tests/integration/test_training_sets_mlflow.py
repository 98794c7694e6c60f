"""Training sets as inputs of runs of a real MLflow, whose store is a SQLite file."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from support.command_line import call
from support.project import Project
from support.training_sets import TABLE, deliver_more, loaded, make, with_training_set

from quality_platform.errors import TrainingSetError
from quality_platform.flows.decisions import Decision
from quality_platform.flows.training_export import training_rows
from quality_platform.flows.training_logging import log_version
from quality_platform.flows.training_upkeep import remove_version

PAGE = Path(__file__).parents[2] / "docs" / "training-sets.md"
ENTRY_POINT = EntryPoint(
    "quality_platform",
    "quality_platform.flows.training_mlflow:TrainingSetSource",
    "mlflow.dataset_source",
)


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """MLflow with a store of its own, which takes seconds to make."""
    folder = tmp_path_factory.mktemp("mlflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Telemetry is off from here on.
        from quality_platform.flows import training_mlflow  # noqa: F401

        import mlflow  # isort: skip

        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        yield mlflow
        mlflow.set_tracking_uri(before)


@pytest.fixture
def shop(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("QUALITY_PLATFORM_RUNNER", str(project.runner))
    return with_training_set(project, mlflow="churn models")


def inputs(mlflow: Any, run_id: str) -> Any:
    return mlflow.get_run(run_id).inputs.dataset_inputs


def test_the_rows_of_a_logged_version_come_back(shop: Project, mlflow: Any) -> None:
    platform = loaded(shop)
    made = make(platform)
    run_id = log_version(platform, made)
    deliver_more(shop, 1)
    (found,) = inputs(mlflow, run_id)
    version = made.manifest
    assert (found.dataset.name, found.dataset.digest) == ("churn", version.digest[:36])
    assert {tag.key: tag.value for tag in found.tags} == {
        "mlflow.data.context": "training",
        "owner": "ml@example.org",
        "rows": "3",
        "tag": "v1",
    }
    assert "total" in found.dataset.schema
    experiment = mlflow.get_run(run_id).info.experiment_id
    assert mlflow.get_experiment(experiment).name == "churn models"
    source = mlflow.data.get_source(found)
    assert source.to_dict() == {
        "table": TABLE,
        "snapshot_id": str(made.snapshot_id),
        "tag": "v1",
        "digest": version.digest,
    }
    assert source.load() == training_rows(platform, TABLE, version)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {"run_id": run_id}
    exec(example, names)
    assert names["rows"] == training_rows(platform, TABLE, version)


def test_only_a_new_version_is_logged_unless_asked_for(shop: Project, mlflow: Any) -> None:
    platform = loaded(shop)
    assert log_version(platform, make(platform))
    again = make(platform)
    assert log_version(platform, again) == ""
    run_id = log_version(platform, again, "elsewhere")
    assert len(inputs(mlflow, run_id)) == 1


def test_a_run_under_way_gets_the_input(shop: Project, mlflow: Any) -> None:
    platform = loaded(shop)
    with mlflow.start_run() as run:
        assert log_version(platform, make(platform), "churn models") == run.info.run_id
    assert len(inputs(mlflow, run.info.run_id)) == 1


def test_a_version_that_is_gone_or_another_is_not_given_back(shop: Project, mlflow: Any) -> None:
    platform = loaded(shop)
    run_id = log_version(platform, make(platform))
    (found,) = inputs(mlflow, run_id)
    source = mlflow.data.get_source(found)
    remove_version(platform, "churn", "v1", Decision("ada", "mistake"))
    with pytest.raises(TrainingSetError, match="there is no 'v1'"):
        source.load()
    make(deliver_more(shop, 1))
    with pytest.raises(TrainingSetError, match="another one than the one that was logged"):
        source.load()


def test_what_mlflow_says_of_a_failure_is_not_passed_on(
    shop: Project, mlflow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    def fails(*_: object, **__: object) -> None:
        raise MlflowException("https://user:hunter2@host refused")

    monkeypatch.setattr(mlflow, "get_experiment_by_name", fails)
    platform = loaded(shop)
    with pytest.raises(TrainingSetError, match="could not be logged to MLflow") as error:
        log_version(platform, make(platform))
    assert "hunter2" not in str(error.value)
    assert error.value.__cause__ is None


def test_the_command_logs_to_the_store_that_mlflow_is_told_of(shop: Project, mlflow: Any) -> None:
    loaded(shop)
    ended = call("training-set", "churn", "--tag", "v1", "--mlflow", "by hand")
    assert ended.code == 0, ended.text
    assert "logged to MLflow's run" in ended.out
    experiment = mlflow.get_experiment_by_name("by hand")
    runs = mlflow.search_runs([experiment.experiment_id], output_format="list")
    assert [run.info.run_name for run in runs] == ["churn v1"]


def test_the_entry_point_gives_the_class() -> None:
    from quality_platform.flows.training_mlflow import SOURCE_TYPE

    assert ENTRY_POINT.load()._get_source_type() == SOURCE_TYPE
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"]
