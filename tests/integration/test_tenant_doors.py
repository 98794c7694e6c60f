"""From one tenant to another, by every door: each is shut, and says why."""

from __future__ import annotations

import base64
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.project import column_of, data_files
from support.tenants import ACME, GLOBEX, Tenants, load, tenants_in

from quality_platform.errors import (
    FeatureViewError,
    QuotaError,
    SecretNotFoundError,
)
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table


@pytest.fixture
def tenants(home: Path, tmp_path: Path) -> Tenants:
    return tenants_in(tmp_path)


# What is open.


def test_each_tenant_has_namespaces_and_a_warehouse_of_its_own(tenants: Tenants):
    tenants.root["tenants"][GLOBEX]["warehouse"] = "lake_of_globex"
    tenants.table(ACME, "orders")["namespace"] = "sales"
    load(tenants, "acme__customers", "acme__orders", "globex__customers", "globex__orders")
    platform = tenants.sound()
    acme, globex = platform.tables["acme__orders"], platform.tables["globex__orders"]
    assert (acme.identifier, acme.quarantine_identifier) == (
        "acme__sales.acme__orders",
        "acme__quarantine.acme__orders",
    )
    assert globex.identifier == "globex.globex__orders"
    for name in (globex.identifier, globex.quarantine_identifier):
        assert f"/lake_of_globex/{name.replace('.', '/')}" in platform.lake.table(name).location()
    assert "/warehouse/acme__sales/" in platform.lake.table(acme.identifier).location()
    assert column_of(platform, acme.identifier, "amount") == [10, 10, 10]
    assert column_of(platform, globex.identifier, "amount") == [20, 20, 20]
    # The order of nobody's.
    assert len(column_of(platform, acme.quarantine_identifier, "_run_id")) == 1


def test_a_foreign_key_means_the_tenants_own_table_or_a_shared_one(tenants: Tenants):
    platform = tenants.sound()
    assert platform.tables["acme__orders"].references == ("acme__customers",)
    assert platform.tables["globex__orders"].references == ("globex__customers",)
    assert platform.tables["globex__customers"].references == ("countries",)


def test_what_is_shared_can_be_read_by_others(tenants: Tenants):
    tenants.table(GLOBEX, "orders")["shared"] = True
    view = tenants.files[ACME]["feature_views"]["acme__totals"]
    view["inputs"] = ["globex__orders"]
    sql = tenants.home(ACME) / "totals.sql"
    sql.write_text(sql.read_text().replace("acme__orders", "globex__orders"))
    load(tenants, "globex__customers", "globex__orders")
    compute_feature_view(tenants.sound(), "acme__totals", "run")
    assert column_of(tenants.sound(), "acme__features.acme__totals", "total") == [20, 40]


def test_a_schedule_of_a_tenant_runs_all_that_is_the_tenants(tenants: Tenants):
    schedule = tenants.sound().runner.config.schedules["acme__nightly"]
    assert schedule.targets == ("acme__customers", "acme__orders", "acme__totals")


# Names.


@pytest.mark.parametrize("namespace", ["globex", "globex__main", "GLOBEX", "globex__quarantine"])
def test_no_namespace_of_another_can_be_named(tenants: Tenants, namespace: str):
    tenants.root["tables"]["prices"]["namespace"] = namespace
    assert tenants.refusal("prices").message == "the namespace is of the tenant globex"


@pytest.mark.parametrize("namespace", ["../globex", "globex.main", '"globex"', "a/b", "quarantine"])
def test_a_namespace_is_a_plain_name(tenants: Tenants, namespace: str):
    tenants.table(ACME, "customers")["namespace"] = namespace
    assert "acme__customers" in tenants.broken()


def test_a_namespace_of_another_is_below_the_tenants_own(tenants: Tenants):
    tenants.table(ACME, "customers")["namespace"] = "globex"
    assert tenants.sound().tables["acme__customers"].namespace == "acme__globex"


@pytest.mark.parametrize("name", ["globex__customers", "countries", "acme_items", "items"])
def test_a_tenants_file_cannot_take_a_name_of_others(tenants: Tenants, name: str):
    tenants.files[ACME]["tables"][name] = tenants.table(ACME, "customers")
    platform = tenants.open()
    assert {"countries", "prices", "globex__customers", "globex__orders"} == set(platform.tables)
    part = next(part for part in platform.broken if part.section == "include")
    problem = part.error.problems[0]
    assert problem.message == "names in a file of the tenant acme begin with acme__"
    assert str(problem.location).startswith(str(tenants.home(ACME) / "tables.yaml"))


