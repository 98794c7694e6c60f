"""Dagster's state in PostgreSQL, whatever the storage of the other tests is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
from support.dagster_daemon import running_daemon
from support.dagster_storage import storage_copy
from support.postgres_database import PostgresDatabase
from support.project import Project
from support.webserver import running_webserver

from quality_platform.orchestration.instance_file import POSTGRES_URL_VARIABLE, InstanceFile

ROOT = Path(__file__).parents[2]
USER, PASSWORD = "qp_test_dagster", "canary-6b1e/@%"
MARK = "canary-6b1e"

INSTANCE_PAGE = "{ instance { info hasInfo daemonHealth { id } } version }"


@pytest.fixture
def database(storage_server: str, empty_storage: PostgresDatabase) -> Iterator[PostgresDatabase]:
    """Dagster's database, of a user whose password is a canary."""
    with storage_copy(storage_server, empty_storage) as found:
        name = found.url.rpartition("/")[2]
        found.run(
            f"DROP ROLE IF EXISTS {USER}",
            f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'",
            f"GRANT ALL ON DATABASE {name} TO {USER}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {USER}",
            f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {USER}",
            f"GRANT ALL ON SCHEMA public TO {USER}",
        )
        yield found
        found.run(f"DROP OWNED BY {USER}", f"DROP ROLE {USER}")


def url_of(database: PostgresDatabase, password: str = PASSWORD) -> str:
    """As a person writes it: without a driver."""
    address = database.url.rpartition("@")[2]
    return f"postgresql://{USER}:{quote(password, safe='')}@{address}"


@pytest.fixture
def home(
    home: Path, tmp_path: Path, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder of an instance in PostgreSQL."""
    url = url_of(database)
    monkeypatch.setenv(POSTGRES_URL_VARIABLE, url)
    folder = tmp_path / "on-postgres"
    InstanceFile(folder, ROOT / "dagster.yaml", url).write()
    return folder


def texts_of(folder: Path) -> str:
    """Everything in a folder's files."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return "\n".join(path.read_bytes().decode(errors="replace") for path in files)


def contents_of(database: PostgresDatabase) -> str:
    """Every row of every table, as text."""
    named = database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return "\n".join(
        str(database.rows(f'SELECT t::text FROM "{table}" AS t')) for (table,) in named
    )


def test_a_run_through_webserver_and_daemon_shows_the_password_nowhere(
    shop: Project, home: Path, database: PostgresDatabase
) -> None:
    with running_webserver(shop, home) as server, running_daemon(shop, home) as daemon:
        run_id = server.launch(["shop/customers"])
        assert daemon.finished(run_id).status is dg.DagsterRunStatus.SUCCESS
        page = server.graphql(INSTANCE_PAGE)["instance"]["info"]
    assert "run_storage: PostgresRunStorage" in page
    shown = contents_of(database)
    assert run_id in shown
    assert not list(home.rglob("*.db"))
    for text in (page, shown, texts_of(home), texts_of(shop.folder)):
        assert MARK not in text


@pytest.mark.parametrize(
    ("url", "tells"),
    [
        ("wrong password", "password authentication failed"),
        ("broken", "not one of PostgreSQL"),
        ("", f'"{POSTGRES_URL_VARIABLE}" which is not set'),
    ],
)
def test_a_storage_that_cannot_be_opened_is_told_without_its_password(
    home: Path, database: PostgresDatabase, url: str, tells: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = {
        "wrong password": url_of(database, MARK),
        "broken": f"postgresql://{USER}:a@b:{MARK}@h/db",
        "": "",
    }
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv(POSTGRES_URL_VARIABLE, urls[url])
    if not url:
        monkeypatch.delenv(POSTGRES_URL_VARIABLE)
    program = Path(sys.executable).parent / "dagster"
    ended = subprocess.run([program, "run", "list"], capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    said = ended.stdout + ended.stderr
    assert tells in said
    assert MARK not in said
    assert not list(home.rglob("*.db"))
