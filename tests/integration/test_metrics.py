"""The metrics of a small shop, as Prometheus' own parser reads them."""

from __future__ import annotations

import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.command_line import call
from support.project import Project, integer, key, row_count
from support.replays import deliver, discarded, loaded, released
from support.shop import furnish, orders_csv

import quality_platform
from quality_platform.checks.specs import Fresh
from quality_platform.errors import HeaderError
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import maintain
from quality_platform.flows.platform import Platform
from quality_platform.history.records import RETRIES, RUNS_SCHEMA
from quality_platform.telemetry.collecting import PlatformCollector
from quality_platform.telemetry.exposition import exposition, served
from quality_platform.telemetry.families import FAMILIES

ORDERS = {"table": "orders", "namespace": "shop", "tenant": ""}

Scraped = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Scraped:
    """Every sample by its name and its labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(scraped: Scraped, name: str, **labels: str) -> float:
    return scraped["quality_platform_" + name, frozenset(labels.items())]


def of_orders(scraped: Scraped, name: str, **more: str) -> float:
    return value(scraped, name, **ORDERS, **more)


@pytest.fixture
def platform(project: Project) -> Platform:
    """A shop whose second file of orders has a row that is held back."""
    furnish(project).deliver("orders/february.csv", orders_csv(4, 40, -1))
    return project.open()


def test_a_lake_that_nothing_was_loaded_into_tells_that_it_is_there(platform: Platform) -> None:
    scraped = parsed(exposition(platform))
    assert value(scraped, "lake_up") == 1
    assert value(scraped, "build_info", version=quality_platform.__version__) == 1
    assert of_orders(scraped, "table_rows") == 0
    # Counters begin at 0, or the first load would be no increase.
    assert of_orders(scraped, "rows_read_total") == 0
    assert of_orders(scraped, "runs_total", state="failed") == 0
    assert not [name for name, _ in scraped if "freshness" in name or "last_" in name]


def test_every_number_of_a_load_can_be_scraped(platform: Platform) -> None:
    before = time.time()
    load_table(platform, "customers", "run-1")
    outcome = load_table(platform, "orders", "run-1")
    compute_feature_view(platform, "totals", "run-1")
    scraped = parsed(exposition(platform))
    assert of_orders(scraped, "rows_read_total") == 5
    assert of_orders(scraped, "rows_published_total") == 4
    assert of_orders(scraped, "rows_quarantined_total") == 1
    assert of_orders(scraped, "read_bytes_total") == outcome.bytes_read > 5 * 8
    assert of_orders(scraped, "written_bytes_total") == outcome.bytes_written > 0
    assert of_orders(scraped, "table_rows") == 4
    assert of_orders(scraped, "quarantine_rows") == 1
    held = sum(
        f.stat().st_size for f in Path(platform.home).rglob("quarantine/orders/data/*.parquet")
    )
    assert of_orders(scraped, "table_bytes") + held == outcome.bytes_written
    assert of_orders(scraped, "runs_total", state="published") == 1
    assert of_orders(scraped, "last_run_state", state="published") == 1
    assert 0 < of_orders(scraped, "run_seconds_total") < time.time() - before
    assert of_orders(scraped, "last_run_duration_seconds") == of_orders(
        scraped, "run_seconds_total"
    )
    assert before < of_orders(scraped, "last_publish_timestamp_seconds") < time.time()
    assert 0 <= of_orders(scraped, "freshness_seconds") < time.time() - before
    view = {"table": "totals", "namespace": "features", "tenant": ""}
    assert value(scraped, "rows_published_total", **view) == 2
    counted = {(r.verdict.value, r.spec.severity.value) for r in outcome.results}
    for verdict, severity in counted:
        expected = sum(
            (r.verdict.value, r.spec.severity.value) == (verdict, severity) for r in outcome.results
        )
        labels = {"verdict": verdict, "severity": severity}
        assert of_orders(scraped, "checks", **labels) == expected
        assert of_orders(scraped, "check_results_total", **labels) == expected
    assert ("fail", "error") in counted


def test_counters_add_up_over_runs_and_restarts_and_are_read_file_by_file(
    platform: Platform, project: Project
) -> None:
    kept = PlatformCollector(platform)
    load_table(platform, "customers", "run-1")
    load_table(platform, "orders", "run-1")
    kept.refresh()
    project.deliver("orders/march.csv", orders_csv(10, 1, 2, 3))
    project.deliver("orders/nonsense.csv", "nonsense\n")
    with pytest.raises(HeaderError):
        load_table(platform, "orders", "run-2")
    kept.refresh()
    assert {upkeep.error for upkeep in maintain(platform, ["history.runs"])} == {None}
    again = PlatformCollector(project.open())
    for collector in (kept, again):
        collector.refresh()
        told = {(family.name, labels): number for family, labels, number in collector.samples()}
        labels = ("orders", "shop", "")
        assert told["rows_read_total", labels] == 8
        assert told["rows_published_total", labels] == 7
        assert told["runs_total", (*labels, "published")] == 1
        assert told["runs_total", (*labels, "failed")] == 1
        assert told["last_run_state", (*labels, "failed")] == 1
        assert told["table_rows", labels] == 7


def test_what_replays_take_out_of_a_quarantine_is_published_and_not_counted_twice(
    project: Project,
) -> None:
    deliver(project, "a", (1, 5), (2, 50), (3, 60))
    platform = loaded(project)
    released(platform, where="id = 2")
    discarded(platform, where="id = 3")
    scraped = parsed(exposition(platform))
    assert of_orders(scraped, "rows_read_total") == 3
    assert of_orders(scraped, "rows_published_total") == 2
    assert of_orders(scraped, "rows_quarantined_total") == 2
    assert of_orders(scraped, "quarantine_rows") == 0
    assert of_orders(scraped, "runs_total", state="released") == 1
    assert of_orders(scraped, "last_run_state", state="discarded") == 1


def test_a_service_level_is_told_with_the_age_of_the_newest_value(project: Project) -> None:
    columns = {"id": key(integer()), "made": {"logicalType": "timestamp"}}
    project.table("orders", columns, quality=[row_count(2)])
    contract = project.folder / "contracts" / "orders.odcs.yaml"
    promise = "slaProperties:\n- {property: freshness, value: 4, unit: h, element: orders.made}\n"
    contract.write_text(contract.read_text() + promise)
    made = datetime.now(UTC) - timedelta(hours=1)
    project.deliver("orders/a.csv", f"id,made\n1,{made.isoformat()}\n2,2020-01-01T00:00:00Z\n")
    platform = project.open()
    load_table(platform, "orders", "run-1")
    (check,) = [s.name for s in platform.tables["orders"].specs if isinstance(s.claim, Fresh)]
    scraped = parsed(exposition(platform))
    assert of_orders(scraped, "data_age_limit_seconds", check=check) == 4 * 3600
    age = of_orders(scraped, "data_age_seconds", check=check)
    assert 3600 <= age <= (datetime.now(UTC) - made).total_seconds() + 1
    # What is newer, but blocked, is not there.
    project.deliver("orders/b.csv", f"id,made\n3,{datetime.now(UTC).isoformat()}\n")
    assert load_table(platform, "orders", "run-2").state == "blocked"
    assert of_orders(parsed(exposition(platform)), "data_age_seconds", check=check) >= age
    project.deliver("orders/b.csv", f"id,made\n3,{datetime.now(UTC).isoformat()}\n4,\n")
    assert load_table(platform, "orders", "run-3").state == "published"
    assert of_orders(parsed(exposition(platform)), "data_age_seconds", check=check) < 3600


def test_a_blocked_load_and_a_broken_table_can_be_seen(project: Project) -> None:
    furnish(project).deliver("orders/january.csv", orders_csv(1, 1))
    project.open()
    project.tables["wrong"] = {**project.tables["orders"], "contract": "nowhere.yaml"}
    assert call("run", "-r", project.write_runner(), "customers", "orders").code == 1
    ended = call("metrics", "--once", "-r", project.runner)
    scraped = parsed(ended.out)
    assert ended.code == 0
    assert of_orders(scraped, "blocked_loads") == 1
    assert of_orders(scraped, "table_broken") == 0
    assert value(scraped, "table_broken", table="wrong", namespace="shop", tenant="") == 1
    assert of_orders(scraped, "runs_total", state="blocked") == 1
    assert of_orders(scraped, "rows_read_total") == 1
    assert of_orders(scraped, "rows_published_total") == 0
    published = [labels for name, labels in scraped if name.endswith("publish_timestamp_seconds")]
    assert [dict(labels)["table"] for labels in published] == ["customers"]


def test_a_history_from_before_a_column_counts_nothing_for_it(platform: Platform) -> None:
    now = datetime.now(UTC)
    old = pa.schema([f for f in RUNS_SCHEMA if not f.name.startswith("bytes_")][:14])
    row = dict.fromkeys(old.names, 1) | {"table": "orders", "run_id": "r", "state": "published"}
    row |= {"started_at": now, "ended_at": now, "message": ""}
    table = platform.lake.create_table("history.runs", old, RETRIES)
    table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))
    scraped = parsed(exposition(platform))
    assert of_orders(scraped, "rows_read_total") == 1
    assert of_orders(scraped, "read_bytes_total") == 0


def test_a_reading_is_served_again_for_a_while_and_its_ages_go_on(platform: Platform) -> None:
    load_table(platform, "customers", "run-1")
    now = time.time()
    collector = PlatformCollector(platform, keep_seconds=15, clock=lambda: now)

    def told(name: str) -> dict[str, float]:
        metrics = {m.name: m for m in collector.collect()}
        samples = metrics[f"quality_platform_{name}"].samples
        return {s.labels["table"]: s.value for s in samples}

    assert told("table_rows")["customers"] == 2
    age = told("freshness_seconds")["customers"]
    load_table(platform, "customers", "run-2")
    assert load_table(platform, "orders", "run-2").rows_published == 4
    now += 14
    assert told("freshness_seconds")["customers"] == pytest.approx(age + 14)
    assert "orders" not in told("last_run_state")
    now += 1
    assert set(told("last_run_state")) == {"customers", "orders"}


def test_a_lake_that_cannot_be_read_is_told_and_the_exporter_goes_on(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    with served(platform, 0, "127.0.0.1", 0) as port:

        def scraped() -> Scraped:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                assert answer.headers["Content-Type"].startswith("text/plain; version=")
                return parsed(answer.read().decode())

        assert value(scraped(), "lake_up") == 1
        catalog = Path(platform.home) / "catalog.db"
        content = catalog.read_bytes()
        catalog.write_bytes(b"nonsense" * 1000)
        found = scraped()
        assert value(found, "lake_up") == 0
        assert not [name for name, _ in found if "table_rows" in name]
        assert [record.name for record in caplog.records] == ["quality_platform.metrics"]
        catalog.write_bytes(content)
        assert value(scraped(), "lake_up") == 1


def test_a_file_for_the_textfile_collector_is_replaced_at_once_or_not_at_all(
    platform: Platform, project: Project, tmp_path: Path
) -> None:
    file = tmp_path / "quality_platform.prom"
    assert call("metrics", "--once", "-o", file, "-r", project.runner).code == 0
    assert value(parsed(file.read_text()), "lake_up") == 1
    before = file.read_text()
    (Path(platform.home) / "catalog.db").write_bytes(b"nonsense" * 1000)
    assert call("metrics", "--once", "-o", file, "-r", project.runner).code == 2
    assert file.read_text() == before
    assert [path.name for path in tmp_path.glob("*.prom*")] == [file.name]
    assert call("metrics", "-o", file, "-r", project.runner).code == 2


def test_the_metrics_that_are_told_are_those_that_are_declared(platform: Platform) -> None:
    text = exposition(platform)
    kinds = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
    assert kinds == {family.full_name: family.kind for family in FAMILIES}
    for family in FAMILIES:
        assert family.full_name.endswith("_total") == (family.kind == "counter")
        assert family.help.endswith(".")


def test_the_metrics_of_a_tenant_say_whose_they_are(project: Project) -> None:
    project.settings = {"tenants": {"acme": {}}}
    project.table("orders", {"id": key(integer())})
    project.tables["orders"]["tenant"] = "acme"
    project.tables["wrong"] = {**project.tables["orders"], "contract": "nowhere.yaml"}
    project.deliver("orders/a.csv", "id\n1\n")
    runner = project.write_runner()
    assert call("run", "-r", runner, "orders").code == 0
    scraped = parsed(call("metrics", "--once", "-r", runner).out)
    acme = {"namespace": "acme__shop", "tenant": "acme"}
    assert value(scraped, "rows_read_total", table="orders", **acme) == 1
    assert value(scraped, "table_broken", table="wrong", **acme) == 1
