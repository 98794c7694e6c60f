"""Drift of the flights' features, per carrier and per airport, held against plain statistics.

The statistics are numpy's and scipy's on features that are computed from the CSV files here, by
other means than the platform's.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from support.project import Project, integer, key, number, text

from quality_platform.checks.results import CheckResult
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.drift_asked import Asked, asked_test
from quality_platform.flows.drift_test import results_of
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform

ROOT = Path(__file__).parents[2]
WINTER, SUMMER = ("2013-01-01", "2013-03-01"), ("2013-06-01", "2013-08-01")
FLIGHTS = {
    **dict.fromkeys(("year", "month", "day"), integer(required=True)),
    **dict.fromkeys(("dep_time", "arr_time", "dep_delay", "arr_delay", "distance"), integer()),
    **dict.fromkeys(("carrier", "origin", "dest"), text(required=True)),
}
WHOLE, SHARE = integer(physicalType="int"), number()
VIEWS = {
    "carrier_delays_daily": {
        "carrier": key(text()),
        **dict.fromkeys(("flights", "departed", "arrived"), WHOLE),
        **dict.fromkeys(("mean_dep_delay", "p90_dep_delay", "mean_arr_delay"), SHARE),
        **dict.fromkeys(("on_time_share", "cancelled_share", "mean_distance"), SHARE),
    },
    "airport_delays_daily": {
        "origin": key(text()),
        **dict.fromkeys(("flights", "departed", "destinations"), WHOLE),
        **dict.fromkeys(("mean_dep_delay", "p90_dep_delay", "late_share"), SHARE),
        "cancelled_share": SHARE,
        "busiest_carrier": text(),
    },
}
AT = {"event_timestamp": key({"logicalType": "timestamp", "physicalType": "timestamptz"}, 2)}
# What is asked of the files: the features of each day, in other words than the platform's SQL.
PLAIN = {
    "flights": "count(*)",
    "departed": "sum((dep_time IS NOT NULL)::INT)",
    "arrived": "sum((arr_delay IS NOT NULL)::INT)",
    "mean_dep_delay": "sum(dep_delay) / count(dep_delay)",
    "mean_arr_delay": "sum(arr_delay) / count(arr_delay)",
    "on_time_share": "count_if(arr_delay < 15) / count(arr_delay)",
    "late_share": "count_if(dep_delay >= 15) / count(dep_delay)",
    "cancelled_share": "count_if(dep_time IS NULL) / count(*)",
    "mean_distance": "sum(distance) / count(*)",
    "destinations": "len(list_distinct(list(dest)))",
}


def landing_script() -> ModuleType:
    path = ROOT / "demo" / "land_flights.py"
    spec = importlib.util.spec_from_file_location("land_flights_for_drift", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Flights:
    """The published features, and the files that they come from."""

    project: Project
    platform: Platform
    files: duckdb.DuckDBPyConnection

    def drift(self, view: str, *sides: str) -> dict[str, CheckResult]:
        """The results of a drift test of all features, by feature."""
        results = results_of(asked_test(self.platform, view, Asked(*sides)))
        return {r.spec.name.removesuffix("_has_not_drifted"): r for r in results}

    def days(self, view: str, feature: str, condition: str) -> NDArray[np.float64]:
        """The values of a feature on the days for which a condition is true, by the files."""
        by = next(iter(VIEWS[view]))
        found = self.files.sql(
            f"SELECT {PLAIN[feature]}::DOUBLE AS value FROM flights WHERE tailnum IS NOT NULL "
            f"AND {condition} GROUP BY {by}, month, day"
        ).fetchnumpy()["value"]
        return np.ma.filled(np.ma.asarray(found, np.float64), np.nan)


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flights]:
    folder = tmp_path_factory.mktemp("flights")
    with pytest.MonkeyPatch.context() as patch, duckdb.connect() as files:
        patch.setenv("QUALITY_PLATFORM_HOME", str(folder / "home"))
        script = landing_script()
        script.land(folder / "landing", script.data_folder())
        pattern = f"{folder}/landing/flights/*.csv"
        files.execute(f"CREATE TABLE flights AS FROM read_csv('{pattern}', nullstr = ['NA', ''])")
        project = Project(folder)
        project.table(
            "flights",
            FLIGHTS | {"tailnum": text(required=True)},
            path="landing/flights/*.csv",
            source={"null_strings": ["", "NA"]},
            load={"mode": "append", "batch": "all", "schema_drift": "evolve"},
        )
        for view, columns in VIEWS.items():
            settings = {
                "inputs": ["flights"],
                "entities": [{"name": view, "join_key": next(iter(columns))}],
                "event_timestamp": "event_timestamp",
                "online": False,
            }
            sql = (ROOT / "features" / f"{view}.sql").read_text(encoding="utf-8")
            project.view(view, sql, {**columns, **AT}, settings)
        platform = project.open()
        load_table(platform, "flights", "run")
        for view in VIEWS:
            compute_feature_view(platform, view, "run")
        yield Flights(project, platform, files)


def psi(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """The population stability index by the deciles of the reference, as textbooks have it."""
    edges = np.unique(np.nanquantile(reference, np.arange(0.1, 1, 0.1), method="inverted_cdf"))
    shares = []
    for values in (reference, current):
        present = values[~np.isnan(values)]
        counts = np.bincount(np.searchsorted(edges, present), minlength=edges.size + 1)
        shares.append(np.maximum(counts / present.size, 1e-4))
    before, after = shares
    return float(((after - before) * np.log(after / before)).sum())


@pytest.mark.parametrize("view", VIEWS)
def test_the_summer_differs_from_the_winter_where_plain_statistics_say_so(
    flights: Flights, view: str
) -> None:
    found = flights.drift(view, "..".join(WINTER), "..".join(SUMMER))
    judged = {}
    for feature in VIEWS[view].keys() & PLAIN.keys():
        winter = flights.days(view, feature, "month IN (1, 2)")
        summer = flights.days(view, feature, "month IN (6, 7)")
        plain = stats.ks_2samp(winter[~np.isnan(winter)], summer[~np.isnan(summer)])
        assert found[feature].facts["ks"] == pytest.approx(plain.statistic, abs=1e-12)
        strong = plain.statistic > 0.25 and plain.pvalue < 1e-6
        weak = plain.statistic < 0.12 and psi(winter, summer) < 0.15
        judged[feature] = (found[feature].verdict.value, strong, weak)
    assert any(strong for _, strong, _ in judged.values())
    for feature, (verdict, strong, weak) in judged.items():
        assert verdict == "warn" if strong else True, (feature, judged)
        assert verdict == "pass" if weak else True, (feature, judged)
    days = (len(winter), len(summer))
    assert (found[feature].facts["reference_rows"], found[feature].facts["current_rows"]) == days


def busiest(flights: Flights, months: tuple[int, int]) -> Counter[str]:
    """On how many days of the months which airline had the most flights of an airport."""
    rows = flights.files.sql(
        "SELECT origin, month, day, carrier, count(*) FROM flights WHERE tailnum IS NOT NULL "
        f"AND month IN {months} GROUP BY ALL"
    ).fetchall()
    days: dict[tuple[object, ...], list[tuple[int, str]]] = {}
    for *day, carrier, count in rows:
        days.setdefault(tuple(day), []).append((-count, carrier))
    return Counter(min(carriers)[1] for carriers in days.values())


def test_a_category_is_held_against_scipys_association(flights: Flights) -> None:
    found = flights.drift("airport_delays_daily", "..".join(WINTER), "..".join(SUMMER))
    winter, summer = busiest(flights, (1, 2)), busiest(flights, (6, 7))
    new = sum(days for carrier, days in summer.items() if carrier not in winter)
    table = [[*winter.values(), 0], [*(summer[carrier] for carrier in winter), new]]
    association = stats.contingency.association(np.array(table)[:, : len(winter) + bool(new)])
    facts = found["busiest_carrier"].facts
    assert facts["cramers_v"] == pytest.approx(association, abs=1e-12)
    assert facts["new_share"] == pytest.approx(new / summer.total())
    assert found["busiest_carrier"].verdict == "warn"
    assert association > 0.25


@pytest.mark.parametrize("view", VIEWS)
def test_odd_days_differ_from_even_ones_in_nothing(flights: Flights, view: str) -> None:
    """The odd days are published and tagged, the even ones are published in their place."""
    path = flights.project.folder / f"{view}.sql"
    whole = path.read_text()
    ids = []
    for rest in (1, 0):
        path.write_text(f"SELECT * FROM ({whole}) WHERE day(event_timestamp) % 2 = {rest}")
        outcome = compute_feature_view(flights.project.open(), view, f"run-{rest}")
        assert outcome.snapshot_id is not None
        ids.append(outcome.snapshot_id)
    table = flights.platform.lake.table(f"features.{view}")
    table.manage_snapshots().create_tag(ids[0], "odd").commit()
    found = flights.drift(view, "tag:odd", "snapshot")
    assert {name: r.verdict.value for name, r in found.items()} == dict.fromkeys(found, "pass")
    assert found["flights"].facts["reference_snapshot"] == str(ids[0])
    for feature in VIEWS[view].keys() & PLAIN.keys():
        odd, even = (flights.days(view, feature, f"day % 2 = {rest}") for rest in (1, 0))
        plain = stats.ks_2samp(odd[~np.isnan(odd)], even[~np.isnan(even)])
        assert plain.statistic < 0.1
        assert found[feature].facts["ks"] == pytest.approx(plain.statistic, abs=1e-12)
