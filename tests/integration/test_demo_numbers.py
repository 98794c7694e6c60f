"""Every number that the demo reports is what plain SQL on its CSV files says.

The SQL (tests/cases/demo_checks.py) was written by hand from the files, and knows nothing of the
platform: another reader, other conditions, no contract.
"""

from __future__ import annotations

import csv
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest
from cases import demo_checks as cases

from quality_platform.checks.results import CheckResult
from quality_platform.checks.specs import NoDrift
from quality_platform.flows.audit_table import audit_table
from quality_platform.flows.outcomes import MaterializationOutcome, TableOutcome
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.flows.run_platform import StepOutcome, run_platform
from quality_platform.flows.table_status import quarantined_rows

ROOT = Path(__file__).parents[2]
TABLES = ("airlines", "airports", "planes", "weather", "flights")


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Demo:
    """One run of everything, and the landed files in a database of their own."""

    platform: Platform
    landing: Path
    steps: dict[str, StepOutcome]
    files: duckdb.DuckDBPyConnection

    def outcome(self, table: str) -> TableOutcome:
        outcome = self.steps[table].outcome
        assert isinstance(outcome, TableOutcome), self.steps[table]
        return outcome

    def result(self, table: str, check: str) -> CheckResult:
        return {r.spec.name: r for r in self.outcome(table).results}[check]

    def ask(self, sql: str) -> Any:
        ((value,),) = self.files.execute(sql).fetchall()
        return value


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUALITY_PLATFORM_HOME", str(home))
        script = loaded(ROOT / "demo" / "land_flights.py")
        script.land(home / "landing", script.data_folder())
        platform = open_platform(ROOT / "runner.yaml")
        steps = {s.name: s for s in run_platform(platform, (), "run-1", lambda *_: None)}
    with duckdb.connect() as files:
        files.execute("SET TimeZone = 'UTC'")
        for table in TABLES:
            read_table(files, home / "landing", table)
        yield Demo(platform, home / "landing", steps, files)


def read_table(files: duckdb.DuckDBPyConnection, landing: Path, table: str) -> None:
    """Makes the table of the files, and of those of its rows that break no error rule."""
    pattern = landing / ("flights/*.csv" if table == "flights" else f"{table}.csv")
    types = dict(column.split(" ") for column in cases.COLUMNS[table].split(", "))
    casts = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in types.items())
    files.execute(
        f"CREATE TABLE {table} AS SELECT {casts}, filename FROM read_csv('{pattern}', "
        "all_varchar = true, nullstr = ['', 'NA'], header = true, filename = true, quote = '\"')"
    )
    broken = " OR ".join(f"({condition})" for condition in cases.ERRORS[table].values())
    files.execute(
        f"CREATE TABLE good_{table} AS SELECT * FROM {table} t WHERE NOT coalesce({broken}, FALSE)"
    )


@cache
def row_checks() -> list[tuple[str, str, str]]:
    return [
        (table, check, condition)
        for table in TABLES
        for check, condition in {**cases.ERRORS[table], **cases.WARNINGS[table]}.items()
    ]


def test_everything_succeeded(demo: Demo) -> None:
    views = [f"{by}_delays_daily" for by in ("carrier", "airport")]
    assert list(demo.steps) == [*TABLES, *(n for v in views for n in (v, f"online.{v}"))]
    assert [name for name, step in demo.steps.items() if not step.succeeded] == []


def test_the_numbers_that_everybody_quotes(demo: Demo) -> None:
    assert demo.outcome("flights").rows_read == 336_776
    assert demo.result("flights", "tailnum_not_null").count == 2_512
    assert demo.result("flights", "tailnum_in_planes").count == 50_094
    assert demo.result("flights", "cancelled_share").count == 8_255


def test_every_check_of_every_table_has_its_sql(demo: Demo) -> None:
    for table in TABLES:
        parts = (cases.ERRORS, cases.WARNINGS, cases.UNIQUE, cases.BATCHES)
        written = {"conforms_to_schema"}.union(*(part[table] for part in parts))
        assert {result.spec.name for result in demo.outcome(table).results} == written


@pytest.mark.parametrize("table", TABLES)
def test_rows_read_published_and_held_are_those_of_the_files(demo: Demo, table: str) -> None:
    outcome = demo.outcome(table)
    read, good = demo.ask(f"SELECT count(*) FROM {table}"), f"SELECT count(*) FROM good_{table}"
    published = demo.ask(good)
    assert (outcome.rows_read, outcome.rows_published) == (read, published)
    assert outcome.rows_quarantined == read - published
    assert outcome.total_rows == published
    assert len(list(quarantined_rows(demo.platform, table))) == read - published


