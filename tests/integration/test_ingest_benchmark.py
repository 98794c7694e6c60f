"""The ingestion benchmark, on few rows: what it loads, and that it measures."""

import csv
import sys
from pathlib import Path

import pytest

from benchmarks.ingest import rows
from benchmarks.ingest.measure import Machinery, run_command, run_loader
from benchmarks.ingest.plan import OURS, UPSERT
from benchmarks.ingest.protocol import Job

ROWS = 20_000
PYTHON = Path(sys.executable)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ingest")


@pytest.fixture(scope="module")
def machinery(folder):
    return Machinery(folder, 60)


def records(folder, kind):
    with rows.csv_file(folder, ROWS, kind).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_clean_rows_have_all_columns(folder):
    header, *found = records(folder, "clean")
    assert header == list(rows.COLUMNS)
    assert len(found) == ROWS
    assert {len(record) for record in found} == {len(rows.COLUMNS)}
    required = [n for n, name in enumerate(rows.COLUMNS) if name not in rows.OPTIONAL]
    assert all(record[n] for record in found for n in required)


def test_bad_rows_are_as_many_as_they_are_said_to_be(folder):
    pairs = zip(records(folder, "clean"), records(folder, "bad"), strict=True)
    differing = sum(clean != bad for clean, bad in pairs)
    assert differing == rows.bad_rows(ROWS, "bad") > 0


def test_the_platform_publishes_the_good_rows_and_holds_the_bad_ones(folder, machinery):
    file = rows.csv_file(folder, ROWS, "bad")
    measured = run_loader(OURS, PYTHON, Job("csv", str(file), "", ROWS), machinery)
    assert not measured.failure
    bad = rows.bad_rows(ROWS, "bad")
    assert (measured.answer.rows, measured.answer.held) == (ROWS - bad, bad)
    assert 0 < measured.cpu < measured.cpu_process
    assert measured.rss > 50_000_000


def test_a_merge_and_an_upsert_end_with_the_same_rows(folder, machinery):
    before = rows.parquet_file(folder / "before.parquet", f"range({ROWS}) t(i)")
    numbers = f"range({ROWS - 10}, {ROWS + 30}) t(i)"
    after = rows.parquet_file(folder / "after.parquet", numbers, changed=True)
    job = Job("merge", str(before), "", ROWS, str(after))
    for loader in (OURS, UPSERT):
        measured = run_loader(loader, PYTHON, job, machinery)
        assert not measured.failure
        assert measured.answer.rows == ROWS + 30


def test_a_command_that_fails_is_told(machinery):
    measured = run_command(("cat", "/no/such/file"), machinery)
    assert "No such file" in measured.failure