def test_no_other_table_can_have_a_name_of_a_tenants(tenants: Tenants):
    tenants.root["tables"]["acme__items"] = tenants.root["tables"]["prices"]
    message = "a name that begins with acme__ is of the tenant acme"
    assert tenants.refusal("acme__items").message == message


@pytest.mark.parametrize("name", ["acme__eu", "quarantine", "global", "main", "a.b", "../acme"])
def test_a_tenants_name_cannot_be_taken_for_something_else(tenants: Tenants, name: str):
    tenants.root["tenants"][name] = {}
    assert name in tenants.broken()


def test_tenants_differ_in_more_than_case(tenants: Tenants):
    tenants.root["tenants"]["Acme"] = {}
    assert tenants.refusal("Acme").message == "differs from the tenant 'acme' in case alone"


# Connections and other tables.


def test_a_connection_is_its_tenants_alone(tenants: Tenants):
    connection = {"url": f"sqlite:///{tenants.folder}/db", "tenant": GLOBEX}
    tenants.root["connections"] = {"db": connection}
    orders = tenants.table(ACME, "orders")
    orders["source"] = {"type": "sql", "connection": "db", "table": "orders"}
    orders["load"] = {"mode": "replace"}
    for tenant in (GLOBEX, None):
        connection["tenant"] = tenant
        message = "the connection 'db' is not the tenant's, and not shared"
        assert tenants.refusal("acme__orders").message == message
    connection["tenant"] = ACME
    sqlite3.connect(tenants.folder / "db").execute("CREATE TABLE orders (id, customer)")
    tenants.sound()


@pytest.mark.parametrize(
    "table",
    [
        "globex.globex__orders",
        "globex__quarantine.globex__orders",
        "quarantine.prices",
        "history.runs",
        "main.prices",
        "GLOBEX.globex__orders",
        "",
    ],
)
def test_no_table_of_another_is_a_source(tenants: Tenants, table: str):
    tenants.table(ACME, "orders")["source"] = {"type": "iceberg", "table": table}
    assert (
        tenants.refusal("acme__orders").message == "the table is not the tenant's, and not shared"
    )


def test_own_and_shared_tables_are_sources(tenants: Tenants):
    tenants.table(GLOBEX, "orders")["shared"] = True
    for table in ("globex.globex__orders", "main.countries", "acme.acme__customers"):
        tenants.table(ACME, "orders")["source"] = {"type": "iceberg", "table": table}
        tenants.sound()


def test_a_catalog_that_a_tenant_names_is_refused(tenants: Tenants):
    source = {"type": "iceberg", "table": "globex.globex__orders", "catalog": {"type": "sql"}}
    tenants.table(ACME, "orders")["source"] = source
    assert "a catalog that it names itself" in tenants.refusal("acme__orders").message


@pytest.mark.parametrize("name", ["globex__orders", "prices"])
def test_a_view_cannot_take_what_is_not_shared(tenants: Tenants, name: str):
    tenants.files[ACME]["feature_views"]["acme__totals"]["inputs"] = ["acme__orders", name]
    message = f"the table {name!r} is not the tenant's, and not shared"
    assert tenants.refusal("acme__totals").message == message


@pytest.mark.parametrize(
    "source",
    [
        "globex__orders",
        "globex.globex__orders",
        "lake.globex.globex__orders",
        "read_parquet('/**/*.parquet')",
        "'../globex/landing/orders.csv'",
    ],
)
def test_sql_reads_nothing_but_the_inputs(tenants: Tenants, source: str):
    sql = tenants.home(ACME) / "totals.sql"
    sql.write_text(sql.read_text().replace("FROM acme__orders", f"FROM {source}"))
    load(tenants, "acme__customers", "acme__orders", "globex__customers", "globex__orders")
    with pytest.raises(FeatureViewError):
        compute_feature_view(tenants.sound(), "acme__totals", "run")


