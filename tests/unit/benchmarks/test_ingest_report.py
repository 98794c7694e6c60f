"""What the ingestion benchmark makes of its results."""

from dataclasses import replace

import pytest

from benchmarks.ingest.bars import bars_of
from benchmarks.ingest.measure import Measured
from benchmarks.ingest.plan import GROWTH, LIMIT, OURS, PLAN, PSYCOPG, UPSERT, Case
from benchmarks.ingest.protocol import Answer
from benchmarks.ingest.report import PAGE, page
from benchmarks.ingest.results import COMMITTED, Result, Run, Source, result_of

ROWS = 1000


def result(loader, source, cpu, *, server=0.0, rss=100, times=1, **more) -> Result:
    plain = Result(
        loader.name, source, "clean", ROWS * times, 0, ROWS * times, 1, ROWS * times, cpu=cpu
    )
    return replace(plain, cpu_server=server, rss=rss * 10**6, **more)


def met(*results: Result) -> dict[str, str]:
    """For the first word of each bar, whether it is met."""
    bars = bars_of(Run({}, ROWS, results))
    return {bar.text.split(":")[0] + bar.text.rpartition(",")[2]: bar.met for bar in bars}


def test_what_was_not_measured_meets_no_bar():
    assert set(met().values()) == {"not measured"}


@pytest.mark.parametrize(("cpu", "expected"), [(1.7, "yes"), (1.8, "no")])
def test_postgres_counts_the_server_on_both_sides(cpu, expected):
    found = met(
        result(LIMIT, "postgres", 0.3, server=0.9), result(OURS, "postgres", cpu, server=0.9)
    )
    assert found["PostgreSQL reader and server together"] == expected


@pytest.mark.parametrize(("naive", "expected"), [(20.0, "yes"), (19.9, "no")])
def test_the_naive_reader_must_cost_ten_times_as_much(naive, expected):
    found = met(result(PSYCOPG, "postgres", naive), result(OURS, "postgres", 2.0))
    assert found["PostgreSQL reader alone"] == expected


@pytest.mark.parametrize(("bytes_", "expected"), [(300_000_000, "yes"), (299_000_000, "no")])
def test_csv_is_measured_by_its_bytes(bytes_, expected):
    found = met(result(OURS, "csv", 2.0, source_bytes=bytes_))
    assert found["clean CSVclean CSV: at least 150 MB per CPU second"] == expected


@pytest.mark.parametrize(
    ("small", "large", "expected"), [(400, 440, "yes"), (300, 400, "no"), (460, 460, "no")]
)
def test_memory_must_be_small_and_flat(small, large, expected):
    both = (
        result(OURS, "mysql", 1, rss=small),
        result(OURS, "mysql", 1, rss=large, times=GROWTH),
    )
    assert met(*both)["mysql flat to 4 x the rows"] == expected


@pytest.mark.parametrize(("upsert", "expected"), [(8.0, "yes"), (7.9, "no")])
def test_a_merge_must_cost_a_quarter_of_an_upsert(upsert, expected):
    found = met(result(UPSERT, "merge", upsert), result(OURS, "merge", 2.0))
    assert expected in found.values()


def test_costs_are_medians_and_one_failure_fails_the_result():
    runs = [Measured(Answer(5, 1), cpu=cpu) for cpu in (3.0, 1.0, 2.0)]
    case, source = Case("csv", (OURS,)), Source(6, 5, 60)
    found = result_of(OURS, case, source, runs)
    assert (found.cpu, found.rows, found.held, found.repeats) == (2.0, 5, 1, 3)
    failed = result_of(OURS, case, source, [*runs, Measured(failure="exit code 1: no")])
    assert failed.failure == "exit code 1: no"


def test_the_page_shows_failures_and_wrong_numbers():
    wrong = replace(result(OURS, "csv", 1), rows=ROWS - 1, source_bytes=5_000_000)
    failed = replace(result(PSYCOPG, "csv", 0), failure="did not end within 9 s")
    text = page(Run({"cores": "2"}, ROWS, (wrong, failed)))
    assert "999 (should be 1,000)" in text
    assert "did not end within 9 s |" in text
    assert "5 MB/s" in text


def test_the_committed_page_is_of_the_committed_results():
    assert PAGE.read_text(encoding="utf-8") == page(Run.load(COMMITTED))


def test_the_committed_results_are_of_the_whole_plan():
    run = Run.load(COMMITTED)
    planned = {
        (loader.name, case.source, case.kind, run.rows * case.times)
        for case in PLAN
        for loader in case.loaders
    }
    assert {(r.loader, r.source, r.kind, r.source_rows) for r in run.results} == planned
