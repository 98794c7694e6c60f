"""Row rules over files: every bad row with all its rules, whatever the rules and however many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from duckdb import DuckDBPyConnection
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import SMALL, Batch, breaks, lacks_reference, parquet, row_rule, rows
from support.random_rules import SCHEMA, claims
from support.random_rules import rows as random_rows

from quality_platform.checks.specs import (
    CheckSpec,
    ForeignKey,
    InRange,
    InSet,
    LengthBetween,
    Matches,
    NotNull,
    Satisfies,
    Severity,
    Unique,
)
from quality_platform.lake.query import duckdb_session
from quality_platform.validation.bad_rows import BITS, LABELLED
from quality_platform.validation.batch_checks import BatchChecks


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch(tmp_path)


@pytest.fixture
def connection() -> Iterator[DuckDBPyConnection]:
    with duckdb_session(SMALL) as session:
        yield session


def labelled(checks: BatchChecks, batch_rows: int = 1000) -> dict[tuple[str, int], list[str]]:
    """The rules that each bad row breaks, by the row's file and position."""
    return {
        (Path(row["file"]).stem, row["position"]): row["rules"]
        for found in checks.labelled(batch_rows)
        for row in found.to_pylist()
    }


# --- against the definition ---------------------------------------------------------------------


def expected_rules(specs: list[CheckSpec], row: dict[str, Any], all_rows: list[Any]) -> list[str]:
    """The rules that a row breaks, by their definition in plain Python."""
    found = []
    for spec in specs:
        claim = spec.claim
        if isinstance(claim, Unique):
            key = [row[c] for c in claim.columns]
            same = [r for r in all_rows if [r[c] for c in claim.columns] == key]
            is_broken = None not in key and len(same) > 1
        elif isinstance(claim, ForeignKey):
            is_broken = lacks_reference(claim, row, [(1,), (2,), (3,)])
        else:
            is_broken = breaks(claim, row)
        if is_broken:
            found.append(spec.name)
    return found


@settings(deadline=None, max_examples=60)
@given(
    st.lists(random_rows(), min_size=1, max_size=3),
    st.lists(claims(), min_size=1, max_size=8),
    st.lists(
        st.sampled_from(["n", "small", "s", "amount", "day", "flag"]), min_size=1, unique=True
    ),
)
def test_every_bad_row_is_found_with_all_its_rules(tmp_path_factory, files, drawn, key):
    folder = tmp_path_factory.mktemp("scan")
    specs = [row_rule(f"rule_{n}", claim) for n, claim in enumerate(drawn)]
    specs += [row_rule("key", Unique(tuple(key)))]
    specs += [row_rule("reference", ForeignKey(("n",), "other", ("k",)))]
    tables = [pa.Table.from_pylist(file, SCHEMA) for file in files]
    together = [row for file in files for row in file]
    expected = {
        (f"good_{n}", i): sorted(found)
        for n, file in enumerate(files)
        for i, row in enumerate(file)
        if (found := expected_rules(specs, row, together))
    }
    with duckdb_session(SMALL) as session:
        made = Batch(folder)
        made.references["other"] = [parquet(folder, "other", pa.table({"k": [1, 2, 3]}))]
        checks = made.checks(session, *tables)
        outcomes = checks.run(specs)
        found = labelled(checks, batch_rows=2)
        assert checks.bad_row_count(specs) == len(expected)
    assert {place: sorted(rules) for place, rules in found.items()} == expected
    counts = [sum(spec.name in rules for rules in expected.values()) for spec in specs]
    assert [outcomes[spec.name].count for spec in specs] == counts
    assert [outcomes[spec.name].passed for spec in specs] == [count == 0 for count in counts]


# --- many rules, many columns -------------------------------------------------------------------


@pytest.mark.parametrize("number", [BITS, BITS + 1, 300, 1000])
def test_any_number_of_rules_over_two_hundred_columns(batch, connection, number):
    """Rule n wants column n % 200 to be below n; row i holds i in all columns."""
    table = pa.table({f"c{n}": range(5) for n in range(200)})
    specs = [row_rule(f"r{n}", InRange(f"c{n % 200}", None, n % 5)) for n in range(number)]
    checks = batch.checks(connection, table, table)
    outcomes = checks.run(specs)
    assert {name: outcome.error for name, outcome in outcomes.items() if outcome.error} == {}
    assert [outcomes[f"r{n}"].count for n in range(number)] == [
        2 * (4 - n % 5) for n in range(number)
    ]
    found = labelled(checks)
    assert set(found) == {(f"good_{f}", i) for f in (0, 1) for i in range(1, 5)}
    for (_, row), rules in found.items():
        assert sorted(rules) == sorted(f"r{n}" for n in range(number) if row > n % 5)


def test_many_rules_on_one_column_are_told_apart(batch, connection):
    specs = [row_rule(f"r{n}", InSet("a", (n,))) for n in range(130)]
    checks = batch.checks(connection, rows([7], [None]))
    outcomes = checks.run(specs)
    assert [outcomes[f"r{n}"].count for n in range(130)] == [int(n != 7) for n in range(130)]
    assert labelled(checks) == {("good_0", 0): [f"r{n}" for n in range(130) if n != 7]}


# --- what comes out -----------------------------------------------------------------------------


def test_bad_rows_come_in_order_and_in_pieces(batch, connection):
    table = rows(*([None if n % 3 else n] for n in range(10)))
    checks = batch.checks(connection, table, table)
    checks.run([row_rule("a", NotNull("a"))])
    pieces = list(checks.labelled(batch_rows=4))
    assert [piece.schema for piece in pieces] == [LABELLED] * len(pieces)
    places = [(Path(r["file"]).stem, r["position"]) for p in pieces for r in p.to_pylist()]
    assert places == [(f, n) for f in ("good_0", "good_1") for n in (1, 2, 4, 5, 7, 8)]


