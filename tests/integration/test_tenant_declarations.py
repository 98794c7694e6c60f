"""Tables and views of two tenants from one declaration: loaded, computed, and kept apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command_line import call
from support.declared_tenants import ACME, BOTH, GLOBEX, declared_in
from support.project import Project, column_of, rows_of_table

from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform
from quality_platform.flows.tenant_names import meant
from quality_platform.flows.view_lineage import lineage_of


@pytest.fixture
def declared(home: Path, tmp_path: Path) -> Project:
    return declared_in(tmp_path)


def run_all(project: Project) -> Platform:
    platform = project.open()
    for tenant in BOTH:
        load_table(platform, f"{tenant}__orders", "run")
        compute_feature_view(platform, f"{tenant}__totals", "run")
    return platform


def test_each_tenant_has_a_table_a_quarantine_and_a_view_of_its_own(declared: Project):
    platform = run_all(declared)
    for tenant, amount in ((ACME, 10), (GLOBEX, 20)):
        table = platform.tables[f"{tenant}__orders"]
        assert table.identifier == f"{tenant}__shop.{tenant}__orders"
        assert column_of(platform, table.identifier, "amount") == [amount] * 3
        assert column_of(platform, table.quarantine_identifier, "amount") == [amount]
        view = platform.feature_tables[f"{tenant}__totals"]
        assert column_of(platform, view.identifier, "total") == [3 * amount]


def test_lineage_leads_to_the_tenants_own_table(declared: Project):
    platform = declared.open()
    for tenant in BOTH:
        found = lineage_of(platform, platform.feature_tables[f"{tenant}__totals"])
        (source,) = found.columns["total"]
        assert (source.table, source.column) == (f"{tenant}__orders", "amount")


def test_a_function_sees_its_inputs_by_the_names_of_the_declaration(declared: Project):
    declared.views["totals"].pop("sql")
    declared.views["totals"]["python"] = "totals.py:totals"
    (declared.folder / "totals.py").write_text(
        "import pyarrow as pa\n"
        "def totals(inputs, context):\n"
        "    assert list(context.snapshots) == ['orders']\n"
        "    rows = inputs['orders'].read_all()\n"
        "    total = sum(rows['amount'].to_pylist())\n"
        "    first = rows.slice(0, 1)\n"
        "    yield pa.record_batch({'customer': ['ann'], 'total': [total],\n"
        "        'placed_at': first['placed_at'].to_pylist()}, schema=context.columns)\n"
    )
    platform = run_all(declared)
    assert column_of(platform, "acme__features.acme__totals", "total") == [30]
    assert column_of(platform, "globex__features.globex__totals", "total") == [60]


def test_one_more_tenant_makes_no_view_of_the_others_be_computed_again(declared: Project):
    run_all(declared)
    declared.settings["tenants"]["third"] = {}
    for entry in (declared.tables["orders"], declared.views["totals"]):
        entry["tenants"] = [*BOTH, "third"]
    platform = declared.open()
    assert compute_feature_view(platform, "acme__totals", "again").state == "nothing_new"


def test_time_and_tenant_partition_a_table_together(declared: Project):
    orders = declared.tables["orders"]
    orders["source"]["path"] = "landing/{tenant}/{partition:%Y-%m-%d}/*.csv"
    orders["load"] = {"mode": "append"}
    orders["partitions"] = {"every": "day", "start": "2026-01-01", "column": "placed_at"}
    header, day = "id,customer,amount,placed_at\n", "2026-01-02"
    declared.deliver(f"acme/{day}/a.csv", f"{header}1,ann,7,{day}T10:00:00Z\n")
    platform = declared.open()
    for tenant in BOTH:
        load_table(platform, f"{tenant}__orders", "run")
    assert column_of(platform, "acme__shop.acme__orders", "amount") == [7]
    assert platform.lake.find_table("globex__shop.globex__orders") is None


def test_a_source_of_the_lake_means_the_tenants_own_table(declared: Project):
    declared.table("copies", {"customer": {"logicalType": "string"}})
    declared.tables["copies"] |= {
        "tenants": BOTH,
        "source": {
            "type": "iceberg",
            "table": "features.totals",
            "ignore_columns": ["placed_at", "total"],
        },
        "load": {"mode": "replace"},
    }
    platform = run_all(declared)
    for tenant in BOTH:
        load_table(platform, f"{tenant}__copies", "run")
        assert column_of(platform, f"{tenant}__shop.{tenant}__copies", "customer") == ["ann"]


def test_a_broken_table_of_one_tenant_leaves_the_others_as_they_are(declared: Project):
    declared.tables["orders"]["contract"] = "contracts/{tenant}.odcs.yaml"
    written = declared.folder / "contracts/orders.odcs.yaml"
    (declared.folder / "contracts/acme.odcs.yaml").write_text(written.read_text())
    ended = call("run", "orders", "totals", "--runner", declared.write_runner())
    assert ended.code != 0
    assert "there is no such contract file" in ended.text
    shown = json.loads(call("status", "--json", "--runner", declared.runner).out)
    rows = {status["name"]: status["rows"] for status in shown}
    assert (rows["acme__orders"], rows["acme__totals"]) == (3, 1)
    assert not rows.get("globex__orders")


def test_the_name_of_the_declaration_means_the_tables_of_all(declared: Project):
    ended = call("run", "orders", "--runner", declared.write_runner())
    assert ended.code == 0, ended.text
    platform = declared.open()
    for tenant in BOTH:
        assert rows_of_table(platform, f"{tenant}__shop.{tenant}__orders")
    assert meant(platform, "totals") == ("acme__totals", "globex__totals")
    assert meant(platform, "acme__totals") == ("acme__totals",)


def test_views_of_one_entity_are_online_for_each_tenant(declared: Project):
    declared.views["totals"]["online"] = True
    ended = call("run", "orders", "totals", "--runner", declared.write_runner())
    assert ended.code == 0, ended.text
    for tenant in BOTH:
        assert f"online.{tenant}__totals" in ended.text
    ended = call("skew", "totals", "--tenant", GLOBEX, "--runner", declared.runner)
    assert ended.code == 0, ended.text


def test_with_a_tenant_it_means_the_tenants_own(declared: Project):
    runner = declared.write_runner()
    ended = call("run", "orders", "--tenant", ACME, "--runner", runner)
    assert ended.code == 0, ended.text
    platform = declared.open()
    assert platform.lake.find_table("acme__shop.acme__orders") is not None
    assert platform.lake.find_table("globex__shop.globex__orders") is None
    ended = call("snapshots", "orders", "--json", "--tenant", ACME, "--runner", runner)
    assert len(json.loads(ended.out)) == 1
    ended = call("run", "order", "--tenant", ACME, "--runner", runner)
    assert ended.code == 2
    assert "is no table or feature view of the tenant acme" in ended.err


@pytest.mark.parametrize(
    "command",
    [
        ["snapshots", "orders"],
        ["quarantine", "orders"],
        ["rollback", "orders", "--to", "1"],
        ["replay", "orders"],
        ["drift", "test", "orders"],
        ["skew", "totals"],
    ],
)
def test_a_command_about_one_table_asks_whose_it_is(declared: Project, command: list[str]):
    ended = call(*command, "--runner", declared.write_runner())
    assert ended.code == 2
    assert "is declared for several tenants, and this is about one" in ended.err
    assert "--tenant" in ended.err


def test_secrets_are_asked_for_in_the_scope_of_each_tenant(declared: Project):
    declared.tables["orders"]["source"] = {
        "type": "csv",
        "path": "s3://{tenant}/orders.csv",
        "storage": {"access_key_id": "${secret:KEY}", "secret_access_key": "${secret:KEY}"},
    }
    platform = declared.open()
    asked = {}
    for tenant in BOTH:
        source = platform.tables[f"{tenant}__orders"].config.source
        (reference,) = source.storage.access_key_id.references
        asked[tenant] = (reference.tenant, reference.name)
    assert asked == {ACME: (ACME, "KEY"), GLOBEX: (GLOBEX, "KEY")}
