from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from quality_platform.lake.scratch import remove_scratch_of_the_dead, scratch_folder

OWNER = """
import sys
from quality_platform.lake.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "spill").mkdir()
    (folder / "spill" / "rows").write_text("some")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def owner(temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    yield process
    process.communicate()


def folder_of(owner: subprocess.Popen[str]) -> Path:
    assert owner.stdout is not None
    return Path(owner.stdout.readline().strip())


def test_a_folder_is_gone_with_what_is_in_it(temporary: Path) -> None:
    with scratch_folder() as folder:
        (folder / "file").write_text("some")
        assert folder.parent == temporary
    assert not folder.exists()


def test_the_folder_of_a_killed_process_is_removed(owner: subprocess.Popen[str]) -> None:
    folder = folder_of(owner)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    assert (folder / "spill" / "rows").exists()
    assert remove_scratch_of_the_dead() == 1
    assert not folder.exists()


def test_the_folders_of_the_living_stay(owner: subprocess.Popen[str]) -> None:
    theirs = folder_of(owner)
    with scratch_folder() as ours:
        assert remove_scratch_of_the_dead() == 0
        assert theirs.exists()
        assert ours.exists()


def test_what_only_looks_like_one_stays(temporary: Path) -> None:
    other = temporary / "elsewhere"
    other.mkdir()
    (other / "owner.lock").touch()
    (temporary / "quality-platform-link").symlink_to(other)
    (temporary / "quality-platform-without-lock").mkdir()
    (temporary / "quality-platform-file").touch()
    (temporary / "quality-platform-linked-lock").mkdir()
    (temporary / "quality-platform-linked-lock" / "owner.lock").symlink_to(other / "owner.lock")
    assert remove_scratch_of_the_dead() == 0
    assert len(list(temporary.iterdir())) == 5


def test_a_link_within_is_removed_and_what_it_leads_to_stays(temporary: Path) -> None:
    other = temporary / "elsewhere"
    other.mkdir()
    folder = temporary / "quality-platform-dead"
    folder.mkdir()
    (folder / "owner.lock").touch()
    (folder / "link").symlink_to(other)
    assert remove_scratch_of_the_dead() == 1
    assert not folder.exists()
    assert other.exists()
