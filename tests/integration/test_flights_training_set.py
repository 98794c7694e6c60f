"""A training set over the flights of the demo: right at each moment, and unchanged afterwards."""

from __future__ import annotations

import importlib.util
import random
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import yaml

from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.flows.training_export import export_training_set, training_rows
from quality_platform.flows.training_sets import TrainingSetRequest, make_training_set
from quality_platform.lake.catalog import Lake

ROOT = Path(__file__).parents[2]
TABLE = "training_sets.delays"
CARRIER = ("mean_arr_delay", "on_time_share")
AIRPORT = ("mean_dep_delay", "cancelled_share")
DELAYS = {
    "features": [
        {"carrier_delays_daily": list(CARRIER)},
        {"airport_delays_daily": list(AIRPORT)},
    ],
    "entities": {"table": "flights", "event_timestamp": "time_hour", "labels": ["arr_delay"]},
    "keep": "365d",
}
NOW, TTL = timedelta(0), timedelta(days=7)
HARSH = {"compact_below": "1000MB", "keep_snapshots": "0s", "keep_at_least": 1}


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "land_flights_for_training", ROOT / "demo" / "land_flights.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def demo(folder: Path) -> Platform:
    """The demo with a training set, and with upkeep that keeps nothing it need not keep."""
    document = yaml.safe_load((ROOT / "runner.yaml").read_text())
    tables, views = document["tables"], document["feature_views"]
    for entry in (*tables.values(), *views.values()):
        entry["contract"] = str(ROOT / entry["contract"])
    for view in views.values():
        view["sql"] = str(ROOT / view["sql"])
        view.pop("drift", None)
    runner = folder / "runner.yaml"
    settings = {"maintenance": HARSH, "training_sets": {"delays": DELAYS}}
    kept = {"tables": tables, "feature_views": views, "lake": document["lake"]}
    runner.write_text(yaml.safe_dump({"version": 1, **kept, **settings}))
    return open_platform(runner, strict=True)


def load(platform: Platform, *tables: str) -> None:
    for table in tables:
        assert load_table(platform, table, "load").state == "published"
    for view in ("carrier_delays_daily", "airport_delays_daily"):
        compute_feature_view(platform, view, "compute")


def rows_of(lake: Lake, identifier: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = lake.table(identifier).scan().to_arrow().to_pylist()
    return rows


def known(rows: list[dict[str, Any]], key: str, row: dict[str, Any]) -> dict[str, Any]:
    """The newest features of the row's entity, at most seven days old, by looking at all."""
    there = [
        one
        for one in rows
        if one[key] == row[key] and NOW <= row["event_timestamp"] - one["event_timestamp"] <= TTL
    ]
    return max(there, key=lambda one: one["event_timestamp"], default={})


def test_a_training_set_of_flights_survives_loads_compaction_and_expiry(
    home: Path, tmp_path: Path
) -> None:
    land = script()
    land.land(home / "landing", land.data_folder())
    months = sorted((home / "landing" / "flights").iterdir())
    for file in months[1:]:
        file.rename(tmp_path / file.name)
    platform = demo(tmp_path)
    load(platform, "airlines", "airports", "planes", "weather", "flights")

    made = make_training_set(platform, TrainingSetRequest("delays", "v1"), "run-1")
    version = made.manifest
    rows = training_rows(platform, TABLE, version)
    flights = platform.lake.table("nyc.flights").scan().to_arrow()
    assert rows.num_rows == version.rows == flights.num_rows > 20_000
    assert set(version.refs) == {
        "nyc.flights",
        "features.carrier_delays_daily",
        "features.airport_delays_daily",
    }
    require_right(platform.lake, rows)
    before = tmp_path / "before.parquet"
    export_training_set(platform, TABLE, version, before)

    for file in months[1:3]:
        (tmp_path / file.name).rename(file)
        load(platform, "flights")
        upkeep = list(maintain(platform, (), Wanted(force=True)))
        assert [one.error for one in upkeep if one.error] == []
    done = {one.table: one for one in upkeep}
    assert done["nyc.flights"].compact is not None
    assert done["nyc.flights"].compact.files_after
    assert done["features.carrier_delays_daily"].expire is not None
    assert done["features.carrier_delays_daily"].expire.snapshots

    for identifier, pinned in version.refs.items():
        table = platform.lake.table(identifier)
        then, now = table.snapshot_by_id(pinned.snapshot_id), table.current_snapshot()
        assert then is not None, identifier
        assert then != now, identifier

    again = make_training_set(platform, TrainingSetRequest("delays", "v1", verify=True), "run-2")
    assert (again.state, again.verified) == ("existing", True)
    assert again.manifest.digest == version.digest
    after = tmp_path / "after.parquet"
    export_training_set(platform, TABLE, version, after)
    assert after.read_bytes() == before.read_bytes()
    second = make_training_set(platform, TrainingSetRequest("delays", "v2"), "run-3")
    assert second.manifest.rows > 2 * version.rows


def require_right(lake: Lake, rows: pa.Table) -> None:
    """Holds the features of some rows against those that a look at all feature rows finds."""
    carriers = rows_of(lake, "features.carrier_delays_daily")
    airports = rows_of(lake, "features.airport_delays_daily")
    chosen = random.Random(6).sample(range(rows.num_rows), 300)
    for row in rows.take(chosen).to_pylist():
        of_carrier, of_airport = known(carriers, "carrier", row), known(airports, "origin", row)
        assert [row[n] for n in CARRIER] == [of_carrier.get(n) for n in CARRIER]
        assert [row[n] for n in AIRPORT] == [of_airport.get(n) for n in AIRPORT]
