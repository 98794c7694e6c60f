"""Both check engines leave the process as it was: no output, files, calls, data or settings."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from quality_platform.checks.specs import CheckSpec, Expectation, Scope, SodaCheck
from quality_platform.validation.engine_outcomes import EngineOutcome
from quality_platform.validation.great_expectations_engine import run_expectations
from quality_platform.validation.soda_engine import run_soda_checks

WATCH = """\
    import os, sys
    happened = []
    def watch(event, args):
        if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
            if str(args[0]) != os.devnull and "__pycache__" not in str(args[0]):
                happened.append((event, str(args[0])))
        if event in ("socket.connect", "socket.getaddrinfo", "os.mkdir"):
            happened.append((event, str(args)))
    sys.addaudithook(watch)
    import logging, warnings
    before = (warnings.showwarning, sys.stderr, sys.stdout, tuple(logging.root.handlers))
"""
RUNS = {
    "great_expectations": """\
    import pyarrow as pa
    from quality_platform.checks.specs import CheckSpec, Expectation, Scope
    from quality_platform.validation.great_expectations_engine import run_expectations
    specs = [
        CheckSpec(c, Expectation("expect_column_values_to_not_be_null", {"column": c}), Scope.ROW)
        for c in ("x", "nowhere")
    ]
    outcomes = run_expectations(pa.table({"x": [1, None]}), specs)
    assert outcomes["x"].positions.to_pylist() == [1] and outcomes["nowhere"].error
""",
    "soda": """\
    import duckdb
    from quality_platform.checks.specs import CheckSpec, Scope, SodaCheck
    from quality_platform.validation.soda_engine import run_soda_checks
    connection = duckdb.connect()
    connection.execute("CREATE TABLE batch AS SELECT NULL::INT AS x")
    specs = [
        CheckSpec("full", SodaCheck({"missing": {}}, "x"), Scope.GATE),
        CheckSpec("broken", SodaCheck({"missing": {}}, "nowhere"), Scope.GATE),
    ]
    outcomes = run_soda_checks(connection, "batch", {"x": "INTEGER"}, specs)
    assert outcomes["full"].count == 1 and outcomes["broken"].error
""",
}
UNCHANGED = """\
    assert before == (warnings.showwarning, sys.stderr, sys.stdout, tuple(logging.root.handlers))
    assert "PLANTED" not in os.environ, "the .env file was loaded"
    assert "PYTHON_DOTENV_DISABLED" not in os.environ
    assert not happened, happened
    logging.captureWarnings(True)
    assert warnings.showwarning is not before[0], "the host can no longer redirect warnings"
"""


def with_expectations(table: pa.Table, column: str) -> EngineOutcome:
    claim = Expectation("expect_column_values_to_not_be_null", {"column": column})
    return run_expectations(table, [CheckSpec("one", claim, Scope.ROW)])["one"]


def with_soda(table: pa.Table, column: str) -> EngineOutcome:
    with duckdb.connect() as connection:
        connection.register("batch", table)
        spec = CheckSpec("one", SodaCheck({"missing": {}}, column), Scope.GATE)
        return run_soda_checks(connection, "batch", {}, [spec])["one"]


def in_threads(work: Callable[[int], None], numbers: range) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("engine", RUNS)
def test_a_run_prints_nothing_writes_nothing_calls_nobody_and_reads_no_dotenv(
    engine: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PLANTED=1\n")
    script = "".join(map(textwrap.dedent, (WATCH, RUNS[engine], UNCHANGED)))
    # Python takes a script given with -c for an interactive session: the .env search begins here.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


class Ear(logging.Handler):
    """Hears what reaches the root logger; pytest's own also listens to loggers that end there."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record)


@pytest.fixture
def ear() -> Iterator[Ear]:
    listening = Ear()
    logging.root.addHandler(listening)
    yield listening
    logging.root.removeHandler(listening)


@pytest.mark.parametrize("run", [with_expectations, with_soda])
def test_calls_leave_logging_and_warnings_as_they_were(
    run: Callable[[pa.Table, str], EngineOutcome], ear: Ear
) -> None:
    table = pa.table({"x": [1, None]})
    run(table, "x")
    soda = logging.getLogger("soda")

    def settings() -> tuple[object, ...]:
        handlers = (tuple(logging.root.handlers), tuple(soda.handlers))
        return (warnings.showwarning, handlers, soda.level, soda.propagate)

    before = settings()
    for _ in range(3):
        assert run(table, "nowhere").error

    assert settings() == before
    assert ear.heard == []


def test_what_great_expectations_logs_does_not_reach_the_host(ear: Ear) -> None:
    with_expectations(pa.table({"x": [1, None]}), "x")
    logging.getLogger("great_expectations.core").error("the library complains")

    assert ear.heard == []


def test_threads_do_not_mix_the_expectations_of_one_another() -> None:
    found: dict[int, int | None] = {}

    def check(nulls: int) -> None:
        table = pa.table({"x": [*range(9), *[None] * nulls]})
        found[nulls] = with_expectations(table, "x").count

    in_threads(check, range(6))

    assert found == {nulls: nulls for nulls in range(6)}


def test_threads_do_not_mix_the_soda_checks_and_errors_of_one_another() -> None:
    found: dict[int, tuple[int | None, bool]] = {}

    def check(nulls: int) -> None:
        with duckdb.connect() as own:
            own.execute(f"CREATE TABLE batch AS SELECT NULL AS x FROM range({nulls})")
            columns = {"good": "x", "bad": "nowhere"}
            specs = [
                CheckSpec(name, SodaCheck({"missing": {}}, column), Scope.GATE)
                for name, column in columns.items()
            ]
            outcomes = run_soda_checks(own, "batch", {}, specs)
            found[nulls] = (outcomes["good"].count, bool(outcomes["bad"].error))

    in_threads(check, range(16))

    assert found == {nulls: (nulls, True) for nulls in range(16)}


def test_great_expectations_does_not_keep_the_data_of_earlier_calls() -> None:
    import pandas as pd

    def frames() -> int:
        gc.collect()
        return sum(isinstance(found, pd.DataFrame) for found in gc.get_objects())

    table = pa.table({"x": [1, None]})
    with_expectations(table, "x")
    before = frames()
    for _ in range(3):
        with_expectations(table, "x")

    assert frames() <= before


def test_an_error_logged_by_another_library_is_not_taken_for_one_of_soda() -> None:
    def shout(value: int) -> int:
        logging.getLogger("elsewhere").error("not about this check")
        return value

    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE batch AS SELECT i AS x FROM range(9) t(i)")
        connection.create_function("shout", shout, ["BIGINT"], "BIGINT")
        claim = SodaCheck({"failed_rows": {"expression": "shout(x) > 6"}})
        specs = [CheckSpec("one", claim, Scope.GATE)]
        outcome = run_soda_checks(connection, "batch", {}, specs)["one"]

    assert (outcome.count, outcome.error) == (2, "")
