"""A Feast plugin: materializes from Arrow. Importing it imports Feast."""

from __future__ import annotations

from typing import Any

from feast.infra.common.materialization_job import (
    MaterializationJob,
    MaterializationJobStatus,
    MaterializationTask,
)
from feast.infra.compute_engines.base import ComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.registry.base_registry import BaseRegistry

from quality_platform.errors import QualityPlatformError
from quality_platform.feature_store.iceberg_offline_store import rows_of, snapshot_at
from quality_platform.feature_store.online import Target, write_period


class ArrowEngine(ComputeEngine):
    """What `feast materialize` and `FeatureStore.materialize` run; see `online`."""

    def update(self, *_: Any, **__: Any) -> None:
        """Nothing to prepare."""

    def teardown_infra(self, *_: Any, **__: Any) -> None:
        """Nothing to clear away."""

    def _materialize_one(
        self,
        registry: BaseRegistry,  # noqa: ARG002 - the signature is Feast's
        task: MaterializationTask,
        **_: Any,
    ) -> MaterializationJob:
        view, start, end = task.feature_view, task.start_time, task.end_time
        job = f"{view.name}-{start}-{end}"
        try:
            if view.online:
                snapshot = snapshot_at(self.repo_config, rows_of(view))
                write_period(
                    Target(self.online_store, self.repo_config, view), snapshot, start, end
                )
        except QualityPlatformError as error:
            return LocalMaterializationJob(job, MaterializationJobStatus.ERROR, error)
        return LocalMaterializationJob(job, MaterializationJobStatus.SUCCEEDED)