def test_a_foreign_key_leads_to_no_table_of_another(tenants: Tenants):
    contract = tenants.home(ACME) / "contracts/orders.odcs.yaml"
    only_theirs = tenants.home(GLOBEX) / "contracts/customers.odcs.yaml"
    only_theirs.write_text(only_theirs.read_text().replace("name: customers", "name: clients"))
    theirs = tenants.home(GLOBEX) / "contracts/orders.odcs.yaml"
    for path in (contract, theirs):
        path.write_text(path.read_text().replace("customers.id", "clients.id"))
    assert tenants.open().tables["globex__orders"].references == ("globex__customers",)
    assert "clients" in tenants.refusal("acme__orders").message


# Schedules and sensors.


@pytest.mark.parametrize("target", ["globex__orders", "countries"])
def test_a_schedule_runs_nothing_of_others_even_if_shared(tenants: Tenants, target: str):
    tenants.files[ACME]["schedules"]["acme__nightly"]["targets"] = ["acme__orders", target]
    message = f"the table or feature view {target!r} is not the tenant's"
    assert tenants.refusal("acme__nightly").message == message


def test_a_schedule_cannot_carry_the_tag_of_another(tenants: Tenants):
    schedule = tenants.files[ACME]["schedules"]["acme__nightly"]
    schedule["tags"] = {"quality-platform/tenant": GLOBEX}
    assert "are not yours" in tenants.refusal("acme__nightly").message


@pytest.mark.parametrize(
    "sensor",
    [
        {"type": "check_failed", "tables": ["globex__orders"]},
        {"type": "file_arrival", "table": "globex__orders"},
        {"type": "contract_changed", "table": "globex__orders"},
        {"type": "contract_changed"},
        {"type": "drift", "view": "globex__totals", "action": "recompute"},
    ],
)
def test_a_sensor_watches_nothing_of_others(tenants: Tenants, sensor: dict[str, Any]):
    tenants.files[ACME]["sensors"] = {"acme__watch": sensor}
    tenants.refusal("acme__watch")
    problems = tenants.broken()["acme__watch"].error.problems
    assert any("tenant's" in problem.message for problem in problems)


# Secrets and variables.


def test_a_secret_is_asked_for_in_the_tenants_scope_and_no_other(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
):
    names = {"ACME__KEY": "acme's", "GLOBEX__KEY": "globex's", "KEY": "the platform's"}
    for name, value in {**names, "GLOBAL__REGION": "for all", "GLOBEX__ONLY": "x"}.items():
        monkeypatch.setenv(name, value)
    url = "postgresql://u:${secret:%s}@h/d"
    tenants.root["connections"] = {
        name: {"url": url % secret, **({"tenant": tenant} if tenant else {})}
        for name, (secret, tenant) in {
            "own": ("KEY", ACME),
            "theirs": ("KEY", GLOBEX),
            "nobodys": ("KEY", ""),
            "of_all": ("REGION", ACME),
            "only_theirs": ("ONLY", ACME),
            "named": ("GLOBEX__KEY", ACME),
            "climbing": ("../GLOBEX__KEY", ACME),
        }.items()
    }
    connections = tenants.sound().runner.config.connections
    asked = {name: c.url for name, c in connections.items()}
    assert "acme's" in asked["own"].get_secret_value()
    assert "globex's" in asked["theirs"].get_secret_value()
    assert "the platform's" in asked["nobodys"].get_secret_value()
    assert "for all" in asked["of_all"].get_secret_value()
    for name in ("only_theirs", "named", "climbing"):
        with pytest.raises(SecretNotFoundError):
            asked[name].get_secret_value()


