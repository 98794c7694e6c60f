"""The online store beside what is published: what differs, is stale, missing or ahead."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
import redis
from support.command_line import call
from support.feature_rows import published_rows, store_in
from support.online_shop import online_shop, run_all
from support.project import Project, rows_of_table
from support.shop import orders_csv

from quality_platform.checks.results import Verdict
from quality_platform.errors import RunnerFileError
from quality_platform.feature_store.definitions import (
    EntityDefinition,
    FeatureViewDefinition,
    RedisOnline,
    SqliteOnline,
    StoreSettings,
)
from quality_platform.feature_store.skew import (
    KINDS,
    SkewFigures,
    SkewRequest,
    as_online,
    compare_online,
)
from quality_platform.feature_store.store import apply_views, materialize
from quality_platform.flows.platform import Platform
from quality_platform.flows.skew import skew_result
from quality_platform.history.records import CHECK_RESULTS, RUNS, latest_runs

INSTANT = pa.timestamp("us", "UTC")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
ROWS = pa.schema(
    [("origin", pa.string()), ("at", INSTANT), ("delay", pa.float64()), ("flights", pa.int64())]
)
VIEW = FeatureViewDefinition(
    name="delays",
    table="features.delays",
    entities=(EntityDefinition("airport", "origin", pa.string()),),
    event_timestamp="at",
    features=pa.schema([("delay", pa.float64()), ("flights", pa.int64())]),
)
ASKED = SkewRequest("delays")


def rows(*found: tuple[str, float, float | None, int]) -> Iterable[dict[str, Any]]:
    """Rows of (origin, hours after Monday, delay, flights)."""
    for origin, hours, delay, flights in found:
        at = MONDAY + timedelta(hours=hours)
        yield {"origin": origin, "at": at, "delay": delay, "flights": flights}


def publish(settings: StoreSettings, *found: tuple[str, float, float | None, int]) -> int:
    return published_rows(settings.lake, "features.delays", ROWS, rows(*found))


@pytest.fixture(params=["sqlite", "redis"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A store with four airports online, in both kinds of online stores."""
    found = store_in(tmp_path)
    if request.param == "redis":
        address = urlsplit(request.getfixturevalue("redis_url"))
        online = RedisOnline(str(address.hostname), int(address.port or 0), db=8)
        found = replace(found, online_store=online)
        with redis.Redis(host=online.host, port=online.port, db=8) as client:
            client.flushdb()
    publish(
        found, ("JFK", 1, 1.5, 1), ("LGA", 1.0001, None, 2), ("EWR", 3, 3.0, 3), ("BOS", 2, 2.0, 4)
    )
    apply_views(found, [VIEW])
    materialize(found, VIEW)
    return found


def kinds(figures: SkewFigures) -> dict[str, int]:
    """The entities that are wrong, by kind."""
    return {kind: figures.kinds[kind] for kind in KINDS if figures.kinds[kind]}


def test_a_store_that_was_just_materialized_agrees(settings: StoreSettings) -> None:
    figures = compare_online(settings, ASKED)
    assert (figures.entities, kinds(figures), figures.examples) == (4, {}, [])


def test_rows_published_since_are_stale_or_missing(settings: StoreSettings) -> None:
    publish(settings, ("JFK", 5, 5.0, 5), ("PHL", 5, 5.0, 5), ("BOS", 1, 9.0, 9))
    figures = compare_online(settings, ASKED)
    assert figures.entities == 5
    assert kinds(figures) == {"stale": 1, "missing": 1}
    by_kind = {example.kind: example for example in figures.examples}
    assert by_kind["stale"].key == {"origin": "JFK"}
    assert by_kind["stale"].online_at == MONDAY + timedelta(hours=1)
    assert by_kind["missing"].key == {"origin": "PHL"}


def test_values_that_the_published_table_does_not_have_are_ahead(settings: StoreSettings) -> None:
    old = settings.lake.table("features.delays").current_snapshot()
    assert old is not None
    publish(settings, ("JFK", 5, 5.0, 5))
    materialize(settings, VIEW)
    pinned = replace(settings, refs={"features.delays": str(old.snapshot_id)})
    assert kinds(compare_online(pinned, ASKED)) == {"ahead": 1}


