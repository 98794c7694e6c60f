"""One rule means one thing on every engine; where an engine differs, docs/semantics.md tells it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import duckdb
import pytest
from support.batches import SMALL
from support.engine_cases import EngineCase, engine_cases, said

from quality_platform.lake.query import duckdb_session

FILES = ("semantics", "great_expectations", "soda")
GROUPS = [
    pytest.param(engine, list(cases), id=f"{file}: {table} ({engine})")
    for file in FILES
    for table, of_table in groupby(
        sorted(engine_cases(f"{file}.yaml"), key=lambda case: case.table_name),
        key=lambda case: case.table_name,
    )
    for group in [list(of_table)]
    for engine in ("sql", "gx", "soda")
    if (cases := [case for case in group if engine in case.claims])
]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb_session(SMALL) as opened:
        yield opened


@pytest.mark.parametrize(("engine", "cases"), GROUPS)
def test_a_rule_breaks_the_same_rows_on_every_engine_that_can_say_it(
    engine: str, cases: list[EngineCase], connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    found = said(engine, cases, connection, tmp_path)

    assert found == {case.name: case.expected(engine) for case in cases}
