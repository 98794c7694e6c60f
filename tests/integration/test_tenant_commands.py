"""Commands for one tenant: what they mean, what they refuse, and what the history says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from support.command_line import call
from support.project import rows_of_table
from support.tenants import ACME, GLOBEX, Tenants, load, tenants_in

from quality_platform.flows.load_table import load_table
from quality_platform.history.records import CHECK_RESULTS_SCHEMA, RETRIES

CONTRACT = "tenants/{}/contracts/orders.odcs.yaml"


@pytest.fixture
def tenants(home: Path, tmp_path: Path) -> Tenants:
    return tenants_in(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        ["run", "globex__orders"],
        ["maintain", "globex__orders"],
        ["snapshots", "globex__orders"],
        ["rollback", "globex__orders", "--to", "1", "--yes"],
        ["quarantine", "globex__orders"],
        ["replay", "globex__orders"],
        ["release", "globex__orders", "--reason", "r"],
        ["discard", "globex__orders", "--reason", "r"],
        ["drift", "test", "globex__orders"],
        ["drift", "freeze", "globex__orders", "--name", "n"],
        ["drift", "forget", "globex__orders", "--name", "n"],
        ["skew", "globex__totals"],
        ["run", "countries"],
    ],
)
def test_a_command_for_a_tenant_touches_nothing_else(tenants: Tenants, command: list[str]):
    ended = call(*command, "--tenant", ACME, "--runner", tenants.write())
    assert ended.code == 2
    assert "is no table or feature view of the tenant acme" in ended.err


@pytest.mark.parametrize(
    "command", [["run"], ["status"], ["launch"], ["maintain"], ["forget-entity", "e", "1"]]
)
def test_a_tenant_that_is_not_there_is_told_with_those_that_are(
    tenants: Tenants, command: list[str]
):
    more = ["--reason", "r"] if command[0] == "forget-entity" else []
    ended = call(*command, *more, "--tenant", "acmee", "--runner", tenants.write())
    assert ended.code == 2
    assert "there is no tenant 'acmee'" in ended.err
    assert "acme, globex" in ended.err
    assert f"{tenants.runner}:" in ended.err.replace("\n", "")


def test_a_tenant_that_is_broken_is_told_with_what_is_wrong(tenants: Tenants):
    tenants.root["tenants"][ACME]["warehouse"] = "home/warehouse/acme"
    ended = call("status", "--tenant", ACME, "--runner", tenants.write())
    assert ended.code == 2
    assert "it meets the lake's own" in ended.err


def test_a_command_for_a_tenant_means_all_that_is_the_tenants(tenants: Tenants):
    load(tenants)
    ended = call("run", "--tenant", ACME, "--runner", tenants.write())
    assert ended.code == 0
    assert "acme__totals" in ended.out
    assert "globex" not in ended.out
    assert "history" not in call("maintain", "--tenant", ACME, "--runner", tenants.runner).out
    found = call("status", "--tenant", ACME, "--runner", tenants.runner, "--json").out
    own = ["acme__customers", "acme__orders", "acme__totals"]
    assert [(row["name"], row["tenant"]) for row in json.loads(found)] == [(n, ACME) for n in own]
    everything = json.loads(call("status", "--runner", tenants.runner, "--json").out)
    assert {row["tenant"] for row in everything} == {"", ACME, GLOBEX}


def test_the_status_of_a_tenant_tells_its_broken_tables_and_no_others(tenants: Tenants):
    for tenant in (ACME, GLOBEX):
        tenants.table(tenant, "orders")["contract"] = "none.odcs.yaml"
    found = call("status", "--tenant", ACME, "--runner", tenants.write(), "--json").out
    told = {row["name"]: bool(row["broken"]) for row in json.loads(found)}
    assert told == {"acme__customers": False, "acme__orders": True, "acme__totals": True}


def test_a_check_for_a_tenant_finds_its_own_tables(tenants: Tenants):
    load(tenants, "acme__customers", "acme__orders", "globex__customers")
    for tenant, code in ((ACME, 0), (GLOBEX, 2)):
        contract = tenants.folder / CONTRACT.format(tenant)
        # The name of the object is that of both tenants' tables: only acme's is published.
        ended = call("check", contract, "orders", "--tenant", tenant, "--runner", tenants.runner)
        assert ended.code == code, ended.text
    # Customers of both have the numbers that the orders refer to.
    other = tenants.folder / CONTRACT.format(GLOBEX)
    for data in ("acme__orders", "acme.acme__orders", "countries"):
        ended = call("check", other, data, "--tenant", GLOBEX, "--runner", tenants.runner)
        assert ended.code == 2
        assert "no published table of that name" in ended.err
        assert "acme__customers" not in ended.err
    alone = call("check", other, "acme__orders", "--tenant", GLOBEX)
    assert alone.code == 2
    assert "a tenant is one of a runner file" in alone.err


def test_entities_are_forgotten_in_the_views_of_the_tenant_alone(tenants: Tenants):
    """Feast knows one entity of a name: the platform can give it to views of several."""
    for tenant in (ACME, GLOBEX):
        views = tenants.files[tenant].pop("feature_views")
        view = views[f"{tenant}__totals"]
        view["entities"] = [{"name": "customer", "join_key": "customer"}]
        view["online"] = True
        for key in ("contract", "sql"):
            view[key] = f"tenants/{tenant}/{view[key]}"
        tenants.root.setdefault("feature_views", {})[f"{tenant}__totals"] = {
            **view,
            "tenant": tenant,
        }
    load(tenants, "globex__customers", "globex__orders", "acme__customers", "acme__orders")
    runner = tenants.write()
    assert call("run", "acme__totals", "globex__totals", "--runner", runner).code == 0
    command = ("forget-entity", "customer", "200", "101", "--reason", "r", "--runner", runner)
    found = json.loads(call(*command, "--tenant", ACME, "--json").out)
    assert {view["view"] for view in found["erased"]} == {"acme__totals"}
    platform = tenants.sound()
    left = {
        tenant: {
            r["customer"] for r in rows_of_table(platform, f"{tenant}__features.{tenant}__totals")
        }
        for tenant in (ACME, GLOBEX)
    }
    assert left == {ACME: {100}, GLOBEX: {200, 201}}
    (decided,) = rows_of_table(platform, "history.decisions")
    assert (decided["table"], decided["tenant"]) == ("acme__totals", ACME)


# The history.


def test_the_history_says_whose_a_run_a_result_and_a_decision_are(tenants: Tenants):
    load(tenants, "acme__customers", "acme__orders", "globex__customers")
    runner = tenants.write()
    command = ("release", "acme__orders", "--reason", "ours", "--runner", runner)
    assert call(*command).code == 0
    tenants.table(GLOBEX, "orders")["source"]["path"] = "landing/none.csv"
    assert call("run", "globex__orders", "--runner", tenants.write()).code == 2
    platform = tenants.sound()
    expected = {"countries": "", "acme__customers": ACME, "acme__orders": ACME} | {
        "globex__customers": GLOBEX,
        "globex__orders": GLOBEX,
    }
    runs = rows_of_table(platform, "history.runs")
    assert {row["table"]: row["tenant"] for row in runs} == expected
    assert {"published", "released", "failed"} == {row["state"] for row in runs}
    results = rows_of_table(platform, "history.check_results")
    del expected["globex__orders"]
    assert {row["table"]: row["tenant"] for row in results} == expected
    (decided,) = rows_of_table(platform, "history.decisions")
    assert decided["tenant"] == ACME


def test_results_that_are_older_than_the_column_stay(tenants: Tenants):
    platform = tenants.sound()
    old = pa.schema([f for f in CHECK_RESULTS_SCHEMA if f.name != "tenant"])
    assert old.names == CHECK_RESULTS_SCHEMA.names[:-1]
    load(tenants)
    row = rows_of_table(platform, "history.check_results")[0]
    platform.lake.catalog.drop_table("history.check_results")
    table = platform.lake.create_table("history.check_results", old, RETRIES)
    del row["tenant"]
    table.append(pa.Table.from_pylist([row | {"run_id": "long ago"}], table.schema().as_arrow()))
    load_table(platform, "acme__customers", "run")
    found = {r["run_id"]: r["tenant"] for r in rows_of_table(platform, "history.check_results")}
    assert found == {"long ago": None, "run": ACME}


# Training sets.


def test_commands_of_training_sets_see_those_of_the_tenant(tenants: Tenants):
    for tenant in (ACME, GLOBEX):
        orders = {"table": f"{tenant}__orders", "event_timestamp": "placed_at"}
        churn = {"features": [f"{tenant}__totals"], "entities": orders}
        tenants.files[tenant]["training_sets"] = {f"{tenant}__churn": churn}
    load(tenants)
    runner = tenants.write()
    assert call("run", "--tenant", ACME, "--runner", runner).code == 0
    assert call("run", "--tenant", GLOBEX, "--runner", runner).code == 0
    for tenant in (ACME, GLOBEX):
        command = ("training-set", f"{tenant}__churn", "--tag", "v1", "--runner", runner)
        assert call(*command, "--tenant", tenant).code == 0
    for command in (
        ("training-set", "globex__churn"),
        ("training-sets", "list", "globex__churn"),
        ("training-sets", "show", "globex__churn", "v1"),
        ("training-sets", "remove", "globex__churn", "v1", "--reason", "r", "--yes"),
    ):
        ended = call(*command, "--tenant", ACME, "--runner", runner)
        assert ended.code == 2
        assert "'globex__churn' is no training set of the tenant acme" in ended.err
    listed = call("training-sets", "list", "--tenant", ACME, "--runner", runner, "--json").out
    assert [version["table"] for version in json.loads(listed)] == [
        "acme__training_sets.acme__churn"
    ]
    assert call("training-sets", "list", "--tenant", "x", "--runner", runner).code == 2
    gone = ("training-sets", "remove", "acme__churn", "v1", "--reason", "r", "--yes")
    assert call(*gone, "--tenant", ACME, "--runner", runner).code == 0
    events = rows_of_table(tenants.sound(), "history.training_sets")
    found = sorted((row["name"], row["event"], row["tenant"]) for row in events)
    assert found == [
        ("acme__churn", "made", ACME),
        ("acme__churn", "removed", ACME),
        ("globex__churn", "made", GLOBEX),
    ]
