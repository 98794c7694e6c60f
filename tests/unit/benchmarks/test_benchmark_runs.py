"""What a run of an engine comes to, and what the report says of it."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bars import bars_of
from benchmarks.data import dataset
from benchmarks.drift.plan import METHODS
from benchmarks.engines.protocol import Answer
from benchmarks.environments import PEERS, python_of
from benchmarks.expected import Expected
from benchmarks.features.parts import PARTS
from benchmarks.ingest import plan as ingest
from benchmarks.measure import Engine, Measured, run_once
from benchmarks.plan import ENGINES, FLOOR, MILLION, OURS, PLAN, SODA, Case, selected
from benchmarks.report import PAGE, page
from benchmarks.results import COMMITTED, Result, Run, machine, result_of

PYTHON = Path(sys.executable)
CASE = Case(MILLION, "bad", 20, (SODA,))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return dataset(tmp_path_factory.mktemp("rows"), 1000, "clean")


def test_a_run_tells_what_it_cost(rows):
    measured = run_once(FLOOR, PYTHON, rows, 5, limit=60)
    assert not measured.failure
    assert 0 < measured.cpu < measured.cpu_process
    assert measured.rss > 10_000_000
    assert "duckdb" in measured.versions


def test_an_engine_that_does_not_end_is_ended_and_told(rows):
    measured = run_once(FLOOR, PYTHON, rows, 5, limit=0.01)
    assert measured.failure == "did not end within 0.01 s"


def test_an_engine_that_breaks_tells_why(rows):
    measured = run_once(Engine("None", "no_such_engine"), PYTHON, rows, 5, limit=60)
    assert measured.failure.startswith("exit code 1: ")
    assert "no_such_engine" in measured.failure


def answered(**counts: int) -> Measured:
    return Measured(Answer(counts=counts), cpu=1, wall=2, cpu_process=3, rss=4)


def test_the_right_counts_agree():
    answers = {"email_pattern": Expected(7), "order_id_unique": Expected(4, 2, 6)}
    result = result_of(SODA, CASE, [answered(email_pattern=7, order_id_unique=4)], answers)
    assert (result.agrees, result.differs, result.ran) == (2, {}, 2)


@pytest.mark.parametrize(
    ("count", "meaning"),
    [(2, "without the first of each"), (6, "with NULL taken"), (9, "of another meaning")],
)
def test_another_count_is_shown_with_its_meaning(count, meaning):
    answers = {"order_id_unique": Expected(4, 2, 6)}
    result = result_of(SODA, CASE, [answered(order_id_unique=count)], answers)
    assert result.agrees == 0
    assert meaning in result.differs["order_id_unique"]


def test_a_wrong_verdict_is_shown():
    measured = Measured(Answer(verdicts={"email_pattern": True, "discount_mostly_given": True}))
    answers = {"email_pattern": Expected(7), "discount_mostly_given": Expected(99)}
    result = result_of(SODA, CASE, [measured], answers)
    assert result.differs == {"email_pattern": "holds: True, not False"}
    assert result.agrees == 1


def test_costs_are_medians():
    runs = [replace(answered(), cpu=cpu) for cpu in (5.0, 1.0, 2.0)]
    assert result_of(SODA, CASE, runs, {}).cpu == 2.0


def test_one_failed_run_fails_the_result():
    runs = [answered(email_pattern=7), Measured(failure="exit code 9: killed")]
    result = result_of(SODA, CASE, runs, {"email_pattern": Expected(7)})
    assert (result.failure, result.ran) == ("exit code 9: killed", 0)


def result(engine: Engine, rows: int, kind: str, cpu: float, rss: float = 0.1e9) -> Result:
    return Result(
        engine.key, engine.name, engine.gives, rows, kind, 20, 1, cpu=cpu, rss=int(rss), agrees=20
    )


def run_of(*results: Result) -> Run:
    return Run({"cores": "2"}, results)


@pytest.mark.parametrize(("cpu", "met"), [(2.9, "yes"), (3.1, "no")])
def test_a_bar_is_met_or_not(cpu, met):
    both = (result(FLOOR, 10 * MILLION, "clean", 1), result(OURS, 10 * MILLION, "clean", cpu))
    bar = next(bar for bar in bars_of(run_of(*both)) if "clean rows, 20 rules" in bar.text)
    assert bar.met == met


def test_what_was_not_measured_meets_no_bar():
    assert {bar.met for bar in bars_of(run_of())} == {"not measured"}


def test_memory_that_grows_with_the_rows_is_told():
    sizes = [result(OURS, n * MILLION, "bad", 1, rss) for n, rss in ((10, 0.3e9), (30, 0.6e9))]
    met = {bar.text: bar.met for bar in bars_of(run_of(*sizes))}
    assert met["memory on bad rows flat from 10M to 30M (within 1.15 x)"] == "no"
    assert met["20 rules, 512 MB limit: peak memory under 0.7 GB"] == "yes"


def test_the_page_shows_an_engine_that_failed():
    failed = replace(result(SODA, MILLION, "bad", 0), failure="did not end within 600 s")
    text = page(run_of(result(FLOOR, MILLION, "bad", 1), failed))
    assert "| Soda | did not end within 600 s |" in text
    assert "**Soda** (1M bad, 20 rules): did not end within 600 s" in text


def test_the_page_shows_every_answer_that_differs():
    unlike = replace(result(SODA, MILLION, "bad", 3), differs={"email_pattern": "8, not 7"})
    text = page(run_of(result(FLOOR, MILLION, "bad", 1), unlike))
    assert "`email_pattern` 8, not 7" in text


def test_the_committed_page_is_of_the_committed_results():
    assert PAGE.read_text(encoding="utf-8") == page(Run.load(COMMITTED))


def test_the_committed_results_are_of_the_whole_plan():
    planned = {(e.key, c.rows, c.kind, c.rules) for c in PLAN for e in c.engines}
    results = Run.load(COMMITTED).results
    assert {(r.engine, r.rows, r.kind, r.rules) for r in results} == planned


def test_results_are_read_as_they_were_written(tmp_path):
    run = Run(machine(), (result(SODA, MILLION, "bad", 3),))
    run.save(tmp_path / "results.json")
    assert Run.load(tmp_path / "results.json") == run


def test_parts_of_the_plan_can_be_chosen():
    cases = list(selected(["floor", "ours"], [MILLION], repeats=2))
    assert {case.rows for case in cases} == {MILLION}
    assert {engine.key for case in cases for engine in case.engines} == {"floor", "ours"}
    assert {case.repeats for case in cases} == {2}
    assert list(selected()) == list(PLAN)


def test_every_environment_is_pinned_and_every_pin_has_a_use():
    loaders = {loader for case in ingest.PLAN for loader in case.loaders}
    cases = [case for part in PARTS for case in part.CASES]
    peers = (*ENGINES, *loaders, *METHODS, *cases)
    used = {peer.environment for peer in peers} - {""} | {"chart"}
    assert {path.stem for path in PEERS.glob("*.txt")} == used
    for path in PEERS.glob("*.txt"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert all("==" in line for line in lines), path


def test_engines_without_an_environment_run_in_this_one(tmp_path):
    assert python_of("", tmp_path) == PYTHON
