"""Foreign keys of a table to itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from duckdb import DuckDBPyConnection
from support.batches import SMALL, bound, gate, labelled_rows, parquet, places, row_rule

from quality_platform.checks.specs import (
    CheckSpec,
    ForeignKey,
    InSet,
    Severity,
)
from quality_platform.checks.thresholds import Operator
from quality_platform.lake.query import duckdb_session
from quality_platform.validation.batch_checks import BatchChecks, BatchFiles
from quality_platform.validation.row_rules import ReferenceKeys

PEOPLE = pa.schema([("id", pa.int64()), ("boss", pa.int64())])
BOSS = ForeignKey(("boss",), "people", ("id",))
KNOWN = row_rule("boss_in_people", BOSS)


@pytest.fixture
def connection() -> Iterator[DuckDBPyConnection]:
    with duckdb_session(SMALL) as session:
        yield session


def people(*pairs: Sequence[int | None]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(PEOPLE.names, p, strict=True)) for p in pairs], PEOPLE)


def checks_of(
    connection: DuckDBPyConnection,
    folder: Path,
    good: pa.Table,
    held: pa.Table | None = None,
    published: pa.Table | None = None,
) -> BatchChecks:
    files = BatchFiles(
        PEOPLE,
        [parquet(folder, "good", good)],
        [parquet(folder, "held", held)] if held is not None else [],
    )
    known = {"people": [parquet(folder, "published", published)]} if published is not None else {}
    return BatchChecks(connection, files, ReferenceKeys(connection, known, "people"))


def dangling(checks: BatchChecks, *specs: CheckSpec) -> list[tuple[str, int]]:
    outcomes = checks.run([*specs, KNOWN])
    assert outcomes["boss_in_people"].error == ""
    found = places(checks, KNOWN)
    assert outcomes["boss_in_people"].count == len(found)
    return found


def test_a_row_may_refer_to_a_row_of_the_same_batch(connection, tmp_path):
    checks = checks_of(connection, tmp_path, people([2, 1], [1, None], [3, 3], [4, 9]))
    assert dangling(checks) == [("good", 3)]


def test_a_row_may_refer_to_a_row_that_is_published(connection, tmp_path):
    checks = checks_of(
        connection, tmp_path, people([2, 1], [3, 8]), published=people([1, None], [8, 1])
    )
    assert dangling(checks) == []


def test_a_row_that_is_held_back_is_nobodys_boss(connection, tmp_path):
    checks = checks_of(connection, tmp_path, people([2, 1], [3, 2]), held=people([1, None]))
    assert dangling(checks) == [("good", 0), ("good", 1)]


def test_a_row_that_goes_takes_along_those_that_refer_to_it(connection, tmp_path):
    chain = people(*[[n, n - 1] for n in range(1, 9)], [20, 20])
    assert dangling(checks_of(connection, tmp_path, chain)) == [("good", n) for n in range(8)]


def test_a_row_that_breaks_another_rule_goes_too_unless_that_only_warns(connection, tmp_path):
    table = people([1, None], [2, 1])
    for severity, expected in ((Severity.ERROR, [("good", 1)]), (Severity.WARNING, [])):
        other = row_rule("other", InSet("id", (2,)), severity)
        assert dangling(checks_of(connection, tmp_path, table), other) == expected


def test_rows_stay_where_the_key_only_warns(connection, tmp_path):
    warning = row_rule("boss_in_people", BOSS, Severity.WARNING)
    checks = checks_of(connection, tmp_path, people([1, 9], [2, 1]))
    assert checks.run([warning])["boss_in_people"].count == 1
    assert places(checks, warning) == [("good", 0)]


def test_a_gate_counts_and_labels_nothing(connection, tmp_path):
    spec = gate("boss", BOSS, bound(Operator.LESS, 2))
    checks = checks_of(connection, tmp_path, people([1, 9], [2, 1], [3, None]))
    outcome = checks.run([spec])["boss"]
    assert (outcome.count, outcome.passed) == (1, True)
    assert labelled_rows(checks) == []


def test_a_column_that_is_not_there_is_an_error(connection, tmp_path):
    spec = row_rule("boss", ForeignKey(("nope",), "people", ("id",)))
    checks = checks_of(connection, tmp_path, people([1, None]))
    assert "nope" in checks.run([spec])["boss"].error
