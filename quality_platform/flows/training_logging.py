"""Telling MLflow of a version of a training set, where somebody wants that."""

from __future__ import annotations

from quality_platform.errors import TrainingSetError
from quality_platform.flows.platform import Platform
from quality_platform.flows.training_definitions import training_set
from quality_platform.flows.training_sets import TrainingSetOutcome


def log_version(platform: Platform, made: TrainingSetOutcome, experiment: str = "") -> str:
    """Logs a version to an experiment; to the declared one, and only if it is new, where "".

    Returns the id of MLflow's run, "" where nothing was to be logged.

    Raises:
        TrainingSetError: MLflow is not installed, or failed.
    """
    declared = training_set(platform, made.manifest.name).config.mlflow or ""
    wanted = experiment or (declared if made.state == "made" else "")
    if not wanted:
        return ""
    try:
        from quality_platform.flows.training_mlflow import TrainingSetSource, log_training_set
    except ImportError as error:
        raise TrainingSetError(
            "MLflow is not installed", action="install quality-platform[mlflow]"
        ) from error
    version = made.manifest
    source = TrainingSetSource(made.identifier, made.snapshot_id, version.tag, version.digest)
    return log_training_set(source, version, wanted)