def test_each_month_is_a_load_with_its_own_counts(demo: Demo) -> None:
    loads = demo.outcome("flights").loads
    months = demo.files.execute(
        "SELECT month, count(*), count(*) FILTER (tailnum IS NULL) FROM flights GROUP BY month "
        "ORDER BY month"
    ).fetchall()
    assert [
        (load.files[0], load.rows_read, load.rows_published, load.rows_quarantined)
        for load in loads
    ] == [(f"flights_2013_{m:02d}.csv", rows, rows - bad, bad) for m, rows, bad in months]


@pytest.mark.parametrize(("table", "check", "condition"), row_checks())
def test_the_count_of_a_check_is_that_of_the_files(
    demo: Demo, table: str, check: str, condition: str
) -> None:
    result = demo.result(table, check)
    count = demo.ask(f"SELECT count(*) FROM {table} t WHERE {condition}")
    assert (result.count, result.rows) == (count, demo.outcome(table).rows_read)
    severity = "error" if check in cases.ERRORS[table] else "warning"
    assert result.spec.severity == severity


@pytest.mark.parametrize(
    ("table", "check", "keys"),
    [(table, check, keys) for table in TABLES for check, keys in cases.UNIQUE[table].items()],
)
def test_the_count_of_repeated_keys_is_that_of_the_files(
    demo: Demo, table: str, check: str, keys: str
) -> None:
    present = " AND ".join(f"{key} IS NOT NULL" for key in keys.split(", "))
    groups = (
        f"SELECT count(*) AS n FROM {table} WHERE {present} GROUP BY filename, {keys} "
        "HAVING count(*) > 1"
    )
    count = demo.ask(f"SELECT coalesce(sum(n), 0) FROM ({groups})")
    assert demo.result(table, check).count == count


@pytest.mark.parametrize(
    ("table", "check", "metric"),
    [(table, check, metric) for table in TABLES for check, metric in cases.BATCHES[table].items()],
)
def test_the_value_of_a_gate_is_that_of_each_file(
    demo: Demo, table: str, check: str, metric: str
) -> None:
    values = demo.files.execute(
        f"SELECT {metric} FROM {table} GROUP BY filename ORDER BY filename"
    ).fetchall()
    results = [
        next(result for result in load.results if result.spec.name == check)
        for load in demo.outcome(table).loads
    ]
    reported = [float(result.value) for result in results if result.value is not None]
    assert reported == pytest.approx([float(value) for (value,) in values], abs=1e-9)


def test_gates_warn_in_the_months_that_break_them_and_in_no_other(demo: Demo) -> None:
    broken = {
        check: [
            load.files[0]
            for load in demo.outcome("flights").loads
            for result in load.results
            if result.spec.name == check and result.verdict != "pass"
        ]
        for check in cases.BATCHES["flights"]
    }
    cancelled = demo.files.execute(
        "SELECT parse_filename(filename) FROM flights GROUP BY filename "
        "HAVING count(*) FILTER (dep_time IS NULL) > 0.05 * count(*) ORDER BY 1"
    ).fetchall()
    early = demo.files.execute(
        "SELECT DISTINCT parse_filename(filename) FROM flights WHERE dep_delay < -30 ORDER BY 1"
    ).fetchall()
    assert broken == {
        "rows_per_month": [],
        "one_month_per_batch": [],
        "cancelled_share": [name for (name,) in cancelled],
        "departs_at_most_half_an_hour_early": [name for (name,) in early],
    }
    assert len(cancelled) == 1
    assert len(early) == 3


def test_held_flights_are_the_lines_without_a_tail_number(demo: Demo) -> None:
    without = set()
    for path in sorted((demo.landing / "flights").glob("*.csv")):
        with path.open(newline="") as stream:
            rows = csv.DictReader(stream)
            without |= {(path.name, n) for n, r in enumerate(rows, 2) if r["tailnum"] in ("", "NA")}
    held = list(quarantined_rows(demo.platform, "flights"))
    assert {(row["_source_file"], row["_source_line"]) for row in held} == without
    assert {tuple(row["_broken_rules"]) for row in held} == {("tailnum_not_null",)}
    weatherless = demo.ask(
        "SELECT count(*) FROM flights t WHERE tailnum IS NULL "
        f"AND {cases.WARNINGS['flights']['departure_has_weather']}"
    )
    assert sum("departure_has_weather" in row["_warnings"] for row in held) == weatherless > 0


def test_published_flights_are_the_files_rows_value_by_value(demo: Demo) -> None:
    columns = ", ".join(column.split(" ")[0] for column in cases.COLUMNS["flights"].split(", "))
    published = demo.platform.lake.table("nyc.flights").scan().to_arrow()
    assert published.num_rows == 334_264
    demo.files.register("published", published)
    for one, other in (("published", "good_flights"), ("good_flights", "published")):
        difference = f"SELECT {columns} FROM {one} EXCEPT ALL SELECT {columns} FROM {other}"
        assert demo.ask(f"SELECT count(*) FROM ({difference})") == 0
    demo.files.unregister("published")


