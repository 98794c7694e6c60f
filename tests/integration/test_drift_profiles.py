"""Profiles that a drift test keeps: a reference is read once, and what people froze stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.types import DoubleType
from support.command_line import call
from support.project import Project
from support.readings import JANUARY, days_csv, drift_verdicts, loaded, readings, wild
from support.tenants import ACME, load, tenants_in

from quality_platform.drift import profiling
from quality_platform.flows import maintain as upkeep
from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform
from quality_platform.history.drift_profiles import DRIFT_PROFILES
from quality_platform.lake.query import duckdb_session
from quality_platform.lake.table_files import read_parquet

TEST = {"columns": ["value", "kind", "owner"], "reference": JANUARY}


class Scans:
    """The columns of every relation that is profiled."""

    def __init__(self) -> None:
        self.columns: list[tuple[str, ...]] = []
        self._profile = profiling.profile_relation

    def __call__(
        self, connection: Any, relation: str, columns: Sequence[str], *more: Any, **named: Any
    ) -> Any:
        self.columns.append(tuple(columns))
        return self._profile(connection, relation, columns, *more, **named)

    def taken(self) -> list[tuple[str, ...]]:
        """What was profiled since the last time."""
        taken, self.columns = self.columns, []
        return taken


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> Scans:
    seen = Scans()
    monkeypatch.setattr(profiling, "profile_relation", seen)
    return seen


def kept(platform: Platform) -> list[tuple[str, str | None]]:
    """The columns and names of all profiles that are kept."""
    table = platform.lake.find_table(DRIFT_PROFILES)
    rows = table.scan().to_arrow().to_pylist() if table is not None else []
    return sorted(((row["column"], row["name"]) for row in rows), key=str)


def test_a_reference_is_read_once_however_often_it_is_compared_with(
    project: Project, scans: Scans
) -> None:
    platform = readings(project, TEST).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    project.deliver("readings/2.csv", days_csv("2026-02-01", 10))
    first = loaded(platform)
    all_three = ("value", "kind", "owner")
    assert scans.taken() == [all_three, all_three]
    # A restricted column is never kept: its reference is read again.
    assert kept(platform) == [("kind", None), ("value", None)]
    again = {r.spec.name: r for r in audit_table(platform, "readings", first)}
    assert scans.taken() == [("owner",), all_three]
    assert {n: r.message for n, r in again.items()} == {n: r.message for n, r in first.items()}
    assert {n: r.facts for n, r in again.items()} == {n: r.facts for n, r in first.items()}


def test_another_load_leaves_the_reference_read_where_its_files_stay(
    project: Project, scans: Scans
) -> None:
    platform = readings(project, TEST | {"columns": ["value"]}).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    project.deliver("readings/2.csv", days_csv("2026-02-01", 10))
    loaded(platform)
    scans.taken()
    project.deliver("readings/3.csv", days_csv("2026-02-11", 10, wild))
    assert drift_verdicts(loaded(platform))["value"] == "warn"
    assert len(scans.taken()) == 1
    list(maintain(platform, ["readings"], Wanted(tasks=["compact"])))
    audit_table(platform, "readings", ["value_has_not_drifted"])
    # Compaction has put the files together with others: the same rows, told by other files.
    assert len(scans.taken()) == 2


def test_a_column_that_took_the_name_of_another_is_no_longer_what_was_read(
    project: Project, scans: Scans
) -> None:
    platform = readings(project, TEST | {"columns": ["value"]}).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    loaded(platform)
    table = platform.lake.table("shop.readings")
    with table.update_schema() as update:
        update.rename_column("value", "was_value")
    with platform.lake.table("shop.readings").update_schema() as update:
        update.add_column("value", DoubleType())
    scans.taken()
    results = {r.spec.name: r for r in audit_table(platform, "readings", ["value_has_not_drifted"])}
    assert len(scans.taken()) == 2
    assert results["value_has_not_drifted"].facts["missing_share"] == 0
    assert "| reference | 620 | 100.00% |" in results["value_has_not_drifted"].detail


def test_another_column_is_all_that_is_read_for_it(project: Project, scans: Scans) -> None:
    platform = readings(project, TEST | {"columns": ["value"]}).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    loaded(platform)
    scans.taken()
    wider = readings(project, TEST | {"columns": ["value", "kind"]}).open()
    audit_table(wider, "readings", ["kind_has_not_drifted"])
    assert scans.taken() == [("kind",), ("value", "kind")]


def test_a_frozen_profile_outlives_the_rows_it_is_of(project: Project, scans: Scans) -> None:
    settings = {"columns": ["value", "kind"], "reference": {"profile": "normal"}}
    load = {"mode": "replace", "batch": "all"}
    platform = readings(project, settings, load=load).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    first = loaded(platform)
    assert {result.verdict.value for result in first.values()} == {"error"}
    assert "no profile 'normal'" in first["value_has_not_drifted"].message
    ended = call("drift", "freeze", "readings", "--name", "normal", "--runner", project.runner)
    assert ended.code == 0, ended.text
    assert "froze 620 rows (all published rows) as normal: value, kind" in ended.out
    project.deliver("readings/1.csv", days_csv("2026-03-01", 31, wild))
    scans.taken()
    results = loaded(platform)
    assert {result.verdict.value for result in results.values()} == {"warn"}
    assert len(scans.taken()) == 1
    told = str(results["value_has_not_drifted"].facts["reference"])
    assert told.startswith("the profile 'normal' of ")
    assert kept(platform) == [("kind", "normal"), ("value", "normal")]


def test_a_frozen_profile_never_changes_and_lacks_what_it_lacks(project: Project) -> None:
    platform = readings(project, TEST).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    loaded(platform)
    options = ("--runner", project.runner)
    period = ("--rows", "2026-01-01..2026-01-11", "--columns", "value,owner")
    ended = call("drift", "freeze", "readings", "--name", "ten", *period, *options)
    assert (ended.code, "froze 200 rows" in ended.out) == (0, True), ended.text
    assert ("owner", "ten") not in kept(platform)
    again = call("drift", "freeze", "readings", "--name", "ten", *options)
    assert again.code == 2
    assert "there is a profile 'ten' of shop.readings already" in again.err
    before = kept(platform)
    assert call("drift", "freeze", "readings", "--name", "other", *options).code == 0
    forgotten = call("drift", "forget", "readings", "--name", "other", *options)
    assert (forgotten.code, kept(platform)) == (0, before), forgotten.text
    twice = call("drift", "forget", "readings", "--name", "other", *options)
    assert (twice.code, "no profile 'other'" in twice.err, "ten" in twice.err) == (2, True, True)
    nothing = call("drift", "freeze", "readings", "--name", "o", "--columns", "owner", *options)
    assert (nothing.code, "nothing of shop.readings to freeze" in nothing.err) == (2, True)
    test = call(
        "drift", "readings", "--reference", "profile:ten", "--columns", "value,kind", *options
    )
    assert test.code == 2
    assert "has no column 'kind'" in test.out
    assert "pass  value_has_not_drifted" in test.out
    none = call("drift", "readings", "--reference", "profile:ten", "--columns", "kind", *options)
    assert (none.code, "has none of the columns" in none.out) == (2, True)


def test_upkeep_removes_old_profiles_but_not_those_that_were_frozen(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = readings(project, TEST | {"columns": ["value"]}).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    loaded(platform)
    call("drift", "freeze", "readings", "--name", "normal", "--runner", project.runner)
    assert kept(platform) == [("value", "normal"), ("value", None)]
    list(maintain(platform, [DRIFT_PROFILES], Wanted(tasks=["retention"], force=True)))
    assert len(kept(platform)) == 2
    monkeypatch.setattr(upkeep, "KEPT", timedelta(0))
    list(maintain(platform, [DRIFT_PROFILES], Wanted(tasks=["retention"], force=True)))
    assert kept(platform) == [("value", "normal")]
    assert drift_verdicts({
        r.spec.name: r for r in audit_table(platform, "readings", ["value_has_not_drifted"])
    }) == {"value": "pass"}  # fmt: skip


def test_profiles_are_found_by_the_table_that_they_are_of(project: Project) -> None:
    platform = readings(project, TEST | {"columns": ["value"]}).open()
    project.deliver("readings/1.csv", days_csv("2026-01-01", 31))
    loaded(platform)
    table = platform.lake.table(DRIFT_PROFILES)
    files = [task.file.file_path.removeprefix("file://") for task in table.scan().plan_files()]
    with duckdb_session(platform.engine) as connection:
        (row,) = connection.sql(
            f'SELECT "table", "column", text, days, made_at, cached_at FROM {read_parquet(files)}'
        ).fetchall()
    assert row[:4] == (
        "shop.readings", "value", "2026-01-01 to 2026-02-01 (exclusive)", 31.0,
    )  # fmt: skip
    assert row[4] == row[5]
    assert abs(datetime.now(UTC) - row[4]) < timedelta(minutes=10)


def test_a_tenants_profiles_are_in_a_table_of_its_own(
    home: Path,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "platform"
    folder.mkdir()
    tenants = tenants_in(folder)
    drift = {"columns": ["amount"], "event_timestamp": "placed_at", "reference": JANUARY}
    tenants.table(ACME, "orders")["drift"] = drift
    load(tenants, "acme__customers", "acme__orders")
    lake = tenants.sound().lake
    assert lake.find_table(DRIFT_PROFILES) is None
    kept_of_acme = lake.table(f"acme__{DRIFT_PROFILES}")
    assert kept_of_acme.scan().to_arrow()["column"].to_pylist() == ["amount"]
    looked_after = [done.table for done in maintain(tenants.sound(), wanted=Wanted(["compact"]))]
    assert f"acme__{DRIFT_PROFILES}" in looked_after
