"""The examples of the README work as they stand there."""

import re
from pathlib import Path

import pytest

from quality_platform.flows.platform import open_platform

ROOT = Path(__file__).parents[2]


def _blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_table_and_the_contract_of_the_readme_make_a_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUALITY_PLATFORM_HOME", str(tmp_path / "home"))
    runner, contract, _ = _blocks("yaml")
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "orders.odcs.yaml").write_text(contract)
    (tmp_path / "runner.yaml").write_text(runner)

    platform = open_platform(tmp_path / "runner.yaml")

    assert [check.name for check in platform.tables["orders"].checks] == [
        "conforms_to_schema",
        "order_id_not_null",
        "amount_not_null",
        "amount_in_range",
        "primary_key_unique",
        "customer_is_known",
    ]
    assert platform.tables["orders"].object.restricted_columns == {"customer"}


def test_the_table_of_a_database_of_the_readme_makes_a_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUALITY_PLATFORM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SHOP_PASSWORD", "s3cr3t")
    _, contract, runner = _blocks("yaml")
    columns = "".join(
        f"      - {{name: {name}, logicalType: {kind}}}\n"
        for name, kind in (("updated_at", "timestamp"), ("is_deleted", "boolean"))
    )
    contract = contract.replace("name: order_id,", "name: customer_id,") + columns
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "customers.odcs.yaml").write_text(contract)
    (tmp_path / "runner.yaml").write_text(runner)

    load = open_platform(tmp_path / "runner.yaml").tables["customers"].config.load

    assert load.mode == "merge"
    assert load.incremental is not None
    assert load.incremental.cursor == "updated_at"


def test_the_python_of_the_readme_compiles_against_what_the_package_exports() -> None:
    for block in _blocks("python"):
        imports = [line for line in block.splitlines() if line.startswith("from ")]
        assert imports
        exec(compile("\n".join(imports), "README.md", "exec"), {})
