"""What Feast gives a user who asks for features: a read. A plugin: importing it imports Feast."""

# The signatures are Feast's, which calls them by the arguments' names.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView

from quality_platform.feature_store.iceberg_storage import (
    SavedDatasetIcebergStorage,
    save_file,
    save_table,
)
from quality_platform.lake.catalog import Lake


@dataclass(frozen=True)
class Asked:
    """What a job was asked for.

    `on_demand` are the views that Feast computes from the result.
    """

    full_feature_names: bool = False
    on_demand: Sequence[OnDemandFeatureView] = ()
    metadata: RetrievalMetadata | None = None


@dataclass(frozen=True)
class Origin:
    """Where a job reads: the lake, and the snapshot of each of its tables; None: it has no rows.

    `folder` is what paths of files are relative to.
    """

    lake: Lake
    snapshots: Mapping[str, int | None] = field(default_factory=dict)
    folder: Path | None = None


class IcebergRetrievalJob(RetrievalJob):
    """A read that runs when its result is asked for, each time anew, of the same snapshots."""

    def __init__(
        self, read: Callable[[], pa.Table], origin: Origin, asked: Asked | None = None
    ) -> None:
        self._read = read
        self._origin = origin
        self._asked = asked or Asked()

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._read()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._read().to_pandas()

    def persist(
        self, storage: Any, allow_overwrite: bool = False, timeout: int | None = None
    ) -> None:
        """Saves the result, with the features that Feast computes, to a table or a Parquet file.

        Raises:
            SavedDatasetLocationAlreadyExists: there is something already, and `allow_overwrite` is
                not said.
            MaterializationError: it cannot be saved there.
        """
        origin = self._origin
        if isinstance(storage, SavedDatasetIcebergStorage):
            save_table(origin.lake, storage, self.to_arrow(), allow_overwrite=allow_overwrite)
        else:
            save_file(origin.folder, storage, self.to_arrow(), allow_overwrite=allow_overwrite)

    @property
    def snapshots(self) -> dict[str, int | None]:
        """The snapshot of each table that is read; None for a table without rows."""
        return dict(self._origin.snapshots)

    @property
    def full_feature_names(self) -> bool:
        """Whether the features' names begin with the view's."""
        return self._asked.full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """The views that Feast computes from the result."""
        return list(self._asked.on_demand)

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for."""
        return self._asked.metadata
