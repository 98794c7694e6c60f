"""A part of runner.yaml that is wrong breaks itself and what needs it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.problems import only_problem, place, problems_of
from support.runner_text import HOME, ORDERS, VIEW, load_runner_text

from quality_platform.config.loading import RunnerFile, read_runner
from quality_platform.errors import (
    ConfigurationError,
    EnvironmentVariableError,
    RunnerFileError,
)

ITEMS = """\
  items:
    contract: items.odcs.yaml
    source: {type: postgres, connection: shop, table: items}
    load: {mode: replace}
"""
SHOP = "connections: {shop: {url: 'postgresql://host/${DATABASE}'}}\n"


def read(folder: Path, text: str, **variables: str) -> RunnerFile:
    path = folder / "runner.yaml"
    path.write_text(text, encoding="utf-8")
    return read_runner(path, {**HOME, **variables})


def broken(file: RunnerFile) -> list[str]:
    return [f"{part.section}.{part.name}" for part in file.broken]


BROKEN = [
    ("    namspace: x\n", "unknown key 'namspace'"),
    ("    contract_: x\n", "unknown key 'contract_'"),
    ("    load: {mode: apend}\n", "Input should be 'append', 'merge', 'replace' or 'snapshot'"),
    ("    namespace: ${NOT_SET}\n", "the environment variable NOT_SET is not set"),
    ("    group: ${secret:GROUP}\n", "a secret cannot stand here"),
    ("    group: '${secret:}'\n", "not a reference to a secret"),
]


@pytest.mark.parametrize(("line", "message"), BROKEN, ids=[line.strip() for line, _ in BROKEN])
def test_a_wrong_table_breaks_itself_alone(tmp_path: Path, line: str, message: str) -> None:
    good = ORDERS.replace("orders", "good").removeprefix("tables:\n")
    file = read(tmp_path, ORDERS + line + good)
    assert list(file.config.tables) == ["good"]
    (part,) = file.broken
    assert (part.section, part.name, part.noun, part.needs) == ("tables", "orders", "table", ())
    assert any(problem.message.startswith(message) for problem in part.error.problems)
    assert place(part.error.problems[0]) == ("runner.yaml", 5)


def test_all_that_is_wrong_with_a_part_is_told(tmp_path: Path) -> None:
    file = read(tmp_path, ORDERS + "    namspace: x\n    load: {mode: apend}\n")
    assert [place(problem)[1] for problem in file.broken[0].error.problems] == [6, 5]


def test_every_table_may_be_broken(tmp_path: Path) -> None:
    file = read(tmp_path, ORDERS + "    namspace: x\n")
    assert (dict(file.config.tables), broken(file)) == ({}, ["tables.orders"])


def test_a_name_that_is_none_breaks_its_entry_alone(tmp_path: Path) -> None:
    file = read(tmp_path, ORDERS + ORDERS.replace("orders:", "a-b:").removeprefix("tables:\n"))
    assert (list(file.config.tables), broken(file)) == (["orders"], ["tables.a-b"])


def test_an_entry_that_is_no_mapping_breaks_itself_alone(tmp_path: Path) -> None:
    file = read(tmp_path, ORDERS + "  items: 5\n")
    assert (list(file.config.tables), broken(file)) == (["orders"], ["tables.items"])
    assert file.broken[0].written == {}


def test_what_needs_a_broken_part_is_broken_and_names_it(tmp_path: Path) -> None:
    text = ORDERS + ITEMS + VIEW.replace("[orders]", "[orders, items]") + SHOP
    sensors = "sensors: {f: {type: contract_changed, table: items}, g: {type: contract_changed}}\n"
    file = read(tmp_path, text + sensors)
    parts = {part.name: part for part in file.broken}
    assert set(parts) == {"shop", "items", "daily", "f"}
    assert parts["shop"].needs == ()
    assert not parts["shop"].only_follows
    assert parts["items"].needs == ("shop",)
    assert parts["items"].only_follows
    assert parts["daily"].needs == parts["f"].needs == ("items",)
    (problem,) = parts["daily"].error.problems
    assert problem.message == "depends on the table 'items', which is broken"
    assert problem.field == "feature_views.daily.inputs.1"
    assert (list(file.config.tables), list(file.config.sensors)) == (["orders"], ["g"])


def test_a_part_that_is_wrong_itself_is_not_only_a_follower(tmp_path: Path) -> None:
    text = ORDERS + ITEMS + SHOP
    file = read(tmp_path, text + "schedules: {s: {cron: '@daily', targets: [itemz]}}\n")
    parts = {part.name: part for part in file.broken}
    assert not parts["s"].only_follows
    assert parts["s"].error.problems[0].action == "did you mean 'items'?"


def test_a_schedule_keeps_its_broken_targets(tmp_path: Path) -> None:
    text = ORDERS + ITEMS + SHOP + "schedules: {s: {cron: '@daily', targets: [orders, items]}}\n"
    file = read(tmp_path, text)
    assert file.config.schedules["s"].targets == ("orders", "items")


def test_a_wrong_schedule_or_sensor_breaks_itself_alone(tmp_path: Path) -> None:
    text = (
        ORDERS
        + "schedules: {s: {cron: '61 * * * *', enabled: true}, t: {cron: '@daily'}}\n"
        + "sensors: {f: {type: no_such}, g: {type: contract_changed}}\n"
    )
    file = read(tmp_path, text)
    assert sorted(broken(file)) == ["schedules.s", "sensors.f"]
    assert (list(file.config.schedules), list(file.config.sensors)) == (["t"], ["g"])
    (schedule,) = [part for part in file.broken if part.section == "schedules"]
    assert schedule.written == {"cron": "61 * * * *", "enabled": True}


def test_a_name_of_a_table_and_of_a_view_breaks_the_view(tmp_path: Path) -> None:
    file = read(tmp_path, ORDERS + VIEW.replace("daily:", "orders:"))
    assert (list(file.config.tables), broken(file)) == (["orders"], ["feature_views.orders"])


WHOLE = [
    ("lake: {warehous: x}", RunnerFileError),
    ("engine: {threads: 0}", RunnerFileError),
    ("lake: {warehouse: '${NOT_SET}'}", EnvironmentVariableError),
    ("secrets: {type: no_such}", RunnerFileError),
    ("retries: []", RunnerFileError),
    ("table: {}", RunnerFileError),
    ("sensors: []", RunnerFileError),
]


@pytest.mark.parametrize(("line", "error"), WHOLE, ids=[line for line, _ in WHOLE])
def test_what_concerns_everything_is_an_error_of_the_whole_file(
    tmp_path: Path, line: str, error: type[ConfigurationError]
) -> None:
    problem = only_problem(error, lambda: read(tmp_path, f"{ORDERS}{line}\n"))
    assert place(problem) == ("runner.yaml", 5)


def test_an_error_of_the_whole_file_tells_what_is_wrong_in_its_parts_too(tmp_path: Path) -> None:
    text = ORDERS + "    namspace: x\nengine: {threads: 0}\n"
    found = problems_of(RunnerFileError, lambda: read(tmp_path, text))
    assert {problem.field for problem in found} == {"tables.orders.namspace", "engine.threads"}


def test_where_nothing_may_be_broken_causes_are_told_and_what_follows_is_not(
    tmp_path: Path,
) -> None:
    text = ORDERS + ITEMS + SHOP
    problem = only_problem(EnvironmentVariableError, lambda: load_runner_text(tmp_path, text))
    assert problem.field == "connections.shop.url"


def test_a_wrong_hook_breaks_itself_and_the_sensor_that_names_it(tmp_path: Path) -> None:
    hooks = (
        "alerts:\n  hooks:\n"
        "    chat: {type: webhook, url: 'https://${CHAT}/x'}\n"
        "    log: {type: log}\n"
    )
    drift = "    drift: {columns: [n], reference: {start: 2013-01-01, end: 2013-02-01}}\n"
    sensor = "sensors: {d: {type: drift, view: daily, action: alert, hook: chat}}\n"
    file = read(tmp_path, ORDERS + VIEW + drift + sensor + hooks)
    assert broken(file) == ["alerts.hooks.chat", "sensors.d"]
    assert file.broken[0].noun == "hook"
    assert file.broken[0].written["type"] == "webhook"
    assert file.broken[1].needs == ("chat",)
    assert list(file.config.alerts.hooks) == ["log"]


def test_names_that_may_stand_in_a_file_that_cannot_be_read_are_broken(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("tables: [")
    text = (
        "include: [more.yaml]\n"
        + ORDERS
        + VIEW.replace("[orders]", "[orders, items]")
        + "schedules: {s: {cron: '@daily', targets: [orders, items]}}\n"
    )
    file = read(tmp_path, text)
    assert broken(file) == ["include.more.yaml", "tables.items", "feature_views.daily"]
    items = file.broken[1]
    assert (items.needs, items.written) == (("more.yaml",), {})
    assert "may stand in more.yaml, which cannot be used" in items.error.problems[0].message
    assert file.config.schedules["s"].targets == ("orders", "items")


def test_a_sensor_of_several_tables_watches_the_rest(tmp_path: Path) -> None:
    sensor = "sensors: {r: {type: check_failed, tables: [orders, items]}}\n"
    file = read(tmp_path, ORDERS + ITEMS + SHOP + sensor)
    assert list(file.config.sensors) == ["r"]
