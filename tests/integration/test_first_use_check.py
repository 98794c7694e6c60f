"""`quality-platform check` as its first users met it: odd names, places of rows, bad rows."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from support.command_line import Ended, call
from support.contracts import contract_text

from quality_platform.flows.check_data import CheckRequest, check_data
from quality_platform.terminal import print_check_report

PROPERTIES = """\
schema:
- name: orders
  properties:
  - {name: id, logicalType: integer, primaryKey: true, required: true}
  - {name: 'say "hi"', logicalType: string, logicalTypeOptions: {maxLength: 3}}
  - {name: select, logicalType: string, required: true, classification: pii}
  - {name: "größe", logicalType: number, physicalType: double, logicalTypeOptions: {minimum: 0}}
  - {name: batch, logicalType: integer, logicalTypeOptions: {maximum: 2}}
  - {name: tags, logicalType: array, items: {logicalType: string}}
  quality:
  - name: even
    type: text
    severity: warning
    description: Ids are even.
    customProperties: [{property: rowPredicate, value: id % 2 = 0}]
"""
HEADER = 'id,"say ""hi""",select,größe,batch,tags\n'
# Line 3: a text in two lines, too long; 5: no integer; 6: too many fields; 7: three rules; 8: NaN.
ROWS = """\
2,abc,x,1,1,"[""a""]"
4,"a
bcd",x,1,1,[]
one,abc,x,1,1,[]
6,abc,x,1,1,[],and,more
8,abcd,,-1,1,[]
9,abc,x,nan,1,"[""b""]"
11,abc,x,1,1,
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("orders.odcs.yaml").write_text(contract_text(PROPERTIES))
    Path("bad.csv").write_text(HEADER + ROWS)
    Path("good.csv").write_text(HEADER + '2,abc,x,1,1,"[""a""]"\n')
    return tmp_path


def check(data: str, *options: str) -> Ended:
    return call("check", "orders.odcs.yaml", data, *options)


def samples(data: str) -> dict[str, list[str]]:
    """The places of the rows shown, by check."""
    found = json.loads(check(data, "--json", "--samples", "9").out)
    return {
        result["name"]: [row["source"] for row in result["sample"]]
        for result in found["checks"]
        if result["sample"]
    }


def rows_of(path: str) -> list[dict[str, Any]]:
    """The rows of a file of bad rows."""
    if path.endswith(".parquet"):
        return list(pq.read_table(path).to_pylist())
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_typed(path: str, kind: pa.DataType) -> None:
    """Three rows, of which the first and the last have a `batch` that is too high."""
    table = pa.table(
        {
            "id": pa.array([2, 4, 6], kind),
            'say "hi"': ["a", "b", "c"],
            "select": ["x", "y", "z"],
            "größe": [1.0, 2.0, 3.0],
            "batch": pa.array([3, 1, 4], pa.int64()),
            "tags": pa.array([[], ["a"], None], pa.list_(pa.string())),
        }
    )
    if path.endswith(".parquet"):
        pq.write_table(table, path)
        return
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)


def test_a_failing_row_of_delimited_text_is_shown_with_its_file_and_line(folder: Path) -> None:
    shown = samples("bad.csv")

    bad = folder / "bad.csv"
    assert shown["say_hi_length"] == [f"{bad}:3", f"{bad}:7"]
    assert shown["gr_e_in_range"] == [f"{bad}:7", f"{bad}:8"]
    assert shown["even"] == [f"{bad}:8", f"{bad}:9"]
    assert shown["conforms_to_schema"] == [f"{bad}:5"]


def test_the_line_of_a_row_in_the_second_of_several_files_is_counted_from_its_own_start(
    folder: Path,
) -> None:
    Path("good.csv").rename("a.csv")
    Path("bad.csv").rename("b.csv")

    assert samples("?.csv")["select_not_null"] == [f"{folder / 'b.csv'}:7"]


@pytest.mark.parametrize(
    ("file", "kind"),
    [("a.parquet", pa.int64()), ("narrow.parquet", pa.int16()), ("a.arrow", pa.int64())],
)
def test_a_failing_row_of_a_typed_file_is_shown_with_its_number(
    folder: Path, file: str, kind: pa.DataType
) -> None:
    write_typed(file, kind)

    assert samples(file) == {"batch_in_range": [f"{folder / file} row 1", f"{folder / file} row 3"]}


@pytest.mark.parametrize("file", ["held.csv", "held.parquet"])
def test_bad_rows_are_all_that_a_load_would_quarantine_with_rules_and_place(
    file: str, folder: Path
) -> None:
    ended = check("bad.csv", "--bad-rows", file)

    held = rows_of(file)
    rules = [row["_broken_rules"] for row in held]
    if file.endswith(".csv"):
        rules = [text.split("; ") for text in rules]
    assert [int(row["_source_line"]) for row in held] == [5, 6, 3, 7, 8]
    assert rules == [
        ["conforms_to_schema"],
        ["conforms_to_schema"],
        ["say_hi_length"],
        ["say_hi_length", "select_not_null", "gr_e_in_range"],
        ["gr_e_in_range"],
    ]
    assert {row["_source_file"] for row in held} == {str(folder / "bad.csv")}
    assert ended.code == 1
    assert "7 rows, 5 of them would be quarantined" in ended.out


def test_bad_rows_have_the_contracts_columns_and_types() -> None:
    check("bad.csv", "--bad-rows", "held.parquet")
    check("bad.csv", "--bad-rows", "held.csv")

    table = pq.read_table("held.parquet")
    assert table.schema.names[:6] == ["id", 'say "hi"', "select", "größe", "batch", "tags"]
    assert table.schema.field("tags").type.value_type == pa.string()
    assert table.column("id").to_pylist() == [None, None, 4, 8, 9]
    assert table.column("tags").to_pylist()[-1] == ["b"]
    last = rows_of("held.csv")[-1]
    assert (last["id"], last['say "hi"'], last["größe"], last["tags"]) == (
        "9",
        "abc",
        "nan",
        '["b"]',
    )


@pytest.mark.parametrize("kind", [pa.int64(), pa.int16()])
def test_bad_rows_of_parquet_files_tell_the_file_and_the_number_of_the_row(
    folder: Path, kind: pa.DataType
) -> None:
    write_typed("a.parquet", kind)
    write_typed("b.parquet", kind)

    check("?.parquet", "--bad-rows", "held.csv", "--skip", "primary_key_unique")

    assert [(row["_source_file"], row["_source_line"]) for row in rows_of("held.csv")] == [
        (str(folder / file), row) for file in ("a.parquet", "b.parquet") for row in ("1", "3")
    ]


def test_a_batch_without_bad_rows_gives_a_file_without_rows() -> None:
    assert check("good.csv", "--bad-rows", "held.csv").code == 0
    assert rows_of("held.csv") == []
    assert Path("held.csv").read_text().startswith('"id",')


def test_rows_far_apart_in_a_long_file_are_found_by_their_place() -> None:
    count = 150_000
    lines = (f"{2 * n},abc,x,1,{3 if n % 60_000 == 7 else 1},\n" for n in range(count))
    Path("long.csv").write_text(HEADER + "".join(lines))

    check("long.csv", "--bad-rows", "held.csv")

    assert [row["_source_line"] for row in rows_of("held.csv")] == ["9", "60009", "120009"]
    assert [row["id"] for row in rows_of("held.csv")] == ["14", "120014", "240014"]


def test_a_file_of_bad_rows_is_replaced_only_by_force() -> None:
    Path("held.csv").write_text("mine")

    refused = check("bad.csv", "--bad-rows", "held.csv")
    assert (refused.code, "--force" in refused.err) == (2, True)
    assert Path("held.csv").read_text() == "mine"
    assert check("bad.csv", "--bad-rows", "held.csv", "--force").code == 1
    assert len(rows_of("held.csv")) == 5


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("bad.csv", "the data itself"),
        ("held.txt", ".parquet"),
        ("no/folder.csv", "no such folder"),
        ("nowhere.csv/", "no such folder"),
    ],
)
def test_a_place_where_bad_rows_cannot_be_written_is_refused(path: str, named: str) -> None:
    Path("nowhere.csv").mkdir()
    before = Path("bad.csv").read_text()

    ended = check("bad.csv", "--bad-rows", path.replace(".csv/", ".csv/x/y.csv"), "--force")

    assert (ended.code, named in ended.err) == (2, True), ended.text
    assert Path("bad.csv").read_text() == before


def test_nothing_unfinished_stays_beside_the_file_of_bad_rows(folder: Path) -> None:
    before = {path.name for path in folder.iterdir()}

    check("bad.csv", "--bad-rows", "held.parquet")

    assert {path.name for path in folder.iterdir()} == before | {"held.parquet"}


@pytest.mark.parametrize("column", ["file_row_number", "_source_line"])
def test_a_column_with_a_name_of_the_platforms_own_is_refused_by_check_and_lint(
    column: str,
) -> None:
    renamed = PROPERTIES.replace("name: batch", f"name: {column}")
    Path("orders.odcs.yaml").write_text(contract_text(renamed))

    for ended in (check("good.csv"), call("lint", "orders.odcs.yaml")):
        assert ended.code in {1, 2}
        assert "physicalName" in ended.text
        assert column in ended.text
        assert "DuckDB" not in ended.text


def test_columns_too_many_are_ignored_by_the_option_that_the_message_names() -> None:
    Path("more.csv").write_text('id,"say ""hi""",select,größe,batch,tags,more\n2,a,x,1,1,,9\n')

    ended = check("more.csv")

    assert (ended.code, "--ignore-column" in ended.err) == (2, True)
    assert check("more.csv", "--ignore-column", "more").code == 0


def _not_json(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_a_number_that_json_does_not_know_is_shown_as_text() -> None:
    ended = check("bad.csv", "--json", "--samples", "9")

    found = json.loads(ended.out, parse_constant=_not_json)
    (shown,) = [c["sample"] for c in found["checks"] if c["name"] == "gr_e_in_range"]
    assert [row["größe"] for row in shown] == [-1.0, "nan"]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_long_name_of_a_check_hides_no_verdict(columns: int) -> None:
    name = "a_very_long_name_that_goes_on_and_on_for_quite_some_time_indeed"
    renamed = PROPERTIES.replace("name: even", f"name: {name}")
    contract = Path("orders.odcs.yaml")
    contract.write_text(contract_text(renamed))
    found = check_data(CheckRequest(contract, "bad.csv", sample_rows=0))
    text = io.StringIO()

    print_check_report(Console(file=text, width=columns), found)

    lines = text.getvalue().splitlines()
    assert "broken rows" in lines[1]
    (line,) = [line for line in lines if "a_very_long" in line]
    assert " warn " in line
    assert "…" not in text.getvalue()
