"""`quality-platform check`: a contract and data, no Dagster, nothing published, nothing kept."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from support.command_line import Ended, call
from support.project import Project, foreign_key, integer, key, number, text

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: shop-orders
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer, primaryKey: true}
      - {name: customer, logicalType: string, required: true, classification: pii}
      - name: country
        logicalType: string
        relationships:
          - to: countries.code
      - name: amount
        logicalType: number
        physicalType: decimal(9,2)
        logicalTypeOptions: {minimum: 0}
    quality:
      - {name: enough, metric: rowCount, mustBeGreaterThan: 2}
      - name: round_amounts
        type: text
        severity: warning
        description: Amounts are whole.
        customProperties: [{property: rowPredicate, value: amount % 1 = 0}]
      - {name: read_me, type: text, description: Only for people.}
"""
GOOD = "id,customer,country,amount\n1,ann,DE,5.00\n2,bob,FR,6.00\n3,cat,DE,7.00\n"
# Line 2: no customer; 3: below the minimum and not whole; 4: not a number; 5: no such country.
BAD = (
    "id,customer,country,amount\n1,,DE,5\n2,secret-name,FR,-1.50\n3,zoe,DE,many\n4,dan,XX,1\n"
    "5,eve,FR,2\n"
)
COUNTRIES = "code,label\nDE,Germany\nFR,France\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("orders.odcs.yaml").write_text(CONTRACT)
    Path("good.csv").write_text(GOOD)
    Path("bad.csv").write_text(BAD)
    Path("countries.csv").write_text(COUNTRIES)
    return tmp_path


def check(data: str, *options: str, reference: str = "countries=countries.csv") -> Ended:
    given = ["--reference", reference] if reference else []
    return call("check", "orders.odcs.yaml", data, *given, *options)


def report(data: str, *options: str, reference: str = "countries=countries.csv") -> dict[str, Any]:
    ended = check(data, "--json", *options, reference=reference)
    assert ended.err == ""
    found: dict[str, Any] = json.loads(ended.out)
    return found


def broken(found: dict[str, Any]) -> dict[str, int]:
    """Broken rows by check, of the checks that have any."""
    return {c["name"]: c["broken_rows"] for c in found["checks"] if c["broken_rows"]}


def test_good_data_ends_with_zero_and_every_check_is_listed() -> None:
    ended = check("good.csv", "--strict")

    assert ended.code == 0, ended.text
    assert "3 rows, 0 of them would be quarantined; 8 checks: 8 passed" in ended.out
    assert "country_in_countries" in ended.out


def test_bad_rows_end_with_one_each_counted_at_its_check() -> None:
    ended = check("bad.csv")
    found = report("bad.csv")

    assert ended.code == 1
    assert (found["rows"], found["bad_rows"], found["verdict"]) == (5, 4, "fail")
    assert broken(found) == {
        "conforms_to_schema": 1,
        "customer_not_null": 1,
        "amount_in_range": 1,
        "country_in_countries": 1,
        "round_amounts": 1,
    }
    assert [note["name"] for note in found["notes"]] == ["read_me"]


def test_samples_hide_what_the_contract_classifies_and_tell_the_place() -> None:
    ended = check("bad.csv", "--samples", "10")

    assert "secret-name" not in ended.text
    assert "***" not in check("good.csv").text
    assert "bad.csv:4" in ended.out
    assert "many" not in ended.text


def test_parquet_and_arrow_files_give_the_same_as_csv() -> None:
    table = pyarrow.csv.read_csv("good.csv")
    typed = table.set_column(3, "amount", table["amount"].cast(pa.decimal128(9, 2)))
    pq.write_table(typed, "same.parquet")
    pq.write_table(typed.set_column(0, "id", typed["id"].cast(pa.int16())), "narrow.parquet")
    with pa.ipc.new_file("same.arrow", typed.schema) as file:
        file.write_table(typed)

    for data in ("same.parquet", "narrow.parquet", "same.arrow"):
        found = report(data)
        assert (found["rows"], found["verdict"], broken(found)) == (3, "pass", {}), data


def test_a_glob_is_one_batch() -> None:
    Path("parts").mkdir()
    Path("parts/a.csv").write_text(GOOD)
    Path("parts/b.csv").write_text(GOOD)

    found = report("parts/*.csv")

    assert found["rows"] == 6
    assert broken(found) == {"primary_key_unique": 6}


