"""What the Iceberg offline store writes: saved data sets, logs of features, rows of users."""

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

FEATURES = ["stats:trips", "stats:rate"]


@pytest.fixture
def home(tmp_path: Path) -> FeatureLake:
    found = FeatureLake(tmp_path)
    found.publish(stats((1, 0, 10), (2, 0, 20), (1, 2, 11)))
    return found


def entities() -> pa.Table:
    """Four rows in no order, with a label."""
    rows = asked((2, 3), (1, 3), (1, 1), (9, 1))
    return rows.append_column("label", pa.array([1, 0, None, 1], pa.int8()))


def job_of(home: FeatureLake, **options: Any) -> Any:
    """A read of the features for the entity rows."""
    store = home.apply(view())
    return store.get_historical_features(entity_df=entities(), features=FEATURES, **options)


def file_storage(folder: Path) -> Any:
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

    return SavedDatasetFileStorage(str(folder / "set.parquet"))


def table_storage() -> Any:
    from quality_platform.feature_store.iceberg_storage import SavedDatasetIcebergStorage

    return SavedDatasetIcebergStorage("saved.first")


@pytest.fixture(params=["table", "file"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return table_storage() if request.param == "table" else file_storage(tmp_path)


@pytest.mark.parametrize("full_feature_names", [False, True])
def test_a_saved_data_set_is_read_again_as_it_was(
    home: FeatureLake, storage: Any, full_feature_names: bool
) -> None:
    job = job_of(home, full_feature_names=full_feature_names)
    saved = home.store().create_saved_dataset(job, "first", storage)
    home.publish(stats((1, 2.5, 99)))
    again = home.store().get_saved_dataset("first")
    names = ["driver", "event_timestamp"]
    prefix = "stats__" if full_feature_names else ""
    wanted = [*names, f"{prefix}trips", f"{prefix}rate"]
    order = [(name, "ascending") for name in names]
    expected = job.to_arrow().select(wanted).sort_by(order).to_pydict()
    for found in (saved.to_arrow(), again.to_arrow()):
        assert found.select(wanted).sort_by(order).to_pydict() == expected
    assert again.features == FEATURES
    assert again.join_keys == ["driver"]


def test_a_saved_data_set_is_not_replaced_unless_that_is_said(
    home: FeatureLake, storage: Any
) -> None:
    from feast.errors import SavedDatasetLocationAlreadyExists

    job = job_of(home)
    store = home.store()
    store.create_saved_dataset(job, "first", storage)
    with pytest.raises(SavedDatasetLocationAlreadyExists):
        store.create_saved_dataset(job, "first", storage)
    with_label = asked((1, 3)).append_column("label", pa.array([5], pa.int32()))
    fewer = store.get_historical_features(entity_df=with_label, features=FEATURES)
    saved = store.create_saved_dataset(fewer, "first", storage, allow_overwrite=True)
    assert saved.to_arrow()["trips"].to_pylist() == [11]


def test_a_table_that_is_no_saved_data_set_is_never_replaced(home: FeatureLake) -> None:
    from quality_platform.feature_store.iceberg_storage import SavedDatasetIcebergStorage

    before = home.lake.table(TABLE).current_snapshot()
    with pytest.raises(MaterializationError, match="holds no saved data set"):
        job_of(home).persist(SavedDatasetIcebergStorage(TABLE), allow_overwrite=True)
    assert home.lake.table(TABLE).current_snapshot() == before


def test_a_data_set_with_other_columns_does_not_replace_one(home: FeatureLake) -> None:
    job_of(home).persist(table_storage())
    narrow = home.store().get_historical_features(entity_df=asked((1, 3)), features=FEATURES)
    with pytest.raises(MaterializationError, match="other columns"):
        narrow.persist(table_storage(), allow_overwrite=True)
    assert (
        sum(task.file.record_count for task in home.lake.table("saved.first").scan().plan_files())
        == 4
    )


def test_another_kind_of_storage_is_refused(home: FeatureLake) -> None:
    with pytest.raises(MaterializationError, match="not saved to this kind of storage"):
        job_of(home).persist(object())


def test_features_computed_on_demand_are_saved_too(home: FeatureLake) -> None:
    from feast import Field, RequestSource
    from feast.on_demand_feature_view import on_demand_feature_view
    from feast.types import Float64, Int64

    base = view()
    more = RequestSource(name="more", schema=[Field(name="bonus", dtype=Int64)])

    @on_demand_feature_view(
        sources=[base, more],
        schema=[Field(name="total", dtype=Int64), Field(name="twice", dtype=Float64)],
        mode="pandas",
    )
    def totals(inputs: pd.DataFrame) -> pd.DataFrame:
        found = pd.DataFrame()
        found["total"] = inputs["trips"] + inputs["bonus"]
        found["twice"] = inputs["trips"] * 2.0
        return found

    store = home.apply(base, totals)
    given = asked((1, 3), (2, 3)).append_column("bonus", pa.array([5, 6]))
    job = store.get_historical_features(
        entity_df=given.to_pandas(), features=["totals:total", "stats:rate"]
    )
    saved = store.create_saved_dataset(job, "totals", table_storage())
    assert job.to_arrow()["total"].to_pylist() == [16, 26]
    assert "twice" not in job.to_arrow().schema.names
    found = saved.to_arrow().select(["driver", "total", "rate"]).sort_by("driver")
    assert found.to_pydict() == {"driver": [1, 2], "total": [16, 26], "rate": [5.5, 10.0]}


def test_request_data_that_is_missing_is_an_error(home: FeatureLake) -> None:
    from feast import Field, RequestSource
    from feast.errors import RequestDataNotFoundInEntityDfException
    from feast.on_demand_feature_view import on_demand_feature_view
    from feast.types import Int64

    base = view()
    more = RequestSource(name="more", schema=[Field(name="bonus", dtype=Int64)])

    @on_demand_feature_view(
        sources=[base, more], schema=[Field(name="total", dtype=Int64)], mode="pandas"
    )
    def totals(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"total": inputs["trips"] + inputs["bonus"]})

    store = home.apply(base, totals)
    with pytest.raises(RequestDataNotFoundInEntityDfException):
        store.get_historical_features(
            entity_df=asked((1, 3)).to_pandas(), features=["totals:total"]
        )


def test_a_result_is_validated_against_a_saved_data_set(home: FeatureLake) -> None:
    from feast.dqm.errors import ValidationFailed
    from feast.dqm.profilers.profiler import Profile, Profiler, ValidationReport

    class Report(ValidationReport):
        def __init__(self, is_success: bool) -> None:
            self._is_success = is_success

        @property
        def is_success(self) -> bool:
            return self._is_success

        @property
        def errors(self) -> list[Any]:
            return []

    class Rows(Profile):
        def __init__(self, rows: int) -> None:
            self.rows = rows

        def validate(self, dataset: pd.DataFrame) -> ValidationReport:
            return Report(len(dataset) == self.rows)

    class Counting(Profiler):
        def analyze_dataset(self, dataset: pd.DataFrame) -> Profile:
            return Rows(len(dataset))

    job = job_of(home)
    store = home.store()
    store.create_saved_dataset(job, "first", table_storage())
    reference = store.get_saved_dataset("first").as_reference("rows", Counting())
    assert len(job.to_df(validation_reference=reference)) == 4
    fewer = store.get_historical_features(entity_df=asked((1, 3)), features=FEATURES)
    with pytest.raises(ValidationFailed):
        fewer.to_df(validation_reference=reference)


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


def test_small_types_are_saved_as_wider_ones(home: FeatureLake) -> None:
    rows = pa.table(
        {
            "tiny": pa.array([1, None], pa.uint8()),
            "half": pa.array([1.5, None], pa.float16()),
            "word": pa.array(["a", None]).dictionary_encode(),
            "when": pa.array([MONDAY, None], pa.timestamp("ns", "America/New_York")),
            "nothing": pa.nulls(2),
        }
    )
    table_writes.save(home.lake, "saved.small", rows)
    found = home.lake.table("saved.small").scan().to_arrow()
    assert found.to_pydict() == {
        "tiny": [1, None], "half": [1.5, None], "word": ["a", None], "when": [MONDAY, None],
        "nothing": [None, None],
    }  # fmt: skip


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
