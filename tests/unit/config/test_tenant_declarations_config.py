"""What says `tenants` in runner.yaml: what it becomes, what it may not say, and with which line."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from support.problems import place
from support.runner_text import HOME

from quality_platform.config.loading import RunnerFile, read_runner
from quality_platform.errors import Problem

START = """\
version: 1
tenants: {acme: {}, globex: {}}
tables:
  orders:
    tenants: [acme, globex]
    contract: orders.odcs.yaml
    source: {type: csv, path: 'landing/{tenant}/{partition:%Y}/*.csv'}
  rates: {contract: rates.odcs.yaml, shared: true, source: {type: csv, path: rates.csv}}
"""

VIEW = """\
feature_views:
  totals:
    tenants: [acme, globex]
    contract: '{tenant}.odcs.yaml'
    sql: totals.sql
    inputs: [rates, orders]
    lineage: {total: [orders.amount, rates.rate]}
    incremental: {times: {orders: placed_at}}
    entities: [{name: customer, join_key: customer}]
    event_timestamp: at
"""


def read(folder: Path, text: str, **files: str) -> RunnerFile:
    for name, content in files.items():
        path = folder / name / "tables.yaml"
        path.parent.mkdir()
        path.write_text(dedent(content))
    path = folder / "runner.yaml"
    path.write_text(text)
    return read_runner(path, HOME)


def problems(file: RunnerFile) -> dict[str, list[Problem]]:
    """What is wrong with each part, by name."""
    return {part.name: list(part.error.problems) for part in file.broken}


def only(file: RunnerFile, name: str) -> Problem:
    """What is wrong with the only part that is broken."""
    found = problems(file)
    assert list(found) == [name]
    (problem,) = found[name]
    return problem


def test_a_declaration_becomes_a_table_of_each_tenant(tmp_path: Path) -> None:
    file = read(tmp_path, START)
    tables = file.config.tables
    assert list(tables) == ["acme__orders", "globex__orders", "rates"]
    assert [tables[f"{t}__orders"].tenant for t in ("acme", "globex")] == ["acme", "globex"]
    assert tables["rates"].tenant is None


def test_its_texts_have_the_tenants_name_and_keep_the_partitions(tmp_path: Path) -> None:
    tables = read(tmp_path, START).config.tables
    assert tables["acme__orders"].source.path == "landing/acme/{partition:%Y}/*.csv"
    assert tables["globex__orders"].source.path == "landing/globex/{partition:%Y}/*.csv"


def test_a_variable_brings_no_place_for_a_tenant(tmp_path: Path) -> None:
    text = START.replace("landing/{tenant}", "{tenant}/${LANDING:-in}")
    path = tmp_path / "runner.yaml"
    path.write_text(text)
    file = read_runner(path, {**HOME, "LANDING": "{tenant}"})
    found = file.config.tables["acme__orders"].source.path
    assert found == "acme/{tenant}/{partition:%Y}/*.csv"


def test_a_view_reads_its_own_tenants_tables(tmp_path: Path) -> None:
    view = read(tmp_path, START + VIEW).config.feature_views["globex__totals"]
    assert view.inputs == ("rates", "globex__orders")
    assert view.lineage == {"total": ("globex__orders.amount", "rates.rate")}
    assert view.incremental is not None
    assert view.incremental.times == {"globex__orders": "placed_at"}
    assert view.contract == Path("globex.odcs.yaml")
    assert [view.called(name) for name in view.inputs] == ["rates", "orders"]


def test_names_that_would_be_one_in_the_sql_stay_as_they_are(tmp_path: Path) -> None:
    text = (START + VIEW).replace("[rates, orders]", "[rates, acme__rates]")
    text = text.replace("lineage: {total: [orders.amount, rates.rate]}", "lineage: {}")
    text = text.replace(
        "tenants: [acme, globex]\n    contract: '{", "tenants: [acme]\n    contract: '{"
    )
    more = "  acme__rates: {contract: a, tenant: acme, source: {type: csv, path: a.csv}}\n"
    text = text.replace("feature_views:", more + "feature_views:")
    view = read(tmp_path, text).config.feature_views["acme__totals"]
    assert [view.called(name) for name in view.inputs] == ["rates", "acme__rates"]


def test_a_training_set_means_its_own_tenants_views(tmp_path: Path) -> None:
    sets = """\
training_sets:
  churn:
    tenants: [acme, globex]
    features: [totals, 'totals:total', {totals: [total]}]
    entities: {table: orders}
"""
    found = read(tmp_path, START + VIEW + sets).config.training_sets["acme__churn"]
    assert [choice.view for choice in found.features] == ["acme__totals"] * 3
    assert [choice.features for choice in found.features] == [(), ("total",), ("total",)]
    assert found.entities is not None
    assert found.entities.table == "acme__orders"


RUNNERS = """\
schedules:
  all: {cron: '@daily', targets: [rates, orders, acme__orders, totals]}
  hers: {cron: '@daily', tenant: acme, targets: [orders]}
  each: {cron: '@daily', tenants: [acme, globex], targets: [totals]}
