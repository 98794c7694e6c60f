"""What goes wrong most often, on the command line: class, exit code, retries, and no secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.command_line import call
from support.local_servers import PASSWORD, free_port
from support.postgres_database import PostgresDatabase, postgres_database, postgres_table
from support.project import Project, integer, text

from quality_platform import errors

ORDERS = {"id": integer(), "name": text()}
SECRETS = (PASSWORD, "wr0ng-pw", "AKIA-hush", "hush-key")


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with postgres_database(postgres_url) as found:
        found.run(
            "CREATE TABLE orders (id bigint, name text)",
            "CREATE TABLE hidden (id bigint, name text)",
            "CREATE TABLE renamed (id bigint, title text)",
            "CREATE TABLE retyped (id boolean, name text)",
            "INSERT INTO orders VALUES (1, 'x')",
            f"CREATE ROLE qp_test_reader LOGIN PASSWORD '{PASSWORD}'",
            "GRANT SELECT ON orders TO qp_test_reader",
        )
        try:
            yield found
        finally:
            found.run("DROP OWNED BY qp_test_reader", "DROP ROLE qp_test_reader")


@dataclass(frozen=True)
class Trouble:
    """How a project comes into trouble, and the code of the error that tells it."""

    code: str
    prepare: Callable[[Project, PostgresDatabase], object]


def reads(table: str, user: str = "", **url: str) -> Callable[[Project, PostgresDatabase], object]:
    def prepare(project: Project, database: PostgresDatabase) -> object:
        changed = database.url
        if user:
            changed = changed.replace("tester:", f"{user}:")
        if "port" in url:
            changed = f"postgresql://tester:{PASSWORD}@127.0.0.1:{free_port()}/postgres"
        if "password" in url:
            changed = changed.replace(PASSWORD, url["password"])
        found = PostgresDatabase(changed)
        return postgres_table(project, found, "orders", ORDERS, source={"table": table})

    return prepare


def catalog_down(project: Project, _: PostgresDatabase) -> object:
    uri = f"postgresql+psycopg2://lake:{PASSWORD}@127.0.0.1:{free_port()}/lake"
    project.settings["lake"] = {"catalog": {"uri": uri}}
    project.deliver("orders/a.csv", "id,name\n1,x\n")
    return project.table("orders", ORDERS)


def store_down(project: Project, _: PostgresDatabase) -> object:
    storage = {
        "endpoint": f"http://127.0.0.1:{free_port()}",
        "access_key_id": "AKIA-hush",
        "secret_access_key": "hush-key",
        "region": "eu-west-1",
    }
    source = {"path": "s3://bucket/orders/*.csv", "storage": storage}
    return project.table("orders", ORDERS, source=source)


def no_folder(project: Project, _: PostgresDatabase) -> object:
    (project.folder / "taken").write_text("a file")
    project.settings["lake"] = {"warehouse": str(project.folder / "taken" / "below")}
    project.deliver("orders/a.csv", "id,name\n1,x\n")
    return project.table("orders", ORDERS)


TROUBLES = {
    "a refused connection": Trouble("QP206", reads("orders", port="another")),
    "a wrong password": Trouble("QP207", reads("orders", password="wr0ng-pw")),
    "a missing right": Trouble("QP207", reads("hidden", "qp_test_reader")),
    "a missing table": Trouble("QP201", reads("nowhere")),
    "a missing column": Trouble("QP203", reads("renamed")),
    "a changed type": Trouble("QP203", reads("retyped")),
    "a catalog that is down": Trouble("QP301", catalog_down),
    "an object store that is down": Trouble("QP206", store_down),
    "a warehouse that cannot be made": Trouble("QP305", no_folder),
}
"""A full disk is in test_catalog_errors.py and in tests/crash."""

TRANSIENT = {"QP206", "QP301", "QP305"}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_each_trouble_has_its_class_is_retried_or_not_and_shows_no_secret(
    project: Project, database: PostgresDatabase, trouble: str
) -> None:
    expected = TROUBLES[trouble]
    expected.prepare(project, database)
    project.settings["retries"] = {
        "max_retries": 2,
        "initial_delay_seconds": 0.01,
        "opening_seconds": 0,
    }
    project.write_runner()
    ended = call("run", "--runner", project.runner)
    assert ended.code == 2, ended.text
    assert f"{expected.code} " in ended.text
    retried = ended.text.count("it will be tried again in")
    assert retried == (2 if expected.code in TRANSIENT else 0)
    assert "to do:" in ended.text
    for secret in SECRETS:
        assert secret not in ended.text
    written = [path for path in Path(project.folder.parent, "home").rglob("*") if path.is_file()]
    for path in written:
        assert not any(secret.encode() in path.read_bytes() for secret in SECRETS)


def test_the_matrix_agrees_with_the_error_tree() -> None:
    kinds = {
        kind.code: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.QualityPlatformError)
    }
    for trouble in TROUBLES.values():
        assert kinds[trouble.code].transient == (trouble.code in TRANSIENT)
