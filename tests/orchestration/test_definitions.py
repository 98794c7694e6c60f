"""The code location: what it holds, and what it costs to look at it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from support.project import Project

from quality_platform.flows.platform import open_platform
from quality_platform.orchestration.build import build_definitions

ROOT = Path(__file__).parents[2]
CASE = ROOT / "tests" / "cases" / "demo_definitions.json"
HEAVY = (
    "databricks",
    "duckdb",
    "feast",
    "great_expectations",
    "mlflow",
    "pandas",
    "pyiceberg",
    "snowflake",
    "soda",
    "soda_core",
)


@pytest.fixture
def demo(home: Path) -> dg.Definitions:
    """The definitions of the demo."""
    return build_definitions(open_platform(ROOT / "runner.yaml"))


def snapshot(definitions: dg.Definitions) -> dict[str, Any]:
    """What a person would miss if it were gone or had another name."""
    repository = definitions.get_repository_def()
    graph = repository.asset_graph
    return {
        "assets": {
            key.to_user_string(): {
                "group": graph.get(key).group_name,
                "kinds": sorted(graph.get(key).kinds),
                "owners": sorted(graph.get(key).owners),
                "after": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
                "pools": sorted(graph.get(key).pools or ()),
            }
            for key in sorted(graph.get_all_asset_keys())
        },
        "checks": {
            key.to_user_string(): sorted(
                check.name + (" (blocking)" if graph.get(check).blocking else "")
                for check in graph.asset_check_keys
                if check.asset_key == key
            )
            for key in sorted({check.asset_key for check in graph.asset_check_keys})
        },
        "jobs": sorted(job.name for job in repository.get_all_jobs()),
        "schedules": {
            s.name: [s.cron_schedule, s.execution_timezone, s.job_name]
            for s in repository.schedule_defs
        },
        "sensors": {
            s.name: [s.minimum_interval_seconds, *(target.job_name for target in s.targets)]
            for s in repository.sensor_defs
        },
    }


def test_the_demo_has_the_assets_checks_and_automation_that_are_on_record(
    demo: dg.Definitions, tmp_path: Path
) -> None:
    found = json.loads(json.dumps(snapshot(demo)))
    actual = tmp_path / CASE.name
    actual.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(CASE.read_text()), f"if this is meant: cp {actual} {CASE}"


def test_definitions_resolve_without_a_warning(demo: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(demo)


def test_loading_the_location_imports_no_heavy_library(home: Path) -> None:
    script = (
        "import json, sys, time\n"
        "start = time.monotonic()\n"
        "import dagster as dg\n"
        "from quality_platform import definitions\n"
        "loaded = definitions.platform()\n"
        "loaded.validate_loadable()\n"
        "taken = time.monotonic() - start\n"
        "print(json.dumps({'modules': sorted(sys.modules), 'seconds': taken}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    sys.stdout.write(f"the location loads in {told['seconds']:.1f} s\n")
    assert [name for name in HEAVY if name in told["modules"]] == []


def test_importing_the_definitions_reads_no_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import quality_platform.definitions"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistake_that_concerns_everything_is_told_with_its_place(project: Project) -> None:
    project.table("orders", {"id": {"logicalType": "integer"}})
    path = project.write_runner()
    path.write_text(path.read_text().replace("retries:", "retrise:"))
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from quality_platform import definitions\n"
            "definitions.platform().load_all_definitions()",
        ],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"{path}:" in done.stderr
    assert "unknown key 'retrise'" in done.stderr


def test_a_table_shows_its_contract(demo: dg.Definitions) -> None:
    spec = demo.resolve_asset_graph().get(dg.AssetKey(["nyc", "flights"]))
    described = spec.description or ""
    assert "Rules that no engine checks" in described
    assert "Only time_hour is in UTC." in described
    assert spec.owners == ["aviation-data@example.org"]
    assert spec.tags["domain"] == "aviation"
    metadata = {name: value for name, value in spec.metadata.items()}
    assert metadata["contract"].value == "nycflights13-flights 1.0.0"
    assert "| latency | 5 d |" in metadata["sla"].value
    columns = {c.name: c for c in metadata["dagster/column_schema"].schema.columns}
    assert columns["tailnum"].constraints.nullable is False
    assert columns["dep_time"].constraints.nullable is True
    assert columns["carrier"].constraints.other == ["part of the primary key"]
    assert columns["time_hour"].type == "timestamp[us, tz=UTC]"
    assert columns["dest"].tags["classification"] == "public"


def test_a_check_shows_its_rule(demo: dg.Definitions) -> None:
    key = dg.AssetCheckKey(dg.AssetKey(["nyc", "flights"]), "cancelled_share")
    spec = demo.resolve_asset_graph().get(key)
    assert not spec.blocking
    assert "5 percent" in (spec.description or "")


def test_owners_and_tags_are_put_into_the_forms_that_dagster_takes(project: Project) -> None:
    path = project.table("orders", {"id": {"logicalType": "integer"}}).contract(
        "orders", {"id": {"logicalType": "integer"}}
    )
    contract = yaml.safe_load(path.read_text())
    contract["tags"] = ["Größe & Gewicht", "plain"]
    contract["domain"] = "Sales / EMEA"
    contract["team"] = {
        "name": "Sales",
        "members": [{"username": "ada lovelace", "role": "owner"}],
    }
    path.write_text(yaml.safe_dump(contract))
    definitions = build_definitions(project.open())
    node = definitions.resolve_asset_graph().get(dg.AssetKey(["shop", "orders"]))
    assert node.owners == ["team:ada_lovelace"]
    assert node.tags["plain"] == ""
    assert node.tags["domain"] == "Sales_EMEA"


def test_the_code_version_follows_the_contract(project: Project) -> None:
    columns = {"id": {"logicalType": "integer"}}
    key = dg.AssetKey(["shop", "orders"])

    def version() -> str | None:
        return build_definitions(project.open()).resolve_asset_graph().get(key).code_version

    project.table("orders", columns)
    first = version()
    assert first == version()
    project.contract("orders", columns, version="1.1.0")
    assert version() != first
    assert (version() or "").startswith("1.1.0-")


def test_each_platform_of_a_process_offers_its_own_tables(shop: Project, tmp_path: Path):
    (tmp_path / "other").mkdir()
    other = Project(tmp_path / "other")
    other.table("invoices", {"id": {"logicalType": "integer"}})
    for platform, table in ((shop.open(), "orders"), (other.open(), "invoices")):
        job = build_definitions(platform).resolve_job_def("backfill")
        asked = {"ops": {"backfill_rows": {"config": {"table": table}}}}
        assert (
            dg.validate_run_config(job, asked)["ops"]["backfill_rows"]["config"]["table"] == table
        )