def test_an_audit_counts_published_rows(demo: Demo) -> None:
    audited = {r.spec.name: r for r in audit_table(demo.platform, "flights")}
    for check, condition in {**cases.ERRORS["flights"], **cases.WARNINGS["flights"]}.items():
        if audited[check].spec.scope == "row":
            count = demo.ask(f"SELECT count(*) FROM good_flights t WHERE {condition}")
            assert (check, audited[check].count) == (check, count)
    # Gates judge what was read, month by month.
    assert audited["cancelled_share"].count == 8_255
    assert audited["cancelled_share"].verdict == "warn"
    assert audited["rows_per_month"].rows == 336_776


def test_the_feature_view_has_a_row_for_every_carrier_and_day(demo: Demo) -> None:
    outcome = demo.outcome("carrier_delays_daily")
    days = "SELECT count(DISTINCT (carrier, year, month, day)) FROM good_flights"
    assert outcome.total_rows == outcome.rows_read == demo.ask(days)
    features = demo.platform.lake.table("features.carrier_delays_daily").scan().to_arrow()
    demo.files.register("features", features)
    wrong = demo.ask(
        """
        SELECT count(*) FROM features f JOIN (
            SELECT carrier, make_date(year, month, day) AS day, count(*) AS flights,
                sum(dep_delay) / count(dep_delay) AS mean_dep_delay,
                sum((arr_delay < 15)::INT) / count(arr_delay) AS on_time_share
            FROM good_flights GROUP BY ALL
        ) e ON e.carrier = f.carrier AND e.day = f.event_timestamp::DATE
        WHERE e.flights <> f.flights
            OR abs(coalesce(e.mean_dep_delay - f.mean_dep_delay, 0)) > 1e-9
            OR (e.mean_dep_delay IS NULL) <> (f.mean_dep_delay IS NULL)
            OR abs(coalesce(e.on_time_share - f.on_time_share, 0)) > 1e-9
        """
    )
    assert wrong == 0
    drifted = [r for r in outcome.results if isinstance(r.spec.claim, NoDrift)]
    december = "SELECT count(DISTINCT (carrier, day)) FROM good_flights WHERE month = 12"
    assert {result.rows for result in drifted} == {demo.ask(december)}
    online = demo.steps["online.carrier_delays_daily"].outcome
    assert isinstance(online, MaterializationOutcome)
    assert online.rows == demo.ask("SELECT count(DISTINCT carrier) FROM good_flights")


def test_the_airports_have_a_row_for_every_day(demo: Demo) -> None:
    outcome = demo.outcome("airport_delays_daily")
    assert outcome.total_rows == demo.ask(
        "SELECT count(DISTINCT (origin, month, day)) FROM good_flights"
    )
    features = demo.platform.lake.table("features.airport_delays_daily").scan().to_arrow()
    demo.files.register("airport_features", features)
    wrong = demo.ask(
        """
        SELECT count(*) FROM airport_features f JOIN (
            SELECT origin, make_date(year, month, day) AS day, count(*) AS flights,
                sum(dep_delay) / count(dep_delay) AS mean_dep_delay,
                count_if(dep_delay >= 15) / count(dep_delay) AS late_share,
                len(list_distinct(list(dest))) AS destinations
            FROM good_flights GROUP BY origin, year, month, day
        ) e ON e.origin = f.origin AND e.day = f.event_timestamp::DATE
        WHERE e.flights <> f.flights OR e.destinations <> f.destinations
            OR abs(coalesce(e.mean_dep_delay - f.mean_dep_delay, 0)) > 1e-9
            OR abs(coalesce(e.late_share - f.late_share, 0)) > 1e-9
        """
    )
    assert wrong == 0
    busiest = demo.ask(
        """
        SELECT count(*) FROM airport_features f WHERE (
            SELECT count(*) FROM good_flights g
            WHERE (g.origin, g.carrier) = (f.origin, f.busiest_carrier)
                AND make_date(g.year, g.month, g.day) = f.event_timestamp::DATE
        ) < (
            SELECT max(n) FROM (
                SELECT origin, year, month, day, count(*) AS n FROM good_flights
                GROUP BY origin, year, month, day, carrier
            ) h WHERE h.origin = f.origin
                AND make_date(h.year, h.month, h.day) = f.event_timestamp::DATE
        )
        """
    )
    assert busiest == 0


def test_a_second_run_reads_nothing_new_and_changes_no_file(demo: Demo) -> None:
    def state() -> dict[str, tuple[int, int]]:
        paths = [p for p in demo.platform.home.rglob("*") if p.is_file()]
        return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in paths}

    before = state()
    steps = list(run_platform(demo.platform, (), "run-2", lambda *_: None))
    assert {step.outcome.state for step in steps if step.outcome} == {"nothing_new"}
    assert [s.outcome.snapshot_id for s in steps if s.outcome] == [
        s.outcome.snapshot_id for s in demo.steps.values() if s.outcome
    ]
    assert state() == before
