"""`quality-platform check` on objects of a store that speaks S3, with the keys that sources use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command_line import call
from support.project import Project, integer, key, text
from support.s3_server import KEYS, S3Server, s3_server

COLUMNS = {"id": key(integer()), "name": text(required=True)}
ROWS = b"id,name\n1,ann\n2,\n3,cid\n"


@pytest.fixture(scope="module")
def store() -> Iterator[S3Server]:
    with s3_server() as server:
        server.bucket("deliveries")
        server.put("deliveries", "in/a.csv", ROWS)
        server.put("deliveries", "in/b.csv", b"id,name\n3,dan\n")
        table = pa.table({"id": pa.array([7, 7]), "name": ["x", "y"]})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        server.put("deliveries", "in/c.parquet", sink.getvalue().to_pybytes())
        yield server


@pytest.fixture
def contract(project: Project) -> Path:
    return project.contract("people", COLUMNS)


@pytest.fixture
def environment(store: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store and its key as AWS's own tools are told of them."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secret_access_key"])


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)


def source(project: Project, name: str, store: S3Server, path: str, **more: str) -> None:
    settings = {**store.settings, **more}
    project.table(name, COLUMNS, path=path, source={"type": "csv", "storage": settings})


def report(*arguments: str | Path) -> dict[str, Any]:
    ended = call("check", *arguments, "--json")
    assert ended.err == "", ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


def broken(found: dict[str, Any]) -> dict[str, int]:
    return {c["name"]: c["broken_rows"] for c in found["checks"] if c["broken_rows"]}


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("path", "rows", "bad"),
    [
        ("in/a.csv", 3, {"name_not_null": 1}),
        ("in/*.csv", 4, {"name_not_null": 1, "primary_key_unique": 2}),
        ("in/c.parquet", 2, {"primary_key_unique": 2}),
    ],
)
def test_objects_are_read_with_the_key_of_the_environment(
    contract: Path, path: str, rows: int, bad: dict[str, int]
) -> None:
    found = report(contract, f"s3://deliveries/{path}")
    assert (found["rows"], broken(found)) == (rows, bad)


@pytest.mark.usefixtures("environment")
def test_bad_rows_name_the_object_and_the_line(contract: Path, tmp_path: Path) -> None:
    to = tmp_path / "bad.csv"
    ended = call("check", contract, "s3://deliveries/in/a.csv", "--bad-rows", to)
    assert ended.code == 1, ended.text
    assert "s3://deliveries/in/a.csv:3" in ended.out
    assert '"s3://deliveries/in/a.csv",3' in to.read_text()


@pytest.mark.usefixtures("no_environment")
def test_a_runner_gives_the_storage_of_the_source_that_reads_the_same_bucket(
    project: Project, store: S3Server
) -> None:
    source(project, "people", store, "s3://deliveries/in/*.csv")
    source(project, "others", store, "s3://elsewhere/*.csv", secret_access_key="wrong")
    runner, contract = project.write_runner(), project.folder / "contracts" / "people.odcs.yaml"
    found = report(contract, "s3://deliveries/in/a.csv", "--runner", runner)
    assert found["rows"] == 3


@pytest.mark.usefixtures("no_environment")
def test_two_ways_to_read_a_bucket_are_asked_about(project: Project, store: S3Server) -> None:
    source(project, "people", store, "s3://deliveries/in/*.csv")
    source(project, "others", store, "s3://deliveries/out/*.csv", request_timeout="5s")
    runner, contract = project.write_runner(), project.folder / "contracts" / "people.odcs.yaml"
    data = (contract, "s3://deliveries/in/a.csv", "--runner", runner)
    ended = call("check", *data)
    assert ended.code == 2
    assert "--storage-of: tables read this bucket with a different `storage` each" in ended.err
    assert "people, others" in ended.err
    assert report(*data, "--storage-of", "people")["rows"] == 3
    unknown = call("check", *data, "--storage-of", "poeple")
    assert (unknown.code, "did you mean" in unknown.err) == (2, True)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("s3://deliveries/in/z.csv", "there is no such object"),
        ("s3://nowhere-at-all/a.csv", "there is no bucket 'nowhere-at-all'"),
        ("https://example.com/a.csv", "data of this kind of URL cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told(contract: Path, data: str, words: str) -> None:
    ended = call("check", contract, data)
    assert ended.code == 2
    assert words in ended.err
    assert KEYS["secret_access_key"] not in ended.text


@pytest.mark.usefixtures("environment")
def test_a_reference_can_be_an_object(project: Project, tmp_path: Path) -> None:
    link = {"relationships": [{"type": "foreignKey", "to": "people.id"}]}
    columns = {"id": key(integer()), "person": integer(**link)}
    contract = project.contract("visits", columns)
    (tmp_path / "visits.csv").write_text("id,person\n1,1\n2,9\n")
    reference = "people=s3://deliveries/in/a.csv"
    found = report(contract, tmp_path / "visits.csv", "--reference", reference)
    assert sum(broken(found).values()) == 1


def test_a_variable_that_is_no_address_is_told(
    contract: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "minio:9000")
    ended = call("check", contract, "s3://deliveries/in/a.csv")
    assert ended.code == 2
    assert "AWS_ENDPOINT_URL_S3: the variable names no address" in ended.err
