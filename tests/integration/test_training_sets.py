"""Training sets over a real lake: what is in them, and that nothing changes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.project import Project, integer, rows_of_table
from support.shop import TOTALS, TOTALS_SQL
from support.training_sets import (
    CHURN,
    TABLE,
    deliver_more,
    loaded,
    make,
    manifests,
    pins,
    with_training_set,
)

from quality_platform.errors import (
    ConcurrentLoadError,
    ConfigurationError,
    QualityPlatformError,
    TableNotFoundError,
    TrainingSetError,
)
from quality_platform.flows import training_sets
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform
from quality_platform.flows.roll_back import plan_rollback, roll_back, table_states
from quality_platform.flows.training_definitions import training_set
from quality_platform.flows.training_export import export_training_set, training_rows
from quality_platform.flows.training_manifest import Manifest
from quality_platform.history.training_sets import training_set_events
from quality_platform.lake.tags import tags_of

HARSH = {"compact_below": "1000MB", "keep_snapshots": "0s", "keep_at_least": 1}
"""Upkeep that keeps nothing which it need not keep."""


@pytest.fixture
def shop(project: Project) -> Project:
    return with_training_set(project)


@pytest.fixture
def platform(shop: Project) -> Platform:
    return loaded(shop)


def rows(platform: Platform, tag: str = "v1") -> list[dict[str, Any]]:
    return training_rows(platform, TABLE, manifests(platform)[tag]).to_pylist()


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


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


def test_loads_compaction_and_expiry_leave_a_version_as_it_is(
    shop: Project, tmp_path: Path
) -> None:
    made, before = make(loaded(shop)), tmp_path / "before.parquet"
    export_training_set(shop.open(), TABLE, made.manifest, before)
    shop.settings["maintenance"] = HARSH
    for number in range(1, 4):
        platform = deliver_more(shop, number)
        upkeep = list(maintain(platform, (), Wanted(force=True)))
        assert all(one.error is None for one in upkeep)
    removed = {one.table: one.expire.snapshots for one in upkeep if one.expire}
    assert removed["shop.orders"]
    assert any(one.compact and one.compact.files_after for one in upkeep)
    again = make(platform, verify=True)
    assert (again.state, again.verified, again.manifest) == ("existing", True, made.manifest)
    after = tmp_path / "after.parquet"
    export_training_set(platform, TABLE, again.manifest, after)
    assert after.read_bytes() == before.read_bytes()


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


def test_an_attempt_that_fails_leaves_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise TrainingSetError("on purpose")

    monkeypatch.setattr(training_sets, "require_rows", fails)
    with pytest.raises(TrainingSetError, match="on purpose"):
        make(platform)
    assert (manifests(platform), pins(platform)) == ({}, set())
    assert tags_of(platform.lake.table(TABLE)) == {}


class Killed(BaseException):
    """Stands for the death of the process."""


def test_what_a_dead_attempt_pinned_is_released_once_it_must_be_dead(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = loaded(shop)

    def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training_sets, "replace_and_tag", dies)
        with pytest.raises(Killed):
            make(platform)
    assert manifests(platform) == {}
    left = {("features.totals", "v1"), ("shop.orders", "v1")}
    assert pins(platform) == left
    list(maintain(platform, ("orders", "totals"), Wanted(("tags",))))
    assert pins(platform) == left
    (told, *_) = maintain(platform, ("orders",), Wanted(("tags",), force=True, dry_run=True))
    assert told.tags is not None
    assert len(told.tags.pins) == 1
    assert pins(platform) == left
    assert make(platform).state == "made"
    # Those of the version that was made meanwhile stay.
    list(maintain(platform, ("orders", "totals"), Wanted(("tags",), force=True)))
    assert pins(platform) == left
    assert make(platform, verify=True).verified


def test_of_two_makers_of_one_version_the_slower_finds_that_of_the_faster(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, faster = training_sets.replace_and_tag, []

    def late(*arguments: Any) -> Any:
        if not faster:
            faster.append(None)
            faster[0] = make(platform)
        return commit(*arguments)

    monkeypatch.setattr(training_sets, "replace_and_tag", late)
    slower = make(platform)
    assert (faster[0].state, slower.state) == ("made", "existing")
    assert slower.manifest == faster[0].manifest
    identifiers = ("features.totals", "shop.orders")
    assert {i: len(tags_of(platform.lake.table(i))) for i in identifiers} == dict.fromkeys(
        identifiers, 1
    )
    assert make(platform, verify=True).verified


def test_another_version_that_is_made_meanwhile_is_no_obstacle(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, others = training_sets.replace_and_tag, []

    def late(*arguments: Any) -> Any:
        if not others:
            others.append("v2")
            make(platform, "v2")
        return commit(*arguments)

    monkeypatch.setattr(training_sets, "replace_and_tag", late)
    make(platform)
    assert set(manifests(platform)) == {"v1", "v2"}
    assert [len(rows(platform, tag)) for tag in ("v1", "v2")] == [3, 3]


def test_rows_that_somebody_changed_are_found(platform: Platform) -> None:
    make(platform)
    table = platform.lake.table(TABLE)
    (task,) = table.scan().plan_files()
    path = Path(task.file.file_path.removeprefix("file://"))
    stored = pq.read_table(path)
    amounts = pa.array([99.0, 30.0, 20.0])
    column = stored.schema.get_field_index("amount")
    pq.write_table(stored.set_column(column, stored.schema.field("amount"), amounts), path)
    with pytest.raises(TrainingSetError, match="not those that were written"):
        make(platform, verify=True)
    with pytest.raises(TrainingSetError, match="not those that were written"):
        rows(platform)


def test_a_pin_that_is_gone_is_told_and_the_version_stays(platform: Platform) -> None:
    made = make(platform)
    table = platform.lake.table("features.totals")
    table.manage_snapshots().remove_tag(made.manifest.refs["features.totals"].tag).commit()
    with pytest.raises(TableNotFoundError, match=r"of features\.totals .* is gone"):
        make(platform, verify=True)
    assert make(platform).state == "existing"
    assert len(rows(platform)) == 3


def test_a_table_that_was_set_aside_is_still_read(platform: Platform) -> None:
    make(platform)
    platform.lake.catalog.rename_table("features.totals", "features.totals_v1")
    assert make(platform, verify=True).verified


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


def test_losing_every_race_is_told(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def loses(*_: object) -> None:
        raise ConcurrentLoadError("lost")

    monkeypatch.setattr(training_sets, "replace_and_tag", loses)
    monkeypatch.setattr("quality_platform.flows.recording.ATTEMPTS", 2)
    with pytest.raises(ConcurrentLoadError, match="lost"):
        make(platform)
    assert pins(platform) == set()


def test_a_manifest_comes_back_from_json_as_it_was(platform: Platform) -> None:
    made = make(platform).manifest
    assert Manifest.of_json(made.as_json()) == made
    assert replace(made, rows=4) != made


def test_a_view_that_has_got_a_column_since_then_gives_the_same_again(shop: Project) -> None:
    made = make(loaded(shop))
    sql = TOTALS_SQL.replace("SELECT customer", "SELECT count(*) AS orders, customer")
    settings = {k: v for k, v in shop.views["totals"].items() if k not in ("contract", "sql")}
    shop.view("totals", sql, {**TOTALS, "orders": integer()}, settings, version="1.1.0")
    platform = deliver_more(shop, 1)
    assert "orders" in platform.lake.table("features.totals").schema().column_names
    again = make(platform, verify=True)
    assert (again.verified, again.manifest) == (True, made.manifest)


def test_a_rollback_changes_no_version(shop: Project) -> None:
    make(loaded(shop))
    platform = deliver_more(shop, 1)
    second = make(platform, "v2")
    states = table_states(platform, "orders")
    oldest = min(states, key=lambda state: state.committed_at)
    plan = plan_rollback(platform, "orders", str(oldest.snapshot_id))
    roll_back(platform, plan, "run")
    for tag in ("v1", "v2"):
        assert make(platform, tag, verify=True).verified
    assert len(rows(platform, "v2")) == second.manifest.rows == 6


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
