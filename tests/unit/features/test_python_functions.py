from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quality_platform.errors import FeatureViewError, Location
from quality_platform.features import functions
from quality_platform.features.functions import FeatureFunction, WrittenFunction, load_function
from quality_platform.features.python_view import (
    BATCH_ROWS,
    FeatureContext,
    FeatureInputs,
    computed,
)
from quality_platform.features.sql_view import FeatureInput
from quality_platform.lake.query import EngineSettings

WHERE = Location("runner.yaml", 7)
ORDERS = pa.schema(
    [("id", pa.int64()), ("amount", pa.decimal128(9, 2)), ("at", pa.timestamp("us", "UTC"))]
)
RESULT = pa.schema([("id", pa.int64())])


def written(path: Path, text: str, name: str = "f") -> WrittenFunction:
    path.write_text(text)
    return WrittenFunction(f"{path.name}:{name}", WHERE, path=path)


def given(call: Any) -> FeatureFunction:
    return FeatureFunction("here:f", WHERE, __file__, "source", call)


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, FeatureInput]:
    path = tmp_path / "orders.parquet"
    rows = {"id": range(200_000), "amount": [None] * 200_000, "at": [0] * 200_000}
    pq.write_table(pa.table(rows, schema=ORDERS), path)
    return {"orders": FeatureInput((str(path),), ORDERS), "none": FeatureInput((), RESULT)}


def rows_of(call: Any, inputs: Mapping[str, FeatureInput]) -> list[pa.RecordBatch]:
    return list(computed(given(call), inputs, FeatureContext("v", RESULT), EngineSettings()))


def test_a_function_of_a_file_is_loaded_with_the_text_that_it_was_made_of(tmp_path: Path) -> None:
    path = tmp_path / "totals.py"
    first = load_function(written(path, "def f(inputs, context):\n    return 1\n"))
    again = load_function(written(path, "def f(inputs, context):\n    return 2\n"))
    assert (first.call({}, None), again.call({}, None)) == (1, 2)
    assert first.source != again.source
    assert first.file == str(path)


def test_a_function_of_a_module_is_told_by_the_source_of_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop_features_of_a_test.py").write_text("def f(inputs, context): return 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = load_function(WrittenFunction("shop_features_of_a_test:f", WHERE))
    assert found.call({}, None) == 3
    assert "return 3" in found.source


def test_a_version_takes_the_place_of_the_source(tmp_path: Path) -> None:
    function = written(tmp_path / "a.py", "def f(inputs, context): return 3\n")
    found = load_function(WrittenFunction(function.name, WHERE, "v2", function.path))
    assert found.source == "v2"


def test_a_function_without_source_needs_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("module_without_source")
    module.f = len  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(FeatureViewError, match="nobody could tell when it changes"):
        load_function(WrittenFunction("module_without_source:f", WHERE))
    assert load_function(WrittenFunction("module_without_source:f", WHERE, "1")).source == "1"


def install(folder: Path, distribution: str, **entries: str) -> None:
    """An installed distribution with entry points, as pip leaves it."""
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in entries.items()]
    text = "\n".join([f"[{functions.ENTRY_POINTS}]", *lines, ""])
    (info / "entry_points.txt").write_text(text)


def test_an_entry_point_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, other = tmp_path / "site", tmp_path / "other"
    install(site, "shop-features", totals="features_of_an_entry_point:f", lost="nowhere_at_all:f")
    (site / "features_of_an_entry_point.py").write_text("def f(inputs, context): return 4\n")
    monkeypatch.syspath_prepend(str(site))

    found = load_function(WrittenFunction("totals", WHERE))
    assert found.call({}, None) == 4
    assert "return 4" in found.source
    with pytest.raises(FeatureViewError, match="cannot be loaded: ModuleNotFoundError"):
        load_function(WrittenFunction("lost", WHERE))
    with pytest.raises(FeatureViewError, match="no distribution brings the function 'sums'") as got:
        load_function(WrittenFunction("sums", WHERE))
    assert got.value.problems[0].allowed == "lost, totals"
    install(other, "more-features", totals="features_of_an_entry_point:f")
    monkeypatch.syspath_prepend(str(other))
    with pytest.raises(FeatureViewError, match="several distributions bring"):
        load_function(WrittenFunction("totals", WHERE))


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("import no_such_module_of_anybody\n", "ModuleNotFoundError: no_such_module_of_anybody", 1),
        ("x = 1\nraise ValueError('hunter2')\n", "cannot be loaded: ValueError", 2),
        ("def g(): pass\n", "no function 'f'", 7),
        ("f = 3\n", "is no function", 7),
    ],
)
def test_a_module_that_cannot_be_used_is_told_without_what_it_says(
    tmp_path: Path, text: str, message: str, line: int
) -> None:
    with pytest.raises(FeatureViewError, match=message) as caught:
        load_function(written(tmp_path / "a.py", text))
    location = caught.value.problems[0].location
    assert location is not None
    assert location.line == line
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FeatureViewError, match="cannot be read"):
        load_function(WrittenFunction("a.py:f", WHERE, path=tmp_path / "a.py"))


