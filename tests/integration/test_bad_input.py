"""Bad input through the command line: a message with file and line, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import Ended, call
from support.project import (
    Project,
    column_of,
    data_files,
    foreign_key,
    integer,
    key,
    row_count,
    rows_of_table,
    text,
)

ORDERS = {"id": key(integer()), "customer": text()}
SECRET = "hunter2"


@pytest.fixture
def orders(project: Project) -> Project:
    project.table("orders", ORDERS, quality=[row_count(1)])
    project.deliver("orders/a.csv", "id,customer\n1,x\n")
    project.write_runner()
    return project


def changed(path: Path, old: str, new: str) -> int:
    """Replaces a text in a file; the number of its line."""
    content = path.read_text()
    assert content.count(old) == 1, content
    path.write_text(content.replace(old, new))
    return content[: content.index(old)].count("\n") + 1


def run(project: Project) -> Ended:
    ended = call("run", "-r", project.runner)
    assert ended.code == 2, ended.text
    assert "Traceback" not in ended.text
    return ended


def assert_nothing_partial(project: Project) -> None:
    """No row, no data file, no branch; the history may say that the run failed."""
    project.write_runner()
    platform = project.open()
    assert {file for file in data_files(platform) if not file.startswith("history/")} == set()
    for identifier in ("shop.orders", "quarantine.orders"):
        table = platform.lake.find_table(identifier)
        if table is not None:
            assert rows_of_table(platform, identifier) == []
            assert set(table.refs()) <= {"main"}


def test_an_unknown_key_in_runner_yaml(orders: Project, home: Path) -> None:
    line = changed(orders.runner, "namespace: shop", "namespcae: shop")
    ended = run(orders)
    assert f"{orders.runner}:{line}" in ended.text
    assert "'namespcae'" in ended.text
    assert "did you mean 'namespace'" in ended.text
    assert not home.exists()


def test_a_value_of_the_wrong_type_in_runner_yaml(orders: Project, home: Path) -> None:
    line = changed(orders.runner, "batch: file", "batch: [1]")
    ended = run(orders)
    assert f"{orders.runner}:{line}" in ended.text
    assert "tables.orders.load.batch" in ended.text
    assert not home.exists()


def test_a_contract_with_a_misspelt_metric(orders: Project, home: Path) -> None:
    contract = orders.folder / "contracts" / "orders.odcs.yaml"
    line = changed(contract, "metric: rowCount", "metric: rowCuont")
    ended = run(orders)
    assert f"{contract}:{line}" in ended.text
    assert "rowCuont" in ended.text
    assert "rowCount" in ended.text
    assert not home.exists()


def test_a_contract_that_refers_to_a_table_that_nobody_describes(
    project: Project, home: Path
) -> None:
    project.table("orders", {"id": key(integer(**foreign_key("odrers.id", "self_known")))})
    project.write_runner()
    contract = project.folder / "contracts" / "orders.odcs.yaml"
    ended = run(project)
    assert f"{contract}:" in ended.text
    assert "odrers" in ended.text
    assert not home.exists()


def test_a_contract_file_that_is_not_there(orders: Project, home: Path) -> None:
    line = changed(orders.runner, "contracts/orders.odcs.yaml", "contracts/oders.odcs.yaml")
    ended = run(orders)
    assert f"{orders.runner}:{line}" in ended.text
    assert "oders.odcs.yaml" in ended.text
    assert not home.exists()


def test_several_mistakes_are_told_at_once(orders: Project) -> None:
    changed(orders.runner, "namespace: shop", "namespcae: shop")
    changed(orders.runner, "mode: append", "mode: apend")
    ended = run(orders)
    assert ended.text.count("QP101") == 2


def test_an_unset_variable(orders: Project, home: Path) -> None:
    old = "landing/orders/*.csv"
    line = changed(orders.runner, old, "${NO_SUCH_VARIABLE_HERE}/*.csv")
    ended = run(orders)
    assert f"{orders.runner}:{line}" in ended.text
    assert "NO_SUCH_VARIABLE_HERE is not set" in ended.text
    assert not home.exists()


def test_a_missing_file(orders: Project) -> None:
    (orders.folder / "landing" / "orders" / "a.csv").unlink()
    ended = run(orders)
    line = orders.runner.read_text().split("path:")[0].count("\n") + 1
    assert f"QP201 {orders.runner}:{line}" in ended.out
    assert "tables.orders.source.path" in ended.out
    assert_nothing_partial(orders)


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ("", "QP202", ""),
        ("id,custmer\n1,x\n", "QP203", ":1"),
        ('id,customer\n1,x\n2,"y\n', "QP204", ":3"),
        (b"PK\x03\x04 a workbook", "QP204", ""),
    ],
)
def test_a_file_that_cannot_be_read(
    orders: Project, content: str | bytes, code: str, line: str
) -> None:
    file = orders.deliver("orders/a.csv", content)
    ended = run(orders)
    assert f"{code} {file}{line}" in ended.out
    assert_nothing_partial(orders)
    # Put right, it is taken as if nothing had been.
    orders.deliver("orders/a.csv", "id,customer\n1,x\n")
    assert call("run", "-r", orders.runner).code == 0
    assert column_of(orders.open(), "shop.orders", "id") == [1]


def test_a_misspelt_column_of_a_header_is_told_with_what_was_meant(orders: Project) -> None:
    orders.deliver("orders/a.csv", "id,custmer\n1,x\n")
    ended = run(orders)
    assert "'custmer' in the file may be meant for 'customer'" in ended.out


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        (f"postgresql+psycopg2://u:{SECRET}@127.0.0.1:1/x", "QP301"),
        ("sqlite:///FOLDER/project/runner.yaml", "QP301"),
        (f"nosuch://u:{SECRET}@127.0.0.1:1/x", "QP101"),
    ],
)
def test_a_catalog_that_cannot_be_reached(orders: Project, uri: str, code: str) -> None:
    uri = uri.replace("FOLDER", str(orders.folder.parent))
    orders.settings["lake"] = {"catalog": {"uri": uri}}
    runner = orders.write_runner()
    line = runner.read_text().split("catalog:")[0].count("\n") + 1
    for arguments in (["run"], ["status"], ["quarantine", "orders"]):
        ended = call(*arguments, "-r", runner)
        assert ended.code == 2, ended.text
        assert f"{code} {runner}:{line}" in ended.text
        assert SECRET not in ended.text
        assert "Traceback" not in ended.text


def test_a_platform_home_that_is_a_file(orders: Project, home: Path) -> None:
    home.write_text("")
    ended = run(orders)
    assert "QP305" in ended.out
    assert f"{orders.runner}:" in ended.out
    assert str(home) in ended.out


def test_a_table_whose_contract_changed(orders: Project) -> None:
    assert call("run", "-r", orders.runner).code == 0
    orders.table("orders", {"id": key(text()), "customer": text()})
    orders.deliver("orders/b.csv", "id,customer\n2,x\n")
    ended = run(orders)
    assert "QP303" in ended.out
    assert "orders.odcs.yaml:15" in ended.out
    assert "id" in ended.out
    assert "string" in ended.out
    assert "long" in ended.out
