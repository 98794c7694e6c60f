"""What the Iceberg offline store writes: logs of features, rows of users."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.feature_lake import (
    HOUR,
    INSTANT,
    MONDAY,
    TABLE,
    FeatureLake,
    asked,
    driver,
    stats,
    trips,
    view,
)

from quality_platform.errors import MaterializationError
from quality_platform.feature_store import table_writes
from quality_platform.lake import commits
from quality_platform.lake.position import Position

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*experimental feature:RuntimeWarning",
    "ignore:On demand feature view is:RuntimeWarning",
)


@pytest.fixture
def home(tmp_path: Path) -> FeatureLake:
    found = FeatureLake(tmp_path)
    found.publish(stats((1, 0, 10), (2, 0, 20), (1, 2, 11)))
    return found


def test_rows_of_users_are_added_to_their_own_tables(home: FeatureLake) -> None:
    own = pa.schema([("id", pa.int64()), ("at", INSTANT), ("trips", pa.int32())])
    home.lake.create_table("own.stats", own, {table_writes.FEAST_WRITES: "true"})
    home.publish([{"id": 1, "at": MONDAY, "trips": 1}], "own.stats", own)
    from feast import Field
    from feast.types import Int32

    mapped = view(
        "own", "own.stats",
        field_mapping={"id": "driver"},
        created_timestamp_column="",
        schema=[Field(name="trips", dtype=Int32)],
    )  # fmt: skip
    store = home.apply(mapped)
    more = pd.DataFrame({"trips": [7, 8], "at": [MONDAY + HOUR] * 2, "id": [1, 5]})
    store.write_to_offline_store("own", more)
    assert trips(store, asked((1, 2), (5, 2), (1, 0)), ["own:trips"]) == [7, 8, 1]
    with pytest.raises(ValueError, match="missing_expected_columns"):
        store.write_to_offline_store("own", more.drop(columns="trips"))


def test_pushed_rows_arrive_in_the_offline_store(home: FeatureLake) -> None:
    from feast import PushSource
    from feast.data_source import PushMode
    from feast.feature_view import FeatureView

    base = view()
    source = PushSource(name="pushed", batch_source=base.batch_source)
    pushed = FeatureView(name="stats", entities=[driver()], schema=base.schema, source=source)
    store = home.apply(pushed)
    set_property(home, table_writes.FEAST_WRITES, "true")
    row = {"driver": 3, "at": MONDAY, "loaded": MONDAY, "trips": 33, "rate": 0.5}
    store.push("pushed", pd.DataFrame([row]), to=PushMode.OFFLINE)
    assert trips(store, asked((3, 1))) == [33]


def test_a_table_that_the_platform_loads_is_not_written(home: FeatureLake) -> None:
    loaded = Position().advanced({"a.csv": "1"}, "load", "attempt", replace=False)
    for name, value in {**loaded.as_properties(), table_writes.FEAST_WRITES: "true"}.items():
        set_property(home, name, value)
    store = home.apply(view())
    frame = pd.DataFrame(stats((5, 1, 50)))
    with pytest.raises(MaterializationError, match="is loaded by the platform"):
        store.write_to_offline_store("stats", frame)


def test_a_table_that_does_not_allow_it_is_not_written(home: FeatureLake) -> None:
    store = home.apply(view())
    with pytest.raises(MaterializationError, match="does not allow Feast to write"):
        store.write_to_offline_store("stats", pd.DataFrame(stats((5, 1, 50))))


def test_a_table_with_partitions_is_not_written(home: FeatureLake) -> None:
    from pyiceberg.transforms import IdentityTransform

    rows = pa.table({"day": ["monday"]})
    table_writes.append(home.lake, "own.parts", rows)
    with home.lake.table("own.parts").update_spec() as update:
        update.add_field("day", IdentityTransform())
    with pytest.raises(MaterializationError, match="with partitions"):
        table_writes.append(home.lake, "own.parts", rows)


def set_property(home: FeatureLake, name: str, value: str) -> None:
    """Gives the table of the statistics a property."""
    with home.lake.table(TABLE).transaction() as transaction:
        transaction.set_properties({name: value})


def test_appends_at_the_same_time_all_arrive(home: FeatureLake) -> None:
    rows = pa.Table.from_pylist(stats((7, 1, 1)))
    table_writes.append(home.lake, "own.appended", rows)
    failures: list[Exception] = []

    def append() -> None:
        try:
            table_writes.append(FeatureLake(home.folder).lake, "own.appended", rows)
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    table = home.lake.table("own.appended")
    assert sum(task.file.record_count for task in table.scan().plan_files()) == 5


def test_an_append_that_others_always_overtake_is_an_error(
    home: FeatureLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quality_platform.errors import ConcurrentLoadError

    def overtaken(*_: Any) -> Any:
        raise ConcurrentLoadError("another run committed")

    monkeypatch.setattr(commits, "append", overtaken)
    with pytest.raises(ConcurrentLoadError):
        table_writes.append(home.lake, "own.late", pa.Table.from_pylist(stats((1, 1, 1))))


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pa.array([1], pa.timestamp("ns", "UTC")), "cannot be written"),
        (pa.array([2**63], pa.uint64()), "cannot be written"),
    ],
)
def test_a_value_that_the_lake_cannot_hold_is_refused_and_not_told(
    home: FeatureLake, column: pa.Array[Any], told: str
) -> None:
    table_writes.append(home.lake, "own.values", pa.table({"n": [1]}))
    with pytest.raises(MaterializationError, match=told) as raised:
        table_writes.append(home.lake, "own.values", pa.table({"n": column}))
    assert str(2**63) not in str(raised.value)


@pytest.mark.parametrize("as_path", [False, True])
def test_logs_of_served_features_are_kept_in_a_table(
    home: FeatureLake, tmp_path: Path, as_path: bool
) -> None:
    from feast import FeatureService
    from feast.feature_logging import FeatureServiceLoggingSource, LoggingConfig

    from quality_platform.feature_store.iceberg_storage import IcebergLoggingDestination

    base = view()
    service = FeatureService(
        name="served",
        features=[base],
        logging_config=LoggingConfig(IcebergLoggingDestination(table="logs.served")),
    )
    home.apply(base, service)
    store = home.store()
    service = store.get_feature_service("served")
    schema = FeatureServiceLoggingSource(service, store.project).get_schema(store.registry)
    for number in range(2):
        logs = pa.Table.from_pylist([log_of(schema, number)], schema)
        given: Any = logs
        if as_path:
            given = tmp_path / f"logs{number}"
            given.mkdir()
            pq.write_table(logs, given / "part.parquet")
        store.write_logged_features(given, service)
    job = store._get_provider().retrieve_feature_service_logs(
        service, MONDAY, MONDAY + timedelta(days=1), store.config, store.registry
    )
    found = job.to_arrow()
    assert sorted(found["stats__trips"].to_pylist()) == [0, 1]
    assert set(found.schema.names) == set(schema.names)


def log_of(schema: pa.Schema, number: int) -> dict[str, Any]:
    """A row of a log."""
    row: dict[str, Any] = dict.fromkeys(schema.names)
    return row | {
        "driver": number,
        "stats__trips": number,
        "__log_timestamp": MONDAY + number * HOUR,
        "__log_date": MONDAY.date(),
        "__request_id": str(number),
    }


def test_logs_go_to_tables_of_the_lake_only(home: FeatureLake) -> None:
    from feast.feature_logging import LoggingConfig
    from feast.infra.offline_stores.file_source import FileLoggingDestination

    from quality_platform.feature_store.iceberg_offline_store import IcebergOfflineStore

    store = home.store()
    config = LoggingConfig(FileLoggingDestination(path="logs"))
    source: Any = None
    with pytest.raises(MaterializationError, match="tables of the lake only"):
        IcebergOfflineStore.write_logged_features(
            store.config, pa.table({"a": [1]}), source, config, store.registry
        )


def test_the_last_event_time_is_told_to_feasts_monitoring(home: FeatureLake) -> None:
    from quality_platform.feature_store.iceberg_offline_store import IcebergOfflineStore

    config, source = home.store().config, view().batch_source
    found = IcebergOfflineStore.get_monitoring_max_timestamp(config, source, "at")
    assert found == MONDAY + 2 * HOUR
    home.lake.create_table("features.none", pa.schema([("at", INSTANT)]), {})
    none = view(table="features.none").batch_source
    assert IcebergOfflineStore.get_monitoring_max_timestamp(config, none, "at") is None