def test_rows_are_counted_once_however_many_rules_they_break(batch, connection):
    both = [row_rule("a", NotNull("a")), row_rule("b", NotNull("b"), Severity.WARNING)]
    checks = batch.checks(connection, rows([None, None], [1, None], [2, "x"]))
    checks.run(both)
    assert checks.bad_row_count(both) == 2
    assert checks.bad_row_count(both[:1]) == 1
    assert checks.bad_row_count([]) == 0


def test_a_second_run_forgets_the_first(batch, connection):
    checks = batch.checks(connection, rows([None]))
    checks.run([row_rule("a", NotNull("a"))])
    checks.run([row_rule("b", NotNull("b")), row_rule("fine", InSet("a", (1,)))])
    assert labelled(checks) == {("good_0", 0): ["b"]}


def test_nothing_is_labelled_where_nothing_is_broken(batch, connection):
    checks = batch.checks(connection, rows([1, "x"]))
    checks.run([row_rule("a", NotNull("a"))])
    assert labelled(checks) == {}
    checks.run([])
    assert labelled(checks) == {}


# --- rules that cannot run ----------------------------------------------------------------------


def test_a_rule_that_fails_takes_no_other_down_and_tells_no_value(batch, connection):
    secret = "4711-secret"
    bad = [
        row_rule("no_column", NotNull("nope")),
        row_rule("no_pattern", Matches("b", "(")),
        row_rule("cast", Satisfies('CAST("b" AS INTEGER) > 0', ("b",))),
        row_rule("overflow", Satisfies('"a" * "a" * "a" * "a" > 0', ("a",))),
        row_rule("no_table", ForeignKey(("a",), "nowhere", ("k",))),
    ]
    good = [
        row_rule("not_null", NotNull("b")),
        row_rule("range", InRange("a", 1, 5)),
        row_rule("length", LengthBetween("b", 1, 3)),
        row_rule("unique", Unique(("a",))),
    ]
    checks = batch.checks(connection, rows([777123, secret], [2, None], [2, "x"]))
    outcomes = checks.run([*bad, *good])
    assert {name for name, outcome in outcomes.items() if outcome.error} == {s.name for s in bad}
    assert [outcomes[spec.name].count for spec in good] == [1, 1, 1, 2]
    for spec in bad:
        assert outcomes[spec.name].count is None
        assert not outcomes[spec.name].passed
        assert secret not in outcomes[spec.name].error
        assert "777123" not in outcomes[spec.name].error
    assert labelled(checks) == {
        ("good_0", 0): ["length", "range"],
        ("good_0", 1): ["not_null", "unique"],
        ("good_0", 2): ["unique"],
    }


# --- statistics of the files --------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
def test_not_a_number_is_found_though_the_files_statistics_hide_it(batch, connection, kind):
    values = pa.array([0.25, float("nan"), 0.5], kind)
    table = pa.table({"x": values, "inside": pa.StructArray.from_arrays([values], ["x"])})
    specs = [
        row_rule("range", InRange("x", 0, 1)),
        row_rule("minimum", InRange("x", 0, None)),
        row_rule("isnan", Satisfies('NOT isnan("x")', ("x",))),
        row_rule("above", Satisfies('"x" <= 1', ("x",))),
        row_rule("nested", Satisfies('NOT isnan("inside"."x")', ("inside",))),
    ]
    checks = batch.checks(connection, table)
    outcomes = checks.run(specs)
    assert {name: outcome.count for name, outcome in outcomes.items()} == dict.fromkeys(outcomes, 1)
    assert set(labelled(checks)) == {("good_0", 1)}


def test_long_texts_that_statistics_cut_are_judged_by_themselves(batch, connection):
    long = "a" * 100_000
    table = rows([1, long], [2, f"{long}b"])
    checks = batch.checks(connection, table)
    outcomes = checks.run(
        [row_rule("upto", InRange("b", None, long)), row_rule("is", InSet("b", (long,)))]
    )
    assert [outcome.count for outcome in outcomes.values()] == [1, 1]


# --- texts with few different values ------------------------------------------------------------


def test_each_different_text_is_judged_once_and_all_its_rows_are_found(batch, connection):
    table = rows(*([n, ["new", "paid", None, "näw\n", ""][n % 5]] for n in range(200)))
    specs = [
        row_rule("word", Matches("b", "^[a-z]+$")),
        row_rule("length", LengthBetween("b", 1, 3)),
        row_rule("there", NotNull("b")),
    ]
    checks = batch.checks(connection, table, table)
    outcomes = checks.run(specs)
    assert [outcome.count for outcome in outcomes.values()] == [160, 240, 80]
    broken = {1: ["length"], 2: ["there"], 3: ["length", "word"], 4: ["length", "word"]}
    assert {place: sorted(rules) for place, rules in labelled(checks).items()} == {
        (file, n): broken[n % 5] for file in ("good_0", "good_1") for n in range(200) if n % 5
    }


def test_of_rules_on_few_texts_one_that_fails_takes_no_other_down(batch, connection):
    specs = [
        row_rule("cast", Satisfies('CAST("b" AS INTEGER) > 0', ("b",))),
        row_rule("set", InSet("b", ("7",))),
    ]
    checks = batch.checks(connection, rows(*([n, "secret"] for n in range(50))))
    outcomes = checks.run(specs)
    assert outcomes["cast"].error
    assert "secret" not in outcomes["cast"].error
    assert (outcomes["set"].count, outcomes["set"].error) == (50, "")