def test_values_of_the_same_time_that_differ_are_told_by_feature(settings: StoreSettings) -> None:
    # As a correction does that keeps the event time: created timestamps are not in play.
    other = store_in(
        Path(str(settings.folder)).parent / "other", online_store=settings.online_store
    )
    published_rows(
        other.lake, "features.delays", ROWS, rows(("JFK", 1, 1.6, 1), ("EWR", 3, 3.0, 7))
    )
    apply_views(other, [VIEW])
    figures = compare_online(other, ASKED)
    assert kinds(figures) == {"different": 2}
    assert figures.features == {"delay": 1, "flights": 1}
    assert {e.features for e in figures.examples} == {("delay",), ("flights",)}
    assert kinds(compare_online(other, replace(ASKED, tolerance=0.1))) == {"different": 1}


def test_the_same_entities_are_compared_for_the_same_snapshot(settings: StoreSettings) -> None:
    publish(settings, *((f"A{n}", 9, 1.0, n) for n in range(40)))
    asked = replace(ASKED, sample=10, examples=10)
    first, again = compare_online(settings, asked), compare_online(settings, asked)
    assert first.entities == 10
    assert first.examples == again.examples


def test_a_view_that_is_not_online_yet_cannot_be_compared(tmp_path: Path) -> None:
    settings = store_in(tmp_path)
    publish(settings, ("JFK", 1, 1.0, 1))
    apply_views(settings, [VIEW])
    assert kinds(compare_online(settings, ASKED)) == {"missing": 1}


@pytest.mark.parametrize(
    ("type_", "value", "online"),
    [
        (
            INSTANT,
            datetime(2026, 1, 1, 1, 1, 1, 5, tzinfo=UTC),
            datetime(2026, 1, 1, 1, 1, 1, tzinfo=UTC),
        ),
        (pa.timestamp("us"), datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)),
        (pa.date32(), datetime(2026, 1, 1).date(), datetime(2026, 1, 1, tzinfo=UTC)),
        (pa.float32(), 0.1, 0.10000000149011612),
        (pa.map_(pa.string(), pa.int64()), [("a", 1)], {"a": 1}),
        (pa.list_(pa.date32()), [datetime(2026, 1, 1).date()], [datetime(2026, 1, 1, tzinfo=UTC)]),
        (pa.decimal128(9, 2), Decimal("1.10"), Decimal("1.10")),
        (pa.int64(), None, None),
    ],
)
def test_a_value_is_compared_as_feast_keeps_it(type_: pa.DataType, value: Any, online: Any) -> None:
    assert as_online(value, type_) == online


def break_online(settings: SqliteOnline) -> None:
    """Takes one of the two customers out of the online store."""
    store = sqlite3.connect(settings.path)
    with store:
        table = "quality_platform_totals"
        [(key,), *_] = store.execute(f"SELECT DISTINCT entity_key FROM {table}").fetchall()
        store.execute(f"DELETE FROM {table} WHERE entity_key = ?", (key,))
    store.close()


def test_the_check_of_a_view_passes_and_fails_by_its_limits(project: Project) -> None:
    online_shop(project, skew={"max_missing": 0.5})
    platform = project.open()
    run_all(platform)
    good = skew_result(platform, "totals")
    assert (good.verdict, good.rows, good.count) == (Verdict.PASS, 2, 0)
    break_online(SqliteOnline(platform.home / "feast" / "online.db"))
    assert skew_result(platform, "totals").verdict is Verdict.PASS
    online_shop(project, skew={"max_missing": 0.4, "severity": "warning"})
    bad = skew_result(project.open(), "totals")
    assert (bad.verdict, bad.rows, bad.count) == (Verdict.WARN, 2, 1)
    assert bad.message == "of 2 entities 1 are absent online (limit 40.00%)"
    assert [example["what"] for example in bad.sample] == ["are absent online"]
    assert "| are absent online | 1 | 50.00% | 40.00% |" in bad.detail


