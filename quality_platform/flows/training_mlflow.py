"""Training sets as MLflow datasets. The only module that speaks of mlflow, and imports it.

MLflow loads it by the entry point group `mlflow.dataset_source`, so that
`mlflow.data.get_source(dataset).load()` gives the rows back wherever the platform is installed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

# Before mlflow is imported: it would report to its makers otherwise.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow.data.dataset_source import DatasetSource

from quality_platform.errors import TrainingSetError

if TYPE_CHECKING:
    import pyarrow as pa
    from mlflow.types import Schema

    from quality_platform.flows.training_manifest import Manifest

SOURCE_TYPE = "quality_platform_training_set"
"""What MLflow stores as the kind of the source."""

_DIGEST_LENGTH = 36
"""MLflow takes no longer digest; the whole one stands in the source."""

_TYPES = {
    "bool": "boolean",
    "int32": "integer",
    "int64": "long",
    "float": "float",
    "double": "double",
    "string": "string",
    "binary": "binary",
}


class TrainingSetSource(DatasetSource):
    """A version of a training set: the table, the snapshot, the tag and the digest of the rows."""

    def __init__(self, table: str, snapshot_id: int, tag: str, digest: str) -> None:
        self.table = table
        self.snapshot_id = snapshot_id
        self.tag = tag
        self.digest = digest

    @staticmethod
    def _get_source_type() -> str:
        return SOURCE_TYPE

    def load(self) -> pa.Table:
        """The rows, in canonical order, from the lake of the runner file that is configured.

        That is the file that QUALITY_PLATFORM_RUNNER names, or runner.yaml in the working folder.

        Raises:
            TrainingSetError: there is no such version any more, or it is not what was logged.
            ConfigurationError: the runner file cannot be used.
        """
        from quality_platform.flows.platform import open_platform
        from quality_platform.flows.training_export import training_rows
        from quality_platform.flows.training_manifest import manifests_of

        platform = open_platform()
        table = platform.lake.find_table(self.table)
        manifest = manifests_of(table).get(self.tag)
        if manifest is None:
            raise TrainingSetError(f"there is no {self.tag!r} of {self.table} any more")
        if manifest.digest != self.digest:
            raise TrainingSetError(
                f"{self.tag!r} of {self.table} is another one than the one that was logged",
                received=manifest.digest,
                allowed=self.digest,
            )
        return training_rows(platform, self.table, manifest)

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:  # noqa: ARG004 - the signature is MLflow's
        return False

    @classmethod
    def _resolve(cls, raw_source: Any) -> TrainingSetSource:
        raise NotImplementedError(f"{raw_source} names no training set")

    def to_dict(self) -> dict[str, Any]:
        """What MLflow stores."""
        return {
            "table": self.table,
            # As text: JSON's numbers are rounded by some of its readers.
            "snapshot_id": str(self.snapshot_id),
            "tag": self.tag,
            "digest": self.digest,
        }

    @classmethod
    def from_dict(cls, source_dict: Mapping[str, Any]) -> TrainingSetSource:
        """The source that MLflow stored."""
        known = dict(source_dict)
        return cls(known["table"], int(known["snapshot_id"]), known["tag"], known["digest"])


def log_training_set(source: TrainingSetSource, manifest: Manifest, experiment: str) -> str:
    """Logs a version as an input: to the active run, or to a new one of the experiment.

    Where the runs are kept is MLflow's own setting (`MLFLOW_TRACKING_URI`). Only what the version
    is is logged, none of its rows. Returns the id of the run.

    Raises:
        TrainingSetError: MLflow failed; its text is not passed on, because it can hold a password.
    """
    import mlflow
    from mlflow.data.dataset_source_registry import get_registered_sources, register_dataset_source
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # Their annotations say instances where classes are meant.
    source_class: Any = TrainingSetSource
    if source_class not in get_registered_sources():
        register_dataset_source(source_class)
    make: Any = MetaDataset
    dataset = make(source, manifest.name, manifest.digest[:_DIGEST_LENGTH], _schema(manifest))
    tags = {"tag": manifest.tag, "rows": str(manifest.rows), "owner": manifest.owner}
    try:
        with _run(experiment, f"{manifest.name} {manifest.tag}") as run:
            mlflow.log_input(dataset, context="training", tags=tags)
            return str(run.info.run_id)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        kind = getattr(error, "error_code", type(error).__name__)
        raise TrainingSetError(
            f"{manifest.name} {manifest.tag} is there, and could not be logged to MLflow: {kind}",
            action="check MLFLOW_TRACKING_URI, and run it again with --mlflow",
        ) from None


@contextmanager
def _run(experiment: str, name: str) -> Iterator[Any]:
    """The active run, which goes on, or one of the experiment of its own."""
    import mlflow

    active = mlflow.active_run()
    if active is not None:
        yield active
        return
    known = mlflow.get_experiment_by_name(experiment)
    place = known.experiment_id if known else mlflow.create_experiment(experiment)
    with mlflow.start_run(experiment_id=place, run_name=name) as run:
        yield run


def _schema(manifest: Manifest) -> Schema | None:
    """The columns in MLflow's types; None where one has none."""
    from mlflow.types import ColSpec, DataType, Schema

    found: list[Any] = []
    for name, kind in manifest.columns:
        word = "datetime" if kind.startswith("timestamp") else _TYPES.get(kind)
        if word is None:
            return None
        found.append(ColSpec(DataType[word], name, required=False))
    return Schema(found)
