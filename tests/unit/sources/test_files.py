"""Finding files and telling their versions apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import xxhash

from quality_platform.errors import (
    Location,
    SourceChangedError,
    SourceError,
    SourceNotFoundError,
)
from quality_platform.sources.files import find_files, open_version
from quality_platform.sources.protocol import SourceFile

HERE = Location("runner.yaml", 7)


def found(pattern: str | Path) -> list[str]:
    files = find_files(str(pattern), location=HERE, field="tables.orders.source.path")
    return [file.path for file in files]


def refusal(pattern: str | Path) -> str:
    with pytest.raises(SourceNotFoundError) as caught:
        found(pattern)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", "note.txt", "2026/c.csv", "2026/10/d.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_a_path_gives_its_file_with_size_time_and_checksum(folder: Path) -> None:
    content = b"x" * (2**20 + 5)
    path = folder / "a.csv"
    path.write_bytes(content)
    (file,) = find_files(str(path), location=HERE, field="path")
    checksum = f"xxh3-128:{xxhash.xxh3_128_hexdigest(content)}"
    assert file == SourceFile(str(path), len(content), path.stat().st_mtime_ns, checksum)


def test_a_glob_gives_files_sorted_by_path_and_no_folders(folder: Path) -> None:
    (folder / "folder.csv").mkdir()
    assert found(folder / "*.csv") == [f"{folder}/a.csv", f"{folder}/b.csv"]


def test_two_stars_reach_every_depth(folder: Path) -> None:
    names = ["2026/10/d.csv", "2026/c.csv", "a.csv", "b.csv"]
    assert found(folder / "**/*.csv") == [f"{folder}/{name}" for name in names]
    assert f"{folder}/note.txt" in found(folder / "**")


@pytest.mark.parametrize("name", [".a.csv", "_a.csv", "a.tmp", "a.part", "a.crdownload"])
def test_hidden_and_temporary_names_are_not_matched_by_a_glob(folder: Path, name: str) -> None:
    (folder / name).write_text("half")
    assert f"{folder}/{name}" not in found(folder / "*")
    assert found(folder / name) == [f"{folder}/{name}"]


def test_what_lies_in_a_hidden_or_temporary_folder_is_not_matched(folder: Path) -> None:
    for name in ("_temporary", ".git"):
        (folder / name).mkdir()
        (folder / name / "e.csv").write_text("half")
    assert found(folder / "*/*.csv") == [f"{folder}/2026/c.csv"]
    assert found(folder / "_temporary/*.csv") == [f"{folder}/_temporary/e.csv"]


def test_a_name_with_brackets_that_exists_is_taken_by_its_letter(folder: Path) -> None:
    (folder / "a[1].csv").write_text("x")
    assert found(folder / "a[1].csv") == [f"{folder}/a[1].csv"]


def test_no_file_is_an_error_with_the_place_in_the_configuration(folder: Path) -> None:
    message = refusal(folder / "*.parquet")
    assert "runner.yaml:7: tables.orders.source.path: no file matches" in message
    assert f"received: {folder}/*.parquet" in message
    assert "to do: " in message
    assert "no file here" in refusal(folder / "z.csv")


def test_the_error_says_what_is_there_instead(folder: Path) -> None:
    assert f"{folder} is a folder" in refusal(folder)
    assert f"the folder {folder}/2025 does not exist" in refusal(folder / "2025" / "*.csv")
    assert "the path is not absolute" in refusal("orders.csv")
    (folder / "2026/10/d.csv").rename(folder / "2026/10/d.csv.part")
    assert "only hidden or temporary files match (1)" in refusal(folder / "2026/10/*")
    os.mkfifo(folder / "pipe")
    assert "is not a regular file" in refusal(folder / "pipe")


def test_a_file_that_cannot_be_read_is_a_source_error_with_the_reason() -> None:
    with pytest.raises(SourceError, match="Input/output error") as caught:
        found("/proc/self/mem")
    assert not isinstance(caught.value, SourceNotFoundError)


def test_a_file_that_disappears_is_a_source_error(folder: Path) -> None:
    (file,) = find_files(str(folder / "a.csv"), location=HERE, field="path")
    Path(file.path).unlink()
    with pytest.raises(SourceError, match="No such file"), open_version(file):
        pass


def test_a_file_that_was_written_to_since_is_refused(folder: Path) -> None:
    (file,) = find_files(str(folder / "a.csv"), location=HERE, field="path")
    Path(file.path).write_text("longer than before")
    with pytest.raises(SourceChangedError, match="5 bytes"), open_version(file):
        pass


def test_a_file_that_is_written_to_while_it_is_read_is_refused(folder: Path) -> None:
    (file,) = find_files(str(folder / "a.csv"), location=HERE, field="path")
    with pytest.raises(SourceChangedError), open_version(file):
        os.utime(file.path, ns=(0, file.mtime_ns + 1))
