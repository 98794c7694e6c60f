"""The sensor sees exactly the files that a load would take."""

from pathlib import Path

import pytest

from quality_platform.orchestration.arrivals import arrived_files
from quality_platform.sources.files import find_files


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    for name in ("a.csv", ".b.csv", "c.csv.tmp", "day/d.csv", "_writing/e.csv", "_f.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("id\n1\n")
    return tmp_path


@pytest.mark.parametrize("pattern", ["*.csv", "**/*.csv", "_f.csv", "**", "day/d.csv"])
def test_what_has_arrived_is_what_a_load_would_read(pattern: str, landing: Path) -> None:
    wanted = str(landing / pattern)

    arrived = arrived_files(wanted).files

    assert sorted(arrived) == [file.path for file in find_files(wanted, location=None, field="")]


def test_a_file_in_a_folder_that_is_still_being_written_has_not_arrived(landing: Path) -> None:
    arrived = arrived_files(str(landing / "**" / "*.csv")).files

    assert {Path(path).name for path in arrived} == {"a.csv", "d.csv"}


def test_a_folder_that_is_missing_has_no_files(landing: Path) -> None:
    assert arrived_files(str(landing / "nowhere" / "*.csv")).files == {}
