"""The entity rows of training sets: from files, with labels of any type, and those refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.project import Project
from support.training_sets import day, loaded, make, manifests, pins, rows, with_training_set

from quality_platform.errors import QualityPlatformError, TrainingSetError
from quality_platform.flows.platform import Platform
from quality_platform.flows.training_definitions import training_set


@pytest.fixture
def shop(project: Project) -> Project:
    return with_training_set(project)


@pytest.fixture
def platform(shop: Project) -> Platform:
    return loaded(shop)


def entity_file(path: Path, *rows: tuple[int | None, int, float]) -> Path:
    """Rows of customer, day and amount."""
    table = pa.table(
        {
            "customer": pa.array([row[0] for row in rows], pa.int32()),
            "placed_at": pa.array([day(row[1]) for row in rows], pa.timestamp("ns", "UTC")),
            "amount": pa.array([row[2] for row in rows], pa.float64()),
        }
    )
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        lines = [f"{row[0] or ''},2026-01-{row[1]:02d}T00:00:00Z,{row[2]}" for row in rows]
        path.write_text("\n".join(["customer,placed_at,amount", *lines]) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_rows_can_be_those_of_a_file(platform: Platform, tmp_path: Path, suffix: str) -> None:
    one, nobody = (1, 4, 0.5), (None, 4, 0.25)
    file = entity_file(tmp_path / f"rows{suffix}", (2, 4, 1.0), one, nobody, one)
    made = make(platform, entities=str(file))
    assert [(r["customer"], r["amount"], r["total"]) for r in rows(platform)] == [
        (None, 0.25, None),
        (1, 0.5, 40.0),
        (1, 0.5, 40.0),
        (2, 1.0, 20.0),
    ]
    assert made.manifest.entities.file == f"rows{suffix}"
    assert pins(platform) == {("features.totals", "v1")}
    # The order of the rows, and how they are stored, do not matter.
    entity_file(file, one, nobody, (2, 4, 1.0), one)
    assert make(platform, entities=str(file), verify=True).verified
    other = entity_file(tmp_path / "other.parquet", one, nobody, (2, 4, 1.0), one)
    if suffix == ".parquet":
        assert make(platform, entities=str(other)).state == "existing"
    entity_file(file, one, nobody, (2, 4, 1.0), (1, 5, 0.5))
    with pytest.raises(TrainingSetError, match="something else") as error:
        make(platform, entities=str(file))
    assert "other rows of rows" in error.value.problems[0].received
    file.unlink()
    assert "is gone" in make(platform, entities=str(file), verify=True).notes[0]


BROKEN_ROWS = {
    "no_such_file": ("nowhere.csv", "no such file"),
    "a_column_is_missing": ("customer,amount\n1,2\n", "has no column 'placed_at'"),
    "a_key_that_is_none": ("customer,placed_at,amount\nx-ray,2026-01-01,1\n", "Line: 2"),
    "no_rows": ("customer,placed_at,amount\n", "no entity rows"),
}


@pytest.mark.parametrize("case", BROKEN_ROWS)
def test_rows_that_cannot_be_used_are_told_without_their_values(
    platform: Platform, tmp_path: Path, case: str
) -> None:
    text, told = BROKEN_ROWS[case]
    file = tmp_path / "rows.csv"
    if "\n" in text:
        file.write_text(text)
    with pytest.raises(TrainingSetError, match=told) as error:
        make(platform, entities=str(file))
    assert "x-ray" not in str(error.value)
    assert error.value.__cause__ is None
    assert manifests(platform) == {}
    assert pins(platform) == set()


def test_a_moment_that_would_be_rounded_is_refused(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    moments = pa.array([1_767_225_600_000_000_001], pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table({"customer": [1], "placed_at": moments, "amount": [1.0]}), file)
    with pytest.raises(TrainingSetError, match="do not fit the lake's types") as error:
        make(platform, entities=str(file))
    assert "1767225600" not in str(error.value)


def test_a_column_cannot_change_its_type_within_one_table(
    platform: Platform, tmp_path: Path
) -> None:
    make(platform)
    file = tmp_path / "rows.parquet"
    moment = pa.array([day(1)], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"customer": [1], "placed_at": moment, "amount": ["10"]}), file)
    with pytest.raises(QualityPlatformError, match="'amount' of another type"):
        make(platform, "v2", entities=str(file))
    assert pins(platform) == {("features.totals", "v1"), ("shop.orders", "v1")}


def test_labels_may_be_of_any_type_that_the_lake_has(platform: Platform, tmp_path: Path) -> None:
    file, nan = tmp_path / "rows.parquet", float("nan")
    columns = {
        "customer": pa.array([1, 1, 1, 2], pa.int16()),
        "placed_at": pa.array([day(4)] * 4, pa.timestamp("ms")),
        "amount": pa.array([nan, -0.0, 0.0, None], pa.float64()),
        "tags": pa.array([["b"], ["a", None], None, []], pa.list_(pa.string())),
        "place": pa.array([{"x": 1, "y": "n"}, None, {"x": None, "y": ""}, {"x": 2, "y": "z"}]),
        "kind": pa.array(["a", "b", "a", None]).dictionary_encode(),
        "small": pa.array([1, 2, 255, None], pa.uint8()),
    }
    pq.write_table(pa.table(columns), file)
    labels = ["amount", "tags", "place", "kind", "small"]
    wanted = training_set(platform, "churn")
    config = wanted.config.model_copy(
        update={"entities": wanted.config.entities.model_copy(update={"labels": tuple(labels)})}  # type: ignore[union-attr]
    )
    sets = {"churn": config}
    runner = replace(
        platform.runner,
        config=platform.runner.config.model_copy(update={"training_sets": sets}),
    )
    other = replace(platform, runner=runner)
    made = make(other, entities=str(file))
    types = dict(made.manifest.columns)
    assert (types["customer"], types["small"]) == ("int32", "int32")
    assert types["event_timestamp"] == "timestamp[us]"
    shuffled = pa.table(columns).take(pa.array([3, 1, 0, 2]))
    pq.write_table(shuffled, file, row_group_size=1)
    assert make(other, entities=str(file), verify=True).verified
    found = rows(other)
    assert [str(row["amount"]) for row in found] == ["0.0", "-0.0", "nan", "None"]
    assert [row["tags"] for row in found] == [None, ["a", None], ["b"], []]
    assert [row["total"] for row in found] == [40.0, 40.0, 40.0, 20.0]