sensors:
  failed: {type: check_failed, tables: [orders]}
  files: {type: file_arrival, tenants: [acme, globex], table: orders}
alerts:
  hooks:
    told: {type: webhook, url: 'https://example.com/', tables: [orders, totals]}
"""


def test_lists_of_tables_mean_those_of_all_tenants(tmp_path: Path) -> None:
    config = read(tmp_path, START + VIEW + RUNNERS).config
    both = ("acme__orders", "globex__orders")
    totals = ("acme__totals", "globex__totals")
    assert config.schedules["all"].targets == ("rates", *both, *totals)
    assert config.sensors["failed"].tables == both  # type: ignore[union-attr]
    assert config.alerts.hooks["told"].tables == (*both, *totals)


def test_those_of_a_tenant_mean_its_own(tmp_path: Path) -> None:
    config = read(tmp_path, START + VIEW + RUNNERS).config
    assert config.schedules["hers"].targets == ("acme__orders",)
    assert config.schedules["globex__each"].targets == ("globex__totals",)
    assert config.schedules["globex__each"].tenant == "globex"
    assert config.sensors["acme__files"].table == "acme__orders"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("main.orders", "acme.acme__orders"),
        ("features.totals", "acme__features.acme__totals"),
        ("sales.orders", "sales.orders"),
        ("{tenant}.{tenant}__orders", "acme.acme__orders"),
    ],
)
def test_a_table_of_the_lake_is_the_tenants_own(tmp_path: Path, table: str, found: str) -> None:
    copies = f"""\
  copies:
    tenants: [acme]
    contract: c.odcs.yaml
    source: {{type: iceberg, table: '{table}'}}
    load: {{mode: replace}}
