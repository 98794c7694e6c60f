"""The command line: exit codes, and output that other programs can read."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Ended, call
from support.project import Project, foreign_key, integer, key, number, predicate, row_count, text

from quality_platform.flows.table_status import quarantined_rows

ORDERS = {"id": key(integer()), "customer": text(required=True)}
GOOD, HELD = "id,customer\n1,x\n2,y\n", "id,customer\n1,x\n2,\n"


def orders(project: Project, content: str, *quality: dict[str, Any]) -> Path:
    project.table("orders", ORDERS, quality=quality)
    project.deliver("orders/a.csv", content)
    return project.write_runner()


def run(runner: Path, *arguments: str) -> Ended:
    return call("run", "-r", runner, *arguments)


# run: exit codes


def test_a_run_without_problems_ends_with_zero_also_strictly(project: Project) -> None:
    ended = run(orders(project, GOOD), "--strict")
    assert ended.code == 0, ended.text
    assert "2 rows read, 2 published, 0 quarantined" in ended.out
    assert ended.err == ""


def test_quarantined_rows_end_a_strict_run_with_one(project: Project) -> None:
    runner = orders(project, HELD)
    assert run(runner, "--strict").code == 1
    project.deliver("orders/b.csv", "id,customer\n3,\n")
    ended = run(runner)
    assert ended.code == 0, ended.text
    assert "customer_not_null" in ended.out
    # Nothing new: nothing failed in this run.
    assert run(runner, "--strict").code == 0


def test_a_warning_does_not_end_a_strict_run_with_one(project: Project) -> None:
    runner = orders(project, GOOD, predicate("small", "id < 2", "warning"))
    ended = run(runner, "--strict")
    assert (ended.code, "small" in ended.out) == (0, True)


def test_a_blocked_table_ends_a_run_with_one_and_names_its_branch(project: Project) -> None:
    runner = orders(project, GOOD, row_count(5))
    ended = run(runner)
    assert ended.code == 1
    assert "blocked" in ended.out
    assert "audit-" in ended.out
    assert "a.csv" in ended.out
    assert "nothing of them was published" in ended.out


def test_a_table_that_cannot_be_read_ends_a_run_with_two_and_the_others_still_run(
    project: Project,
) -> None:
    shop = text(**foreign_key("shops.code", "shop_known"))
    project.table("shops", {"code": key(text())})
    project.table("orders", {"id": key(integer()), "shop": shop})
    project.table("planets", {"name": key(text())})
    project.deliver("shops/a.csv", "")
    project.deliver("orders/a.csv", "id,shop\n1,x\n")
    project.deliver("planets/a.csv", "name\nMars\n")
    ended = run(project.write_runner(), "--strict")
    assert ended.code == 2
    assert "QP202" in ended.out
    assert "orders: skipped, shops did not succeed" in ended.out
    assert "planets: 1 rows read" in ended.out


def test_only_the_tables_named_are_run(project: Project) -> None:
    project.table("planets", {"name": key(text())})
    project.deliver("planets/a.csv", "name\nMars\n")
    ended = run(orders(project, GOOD), "planets")
    assert (ended.code, "orders:" in ended.out, "planets:" in ended.out) == (0, False, True)


@pytest.mark.parametrize("command", ["run", "quarantine"])
def test_an_unknown_table_is_told_with_what_may_be_meant(project: Project, command: str) -> None:
    runner = orders(project, GOOD)
    ended = call(command, "ordres", "-r", runner)
    assert ended.code == 2
    assert "did you mean" in ended.err
    assert "orders" in ended.err
    assert "Traceback" not in ended.text


def test_an_unknown_option_is_a_usage_error(project: Project) -> None:
    assert call("run", "--nonsense").code == 2
    assert call("quarantine", "orders", "--json", "--csv", "-r", orders(project, GOOD)).code == 2


def test_the_runner_file_may_be_relative_or_come_from_the_environment(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = orders(project, GOOD)
    monkeypatch.chdir(project.folder.parent)
    relative = run(Path(project.folder.name) / runner.name)
    assert relative.code == 0, relative.text
    monkeypatch.setenv("QUALITY_PLATFORM_RUNNER", str(runner))
    named = call("run")
    assert (named.code, "nothing new" in named.out) == (0, True)
    monkeypatch.delenv("QUALITY_PLATFORM_RUNNER")
    monkeypatch.chdir(project.folder)
    assert "nothing new" in call("run").out
    monkeypatch.chdir(project.folder.parent)
    missing = call("run")
    assert missing.code == 2
    assert "runner.yaml" in missing.err


def test_names_that_look_like_markup_are_printed_as_they_are(project: Project) -> None:
    # The first would close a style that nobody opened, the second would vanish.
    names = ["a[/dim].csv", "b[bold].csv"]
    project.table("orders", ORDERS, path="landing/**/*.csv", quality=[row_count(5)])
    for name in names:
        project.deliver(name, GOOD)
        ended = run(project.write_runner())
        assert ended.code == 1, ended.text
        assert ended.out.count(name) >= 3
        project.folder.joinpath("landing", name).unlink()


def test_the_installed_command_prints_no_traceback_and_ends_with_two(project: Project) -> None:
    project.table("orders", ORDERS)
    runner = project.write_runner()
    ended = subprocess.run(
        [sys.executable, "-m", "quality_platform.cli", "run", "-r", str(runner)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )
    assert ended.returncode == 2
    assert "QP201" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


# lint


def test_lint_says_that_all_is_well_without_touching_data(project: Project, home: Path) -> None:
    ended = call("lint", "-r", orders(project, GOOD, row_count(5)))
    assert (ended.code, "1 tables" in ended.out) == (0, True)
    assert not home.exists()


# status and quarantine


def test_the_status_as_json_is_what_the_tables_are(project: Project) -> None:
    runner = orders(project, HELD)
    (before,) = json.loads(call("status", "--json", "-r", runner).out)
    assert (before["rows"], before["snapshot_id"], before["latest_run"]) == (0, None, None)
    run(runner)
    (status,) = json.loads(call("status", "--json", "-r", runner).out)
    assert (status["name"], status["identifier"]) == ("orders", "shop.orders")
    assert (status["rows"], status["quarantined"]) == (1, 1)
    snapshot = project.open().lake.table("shop.orders").current_snapshot()
    assert snapshot is not None
    assert status["snapshot_id"] == snapshot.snapshot_id
    assert status["latest_run"]["state"] == "published"
    assert datetime.fromisoformat(status["published_at"]).tzinfo is not None
    shown = call("status", "-r", runner)
    assert (shown.code, "shop.orders" in shown.out) == (0, True)


AWKWARD = {
    "id": key(integer()),
    "note": text(),
    "ratio": number(),
    "price": number("decimal(38,18)"),
    "day": {"logicalType": "date"},
    "at": {"logicalType": "timestamp"},
    "flag": {"logicalType": "boolean"},
}
CELLS = (
    '"semi;colon, ""quote"" é 🙂\n[red]second line",nan,12345678901234567890.000000000000000001,'
    "0001-01-01,2024-01-01T00:00:00.000001Z,true"
)


def awkward(project: Project) -> tuple[Path, list[dict[str, Any]]]:
    quality = [predicate("never", "id < 0"), predicate("not_ever", "id < -1")]
    project.table("awkward", AWKWARD, quality=quality)
    records = [f"9007199254740993,{CELLS}", "2,,inf,,,,", '3,"x""y",1,2,3']
    project.deliver("awkward/a.csv", ",".join(AWKWARD) + "\n" + "\n".join(records) + "\n")
    runner = project.write_runner()
    assert run(runner).code == 0
    return runner, list(quarantined_rows(project.open(), "awkward"))


def test_the_quarantine_as_json_parses_back_exactly(project: Project) -> None:
    runner, rows = awkward(project)
    ended = call("quarantine", "awkward", "--json", "-r", runner)

    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    found = [json.loads(line, parse_constant=no_constant) for line in ended.out.splitlines()]
    assert len(found) == len(rows) == 3
    for line, row in zip(found, rows, strict=True):
        assert list(line) == list(row)
        for name in ("id", "note", "flag", "_broken_rules", "_reasons", "_raw_record"):
            assert line[name] == row[name]
        for name in ("price", "day"):
            assert line[name] == (None if row[name] is None else str(row[name]))
        for name in ("at", "_quarantined_at"):
            assert (datetime.fromisoformat(line[name]) if line[name] else None) == row[name]
        assert line["ratio"] in (row["ratio"], str(row["ratio"]))
    first = next(line for line in found if line["_source_line"] == 2)
    assert (first["id"], first["ratio"]) == (9007199254740993, "nan")
    assert first["price"] == "12345678901234567890.000000000000000001"


def test_the_quarantine_as_csv_parses_back_exactly(project: Project) -> None:
    runner, rows = awkward(project)
    ended = call("quarantine", "awkward", "--csv", "-r", runner)
    found = list(csv.DictReader(io.StringIO(ended.out, newline="")))
    assert len(found) == len(rows) == 3
    for line, row in zip(found, rows, strict=True):
        assert list(line) == list(row)
        for name in ("note", "_raw_record", "_source_file", "_load_id"):
            assert line[name] == (row[name] or "")
        for name in ("id", "price", "day", "_source_line", "ratio"):
            assert line[name] == ("" if row[name] is None else str(row[name]))
        assert line["_broken_rules"] == "; ".join(row["_broken_rules"])


def test_an_empty_quarantine_is_an_empty_answer(project: Project) -> None:
    runner = orders(project, GOOD)
    run(runner)
    assert call("quarantine", "orders", "--json", "-r", runner).out == ""
    header, *rows = call("quarantine", "orders", "--csv", "-r", runner).out.splitlines()
    assert header.startswith("id,customer,_broken_rules,_reasons")
    assert rows == []
    assert "is empty" in call("quarantine", "orders", "-r", runner).out


def test_the_quarantine_for_people_shows_places_keys_and_reasons(project: Project) -> None:
    content = "id,customer\n" + "".join(f"{n},\n" for n in range(30))
    runner = orders(project, content)
    run(runner)
    shown = call("quarantine", "orders", "-r", runner)
    assert shown.code == 0
    assert shown.out.count("customer_not_null") == 20
    assert "a.csv:2" in shown.out
    assert "10 more" in shown.out
    everything = call("quarantine", "orders", "--limit", "0", "-r", runner)
    assert everything.out.count("customer_not_null") == 30