def test_the_rows_of_an_input_come_as_a_stream_with_the_types_of_its_contract(
    inputs: dict[str, FeatureInput],
) -> None:
    seen = []

    def f(given: FeatureInputs, context: FeatureContext) -> Iterator[pa.RecordBatch]:
        assert context.columns == RESULT
        assert set(given) == {"orders", "none"}
        for batch in given["orders"]:
            seen.append(batch.schema)
            yield batch.select(["id"])
        yield from given["none"]

    batches = rows_of(f, inputs)
    assert sum(batch.num_rows for batch in batches) == 200_000
    assert len(batches) > 1
    assert {str(schema) for schema in seen} == {str(ORDERS)}


def test_two_streams_of_one_input_are_read_side_by_side(inputs: dict[str, FeatureInput]) -> None:
    def f(given: FeatureInputs, _: FeatureContext) -> Iterator[pa.RecordBatch]:
        for one, other in zip(given["orders"], given.read("orders", ["id"]), strict=True):
            assert one.column("id").equals(other.column("id"))
            yield other

    assert sum(batch.num_rows for batch in rows_of(f, inputs)) == 200_000


def test_some_columns_and_rows_are_read_and_sql_runs_over_the_inputs(
    inputs: dict[str, FeatureInput],
) -> None:
    def f(given: FeatureInputs, _: FeatureContext) -> pa.RecordBatchReader:
        assert given.read("orders", ["id"], where="id < 3").read_all().to_pydict() == {
            "id": [0, 1, 2]
        }
        assert given.read("none").read_all().num_rows == 0
        return given.sql("SELECT max(o.id) AS id FROM orders o LEFT JOIN none USING (id)")

    assert [batch.to_pylist() for batch in rows_of(f, inputs)] == [[{"id": 199_999}]]


def test_a_table_is_cut_into_batches(inputs: dict[str, FeatureInput]) -> None:
    batches = rows_of(lambda given, _: given.read("orders", ["id"]).read_all(), inputs)
    table = rows_of(lambda *_: pa.table({"id": range(3 * BATCH_ROWS)}), {})
    assert sum(batch.num_rows for batch in batches) == 200_000
    assert [batch.num_rows for batch in table] == [BATCH_ROWS] * 3


@pytest.mark.parametrize("found", [None, 3, ["a"], [pa.array([1])]])
def test_something_else_than_rows_is_refused(found: object) -> None:
    with pytest.raises(FeatureViewError, match="something else than rows"):
        rows_of(lambda *_: found, {})


def test_a_batch_that_is_no_valid_arrow_is_refused() -> None:
    bad = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")]
    )
    with pytest.raises(FeatureViewError, match="no valid Arrow"):
        rows_of(lambda *_: [pa.record_batch([bad], names=["id"])], {})


def test_what_a_function_raises_is_told_by_its_line_and_without_values(
    tmp_path: Path, inputs: dict[str, FeatureInput]
) -> None:
    text = (
        "import pyarrow as pa\n\n\ndef f(inputs, context):\n"
        "    for batch in inputs['orders']:\n"
        "        raise KeyError('hunter2')\n        yield batch\n"
    )
    function = load_function(written(tmp_path / "totals.py", text))
    with pytest.raises(FeatureViewError, match=r"totals\.py:f failed with KeyError") as caught:
        list(computed(function, inputs, FeatureContext("v", RESULT), EngineSettings()))
    assert caught.value.problems[0].location == Location(str(tmp_path / "totals.py"), 6)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_sql_of_a_function_that_fails_is_told_by_the_line_that_asked_for_it(
    inputs: dict[str, FeatureInput],
) -> None:
    def f(given: FeatureInputs, _: FeatureContext) -> pa.Table:
        return given.sql("SELECT CAST('hunter2' AS INTEGER) AS id").read_all()

    with pytest.raises(FeatureViewError, match="failed with ConversionException") as caught:
        rows_of(f, inputs)
    location = caught.value.problems[0].location
    assert location is not None
    assert location.file == __file__
    assert "hunter2" not in str(caught.value)
