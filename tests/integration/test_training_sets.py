"""Training sets over a real lake: what is in them, and what makes a version another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pytest
from support.project import Project, rows_of_table
from support.training_sets import (
    CHURN,
    TABLE,
    day,
    deliver_more,
    loaded,
    make,
    manifests,
    pins,
    rows,
    with_training_set,
)

from quality_platform.errors import ConfigurationError, TrainingSetError
from quality_platform.flows import training_sets
from quality_platform.flows.platform import Platform
from quality_platform.flows.training_manifest import Manifest
from quality_platform.history.training_sets import training_set_events
from quality_platform.lake.tags import tags_of


@pytest.fixture
def shop(project: Project) -> Project:
    return with_training_set(project)


@pytest.fixture
def platform(shop: Project) -> Platform:
    return loaded(shop)


def test_a_row_has_the_features_that_were_known_at_its_moment(platform: Platform) -> None:
    made = make(platform)
    assert made.state == "made"
    # Customer 1 has a total since the 3rd, customer 2 since the 2nd of January.
    assert rows(platform) == [
        {"customer": 1, "event_timestamp": day(1), "amount": 10.0, "total": None},
        {"customer": 1, "event_timestamp": day(3), "amount": 30.0, "total": 40.0},
        {"customer": 2, "event_timestamp": day(2), "amount": 20.0, "total": 20.0},
    ]
    assert rows_of_table(platform, TABLE, "v1") == rows(platform)


def test_the_manifest_tells_what_it_was_made_of(platform: Platform) -> None:
    made = make(platform).manifest
    assert manifests(platform) == {"v1": made}
    assert set(made.refs) == {"features.totals", "shop.orders"}
    for identifier, pinned in made.refs.items():
        table = platform.lake.table(identifier)
        assert tags_of(table)[pinned.tag] == pinned.snapshot_id
        assert pinned.snapshot_id == table.current_snapshot().snapshot_id
    assert made.features == ("totals:total",)
    assert made.rows == made.entities.rows == 3
    assert made.definitions["totals"]["features"] == [["total", "double"]]
    assert (made.owner, made.keep, made.run_id) == ("ml@example.org", "365d", "run")
    assert set(made.libraries) == {"quality-platform", "duckdb", "pyarrow", "pyiceberg"}
    (event,) = training_set_events(platform.lake, platform.engine)
    assert (event["event"], event["tag"], event["digest"]) == ("made", "v1", made.digest)


def test_the_same_call_again_makes_nothing(platform: Platform) -> None:
    made = make(platform)
    before = platform.lake.table(TABLE).metadata_location, pins(platform)
    again = make(platform)
    assert (again.state, again.snapshot_id) == ("existing", made.snapshot_id)
    assert (platform.lake.table(TABLE).metadata_location, pins(platform)) == before
    assert len(training_set_events(platform.lake, platform.engine)) == 1


def test_a_new_tag_is_a_new_version_of_what_there_is_now(shop: Project) -> None:
    first = make(loaded(shop))
    platform = deliver_more(shop, 1)
    second = make(platform, "v2")
    assert (first.manifest.rows, second.manifest.rows) == (3, 6)
    assert list(manifests(platform)) == ["v1", "v2"]
    assert [len(rows(platform, tag)) for tag in ("v1", "v2")] == [3, 6]
    assert len(rows_of_table(platform, TABLE)) == 6
    assert make(platform, verify=True).verified


def test_without_a_tag_the_same_inputs_are_the_same_version(shop: Project) -> None:
    platform = loaded(shop)
    first, again = make(platform, ""), make(platform, "")
    assert (first.state, again.state) == ("made", "existing")
    assert first.manifest.tag == again.manifest.tag
    other = make(deliver_more(shop, 1), "")
    assert other.state == "made"
    assert other.manifest.tag != first.manifest.tag


CHANGES: dict[str, tuple[Callable[[Project], object], str]] = {
    "the TTL": (
        lambda shop: shop.views["totals"].update(ttl_days=3),
        "definitions.totals.ttl_seconds: nothing then, 259200.0 now",
    ),
    "the labels": (
        lambda shop: shop.settings["training_sets"]["churn"].update(
            entities={**CHURN["entities"], "labels": ["id"]}
        ),
        'entities.amount: "amount" then, nothing now',
    ),
    "the table of the rows": (
        lambda shop: shop.settings["training_sets"]["churn"].update(
            entities={"table": "totals", "event_timestamp": "placed_at", "labels": []}
        ),
        "entities.event_timestamp",
    ),
    "the names": (
        lambda shop: shop.settings["training_sets"]["churn"].update(full_feature_names=True),
        "columns: customer, event_timestamp, amount, total then, ",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_version_is_not_taken_for_one_of_another_definition(shop: Project, change: str) -> None:
    make(loaded(shop))
    alter, told = CHANGES[change]
    alter(shop)
    if change == "the table of the rows":
        told = 'entities.amount: "amount" then, nothing now'
    with pytest.raises(TrainingSetError, match="was made of something else") as error:
        make(shop.open())
    assert told in error.value.problems[0].received
    assert make(shop.open(), "v2").state == "made"


def test_what_decides_no_value_may_change(shop: Project) -> None:
    make(loaded(shop))
    shop.views["totals"]["owner"] = "someone@example.org"
    shop.settings["training_sets"]["churn"] |= {"owner": "else@example.org", "keep": "7d"}
    assert make(shop.open(), verify=True).verified


def test_a_version_keeps_the_columns_of_its_time(shop: Project) -> None:
    first = make(loaded(shop))
    shop.settings["training_sets"]["churn"]["entities"]["labels"] = ["id"]
    platform = shop.open()
    second = make(platform, "v2")
    assert [name for name, _ in second.manifest.columns] == [
        "customer",
        "event_timestamp",
        "id",
        "total",
    ]
    assert [sorted(row) for row in rows(platform)] == [sorted(dict(first.manifest.columns))] * 3
    assert [row["id"] for row in rows(platform, "v2")] == [1, 3, 2]


def test_a_table_that_is_no_training_sets_is_not_overwritten(shop: Project) -> None:
    shop.settings["training_sets"]["churn"]["namespace"] = "shop"
    platform = loaded(shop)
    schema = pa.schema([("customer", pa.int64())])
    platform.lake.create_table("shop.churn", schema, {})
    with pytest.raises(TrainingSetError, match="is a table already"):
        make(platform)


@pytest.mark.parametrize("tag", ["main", "-x", "a b", "x" * 65, "../x"])
def test_a_version_has_a_plain_name(platform: Platform, tag: str) -> None:
    with pytest.raises(TrainingSetError, match="cannot be called that"):
        make(platform, tag)


def test_a_view_without_rows_is_told(shop: Project) -> None:
    with pytest.raises(TrainingSetError, match="nothing has been published"):
        make(shop.open())


def test_what_is_not_declared_is_told_with_what_is(platform: Platform) -> None:
    with pytest.raises(ConfigurationError, match="no training set 'chrun'") as error:
        training_sets.make_training_set(platform, training_sets.TrainingSetRequest("chrun"), "run")
    assert "churn" in str(error.value)


def test_a_manifest_comes_back_from_json_as_it_was(platform: Platform) -> None:
    made = make(platform).manifest
    assert Manifest.of_json(made.as_json()) == made
    assert replace(made, rows=4) != made
