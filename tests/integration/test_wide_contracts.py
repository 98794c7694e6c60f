"""Hundreds of rules over hundreds of columns: limits of the engine that nobody needs to know of."""

from __future__ import annotations

from support.project import Project, counts, csv_text, integer, predicate

from quality_platform.flows.load_table import load_table
from quality_platform.flows.table_status import quarantined_rows

COLUMNS = [f"column_{n}" for n in range(200)]
PREDICATES = [f"small_{n}" for n in range(100)]
GOOD_ROWS = 20


def rows() -> list[list[int]]:
    """Row n breaks rule n and no other; at the end there are good rows."""
    table = [[0] * len(COLUMNS) for _ in range(len(COLUMNS) + len(PREDICATES) + GOOD_ROWS)]
    for n in range(len(COLUMNS)):
        table[n][n] = -1
    for n in range(len(PREDICATES)):
        table[len(COLUMNS) + n][n] = 2000
    return table


def test_each_of_300_rules_over_200_columns_holds_back_its_own_row(project: Project) -> None:
    columns = {name: integer(logicalTypeOptions={"minimum": 0}) for name in COLUMNS}
    rules = [predicate(name, f"column_{n} <= 1000") for n, name in enumerate(PREDICATES)]
    project.table("wide", columns, quality=rules)
    project.deliver("wide/a.csv", csv_text(",".join(COLUMNS), rows()))
    platform = project.open()

    outcome = load_table(platform, "wide", "run-1")

    expected = {f"{name}_in_range": 1 for name in COLUMNS} | dict.fromkeys(PREDICATES, 1)
    assert counts(outcome) == {"conforms_to_schema": 0, **expected}
    assert (outcome.rows_published, outcome.rows_quarantined) == (GOOD_ROWS, 300)
    held = [row["_broken_rules"] for row in quarantined_rows(platform, "wide")]
    assert sorted(held) == sorted([name] for name in expected)
