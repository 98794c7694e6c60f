"""A contracted table as a component of a project of `dg`."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from support.dg_project import TYPE, DgProject

from quality_platform.documents.yaml_documents import load_yaml
from quality_platform.flows.platform import open_platform
from quality_platform.orchestration.components import as_table

CUSTOMERS = {"id": {"logicalType": "integer", "required": True, "primaryKey": True}}


@pytest.fixture
def dg_project(home: Path, tmp_path: Path) -> Iterator[DgProject]:
    name = f"dgp_{tmp_path.name.replace('-', '_')}"
    yield DgProject(tmp_path / name, home).create()
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        del sys.modules[module]


def contract(folder: Path, name: str, columns: dict[str, Any]) -> str:
    """Writes a contract beside a defs.yaml."""
    object_ = {
        "name": name,
        "logicalType": "object",
        "properties": [{"name": column, **rest} for column, rest in columns.items()],
    }
    document = {
        "apiVersion": "v3.1.0", "kind": "DataContract", "id": name, "version": "1.0.0",
        "status": "active", "schema": [object_],
    }  # fmt: skip
    (folder / f"{name}.odcs.yaml").write_text(yaml.safe_dump(document))
    return f"{name}.odcs.yaml"


def add(project: DgProject, name: str, columns: dict[str, Any], **more: Any) -> Path:
    """Adds a table that is read from `<name>.csv` in the platform's home."""
    source = {"type": "csv", "path": f"${{QUALITY_PLATFORM_HOME}}/{name}.csv"}
    attributes = {"contract": f"{name}.odcs.yaml", "namespace": "shop", "source": source, **more}
    path = project.table(name, attributes)
    contract(path.parent, name, columns)
    return path


def refers_to(table: str) -> dict[str, Any]:
    """A column with the id of a row of another table."""
    relationship = {"type": "foreignKey", "to": f"{table}.id"}
    return {"logicalType": "integer", "relationships": [relationship]}


def loaded(project: DgProject, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    """The project's definitions, in this process."""
    monkeypatch.syspath_prepend(str(project.folder / "src"))
    module = importlib.import_module(f"{project.name}.definitions")
    found: dg.Definitions = module.defs()
    return found


def keys(definitions: dg.Definitions) -> set[str]:
    return {key.to_user_string() for key in definitions.resolve_all_asset_keys()}


def test_dg_scaffolds_checks_lists_and_launches_a_table(dg_project: DgProject) -> None:
    assert TYPE in dg_project.dg("list", "components", "--json")
    dg_project.dg("scaffold", "defs", TYPE, "orders", "--namespace", "shop")
    assert sorted(path.name for path in (dg_project.defs / "orders").iterdir()) == [
        "defs.yaml",
        "orders.odcs.yaml",
    ]
    dg_project.dg("check", "defs")
    landing = dg_project.home / "landing" / "orders"
    landing.mkdir(parents=True)
    (landing / "first.csv").write_text("id\n1\n2\n2\n")
    dg_project.dg("launch", "--assets", 'key:"shop/orders"')
    row = json.dumps({"rows_published": 1, "rows_quarantined": 2})
    with dg.DagsterInstance.from_config(str(dg_project.instance)) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["shop", "orders"]))
    assert event is not None
    assert event.asset_materialization is not None
    told = {name: v.value for name, v in event.asset_materialization.metadata.items()}
    assert json.dumps({name: told[name] for name in json.loads(row)}) == row

    # A key that does not exist is told with its line, before anything is loaded.
    defs = dg_project.defs / "orders" / "defs.yaml"
    defs.write_text(defs.read_text() + "  namespaec: shop\n")
    said = dg_project.dg("check", "yaml", check=False)
    assert "namespaec" in said
    assert f"{defs.relative_to(dg_project.folder)}:13" in said


def test_tables_of_a_project_refer_to_each_other_and_to_those_of_runner_yaml(
    dg_project: DgProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract(dg_project.folder, "countries", CUSTOMERS)
    source = {"type": "csv", "path": "countries.csv"}
    (dg_project.folder / "runner.yaml").write_text(
        yaml.safe_dump(
            {
                "version": 1,
                "tables": {"countries": {"contract": "countries.odcs.yaml", "source": source}},
            }
        )
    )
    add(dg_project, "customers", {**CUSTOMERS, "country": refers_to("countries")})
    add(dg_project, "orders", {**CUSTOMERS, "customer": refers_to("customers")})
    definitions = loaded(dg_project, monkeypatch)
    graph = definitions.resolve_asset_graph()
    parents = graph.get(dg.AssetKey(["shop", "orders"])).parent_keys
    assert {key.to_user_string() for key in parents} == {"shop/customers", "landing/orders"}
    # What runner.yaml itself has is not the component's to bring.
    assert {key for key in keys(definitions) if "countries" in key} == {"main/countries"}
    assert "maintenance/orders" in keys(definitions)
    assert dg.AssetCheckKey(dg.AssetKey(["shop", "orders"]), "id_not_null") in set(
        graph.asset_check_keys
    )


def test_a_table_for_several_tenants_brings_that_of_each(
    dg_project: DgProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dg_project.folder / "runner.yaml").write_text("version: 1\ntenants: {acme: {}, globex: {}}\n")
    source = {"type": "csv", "path": "${QUALITY_PLATFORM_HOME}/{tenant}.csv"}
    add(dg_project, "orders", CUSTOMERS, tenants=["acme", "globex"], source=source)
    found = keys(loaded(dg_project, monkeypatch))
    for tenant in ("acme", "globex"):
        assert f"{tenant}__shop/{tenant}__orders" in found
        assert f"maintenance/{tenant}__orders" in found


def test_a_broken_table_stands_alone(
    dg_project: DgProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dg_project.folder / "runner.yaml").write_text("version: 1\n")
    add(dg_project, "orders", CUSTOMERS)
    path = add(dg_project, "customers", CUSTOMERS, load={"mode": "merge", "key": ["nobody"]})
    definitions = loaded(dg_project, monkeypatch)
    assert {"shop/orders", "maintenance/customers"} <= keys(definitions)
    (broken,) = [
        spec for spec in definitions.resolve_all_asset_specs() if spec.group_name == "broken"
        and spec.key.path[0] != "maintenance"
    ]  # fmt: skip
    assert broken.key.path[-1] == "customers"
    assert f"{path}:" in (broken.description or "")


def test_a_project_without_runner_yaml_is_told_what_it_needs(
    dg_project: DgProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(dg_project, "orders", CUSTOMERS)
    with pytest.raises(Exception, match=r"orders") as caught:
        loaded(dg_project, monkeypatch)
    assert "the project has no runner.yaml" in f"{caught.value} {caught.value.__cause__}"


def test_documents_beside_runner_yaml_keep_their_lines(dg_project: DgProject, home: Path) -> None:
    runner = dg_project.folder / "runner.yaml"
    runner.write_text("version: 1\n")
    path = add(dg_project, "orders", CUSTOMERS)
    platform = open_platform(runner, more=[as_table(load_yaml(path))])
    place = platform.runner.location("tables", "orders", "source", "path")
    assert (place.file, place.line) == (str(path), 7)
    assert platform.tables["orders"].contract.path == path.with_name("orders.odcs.yaml")
