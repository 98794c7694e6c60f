"""The command line where a part of runner.yaml is broken: the rest works, and nothing is hidden."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from support.command_line import call
from support.project import Project, foreign_key, integer, key, rows_of_table

from quality_platform.flows.platform import open_platform

ORDERS = {"id": key(integer())}
ITEMS = {"id": key(integer()), "order": integer(**foreign_key("orders.id", "order_is_known"))}


@pytest.fixture
def runner(project: Project) -> Path:
    """Orders that are well, and customers whose contract cannot be read."""
    project.table("orders", ORDERS).table("customers", ORDERS)
    project.deliver("orders/a.csv", "id\n1\n2\n")
    (project.folder / "contracts" / "customers.odcs.yaml").write_text("kind: DataContract\n")
    return project.write_runner()


def change(runner: Path, **sections: object) -> None:
    runner.write_text(yaml.safe_dump({**yaml.safe_load(runner.read_text()), **sections}))


def test_lint_tells_what_is_broken_and_ends_with_two(runner: Path) -> None:
    change(runner, schedules={"s": {"cron": "now"}})
    ended = call("lint", "-r", runner)
    assert ended.code == 2
    assert "table customers is broken:" in ended.err
    assert "customers.odcs.yaml" in ended.err
    assert "schedule s is broken:" in ended.err
    assert "not a cron expression" in ended.err
    assert "no problems" not in ended.text


def test_lint_goes_on_to_judge_what_is_not_broken(project: Project, runner: Path) -> None:
    rule = {"name": "r", "type": "sql", "query": "SELECT nothing FROM {object}", "mustBe": 0}
    project.contract("orders", ORDERS, quality=[rule])
    ended = call("lint", "-r", runner)
    assert ended.code == 2
    assert "nothing" in ended.out
    assert "table customers is broken:" in ended.err


def test_lint_tells_what_follows_beside_its_cause(project: Project, runner: Path) -> None:
    project.table("items", ITEMS)
    (project.folder / "contracts" / "orders.odcs.yaml").unlink()
    ended = call("lint", "-r", project.write_runner())
    assert "there is no such contract file" in ended.err
    assert "items is broken:" in ended.err
    assert "depends on the table 'orders', which is broken" in ended.err


def test_a_run_loads_the_others_names_the_broken_one_and_ends_with_two(runner: Path) -> None:
    ended = call("run", "-r", runner)
    assert ended.code == 2
    assert "orders: 2 rows read, 2 published" in ended.out
    assert "✗ customers:" in ended.out
    assert "customers.odcs.yaml" in ended.out


def test_a_run_of_a_healthy_table_ends_with_zero(runner: Path) -> None:
    ended = call("run", "orders", "-r", runner)
    assert ended.code == 0, ended.text
    assert "customers" not in ended.text


def test_a_run_of_the_broken_table_and_another_loads_the_other(runner: Path) -> None:
    ended = call("run", "customers", "orders", "-r", runner)
    assert ended.code == 2
    assert "customers.odcs.yaml" in ended.out
    assert len(rows_of_table(open_platform(runner), "shop.orders")) == 2


def test_a_run_of_everything_names_an_included_file_that_cannot_be_read(runner: Path) -> None:
    change(runner, include=["more.yaml"])
    (runner.parent / "more.yaml").write_text("tables: [")
    ended = call("run", "-r", runner)
    assert ended.code == 2
    assert "✗ more.yaml:" in ended.out


def test_a_broken_schedule_is_none_of_a_runs_business(project: Project) -> None:
    project.table("orders", ORDERS).deliver("orders/a.csv", "id\n1\n")
    runner = project.write_runner()
    change(runner, schedules={"s": {"cron": "now"}})
    assert call("run", "-r", runner).code == 0
    assert call("lint", "-r", runner).code == 2


def test_status_shows_a_broken_table_with_the_rows_that_it_still_has(
    project: Project, runner: Path
) -> None:
    project.contract("customers", ORDERS)
    project.deliver("customers/a.csv", "id\n1\n")
    assert call("run", "-r", runner).code == 0
    (project.folder / "contracts" / "customers.odcs.yaml").write_text("kind: DataContract\n")
    shown = call("status", "-r", runner)
    assert shown.code == 0
    assert "broken" in shown.out
    orders, customers = json.loads(call("status", "--json", "-r", runner).out)
    assert (orders["name"], orders["broken"], orders["rows"]) == ("orders", "", 2)
    assert (customers["identifier"], customers["rows"]) == ("shop.customers", 1)
    assert "customers.odcs.yaml" in customers["broken"]


@pytest.mark.parametrize(
    "command",
    [
        ["quarantine", "customers"],
        ["snapshots", "customers"],
        ["rollback", "customers", "--to", "1"],
        ["replay", "customers"],
        ["maintain", "customers"],
    ],
    ids=lambda command: command[0],
)
def test_other_commands_give_the_broken_tables_error(runner: Path, command: list[str]) -> None:
    ended = call(*command, "-r", runner)
    assert ended.code == 2
    assert "this version of the standard is not supported" in ended.text


@pytest.mark.parametrize(
    "command",
    [["quarantine", "orders"], ["snapshots", "orders"], ["replay", "orders"], ["secrets"]],
    ids=lambda command: command[0],
)
def test_other_commands_work_on_healthy_tables(runner: Path, command: list[str]) -> None:
    call("run", "orders", "-r", runner)
    ended = call(*command, "-r", runner)
    assert ended.code == 0, ended.text


def test_the_upkeep_of_everything_names_the_broken_table(runner: Path) -> None:
    call("run", "orders", "-r", runner)
    ended = call("maintain", "-r", runner)
    assert ended.code == 2
    assert "shop.orders" in ended.out
    assert "this version of the standard is not supported" in ended.err


# What the contracts break


def test_a_circle_of_foreign_keys_breaks_its_tables_and_those_that_need_them(
    project: Project,
) -> None:
    to = {"a": "b", "b": "c", "c": "a", "d": "a"}
    for name, target in to.items():
        column = integer(**foreign_key(f"{target}.id", "known"))
        project.table(name, {"id": key(integer()), "other": column})
    project.table("orders", ORDERS)
    platform = open_platform(project.write_runner())
    assert list(platform.tables) == ["orders"]
    parts = platform.broken_tables
    assert set(parts) == {"a", "b", "c", "d"}
    for name in ("a", "b", "c"):
        (problem,) = parts[name].error.problems
        assert "the foreign keys form a circle" in problem.message
        assert problem.message.count(" -> ") == 3
    assert parts["d"].needs == ("a",)


def test_a_table_whose_columns_do_not_fit_its_foreign_key_breaks_itself_alone(
    project: Project,
) -> None:
    column = {"logicalType": "string", **foreign_key("orders.id", "known")}
    project.table("orders", ORDERS).table("items", {"order": column})
    platform = open_platform(project.write_runner())
    assert list(platform.tables) == ["orders"]
    assert "which are of different types" in platform.broken[0].error.problems[0].message


def test_a_table_finds_the_broken_one_that_its_foreign_key_names_by_its_object(
    project: Project,
) -> None:
    project.table("orders", ORDERS).table("items", ITEMS)
    project.tables["shop_orders"] = {**project.tables.pop("orders"), "schema_object": "orders"}
    (project.folder / "contracts" / "orders.odcs.yaml").write_text("kind: DataContract\n")
    platform = open_platform(project.write_runner())
    assert platform.broken_tables["items"].needs == ("shop_orders",)


def test_included_tables_are_loaded_by_paths_of_their_own_folder(project: Project) -> None:
    project.table("orders", ORDERS).write_runner()
    team = project.folder / "teams" / "a"
    (team / "contracts").mkdir(parents=True)
    (team / "landing" / "orders").mkdir(parents=True)
    (project.folder / "contracts" / "orders.odcs.yaml").rename(
        team / "contracts" / "orders.odcs.yaml"
    )
    (team / "landing" / "orders" / "a.csv").write_text("id\n1\n2\n")
    (team / "runner.yaml").write_text(yaml.safe_dump({"tables": project.tables}))
    project.runner.write_text("include: [teams/**/runner.yaml]\n")
    ended = call("run", "-r", project.runner)
    assert ended.code == 0, ended.text
    assert "2 rows read, 2 published" in ended.out
