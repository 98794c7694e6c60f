"""`quality-platform import`, `export` and `docs`."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command_line import call
from support.exchanged import CASES
from support.project import Project, integer, key

from quality_platform.contracts.loading import load_contract
from quality_platform.flows.run_platform import run_platform

DEMO = Path(__file__).parents[2] / "contracts" / "flights.odcs.yaml"


def test_an_import_writes_a_contract_and_lists_what_is_lost(tmp_path: Path) -> None:
    output = tmp_path / "orders.odcs.yaml"

    ended = call("import", "soda", CASES / "soda_contract.yml", "-o", output, "--id", "orders-7")

    assert ended.code == 0
    assert ended.out == ""
    assert "! lost: " in ended.err
    contract = load_contract(output)
    assert (contract.id, contract.objects[0].name) == ("orders-7", "orders")


def test_a_strict_import_that_loses_something_ends_with_one(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"id": [1]}), path)

    assert call("import", "soda", CASES / "soda_contract.yml", "--strict").code == 1
    ended = call("import", "parquet", path, "--strict", "--object", "all_orders")
    assert (ended.code, ended.err) == (0, "")
    assert "- name: all_orders" in ended.out


def test_a_file_that_is_there_is_not_overwritten_unless_forced(tmp_path: Path) -> None:
    output = tmp_path / "page.md"
    output.write_text("mine")

    for arguments in (
        ("docs", DEMO),
        ("export", "soda", DEMO),
        ("import", "dativo", CASES / "dativo_asset.yaml"),
    ):
        ended = call(*arguments, "--output", output)
        assert ended.code == 2
        assert "the file is there already" in ended.err
        assert output.read_text() == "mine"
    assert call("docs", DEMO, "--output", output, "--force").code == 0
    assert output.read_text().startswith("# flights")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("import", "sodaa", "x"), "did you mean 'soda'?"),
        (("export", "json_shema", DEMO), "did you mean 'json-schema'?"),
        (("export", "ddl", DEMO, "--dialect", "duckdbb"), "did you mean 'duckdb'?"),
        (("export", "ddl", DEMO, "--object", "flihgts"), "did you mean 'flights'?"),
    ],
)
def test_a_wrong_word_is_told_with_the_nearest(arguments: tuple[str, ...], hint: str) -> None:
    ended = call(*arguments)

    assert ended.code == 2
    assert hint in ended.err


def test_an_import_that_makes_no_contract_says_why(tmp_path: Path) -> None:
    path = tmp_path / "twice.parquet"
    pq.write_table(pa.table({"id": [1], "ID": [2]}), path)

    ended = call("import", "parquet", path)

    assert ended.code == 2
    assert "imported: two entries have the same name" in ended.err
    assert ended.out == ""


def test_every_format_can_be_exported() -> None:
    assert json.loads(call("export", "json-schema", DEMO).out)["title"] == "flights"
    assert json.loads(call("export", "gx", DEMO).out)["name"] == "flights"
    assert call("export", "soda", DEMO).out.startswith("dataset: duckdb/main/flights")
    assert 'CREATE TABLE "flights"' in call("export", "sql", DEMO).out
    assert call("export", "markdown", DEMO).out == call("docs", DEMO).out


def test_a_table_of_the_platform_can_be_imported(project: Project) -> None:
    project.table("orders", {"id": key(integer()), "amount": integer()})
    project.deliver("orders/1.csv", "id,amount\n1,2\n")
    platform = project.open()
    list(run_platform(platform, (), "run-1", lambda *_: None))

    ended = call("import", "iceberg", "shop.orders", "--runner", project.runner)

    assert ended.code == 0, ended.err
    assert "- name: amount" in ended.out
