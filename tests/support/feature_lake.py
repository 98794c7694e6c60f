"""Feature tables in a lake of their own, and Feast over them by the Iceberg offline store."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from support.lake_tables import open_lake

from quality_platform.lake import commits
from quality_platform.lake.catalog import Lake
from quality_platform.lake.data_files import RollingWriter

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = pa.timestamp("us", "UTC")
TABLE = "features.stats"
STATS = pa.schema(
    [
        ("driver", pa.int64()),
        ("at", INSTANT),
        ("loaded", INSTANT),
        ("trips", pa.int64()),
        ("rate", pa.float64()),
    ]
)


class FeatureLake:
    """A lake with tables of features, and the Feast store over it, in one folder.

    Where a lake is given, only the registry and the online store are in the folder.
    """

    def __init__(self, folder: Path, lake: Lake | None = None) -> None:
        with _quiet():
            import feast.infra.offline_stores.offline_store  # noqa: F401
        self.folder = folder
        self.lake = lake or open_lake(folder / "lake")

    def publish(
        self, rows: Iterable[Mapping[str, Any]], table: str = TABLE, schema: pa.Schema = STATS
    ) -> int:
        """Appends rows, one data file of them, to a table; returns the snapshot's id."""
        found = self.lake.find_table(table) or self.lake.create_table(table, schema, {})
        writer = RollingWriter(found, f"load-{len(found.snapshots())}")
        writer.write(pa.RecordBatch.from_pylist([dict(row) for row in rows], schema=schema))
        return int(commits.append(self.lake, found, writer.close(), {}).snapshot_id)

    def store(self, **options: Any) -> FeatureStore:
        """Feast's store; `options` are those of the offline store."""
        with _quiet():
            from feast import FeatureStore, RepoConfig

            return FeatureStore(
                config=RepoConfig(
                    project="rides",
                    provider="local",
                    registry={
                        "registry_type": "sql",
                        "path": f"sqlite:///{self.folder}/registry.db",
                    },
                    online_store={"type": "sqlite", "path": str(self.folder / "online.db")},
                    offline_store={
                        "type": "quality_platform.feature_store.iceberg_offline_store"
                        ".IcebergOfflineStore",
                        "properties": dict(self.lake.properties),
                        **options,
                    },
                    entity_key_serialization_version=3,
                )
            )

    def apply(self, *objects: Any, **options: Any) -> FeatureStore:
        """The store, with the driver and these objects applied."""
        store = self.store(**options)
        with _quiet():
            store.apply([driver(), *objects])
        return store


def stats(*rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows of (driver, hours after Monday, trips), loaded at once; a fourth value: loaded then."""
    return [
        {
            "driver": row[0],
            "at": _at(row[1]),
            "trips": row[2],
            "rate": None if row[2] is None else row[2] / 2,
            "loaded": _at(row[3] if len(row) > 3 else row[1]),
        }
        for row in rows
    ]


def view(name: str = "stats", table: str = TABLE, **options: Any) -> FeatureView:
    """A feature view over the statistics of drivers; `options` are Feast's, or the source's."""
    with _quiet():
        from feast import FeatureView, Field
        from feast.types import Float64, Int64

        from quality_platform.feature_store.iceberg_source import IcebergTableSource

        source = {
            "created_timestamp_column": "loaded",
            "field_mapping": {},
            "timestamp_field": "at",
        }
        given = {key: options.pop(key, value) for key, value in source.items()}
        default = {
            "entities": [driver()],
            "schema": [Field(name="trips", dtype=Int64), Field(name="rate", dtype=Float64)],
            "ttl": timedelta(0),
        }
        return FeatureView(
            name=name,
            source=IcebergTableSource(table=table, **given),
            **{**default, **options},
        )


def driver() -> Any:
    """The entity of the statistics."""
    with _quiet():
        from feast import Entity, ValueType

        return Entity(name="driver", join_keys=["driver"], value_type=ValueType.INT64)


def asked(*rows: tuple[int | None, float | None], key: str = "driver") -> pa.Table:
    """Entity rows of (driver, hours after Monday)."""
    return pa.table(
        {
            key: pa.array([row[0] for row in rows], pa.int64()),
            "event_timestamp": pa.array([_at(row[1]) for row in rows], INSTANT),
        }
    )


def trips(
    store: FeatureStore, entities: Any, features: Sequence[str] = ("stats:trips",), **options: Any
) -> list[Any]:
    """The last feature of each entity row."""
    job = store.get_historical_features(entity_df=entities, features=list(features), **options)
    values: list[Any] = job.to_arrow().columns[-1].to_pylist()
    return values


@contextmanager
def _quiet() -> Iterator[None]:
    """Feast's import switches on the DeprecationWarnings of the whole process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _at(hours: float | None) -> datetime | None:
    return None if hours is None else MONDAY + hours * HOUR
