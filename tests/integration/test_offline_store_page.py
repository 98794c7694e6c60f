"""docs/offline-store.md: its examples run, and it tells every method of Feast's interface."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from support.feature_lake import INSTANT, MONDAY, FeatureLake

from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureViewDefinition,
    SqliteOnline,
    SqliteRegistry,
    StoreSettings,
)
from quality_platform.feature_store.store import apply_views

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "offline-store.md").read_text(encoding="utf-8")
DAYS = pa.schema(
    [("customer", pa.int64()), ("day", INSTANT), ("orders", pa.int64()), ("spent", pa.float64())]
)


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def public_methods(kind: type) -> Iterator[str]:
    for name in vars(kind):
        if not name.startswith("_") and callable(getattr(kind, name)):
            yield name


def test_the_section_of_the_configuration_is_one() -> None:
    from quality_platform.feature_store.iceberg_offline_store import IcebergOfflineStoreConfig

    (example,) = examples("yaml")
    written = yaml.safe_load(example)["offline_store"]
    found = IcebergOfflineStoreConfig(**written)
    assert found.model_dump() == written
    assert set(IcebergOfflineStoreConfig.model_fields) == set(written)


@pytest.mark.filterwarnings("ignore:.*experimental feature:RuntimeWarning")
def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = FeatureLake(tmp_path)
    day = timedelta(days=1)
    rows = [
        {"customer": 7, "day": MONDAY, "orders": 1, "spent": 2.5},
        {"customer": 7, "day": MONDAY + day, "orders": 2, "spent": 5.0},
    ]
    home.publish(rows, "features.customer_days", DAYS)
    folder = tmp_path / "feast"
    settings = StoreSettings(
        "shop",
        SqliteRegistry(folder / "registry.db"),
        SqliteOnline(folder / "online.db"),
        home.lake,
    )
    customer_days = FeatureViewDefinition(
        "customer_days",
        "features.customer_days",
        (EntityDefinition("customer", "customer", pa.int64()),),
        "day",
        pa.schema([DAYS.field("orders"), DAYS.field("spent")]),
    )
    apply_views(settings, [customer_days])
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"pa": pa, "monday": MONDAY, "day": day}
    for example in examples("python"):
        exec(compile(example, "docs/offline-store.md", "exec"), names)
    assert names["rows"].to_pydict() == {
        "customer": [7, 7, 8],
        "event_timestamp": [MONDAY, MONDAY + day, MONDAY],
        "label": [0, 1, None],
        "orders": [1, 2, None],
        "spent": [2.5, 5.0, None],
    }
    assert sorted(names["again"]["orders"].drop_null().to_pylist()) == [1, 2]


def test_every_method_of_feasts_interface_is_told() -> None:
    from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob

    # Of the interface's own making, or of another engine.
    untold = {
        "ensure_filter_by_created_timestamp_supported",
        "supports_remote_storage_export",
        "to_ray_dataset",
    }
    for kind in (OfflineStore, RetrievalJob):
        for method in set(public_methods(kind)) - untold:
            assert f"`{method}`" in PAGE or f"RetrievalJob.{method}`" in PAGE, method


def test_what_is_said_of_feasts_own_profiler_is_so() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ImportError):
            import feast.dqm.profilers.ge_profiler  # noqa: F401
