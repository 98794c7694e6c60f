"""Further expectations of Feast's universal suite: types, writes, refusals, what a job tells.

Its package does not hold that suite; docs/offline-store.md lists what it expects.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
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
from quality_platform.feature_store.table_writes import FEAST_WRITES

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*experimental feature:RuntimeWarning",
    "ignore:On demand feature view is:RuntimeWarning",
)

ELEMENTS: dict[str, tuple[pa.DataType, Any]] = {
    "int32": (pa.int32(), 7),
    "int64": (pa.int64(), 2**53 + 1),
    "float": (pa.float64(), 0.5),
    "string": (pa.string(), "x"),
    "bool": (pa.bool_(), True),
    "datetime": (INSTANT, MONDAY),
}
"""The types of the suite, each with a value."""


@pytest.fixture
def home(tmp_path: Path) -> FeatureLake:
    return FeatureLake(tmp_path)


def typed_view(home: FeatureLake, columns: dict[str, tuple[pa.DataType, Any]]) -> Any:
    """A store with one view of these features, of which each has its value at Monday."""
    from feast import FeatureView, Field

    from quality_platform.feature_store.feast_types import feast_type
    from quality_platform.feature_store.iceberg_source import IcebergTableSource

    features = [(name, kind) for name, (kind, _) in columns.items()]
    schema = pa.schema([("driver", pa.int64()), ("at", INSTANT), *features])
    row = {name: value for name, (_, value) in columns.items()}
    home.publish([{"driver": 1, "at": MONDAY, **row}], "features.typed", schema)
    return home.apply(
        FeatureView(
            name="typed",
            entities=[driver()],
            schema=[Field(name=name, dtype=feast_type(kind, name)) for name, kind in features],
            source=IcebergTableSource(table="features.typed", timestamp_field="at"),
        )
    )


def test_values_and_lists_of_each_type_come_back_in_it(home: FeatureLake) -> None:
    columns: dict[str, tuple[pa.DataType, Any]] = {}
    for name, (kind, value) in ELEMENTS.items():
        columns[name] = (kind, value)
        columns[f"{name}s"] = (pa.list_(kind), [value, value])
        columns[f"no_{name}s"] = (pa.list_(kind), [])
    store = typed_view(home, columns)
    names = [f"typed:{name}" for name in columns]
    job = store.get_historical_features(asked((1, 1)), names)
    found, frame = job.to_arrow(), job.to_df()
    assert found.select(list(columns)).to_pylist() == [{n: v for n, (_, v) in columns.items()}]
    for name, (kind, _) in columns.items():
        # However the items of a list are called.
        assert found.schema.field(name).type == kind, name
    is_of = {
        "int32": pd.api.types.is_integer_dtype,
        "int64": pd.api.types.is_integer_dtype,
        "float": pd.api.types.is_float_dtype,
        "string": pd.api.types.is_string_dtype,
        "bool": pd.api.types.is_bool_dtype,
        "datetime": pd.api.types.is_datetime64_any_dtype,
    }
    for name, is_right in is_of.items():
        assert is_right(frame[name].dtype), name
        assert isinstance(frame[f"{name}s"][0], np.ndarray), name
        assert len(frame[f"no_{name}s"][0]) == 0, name


@pytest.mark.filterwarnings("ignore:Entity value_type will be mandatory:DeprecationWarning")
@pytest.mark.parametrize(("kind", "value"), [(pa.int32(), 1), (pa.int64(), 1), (pa.string(), "a")])
def test_the_type_of_a_key_that_no_definition_gives_is_inferred(
    home: FeatureLake, kind: pa.DataType, value: Any
) -> None:
    from feast import Entity, FeatureView, Field
    from feast.types import Int64

    from quality_platform.feature_store.feast_types import feast_type
    from quality_platform.feature_store.iceberg_source import IcebergTableSource

    schema = pa.schema([("id", kind), ("at", INSTANT), ("trips", pa.int64())])
    home.publish([{"id": value, "at": MONDAY, "trips": 5}], "features.keyed", schema)
    entity = Entity(name="thing", join_keys=["id"])
    found = FeatureView(
        name="keyed",
        entities=[entity],
        schema=[Field(name="trips", dtype=Int64)],
        source=IcebergTableSource(table="features.keyed", timestamp_field="at"),
    )
    store = home.apply(entity, found)
    (column,) = store.get_feature_view("keyed").entity_columns
    assert (column.name, column.dtype) == ("id", feast_type(kind, "id"))
    rows = pa.table({"id": pa.array([value], kind), "event_timestamp": pa.array([MONDAY], INSTANT)})
    assert trips(store, rows, ["keyed:trips"]) == [5]


def test_entity_rows_without_a_key_of_the_view_are_refused(home: FeatureLake) -> None:
    home.publish(stats((1, 0, 10)))
    store = home.apply(view())
    with pytest.raises(MaterializationError, match="driver"):
        trips(store, asked((1, 1), key="motorist"))


@pytest.mark.parametrize("full_feature_names", [False, True])
def test_features_that_would_have_one_name_are_refused_by_feast(
    home: FeatureLake, full_feature_names: bool
) -> None:
    from feast.errors import FeatureNameCollisionError

    home.publish(stats((1, 0, 10)))
    store = home.apply(view(), view("again"))
    twice = ["stats:trips", "stats:trips" if full_feature_names else "again:trips"]
    with pytest.raises(FeatureNameCollisionError):
        store.get_historical_features(asked((1, 1)), twice, full_feature_names)
    both = store.get_historical_features(asked((1, 1)), ["stats:trips", "again:trips"], True)
    assert both.to_arrow().schema.names[-2:] == ["stats__trips", "again__trips"]


def test_a_job_tells_what_it_was_asked_and_what_it_cannot_do(home: FeatureLake) -> None:
    home.publish(stats((1, 0, 10)))
    store = home.apply(view())
    rows = asked((1, 1), (1, 5)).append_column("label", pa.array([1, 0]))
    job = store.get_historical_features(rows, ["stats:trips", "stats:rate"])
    told = job.metadata
    assert (told.features, told.keys) == (["stats:trips", "stats:rate"], ["driver", "label"])
    bounds = (told.min_event_timestamp, told.max_event_timestamp)
    assert bounds == (MONDAY + HOUR, MONDAY + 5 * HOUR)
    assert (job.full_feature_names, job.on_demand_feature_views) == (False, [])
    pd.testing.assert_frame_equal(job.to_df(), job.to_arrow().to_pandas())
    assert job.to_feast_df().data.equals(job.to_arrow())
    assert not job.supports_remote_storage_export()
    for cannot in (job.to_sql, job.to_remote_storage):
        with pytest.raises(NotImplementedError):
            cannot()


def own_table(home: FeatureLake) -> Any:
    """A store over a table that Feast may write, with values of long ago in it."""
    home.publish(stats((1, -900, 0)))
    with home.lake.table(TABLE).transaction() as transaction:
        transaction.set_properties({FEAST_WRITES: "true"})
    return home.apply(view(ttl=timedelta(minutes=10)))


def frame_of(*hours: int) -> pd.DataFrame:
    """Rows of one driver, loaded at their times, with as many trips as the hour."""
    return pd.DataFrame(stats(*((1, hour, hour) for hour in hours)))


def test_rows_that_are_written_in_turn_are_all_read(home: FeatureLake) -> None:
    store = own_table(home)
    moments = asked(*((1, hour) for hour in (3, 4, 5, 6)))
    assert trips(store, moments) == [None] * 4
    store.write_to_offline_store("stats", frame_of(3, 4), allow_registry_cache=False)
    assert trips(store, moments) == [3, 4, None, None]
    # The order of the columns does not matter.
    reordered = frame_of(5, 6)[["rate", "trips", "loaded", "at", "driver"]]
    store.write_to_offline_store("stats", reordered, allow_registry_cache=False)
    assert trips(store, moments) == [3, 4, 5, 6]
    # Each row is one of the period, and not only the last one of its entity.
    found = store.get_historical_features(
        entity_df=None,
        features=["stats:trips"],
        start_date=MONDAY + 3 * HOUR,
        end_date=MONDAY + 6 * HOUR,
    ).to_df()
    assert found["trips"].tolist() == [3, 4, 5, 6]


def test_rows_with_other_columns_are_refused_by_their_names(home: FeatureLake) -> None:
    store = own_table(home)
    before = home.lake.table(TABLE).current_snapshot()
    wrong = frame_of(3).rename(columns={"trips": "journeys"})
    with pytest.raises(ValueError, match="missing_expected_columns") as refused:
        store.write_to_offline_store("stats", wrong, allow_registry_cache=False)
    assert "missing_expected_columns: ['trips']" in str(refused.value)
    assert "extra_unexpected_columns: ['journeys']" in str(refused.value)
    assert home.lake.table(TABLE).current_snapshot() == before


def test_a_data_set_is_not_saved_over_the_table_of_a_source(home: FeatureLake) -> None:
    from feast.errors import SavedDatasetLocationAlreadyExists

    from quality_platform.feature_store.iceberg_storage import SavedDatasetIcebergStorage

    home.publish(stats((1, 0, 10)))
    store = home.apply(view())
    before = home.lake.table(TABLE).current_snapshot()
    job = store.get_historical_features(asked((1, 1)), ["stats:trips"])
    with pytest.raises(SavedDatasetLocationAlreadyExists):
        store.create_saved_dataset(job, "mine", SavedDatasetIcebergStorage(TABLE))
    assert home.lake.table(TABLE).current_snapshot() == before


def test_logs_hold_what_was_computed_on_demand_too(home: FeatureLake) -> None:
    from feast import FeatureService, Field, RequestSource
    from feast.feature_logging import FeatureServiceLoggingSource, LoggingConfig
    from feast.on_demand_feature_view import on_demand_feature_view
    from feast.types import Float64, Int64

    from quality_platform.feature_store.iceberg_storage import IcebergLoggingDestination

    base = view()
    request = RequestSource(name="more", schema=[Field(name="bonus", dtype=Int64)])

    @on_demand_feature_view(
        sources=[base, request], schema=[Field(name="total", dtype=Float64)], mode="pandas"
    )
    def totals(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"total": inputs["rate"] + inputs["bonus"]})

    destination = LoggingConfig(IcebergLoggingDestination(table="logs.served"))
    features = [base[["trips"]], totals]
    service = FeatureService(name="served", features=features, logging_config=destination)
    home.publish(stats((1, 0, 10)))
    store = home.apply(base, totals, service)
    service = store.get_feature_service("served")
    schema = FeatureServiceLoggingSource(service, store.project).get_schema(store.registry)
    rows: list[dict[str, Any]] = [dict.fromkeys(schema.names) for _ in range(4)]
    for number, row in enumerate(rows):
        row |= {
            "driver": number,
            "bonus": number,
            "stats__trips": number,
            "totals__total": number / 2,
            "__log_timestamp": MONDAY + number * HOUR,
            "__log_date": MONDAY.date(),
            "__request_id": str(number),
        }
    for half in (rows[:2], rows[2:]):
        store.write_logged_features(pa.Table.from_pylist(half, schema), service)
    job = store._get_provider().retrieve_feature_service_logs(
        service, MONDAY, MONDAY + 4 * HOUR, store.config, store.registry
    )
    kept = [name for name in schema.names if name != "__log_date"]
    found = job.to_arrow().select(kept).sort_by("__request_id").to_pylist()
    assert found == [{name: row[name] for name in kept} for row in rows]
