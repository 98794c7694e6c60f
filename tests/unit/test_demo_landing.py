"""demo/land_flights.py: the demo's source files, landed from the installed package."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
import time
import zipfile
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

from quality_platform.errors import MalformedSourceError, SourceNotFoundError

SCRIPT = Path(__file__).parents[2] / "demo" / "land_flights.py"
TABLES = ["airlines.csv", "airports.csv", "planes.csv", "weather.csv"]
FLIGHTS_PER_MONTH = [
    *(27004, 24951, 28834, 28330, 28796, 28243),
    *(29425, 29327, 27574, 28889, 27268, 28135),
]


def _loaded_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("land_flights", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


demo = _loaded_script()


@pytest.fixture(scope="module")
def data() -> Path:
    folder: Path = demo.data_folder()
    return folder


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    landing = tmp_path_factory.mktemp("landing")
    demo.land(landing, data)
    return landing


def _small_data(folder: Path, *lines: str) -> Path:
    folder.mkdir()
    with zipfile.ZipFile(folder / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", "".join(f"{line}\n" for line in lines))
    for table in TABLES:
        (folder / table).write_text(f"{table}\n")
    return folder


def _files(landing: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(landing)): path.read_bytes()
        for path in landing.rglob("*")
        if path.is_file()
    }


def test_the_landing_holds_twelve_months_and_four_tables_and_nothing_else(landed: Path) -> None:
    months = [f"flights/flights_2013_{month:02d}.csv" for month in range(1, 13)]
    assert sorted(_files(landed)) == sorted([*TABLES, *months])


def test_every_month_has_the_header_and_its_lines_of_the_source_in_order(
    landed: Path, data: Path
) -> None:
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        header, *lines = archive.read("flights.csv").splitlines(keepends=True)
    by_month: dict[int, list[bytes]] = defaultdict(list)
    for line in lines:
        by_month[int(line.split(b",")[1])].append(line)
    for month in range(1, 13):
        content = (landed / "flights" / f"flights_2013_{month:02d}.csv").read_bytes()
        assert content == b"".join([header, *by_month[month]])
    assert [len(by_month[month]) for month in range(1, 13)] == FLIGHTS_PER_MONTH


@pytest.mark.parametrize("table", TABLES)
def test_the_other_tables_are_unchanged_copies(landed: Path, data: Path, table: str) -> None:
    assert (landed / table).read_bytes() == (data / table).read_bytes()


def test_a_second_landing_touches_no_file(landed: Path, data: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in landed.rglob("*.csv")}
    outcome = demo.land(landed, data)
    assert str(outcome) == "landing is up to date"
    assert {path: path.stat().st_mtime_ns for path in landed.rglob("*.csv")} == before
    assert len(_files(landed)) == 16


def test_only_a_file_that_differs_is_written_again(tmp_path: Path) -> None:
    data = _small_data(tmp_path / "data", "year,month,day", "2013,1,1", "2013,2,1")
    landing = tmp_path / "landing"
    demo.land(landing, data)
    expected = _files(landing)
    damaged = landing / "flights" / "flights_2013_02.csv"
    damaged.write_bytes(b"year,mon")
    outcome = demo.land(landing, data)
    assert outcome.written == 1
    assert _files(landing) == expected
    assert str(outcome) == "landed 1 file (15 already there), 2 flights in 12 months"


@pytest.mark.parametrize("line", ["2013,13,1", "2013,NA,1", "2013,1", "2013,1,1,1"])
def test_a_line_without_a_month_lands_nothing_and_is_named(tmp_path: Path, line: str) -> None:
    data = _small_data(tmp_path / "data", "year,month,day", "2013,1,1", line)
    with pytest.raises(MalformedSourceError, match=r"line 3 of flights\.csv"):
        demo.land(tmp_path / "landing", data)
    assert not list((tmp_path / "landing").rglob("*.csv"))


def test_a_source_without_a_month_column_is_refused(tmp_path: Path) -> None:
    data = _small_data(tmp_path / "data", "year,day", "2013,1")
    with pytest.raises(MalformedSourceError, match=r"line 1 of flights\.csv"):
        demo.land(tmp_path / "landing", data)


def test_a_killed_landing_leaves_no_half_file_and_the_next_one_completes_it(
    tmp_path: Path, landed: Path
) -> None:
    landing = tmp_path / "landing"
    process = subprocess.Popen([sys.executable, str(SCRIPT), str(landing)])
    started = landing / "flights" / ".flights_2013_01.csv.tmp"
    while not (started.exists() and started.stat().st_size) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    whole = _files(landed)
    visible = {name: text for name, text in _files(landing).items() if name.endswith(".csv")}
    assert all(whole[name] == text for name, text in visible.items())
    demo.land(landing, demo.data_folder())
    assert _files(landing) == whole


def test_the_command_says_in_one_line_what_it_landed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.main([str(tmp_path / "landing")])
    demo.main([str(tmp_path / "landing")])
    assert capsys.readouterr().out.splitlines() == [
        "landed 16 files, 336,776 flights in 12 months",
        "landing is up to date",
    ]


def test_the_import_of_the_script_prints_and_lands_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _loaded_script()
    assert capsys.readouterr().out == ""
    assert not list(tmp_path.iterdir())


def test_missing_data_names_the_dependency_group_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [])
    importlib.invalidate_caches()
    with pytest.raises(SourceNotFoundError, match="dependency group `demo`"):
        demo.data_folder()
