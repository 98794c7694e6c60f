"""The Iceberg offline store over a lake in an object store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalogs import lake_of, lake_settings
from support.feature_lake import TABLE, FeatureLake, asked, stats, trips, view
from support.s3_server import s3_server

from quality_platform.errors import StorageError

pytestmark = pytest.mark.filterwarnings("ignore:.*experimental feature:RuntimeWarning")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[FeatureLake]:
    with s3_server() as server, lake_settings("sqlite_s3", tmp_path / "lake", server) as settings:
        found = FeatureLake(tmp_path, lake_of(settings))
        found.publish(stats((1, 0, 10), (2, 0, 20)))
        yield found


def test_features_are_read_asked_for_and_saved_where_they_are(home: FeatureLake) -> None:
    from quality_platform.feature_store.iceberg_storage import SavedDatasetIcebergStorage

    store = home.apply(view())
    assert trips(store, asked((2, 1), (1, 1), (1, -1))) == [20, 10, None]
    query = f'SELECT driver, "at" AS event_timestamp FROM {TABLE} ORDER BY driver'
    assert trips(store, query) == [10, 20]
    job = store.get_historical_features(query, ["stats:trips"])
    saved = store.create_saved_dataset(job, "first", SavedDatasetIcebergStorage("saved.first"))
    assert sorted(saved.to_arrow()["trips"].to_pylist()) == [10, 20]


def test_a_data_file_that_is_gone_is_an_error_of_the_store(home: FeatureLake) -> None:
    store = home.apply(view())
    table = home.lake.table(TABLE)
    for task in table.scan().plan_files():
        table.io.delete(task.file.file_path)
    with pytest.raises(StorageError, match="cannot be read"):
        trips(store, asked((1, 1)))