def test_a_tenants_file_has_the_variables_that_it_is_given(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GLOBEX_PASSWORD", "canary")
    monkeypatch.setenv("STAGE", "eu")
    for written in ("${GLOBEX_PASSWORD}", "${GLOBEX_PASSWORD:-nothing}"):
        tenants.files[ACME]["schedules"]["acme__nightly"]["description"] = written
        problem = tenants.refusal("acme__nightly")
        message = "the variable GLOBEX_PASSWORD is not given to the tenant acme"
        assert problem.message == message
        assert "canary" not in str(tenants.broken()["acme__nightly"].error)
    tenants.root["tenants"][ACME]["variables"] = ["STAGE"]
    tenants.files[ACME]["schedules"]["acme__nightly"]["description"] = "${STAGE}"
    assert tenants.sound().runner.config.schedules["acme__nightly"].description == "eu"


# Quotas.


def test_a_load_beyond_the_tenants_quota_publishes_nothing(tenants: Tenants):
    tenants.root["tenants"][ACME]["max_rows_per_load"] = 3
    load(tenants, "acme__customers", "globex__customers", "globex__orders")
    platform = tenants.sound()
    with pytest.raises(QuotaError, match="more rows than one of this tenant's may have"):
        load_table(platform, "acme__orders", "run")
    assert column_of(platform, "acme.acme__orders", "id") == []
    assert column_of(platform, "acme__quarantine.acme__orders", "_run_id") == []
    assert column_of(platform, "globex.globex__orders", "id") == [0, 1, 2]
    tenants.root["tenants"][ACME]["max_rows_per_load"] = 4
    load_table(tenants.sound(), "acme__orders", "run")
    assert column_of(platform, "acme.acme__orders", "id") == [0, 1, 2]


def test_a_load_beyond_the_tenants_size_publishes_nothing(tenants: Tenants):
    tenants.root["tenants"][ACME]["max_size_per_load"] = "1MB"
    customers = tenants.home(ACME) / "landing/customers.csv"
    customers.write_text(customers.read_text() + f"102,{'x' * 10**6}\n")
    load(tenants, "globex__customers")
    platform = tenants.sound()
    with pytest.raises(QuotaError, match="more bytes than one of this tenant's may have"):
        load_table(platform, "acme__customers", "run")
    assert column_of(platform, "acme.acme__customers", "id") == []
    assert column_of(platform, "acme__quarantine.acme__customers", "_run_id") == []
    tenants.root["tenants"][ACME]["max_size_per_load"] = "2MB"
    assert load_table(tenants.sound(), "acme__customers", "run").rows_quarantined == 1


def test_a_load_beyond_the_tenants_storage_publishes_nothing(tenants: Tenants):
    notes = dict(tenants.root["tables"]["prices"]) | {"tenant": ACME}
    notes["source"] = {"type": "csv", "path": "landing/notes*.csv"}
    tenants.root["tables"]["acme__notes"] = notes
    tenants.root["tenants"][ACME]["max_storage"] = "1MB"

    def deliver(code: str) -> None:
        # 600 kB that nothing makes smaller.
        text = base64.b64encode(random.Random(code).randbytes(600_000)).decode()
        (tenants.folder / f"landing/notes-{code}.csv").write_text(f"code,name\n{code},{text}\n")

    def published() -> list[str]:
        return column_of(tenants.sound(), "acme.acme__notes", "code")

    deliver("a")
    load_table(tenants.sound(), "acme__notes", "run")
    deliver("b")
    with pytest.raises(QuotaError, match="the tables of the tenant acme would hold more") as raised:
        load_table(tenants.sound(), "acme__notes", "run")
    assert raised.value.problems[0].allowed == "1,000,000 bytes"
    assert published() == ["a"]
    assert len(data_files(tenants.sound(), "acme/acme__notes/**/*.parquet")) == 1
    load(tenants, "globex__customers")
    # What takes the place of other rows needs no more room than they did.
    (tenants.folder / "landing/notes-a.csv").unlink()
    notes["load"] = {"mode": "replace"}
    load_table(tenants.sound(), "acme__notes", "run")
    assert published() == ["b"]
    tenants.root["tenants"][ACME]["max_storage"] = "2MB"
    notes["load"] = {"mode": "append"}
    deliver("c")
    load_table(tenants.sound(), "acme__notes", "run")
    assert published() == ["b", "c"]


def test_tables_beyond_the_tenants_quota_are_refused(tenants: Tenants):
    tenants.root["tenants"][ACME]["max_tables"] = 2
    message = "the tenant acme may have 2 tables, feature views and training sets"
    assert tenants.refusal("acme__totals").message == message
    assert "globex__totals" in tenants.open().feature_tables


def test_the_example_of_the_page_can_be_used(tenants: Tenants):
    page = (Path(__file__).parents[2] / "docs/tenants.md").read_text(encoding="utf-8")
    example = yaml.safe_load(page.split("```yaml")[1].partition("```")[0])
    tenants.root["tenants"] = example["tenants"]
    tenants.root["connections"] = example["connections"]
    assert not tenants.broken()
