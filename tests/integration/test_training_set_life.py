"""What becomes of a version of a training set: nothing, whatever happens to its inputs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.project import Project, integer
from support.shop import TOTALS, TOTALS_SQL
from support.training_sets import TABLE, deliver_more, loaded, make, rows, with_training_set

from quality_platform.errors import TableNotFoundError, TrainingSetError
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform
from quality_platform.flows.roll_back import plan_rollback, roll_back, table_states
from quality_platform.flows.training_export import export_training_set

HARSH = {"compact_below": "1000MB", "keep_snapshots": "0s", "keep_at_least": 1}
"""Upkeep that keeps nothing which it need not keep."""


@pytest.fixture
def shop(project: Project) -> Project:
    return with_training_set(project)


@pytest.fixture
def platform(shop: Project) -> Platform:
    return loaded(shop)


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