def test_keys_that_the_contract_restricts_are_not_shown(project: Project) -> None:
    online_shop(project)
    file = project.folder / "contracts" / "totals.odcs.yaml"
    text = file.read_text().replace(
        "- name: customer\n", "- name: customer\n    classification: restricted\n"
    )
    file.write_text(text)
    platform = project.open()
    run_all(platform)
    break_online(SqliteOnline(platform.home / "feast" / "online.db"))
    [example] = skew_result(platform, "totals").sample
    assert example["customer"] == "***"


def test_the_command_tells_what_is_wrong_by_its_exit_code(project: Project) -> None:
    online_shop(project)
    platform = project.open()
    run_all(platform)
    command = ("skew", "totals", "-r", project.runner)
    good = call(*command)
    assert (good.code, good.out) == (0, "pass: of 2 entities all are as published\n")
    project.deliver("orders/february.csv", orders_csv(10, 5, 5, 5, 5, 5, 5))
    run_all(platform, "orders")
    break_online(SqliteOnline(platform.home / "feast" / "online.db"))
    bad = call(*command)
    assert bad.code == 1
    assert "fail: of 2 entities 1 are absent online" in bad.out
    assert '"verdict": "fail"' in call(*command, "--json", "--sample", "2").out
    assert call("skew", "orders", "-r", project.runner).code == 2


def recorded(platform: Platform) -> list[tuple[Any, ...]]:
    """The comparisons in the history, the oldest first: run, verdict, entities, wrong ones."""
    rows = rows_of_table(platform, CHECK_RESULTS)
    compared = [row for row in rows if row["table"] == "skew.totals"]
    assert {row["check"] for row in compared} <= {"online_is_as_published"}
    ordered = sorted(compared, key=lambda row: row["checked_at"])
    return [(row["run_id"], row["verdict"], row["rows"], row["count"]) for row in ordered]


def test_a_run_without_dagster_compares_and_keeps_what_it_found(project: Project) -> None:
    online_shop(project, skew={})
    platform = project.open()
    outcome = run_all(platform)["online.totals"]
    assert [result.verdict for result in outcome.results] == [Verdict.PASS]
    assert recorded(platform) == [("run-1", "pass", 2, 0)]
    [run] = [row for row in rows_of_table(platform, RUNS) if row["table"] == "skew.totals"]
    assert (run["state"], run["checks_passed"], run["rows_read"]) == ("compared", 1, 2)
    assert run["snapshot_id"] == outcome.snapshot_id
    # Nothing is new, and the store is compared all the same: it may have lost something.
    break_online(SqliteOnline(platform.home / "feast" / "online.db"))
    bad = call("run", "-r", project.runner)
    assert bad.code == 1
    assert "✗ online.totals: nothing new to materialize" in bad.out
    assert "fail  online_is_as_published 1 of 2 rows" in bad.out
    assert [found[1:] for found in recorded(platform)[1:]] == [("fail", 2, 1)]
    assert latest_runs(platform.lake, platform.engine)["online.totals"]["state"] == "materialized"


def test_a_skew_that_only_warns_ends_no_run(project: Project) -> None:
    online_shop(project, skew={"severity": "warning"})
    platform = project.open()
    run_all(platform)
    break_online(SqliteOnline(platform.home / "feast" / "online.db"))
    run_all(platform)
    assert [found[1] for found in recorded(platform)] == ["pass", "warn"]


def test_a_view_without_skew_is_not_compared_by_a_run(project: Project) -> None:
    online_shop(project)
    platform = project.open()
    assert run_all(platform)["online.totals"].results == ()
    assert skew_result(platform, "totals").verdict is Verdict.PASS
    assert recorded(platform) == []


def test_what_cannot_be_compared_is_an_error_and_no_pass(project: Project) -> None:
    online_shop(project)
    platform = project.open()
    result = skew_result(platform, "totals")
    assert result.verdict is Verdict.ERROR
    assert "could not run" in result.message
    with pytest.raises(RunnerFileError, match="no feature view that is materialized online"):
        skew_result(platform, "orders")
