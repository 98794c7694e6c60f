"""Foreign keys: single and composite, with NULLs, against their definition in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from duckdb import DuckDBPyConnection
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import SMALL, lacks_reference, masks_of, parquet, row_rule

from quality_platform.checks.specs import ForeignKey, NotNull
from quality_platform.errors import EngineError
from quality_platform.lake.query import duckdb_session
from quality_platform.validation.row_rules import ReferenceKeys, RowRules

ROWS = pa.schema([("a", pa.int64()), ("b", pa.string())])
KEYS = pa.schema([("k", pa.int64()), ("l", pa.string())])
SINGLE = ForeignKey(("a",), "other", ("k",))
COMPOSITE = ForeignKey(("a", "b"), "other", ("k", "l"))

numbers = st.none() | st.sampled_from([0, 1, 2, 2**63 - 1, -(2**63)])
texts = st.none() | st.sampled_from(["", "x", "X", "é", "it's", "\x00"])


@pytest.fixture
def connection() -> Iterator[DuckDBPyConnection]:
    with duckdb_session(SMALL) as session:
        yield session


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


def broken(connection: DuckDBPyConnection, table: pa.Table, claim: ForeignKey, files) -> list[int]:
    specs = [row_rule("key", claim)]
    return masks_of(connection, table, specs, {"other": files}).breaking(0).tolist()


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(numbers, texts), max_size=10),
    st.lists(st.tuples(numbers, texts), max_size=6),
    st.sampled_from([SINGLE, COMPOSITE]),
)
def test_a_row_breaks_it_whose_key_is_nowhere(folder, rows, keys, claim):
    table = pa.Table.from_pylist([dict(zip("ab", row, strict=True)) for row in rows], ROWS)
    other = pa.Table.from_pylist([dict(zip("kl", key, strict=True)) for key in keys], KEYS)
    known = [key[: len(claim.columns)] for key in keys]
    expected = [i for i, row in enumerate(table.to_pylist()) if lacks_reference(claim, row, known)]
    with duckdb_session(SMALL) as session:
        assert broken(session, table, claim, [parquet(folder, "other", other)]) == expected


def test_a_key_with_a_null_in_any_column_is_not_judged(connection, tmp_path: Path):
    table = pa.Table.from_pylist([{"a": 1}, {"b": "x"}, {}, {"a": 1, "b": "x"}], ROWS)
    file = parquet(tmp_path, "other", pa.Table.from_pylist([{"k": 9, "l": "y"}], KEYS))
    assert broken(connection, table, COMPOSITE, [file]) == [3]


def test_a_null_among_the_keys_is_no_key(connection, tmp_path: Path):
    table = pa.Table.from_pylist([{"a": 1, "b": "x"}, {"a": None, "b": "x"}], ROWS)
    file = parquet(tmp_path, "other", pa.Table.from_pylist([{"k": None, "l": "x"}], KEYS))
    assert broken(connection, table, COMPOSITE, [file]) == [0]


def test_keys_that_stand_many_times_count_a_row_once(connection, tmp_path: Path):
    table = pa.Table.from_pylist([{"a": 1}, {"a": 2}, {"a": 1}], ROWS)
    file = parquet(tmp_path, "other", pa.Table.from_pylist([{"k": 1}] * 5, KEYS))
    specs = [row_rule("key", SINGLE), row_rule("b", NotNull("b"))]
    masks = masks_of(connection, table, specs, {"other": [file, file]})
    assert list(masks.rules_by_row()) == [(0, (1,)), (1, (0, 1)), (2, (1,))]


def test_keys_are_read_from_all_files_of_the_table(connection, tmp_path: Path):
    table = pa.Table.from_pylist([{"a": 1}, {"a": 2}, {"a": 3}], ROWS)
    files = [parquet(tmp_path, f"it's {n}", pa.Table.from_pylist([{"k": n}], KEYS)) for n in (1, 2)]
    assert broken(connection, table, SINGLE, files) == [2]


def test_in_a_table_without_a_row_no_key_is_found(tmp_path: Path):
    table = pa.Table.from_pylist([{"a": 1, "b": "x"}, {}], ROWS)
    empty = parquet(tmp_path, "empty", pa.Table.from_pylist([], KEYS))
    for claim in (SINGLE, COMPOSITE, ForeignKey(("b",), "other", ("l",))):
        for files in ([empty], []):
            with duckdb_session(SMALL) as session:
                assert broken(session, table, claim, files) == [0]


def test_several_keys_into_one_table_are_kept_apart(connection, tmp_path: Path):
    table = pa.Table.from_pylist([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], ROWS)
    file = parquet(tmp_path, "other", pa.Table.from_pylist([{"k": 1, "l": "y"}], KEYS))
    specs = [
        row_rule("a", SINGLE),
        row_rule("n", NotNull("a")),
        row_rule("b", ForeignKey(("b",), "other", ("l",))),
        row_rule("both", COMPOSITE),
    ]
    with duckdb_session(SMALL) as session:
        masks = masks_of(session, table, specs, {"other": [file]})
    assert list(masks.rules_by_row()) == [(0, (2, 3)), (1, (0, 3))]


@pytest.mark.parametrize("name", ["two words", 'quo"te', "select", "_hit", "_key0", "key0", "hit"])
def test_columns_of_any_name_refer_to_columns_of_any_name(tmp_path: Path, name: str):
    table = pa.table({name: [1, 2, None]})
    file = parquet(tmp_path, "other", pa.table({name: [1]}))
    specs = [row_rule("key", ForeignKey((name,), "other", (name,))), row_rule("n", NotNull(name))]
    with duckdb_session(SMALL) as session:
        masks = masks_of(session, table, specs, {"other": [file]})
    assert list(masks.rules_by_row()) == [(1, (0,)), (2, (1,))]


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (ForeignKey(("a",), "unknown", ("k",)), "nothing has been published to unknown yet"),
        (ForeignKey(("a",), "other", ("nope",)), "nope"),
        (ForeignKey(("nope",), "other", ("k",)), "nope"),
    ],
)
def test_a_key_that_cannot_be_looked_up_is_an_error(tmp_path: Path, claim, message):
    table = pa.Table.from_pylist([{"a": 1}], ROWS)
    file = parquet(tmp_path, "other", pa.Table.from_pylist([{"k": 1}], KEYS))
    with duckdb_session(SMALL) as session, pytest.raises(EngineError, match=message):
        broken(session, table, claim, [file])


def test_a_text_that_is_no_number_makes_the_key_an_error_without_the_text(tmp_path: Path):
    batch = pa.RecordBatch.from_pylist([{"b": "secret"}], ROWS)
    file = parquet(tmp_path, "other", pa.Table.from_pylist([{"k": 1}], KEYS))
    specs = [row_rule("key", ForeignKey(("b",), "other", ("k",)))]
    with duckdb_session(SMALL) as session:
        rules = RowRules.compiled(session, specs, ReferenceKeys(session, {"other": [file]}))
        assert list(rules.masks(batch).rules_by_row()) == []
    assert "Conversion" in rules.failed["key"]
    assert "secret" not in rules.failed["key"]


INTEGERS = st.one_of(
    st.integers(-6, 12), st.sampled_from([2**63 - 1, -(2**63), 2**31, 10**6, -(10**6)])
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.none() | INTEGERS, max_size=15),
    st.one_of(
        st.lists(st.none() | INTEGERS, max_size=6),
        st.integers(0, 8).map(lambda n: list(range(-2, n))),
        st.lists(st.integers(-3, 60), min_size=2, max_size=9),
    ),
)
def test_integers_are_found_without_a_join_as_with_one(folder, values, keys):
    """Keys without a gap are a range, keys close together are bits, all others are joined."""
    batch = pa.record_batch({"a": pa.array(values, pa.int64())})
    file = parquet(folder, "numbers", pa.table({"k": pa.array(keys, pa.int64())}))
    expected = [i for i, v in enumerate(values) if v is not None and v not in keys]
    with duckdb_session(SMALL) as session:
        known = ReferenceKeys(session, {"other": [file]})
        for schema in (batch.schema, None):
            rules = RowRules.compiled(session, [row_rule("key", SINGLE)], known, schema)
            assert rules.masks(batch).breaking(0).tolist() == expected


@pytest.mark.parametrize(
    ("keys", "form"),
    [([1, 2, 3], "<"), ([1, 5, 9], "get_bit"), ([1, 10**12], "JOIN"), ([], "JOIN")],
)
def test_close_keys_need_no_join(folder, keys, form):
    file = parquet(folder, "form", pa.table({"k": pa.array(keys, pa.int64())}))
    with duckdb_session(SMALL) as session:
        known = ReferenceKeys(session, {"other": [file]})
        rules = RowRules.compiled(session, [row_rule("key", SINGLE)], known, ROWS)
        assert form in rules.conditions[0].sql + rules.conditions[0].join


def test_a_number_that_is_no_integer_is_looked_up_as_it_is(folder):
    batch = pa.record_batch({"a": pa.array([1.0, 1.5, float("nan")])})
    file = parquet(folder, "floats", pa.table({"k": [1, 2]}))
    with duckdb_session(SMALL) as session:
        known = ReferenceKeys(session, {"other": [file]})
        rules = RowRules.compiled(session, [row_rule("key", SINGLE)], known, batch.schema)
        assert rules.masks(batch).breaking(0).tolist() == [1, 2]
