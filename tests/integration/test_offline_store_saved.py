"""What the Iceberg offline store saves: data sets, with what is computed on demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from support.feature_lake import MONDAY, TABLE, FeatureLake, asked, stats, view

from quality_platform.errors import MaterializationError
from quality_platform.feature_store import table_writes

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
