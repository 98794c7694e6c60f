"""From one tenant to another by files: those that tenants write, and those of their sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.tenants import ACME, GLOBEX, Tenants, load, tenants_in

from quality_platform.errors import RunnerFileError, SourceAccessError
from quality_platform.flows.load_table import load_table


@pytest.fixture
def tenants(home: Path, tmp_path: Path) -> Tenants:
    return tenants_in(tmp_path)


def test_a_tenants_file_speaks_for_no_other_tenant(tenants: Tenants):
    tenants.table(ACME, "customers")["tenant"] = GLOBEX
    part = next(part for part in tenants.open().broken if part.section == "include")
    assert part.error.problems[0].message == "the file is that of the tenant acme"
    assert "globex__orders" in tenants.open().tables


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("tenants", {"acme": {"paths": ["/"]}}),
        ("include", ["../globex/*.yaml"]),
        ("secrets", {"type": "environment"}),
        ("connections", {"acme__db": {"url": "sqlite:////etc/passwd"}}),
        ("alerts", {"hooks": {}}),
        ("lake", {"warehouse": "elsewhere"}),
    ],
)
def test_a_tenants_file_has_nothing_that_is_of_the_platform(
    tenants: Tenants, section: str, value: Any
):
    tenants.files[ACME][section] = value
    platform = tenants.open()
    assert set(platform.tables) == {"countries", "prices", "globex__customers", "globex__orders"}
    part = next(part for part in platform.broken if part.section == "include")
    message = f"{section!r} stands in the file that includes, and only there"
    assert [problem.message for problem in part.error.problems] == [message]


def test_an_included_file_makes_no_tenants(tenants: Tenants):
    tenants.root["include"] = ["more.yaml"]
    (tenants.folder / "more.yaml").write_text("tenants: {acme: {paths: [/]}}\n")
    assert "stands in the file that includes" in tenants.refusal("more.yaml").message


def test_a_link_to_a_file_of_another_is_not_included(tenants: Tenants):
    tenants.write()
    (tenants.home(ACME) / "stolen.yaml").symlink_to(tenants.home(GLOBEX) / "tables.yaml")
    problem = tenants.refusal("tenants/acme/stolen.yaml")
    assert problem.message == "the file is a link out of the folder of the tenant acme"
    assert tenants.open().tables["globex__orders"].tenant == GLOBEX


def test_a_file_of_a_tenant_stays_the_tenants_where_others_include_it_too(tenants: Tenants):
    tenants.root["include"] = ["tenants/**/*.yaml"]
    for project in (ACME, GLOBEX):
        for contract in (tenants.home(project) / "contracts").iterdir():
            contract.rename(contract.with_suffix(".yml"))
    for document in tenants.files.values():
        for entry in (*document["tables"].values(), *document["feature_views"].values()):
            entry["contract"] = entry["contract"].replace(".yaml", ".yml")
    tenants.write()
    (tenants.folder / "tenants" / "common.yaml").write_text("tables: {}\n")
    assert tenants.sound().tables["acme__orders"].tenant == ACME


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("tenants/acme/*.yaml", "the folder is also that of acme"),
        ("tenants/*/tables.yaml", "the folder is also that of acme"),
        ("*.yml", "the folder of runner.yaml is no tenant's"),
        ("tenants/globex/../*.yaml", "a tenant's files are named without .."),
    ],
)
def test_each_tenant_has_a_folder_of_its_own(tenants: Tenants, pattern: str, message: str):
    tenants.root["tenants"][GLOBEX]["include"] = [pattern]
    with pytest.raises(RunnerFileError) as caught:
        tenants.open()
    assert message in [problem.message for problem in caught.value.problems]


def test_a_tenant_without_files_stops_no_other(tenants: Tenants):
    tenants.write()
    (tenants.home(ACME) / "tables.yaml").unlink()
    del tenants.files[ACME]
    assert tenants.refusal(ACME).message == "there is no such file to include"
    assert "globex__orders" in tenants.open().tables


@pytest.mark.parametrize("key", ["contract", "sql"])
@pytest.mark.parametrize("by", ["path", "link"])
def test_contracts_and_sql_of_another_cannot_be_named(tenants: Tenants, key: str, by: str):
    theirs = {"contract": "contracts/totals.odcs.yaml", "sql": "totals.sql"}[key]
    named = f"../globex/{theirs}"
    if by == "link":
        (tenants.home(ACME) / "link").symlink_to(tenants.home(GLOBEX) / theirs)
        named = "link"
    tenants.files[ACME]["feature_views"]["acme__totals"][key] = named
    message = "the file is outside of the folder of the tenant acme"
    assert tenants.refusal("acme__totals").message == message


def test_a_python_function_cannot_be_named(tenants: Tenants):
    view = tenants.files[ACME]["feature_views"]["acme__totals"]
    del view["sql"]
    view["python"] = "totals.py:totals"
    (tenants.home(ACME) / "totals.py").write_text("raise SystemExit\n")
    problem = tenants.refusal("acme__totals")
    assert "a tenant's file cannot name Python functions" in problem.message
    assert problem.field == "feature_views.acme__totals.python"


# Paths of sources.


@pytest.mark.parametrize(
    "path",
    [
        "../globex/landing/orders.csv",
        "landing/../../globex/landing/orders.csv",
        "../*/landing/orders.csv",
        "{}/tenants/globex/landing/orders.csv",
        "../../landing/*.csv",
        "s3://bucket/globex/orders.csv",
    ],
)
def test_a_path_out_of_the_tenants_folder_is_refused(tenants: Tenants, path: str):
    tenants.table(ACME, "orders")["source"]["path"] = path.format(tenants.folder)
    assert tenants.refusal("acme__orders").message == "the tenant acme may not read this path"


def linked(tenants: Tenants, path: str) -> None:
    """Puts a link to a file of globex's into acme's landing folder, and loads orders by a path."""
    landing = tenants.home(ACME) / "landing"
    (landing / "orders.csv").unlink()
    (landing / "customers.csv").rename(tenants.home(ACME) / "c.csv")
    tenants.table(ACME, "customers")["source"]["path"] = "c.csv"
    (landing / "link.csv").symlink_to(tenants.home(GLOBEX) / "landing/orders.csv")
    tenants.table(ACME, "orders")["source"]["path"] = path


def test_a_link_leads_out_of_no_folder(tenants: Tenants):
    linked(tenants, "landing/link.csv")
    assert tenants.refusal("acme__orders").message == "the tenant acme may not read this path"


@pytest.mark.parametrize("path", ["landing/*.csv", "land*/../../globex/landing/orders*"])
def test_what_a_glob_finds_is_looked_at_before_it_is_read(tenants: Tenants, path: str):
    linked(tenants, path)
    load(tenants, "acme__customers")
    with pytest.raises(SourceAccessError, match="not one that the tenant acme may read"):
        load_table(tenants.sound(), "acme__orders", "run")


def test_who_runs_the_platform_says_what_a_tenant_may_read(tenants: Tenants):
    tenants.root["tenants"][ACME]["paths"] = ["landing", "s3://bucket/acme"]
    orders = tenants.table(ACME, "orders")
    orders["source"]["path"] = "../../landing/orders.csv"
    # What is given takes the place of the tenant's own folder.
    assert tenants.refusal("acme__customers").allowed.startswith(str(tenants.folder / "landing"))
    tenants.table(ACME, "customers")["source"]["path"] = "s3://bucket/acme/customers.csv"
    tenants.sound()
    for path in ("s3://bucket/acme2/c.csv", "s3://bucket/acme/../globex/c.csv"):
        tenants.table(ACME, "customers")["source"]["path"] = path
        assert "may not read this path" in tenants.refusal("acme__customers").message


@pytest.mark.parametrize("path", ["tenants/globex/landing/orders.csv", "given/to/globex/o.csv"])
def test_a_table_in_runner_yaml_reads_no_other_tenants_files_either(tenants: Tenants, path: str):
    tenants.root["tenants"][GLOBEX]["paths"] = ["given/to/globex"]
    prices = tenants.root["tables"].pop("prices")
    tenants.root["tables"]["acme_prices"] = {
        **prices, "tenant": ACME, "source": {"type": "csv", "path": path}
    }  # fmt: skip
    tenants.files[GLOBEX]["tables"] = {}
    tenants.files[GLOBEX]["feature_views"] = {}
    tenants.files[GLOBEX]["schedules"] = {}
    assert "may not read this path" in tenants.refusal("acme_prices").message