"""
    text = START.replace("  rates:", copies + "  rates:") + VIEW
    file = read(tmp_path, text)
    broken = problems(file).get("acme__copies", [])
    if found == "sales.orders":
        assert [problem.message for problem in broken] == [
            "the table is not the tenant's, and not shared"
        ]
        assert broken[0].received == found
    else:
        assert file.config.tables["acme__copies"].source.table == found


def test_what_is_wrong_with_it_has_the_line_of_the_declaration(tmp_path: Path) -> None:
    text = START.replace("landing/", "ftp://{tenant}/")
    found = problems(read(tmp_path, text))
    assert list(found) == ["acme__orders", "globex__orders"]
    for name, (problem,) in found.items():
        assert place(problem) == ("runner.yaml", 7)
        assert problem.field == f"tables.{name}.source"


def test_a_name_in_a_list_keeps_its_place(tmp_path: Path) -> None:
    text = START + "schedules:\n  all:\n    cron: '@daily'\n    targets:\n"
    text += "      - orders\n      - orderz\n"
    problem = only(read(tmp_path, text), "all")
    assert place(problem) == ("runner.yaml", 14)
    assert problem.field == "schedules.all.targets.2"


def test_paths_start_at_the_folder_of_the_file_with_the_declaration(tmp_path: Path) -> None:
    text = "version: 1\ninclude: [team/*.yaml]\ntenants: {acme: {}, globex: {}}\n"
    team = "tables:" + START.partition("tables:")[2]
    file = read(tmp_path, text, team=team)
    assert file.resolver("tables", "acme__orders")("a") == tmp_path / "team" / "a"
    assert file.location("tables", "globex__orders", "contract").line == 4
    assert file.location("tenants", "globex").line == 3


def test_an_unknown_tenant_breaks_its_own_table_alone(tmp_path: Path) -> None:
    file = read(tmp_path, START.replace("[acme, globex]", "[acme, globx]"))
    assert list(file.config.tables) == ["acme__orders", "rates"]
    found = problems(file)
    (problem,) = found["globx__orders"]
    assert problem.message == "there is no such tenant in this file"
    assert (problem.allowed, problem.action) == ("acme, globex", "did you mean 'globex'?")
    assert place(problem) == ("runner.yaml", 5)
    assert problem.location is not None
    assert problem.location.column == 21
    assert len(found) == 1


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        ("[acme, globex]", "[]", "must be a list of names of tenants", 5),
        ("[acme, globex]", "acme", "must be a list of names of tenants", 5),
        ("[acme, globex]", "", "must be a list of names of tenants", 5),
        ("[acme, globex]", "[acme, a b]", "must be a list of names of tenants", 5),
        ("[acme, globex]", "[1]", "must be a list of names of tenants", 5),
        ("[acme, globex]", "[acme, acme]", "the tenant is named twice", 5),
        (
            "    contract: o",
            "    tenant: acme\n    contract: o",
            "say either `tenant` or `tenants`",
            5,
        ),
    ],
)
def test_a_declaration_that_cannot_be_understood_is_broken(
    tmp_path: Path, old: str, new: str, message: str, line: int
) -> None:
    file = read(tmp_path, START.replace(old, new, 1))
    problem = only(file, "orders")
    assert problem.message == message
    assert place(problem) == ("runner.yaml", line)
    assert list(file.config.tables) == ["rates"]


def test_a_name_that_is_written_as_well_is_broken(tmp_path: Path) -> None:
    more = "  acme__orders: {contract: a, tenant: acme, source: {type: csv, path: a.csv}}\n"
    file = read(tmp_path, START + more)
    problem = only(file, "acme__orders")
    assert problem.message.startswith("tables.acme__orders is defined twice, here and by `tenants`")
    assert place(problem) == ("runner.yaml", 9)
    assert list(file.config.tables) == ["globex__orders", "rates"]


def test_a_name_of_another_kind_is_broken(tmp_path: Path) -> None:
    file = read(tmp_path, START + VIEW.replace("totals:", "rates:", 1))
    found = problems(file)["rates"]
    assert [problem.message.partition(" in ")[0] for problem in found] == [
        "'rates' is also the name of what stands"
    ]


@pytest.mark.parametrize("path", ["landing/orders/*.csv", "landing/${TENANT:-x}.csv"])
def test_tenants_cannot_all_load_the_same_rows(tmp_path: Path, path: str) -> None:
    text = START.replace("landing/{tenant}/{partition:%Y}/*.csv", path)
    found = problems(read(tmp_path, text))
    assert list(found) == ["acme__orders", "globex__orders"]
    (problem,) = found["acme__orders"]
    assert problem.message == "each of the tenants would load the same rows"
    assert place(problem) == ("runner.yaml", 7)


def test_one_tenant_alone_can_load_any_rows(tmp_path: Path) -> None:
    text = START.replace("landing/{tenant}", "landing").replace("[acme, globex]", "[acme]")
    assert list(read(tmp_path, text).config.tables) == ["acme__orders", "rates"]


def test_a_tenants_own_file_speaks_for_no_other(tmp_path: Path) -> None:
    text = START.replace("acme: {}", "acme: {include: [acme/*.yaml]}")
    theirs = """\
        tables:
          acme__items:
            tenants: [acme, globex]
            contract: c.odcs.yaml
            source: {type: csv, path: '{tenant}.csv'}
        """
    file = read(tmp_path, text, acme=theirs)
    problem = only(file, "acme__items")
    assert problem.message == "the file is that of the tenant acme, and speaks for no other"
    assert place(problem) == ("tables.yaml", 3)
    assert list(file.config.tables) == ["acme__orders", "globex__orders", "rates"]


def test_a_tenants_own_file_takes_no_name_but_its_own(tmp_path: Path) -> None:
    text = START.replace("acme: {}", "acme: {include: [acme/*.yaml]}")
    theirs = """\
        tables:
          acme__orders: {contract: c.odcs.yaml, source: {type: csv, path: c.csv}}
        """
    file = read(tmp_path, text, acme=theirs)
    assert only(file, "acme__orders").message.startswith("tables.acme__orders is defined twice")
    assert list(file.config.tables) == ["globex__orders", "rates"]


def test_in_a_tenants_own_file_the_name_means_the_tenants_table(tmp_path: Path) -> None:
    text = START.replace("acme: {}", "acme: {include: [acme/*.yaml]}")
    theirs = "schedules: {acme__daily: {cron: '@daily', targets: [orders]}}\n"
    config = read(tmp_path, text, acme=theirs).config
    assert config.schedules["acme__daily"].targets == ("acme__orders",)
    text = text.replace("[acme, globex]", "[globex]")
    path = tmp_path / "runner.yaml"
    path.write_text(text)
    assert only(read_runner(path, HOME), "acme__daily").received == "'orders'"


def test_a_view_of_nobody_has_to_say_whose_table_it_reads(tmp_path: Path) -> None:
    file = read(tmp_path, START + VIEW.replace("    tenants: [acme, globex]\n", ""))
    found = problems(file)["totals"]
    assert found[0].message == "there is no such table in this file"
    assert "acme__orders" in found[0].allowed


def test_a_file_without_declarations_is_read_as_it_was(tmp_path: Path) -> None:
    text = START.replace("    tenants: [acme, globex]\n", "")
    file = read(tmp_path, text)
    assert file.config.tables["orders"].source.path == "landing/{tenant}/{partition:%Y}/*.csv"


def test_the_example_of_the_page_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "tenants.md").read_text(encoding="utf-8")
    example = page.partition("## One declaration")[2].split("```yaml\n")[1].partition("```")[0]
    file = read(tmp_path, "tenants: {acme: {}, globex: {}}\n" + example)
    assert problems(file) == {}
    assert file.config.schedules["acme__nightly"].targets == ("acme__orders", "acme__totals")