def test_a_file_with_a_type_that_never_fits_is_an_error_that_names_it() -> None:
    table = pyarrow.csv.read_csv("good.csv")
    pq.write_table(table, "floats.parquet")

    ended = check("floats.parquet")

    assert ended.code == 2
    assert "'amount'" in ended.err
    assert "double" in ended.err
    assert "decimal(9, 2)" in ended.err


def test_a_foreign_key_without_its_table_could_not_run_and_is_no_pass() -> None:
    ended = check("good.csv", reference="")

    assert ended.code == 2
    assert "1 could not run" in ended.out
    assert check("good.csv", "--skip", "country_in_countries", reference="").code == 0


def test_only_and_skip_choose_checks_and_name_those_left_out() -> None:
    found = report("bad.csv", "--only", "enough", reference="")

    assert [c["name"] for c in found["checks"]] == ["enough"]
    assert "customer_not_null" in found["skipped"]
    ended = check("bad.csv", "--only", "enogh")
    assert (ended.code, "enough" in ended.err) == (2, True)


def test_warnings_end_with_one_only_strictly() -> None:
    Path("warn.csv").write_text(GOOD.replace("5.00", "5.50"))

    assert check("warn.csv").code == 0
    assert check("warn.csv", "--strict").code == 1


def test_junit_has_a_case_for_every_check_with_its_verdict() -> None:
    ended = check("bad.csv", "--junit", "report.xml", "--skip", "enough")

    assert ended.code == 1
    cases = {case.get("name"): case for case in ET.parse("report.xml").iter("testcase")}
    assert cases["customer_not_null"].find("failure") is not None
    assert cases["primary_key_unique"].find("failure") is None
    assert cases["enough"].find("skipped") is not None
    assert "warning" in (cases["round_amounts"].findtext("system-out") or "")
    assert "secret-name" not in Path("report.xml").read_text()


def test_an_empty_file_with_a_header_is_judged_by_its_gates() -> None:
    Path("empty.csv").write_text("id,customer,country,amount\n")

    found = report("empty.csv")

    assert found["rows"] == 0
    assert {c["name"] for c in found["checks"] if c["verdict"] == "fail"} == {"enough"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nothing.csv"], "nothing.csv"),
        (["good.csv", "--reference", "countries"], "OBJECT=FILE"),
        (["good.csv", "--reference", "planets=countries.csv"], "planets"),
        (["good.csv", "--reference", "countries=good.csv"], "code"),
        (["good.csv", "--object", "order"], "orders"),
        (["good.csv", "--junit", "no/such/folder.xml"], "folder.xml"),
    ],
)
def test_bad_arguments_end_with_two_and_name_what_is_wrong(
    arguments: list[str], named: str
) -> None:
    ended = call("check", "orders.odcs.yaml", *arguments)

    assert ended.code == 2
    assert named in ended.err


def test_nothing_is_left_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = folder / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = sorted(folder.iterdir())

    check("bad.csv")

    assert sorted(folder.iterdir()) == before
    assert list(scratch.iterdir()) == []


def test_a_table_of_the_lake_is_checked_where_it_lies(project: Project) -> None:
    country = text(**foreign_key("countries.code", "known_country"))
    columns = {"id": key(integer()), "country": country, "amount": number("decimal(9,2)")}
    project.table("countries", {"code": key(text())})
    project.table("orders", columns)
    project.deliver("countries/a.csv", "code\nDE\nFR\n")
    project.deliver("orders/a.csv", "id,country,amount\n1,DE,5\n2,FR,-6\n")
    runner = project.write_runner()
    assert call("run", "-r", runner).code == 0
    columns["amount"] = number("decimal(9,2)", logicalTypeOptions={"minimum": 0})
    contract = project.contract("orders", columns)

    ended = call("check", contract, "orders", "--runner", runner, "--json")

    found = json.loads(ended.out)
    assert (ended.code, found["rows"], found["bad_rows"]) == (1, 2, 1)
    assert broken(found) == {"amount_in_range": 1}
    ended = call("check", contract, "no_table", "--runner", runner)
    assert (ended.code, "orders" in ended.err) == (2, True)
