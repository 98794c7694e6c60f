"""What must not stand in a commit."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-image.lock")
FIXED_PACKAGES = (
    "dagster",
    "dagster-webserver",
    "dagster-postgres",
    "great-expectations",
    "soda-core",
    "pyiceberg",
    "pyarrow",
    "databricks-sdk",
    "snowflake-connector-python",
    "feast",
)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert not re.search(r"https?://|--index|--find-links|file:", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_hash(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())

    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_packages_that_users_count_on_are_locked() -> None:
    text = (ROOT / "requirements.lock").read_text()

    locked = set(re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==", text, re.MULTILINE))
    assert set(FIXED_PACKAGES) <= locked
    assert "\npytest==" in (ROOT / "requirements-dev.lock").read_text()


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name and not name.endswith(".png")]

    home = re.compile(r"/(?:home|Users|root)/\w+|/work/\w+")
    texts = {
        path: path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file()
    }
    assert [str(path) for path, text in texts.items() if home.search(text)] == []
