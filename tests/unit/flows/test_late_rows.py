"""Rows found to be bad only at the end: kept small, by file, with the checks that each breaks."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from quality_platform.checks.specs import CheckSpec, NotNull, Scope, Severity
from quality_platform.flows.late_rows import LateRows, late_rows
from quality_platform.validation.bad_rows import LABELLED


def spec(name: str, severity: Severity = Severity.ERROR) -> CheckSpec:
    return CheckSpec(name, NotNull("a"), Scope.ROW, severity)


A, B, WARNING = spec("a"), spec("b"), spec("w", Severity.WARNING)


def batch(*rows: tuple[str, int, Sequence[str]]) -> pa.RecordBatch:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    return pa.record_batch(
        [pa.array(c, f.type) for c, f in zip(columns, LABELLED, strict=True)], schema=LABELLED
    )


def found(late: LateRows) -> list[tuple[int, list[str]]]:
    broken = late.checks(0, len(late.positions))
    names = [[check.name for check in checks] for checks in broken]
    return list(zip(late.positions.tolist(), names, strict=True))


def test_rows_come_by_file_in_order_over_the_ends_of_batches() -> None:
    batches = [
        batch(("x", 1, ["a"]), ("x", 7, ["a", "b"]), ("y", 0, ["b"])),
        batch(("y", 4, ["b"]), ("z", 2, ["a"])),
    ]

    late = late_rows(batches, (A, B))

    assert {file: found(rows) for file, rows in late.items()} == {
        "x": [(1, ["a"]), (7, ["a", "b"])],
        "y": [(0, ["b"]), (4, ["b"])],
        "z": [(2, ["a"])],
    }
    assert late["y"].checks(1, 2) == [(B,)]


def test_a_row_that_only_warns_stays_and_a_warning_is_no_reason() -> None:
    late = late_rows([batch(("x", 1, ["w"]), ("x", 2, ["a", "w"]))], (A, WARNING))

    assert {file: found(rows) for file, rows in late.items()} == {"x": [(2, ["a"])]}


def test_nothing_found_is_nothing_to_hold_back() -> None:
    assert late_rows([], (A,)) == {}
    assert late_rows([batch()], (A,)) == {}
    assert late_rows([batch(("x", 1, ["w"]))], (WARNING,)) == {}
