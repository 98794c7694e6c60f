"""What `lint` has to import: most of the time that a command takes is in that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.contracts import orders

NEVER = {
    "dagster",
    "feast",
    "great_expectations",
    "numpy",
    "pandas",
    "pyarrow",
    "pyiceberg",
    "scipy",
    "soda_core",
    "sqlalchemy",
}
WITHOUT_SQL = NEVER | {"duckdb", "sqlglot"}
IN_A_PROCESS = """
import sys
from quality_platform import cli
try:
    cli.main()
finally:
    print(*sorted(name for name in sys.modules if "." not in name))
"""


def imported(*arguments: str | Path) -> tuple[str, set[str]]:
    """What a command printed, and the packages that it imported."""
    ended = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    *printed, modules = ended.stdout.splitlines()
    return "\n".join(printed), set(modules.split())


def megabyte(folder: Path) -> Path:
    """A contract of more than a megabyte: 200 columns of all kinds, with 20 rules each."""
    kinds = (
        "logicalType: string, physicalType: varchar(12)",
        "logicalType: integer, physicalType: bigint, logicalTypeOptions: {minimum: 0}",
        "logicalType: number, physicalType: 'decimal(12, 2)'",
        "logicalType: boolean",
        "logicalType: timestamp",
    )

    def rule(column: int, n: int) -> str:
        return (
            f"{{name: rule_{column}_{n}, metric: nullValues, mustBeLessThan: {n}, unit: percent, "
            f"dimension: completeness, description: 'Below {n} of a hundred values of column "
            f"{column} are missing, whatever the other columns of the table may hold on that day "
            "or on the day before it, and whoever has delivered them from wherever they were.'}"
        )

    columns = [
        f"{{name: c{n}, {kinds[n % len(kinds)]}, "
        f"quality: [{', '.join(rule(n, k) for k in range(20))}]}}"
        for n in range(200)
    ]
    path = folder / "orders.odcs.yaml"
    path.write_text(orders(*columns))
    assert path.stat().st_size > 2**20
    return path


def test_a_contract_of_a_megabyte_is_judged_in_full_without_an_engine(tmp_path: Path):
    printed, modules = imported("lint", megabyte(tmp_path))
    # 4000 rules, the bounds of 40 integers, the lengths of 40 texts, and conforms_to_schema.
    assert "1 object, 4081 checks, no problems" in printed
    assert not modules & WITHOUT_SQL


@pytest.mark.parametrize(
    "column",
    [
        "{name: zip, logicalType: string, logicalTypeOptions: {pattern: '^[0-9]+$'}}",
        "{name: zip, logicalType: string, quality: [{type: sql, mustBe: 0, "
        "query: 'SELECT count(*) FROM {object}'}]}",
    ],
    ids=["pattern", "query"],
)
def test_words_of_duckdb_are_tried_without_arrow(tmp_path: Path, column: str):
    path = tmp_path / "orders.odcs.yaml"
    path.write_text(orders(column))
    printed, modules = imported("lint", path)
    assert "1 object, 2 checks, no problems" in printed
    assert "duckdb" in modules
    assert not modules & NEVER
