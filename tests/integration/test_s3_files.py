"""Files in an object store: found, told apart, loaded, and refused with what is wrong."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.project import Project, column_of, integer
from support.s3_server import KEYS, S3Server, s3_server

from quality_platform.config.source_models import StorageConfig
from quality_platform.errors import (
    QualityPlatformError,
    SourceAccessError,
    SourceChangedError,
    SourceError,
    SourceNotFoundError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from quality_platform.flows.load_table import load_table
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.arrivals import arrived_files
from quality_platform.sources.files import find_files, fingerprint, open_version
from quality_platform.sources.object_storage import S3Storage


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def bucket(server: S3Server, request: pytest.FixtureRequest) -> str:
    name: str = server.bucket(f"shop-{abs(hash(request.node.name)):020d}")
    return name


def storage(server: S3Server, **more: str) -> S3Storage:
    return S3Storage(StorageConfig.model_validate({**server.settings, **more}))


def orders(project: Project, server: S3Server, path: str, kind: str = "csv") -> Platform:
    source = {"type": kind, "storage": server.settings}
    return project.table("orders", {"id": integer()}, path=path, source=source).open()


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("in/*.csv", ["in/a.csv", "in/b[1].csv"]),
        ("in/**/*.csv", ["in/2026/10/d.csv", "in/2026/c.csv", "in/a.csv", "in/b[1].csv"]),
        ("in/**", ["in/2026/10/d.csv", "in/2026/c.csv", "in/a.csv", "in/b[1].csv", "in/note.txt"]),
        ("in/????/?.csv", ["in/2026/c.csv"]),
        ("in/b[1].csv", ["in/b[1].csv"]),
        ("in/_hidden/e.csv", ["in/_hidden/e.csv"]),
        ("*/a.csv", ["in/a.csv"]),
    ],
)
def test_a_url_and_a_glob_find_the_objects_that_a_load_takes(
    server: S3Server, bucket: str, pattern: str, names: list[str]
) -> None:
    for key in ("a.csv", "b[1].csv", "note.txt", "2026/c.csv", "2026/10/d.csv", "_hidden/e.csv",
                "f.csv.tmp"):  # fmt: skip
        server.put(bucket, f"in/{key}", b"id\n1\n")
    url = f"s3://{bucket}/{pattern}"

    found = find_files(url, location=None, field="path", storage=storage(server))

    assert [file.path for file in found] == [f"s3://{bucket}/{name}" for name in names]
    assert {(file.size, file.checksum[:9]) for file in found} == {(5, "xxh3-128:")}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere-at-all/in/*.csv", "there is no bucket 'nowhere-at-all'"),
        ("{bucket}/in/*.csv", "no object matches"),
        ("{bucket}/in/a.csv", "there is no such object"),
        ("{bucket}/out/*", "only hidden or temporary files match (1)"),
    ],
)
def test_nothing_there_is_told_as_what_is_missing(
    server: S3Server, bucket: str, path: str, reason: str
) -> None:
    server.put(bucket, "out/_a.csv", b"x")

    with pytest.raises(SourceNotFoundError) as refused:
        find_files(
            f"s3://{path.format(bucket=bucket)}", location=None, field="", storage=storage(server)
        )

    assert reason in str(refused.value)


def test_each_object_is_loaded_once_and_a_second_run_reads_none(
    project: Project, server: S3Server, bucket: str
) -> None:
    platform = orders(project, server, f"s3://{bucket}/in/*.csv")
    server.put(bucket, "in/a.csv", b"id\n1\nx\n")
    server.put(bucket, "in/b.csv", b"id\n2\n")

    first = load_table(platform, "orders", "run 1")
    server.put(bucket, "in/c.csv", b"id\n3\n")
    second = load_table(platform, "orders", "run 2")
    third = load_table(platform, "orders", "run 3")

    assert [(load.files, load.rows_read, load.rows_quarantined) for load in first.loads] == [
        (("a.csv",), 2, 1),
        (("b.csv",), 1, 0),
    ]
    assert [load.files for load in second.loads] == [("c.csv",)]
    assert third.state == "nothing_new"
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3]


def test_an_object_that_was_appended_and_changed_is_refused(
    project: Project, server: S3Server, bucket: str
) -> None:
    platform = orders(project, server, f"s3://{bucket}/in/*.csv")
    server.put(bucket, "in/a.csv", b"id\n1\n")
    load_table(platform, "orders", "run 1")
    server.put(bucket, "in/a.csv", b"id\n9\n")

    with pytest.raises(SourceChangedError, match=r"a\.csv was ingested"):
        load_table(platform, "orders", "run 2")


@pytest.mark.parametrize("kind", ["parquet", "arrow", "jsonl"])
def test_every_kind_of_file_can_be_an_object(
    tmp_path: Path, project: Project, server: S3Server, bucket: str, kind: str
) -> None:
    table, file = pa.table({"id": range(1000)}), tmp_path / "made"
    if kind == "parquet":
        pq.write_table(table, file)
    elif kind == "arrow":
        with pa.ipc.new_stream(str(file), table.schema) as stream:
            stream.write_table(table)
    else:
        file.write_text("".join(f'{{"id": {n}}}\n' for n in range(1000)))
    server.put(bucket, "in/made", file.read_bytes())
    platform = orders(project, server, f"s3://{bucket}/in/made", kind)

    load_table(platform, "orders", "run")

    assert column_of(platform, "shop.orders", "id") == list(range(1000))


def test_an_object_that_is_replaced_while_it_is_read_is_refused(
    server: S3Server, bucket: str
) -> None:
    server.put(bucket, "a.csv", b"id\n1\n")
    (file,) = find_files(f"s3://{bucket}/a.csv", location=None, field="", storage=storage(server))

    def read_while_it_changes() -> None:
        with open_version(file) as stream:
            assert stream.read() == b"id\n1\n"
            server.put(bucket, "a.csv", b"id\n2\n")

    with pytest.raises(SourceChangedError):
        read_while_it_changes()
    with pytest.raises(SourceChangedError):
        fingerprint(file)


def test_what_has_arrived_is_what_a_load_would_read(
    project: Project, server: S3Server, bucket: str
) -> None:
    platform = orders(project, server, f"s3://{bucket}/in/*.csv")
    table = platform.tables["orders"]
    before = arrived_files(table.source_pattern, table.config.source)
    server.put(bucket, "in/a.csv", b"id\n1\n")
    server.put(bucket, "in/_b.csv", b"id\n1\n")
    after = arrived_files(table.source_pattern, table.config.source)

    assert before.files == {}
    assert list(after.files) == [f"s3://{bucket}/in/a.csv"]
    assert after.files[f"s3://{bucket}/in/a.csv"].size == 5


BODY = b"<Error><Code>%s</Code><Message>key test-key-id, test-secret-key</Message></Error>"


class _Refusing(http.server.BaseHTTPRequestHandler):
    answer = (403, b"AccessDenied")

    def do_GET(self) -> None:
        status, code = self.answer
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        body = BODY % code
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.send_response(self.answer[0])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is told."""


@contextmanager
def refusing(status: int, code: bytes) -> Iterator[str]:
    handler = type("Handler", (_Refusing,), {"answer": (status, code)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def failure(endpoint: str, path: str = "bucket-a/in/*.csv") -> QualityPlatformError:
    """The error of a look at a store, which must not hold a key."""
    config = StorageConfig.model_validate(
        {"endpoint": endpoint, "region": "us-east-1", "connect_timeout": "1s",
         "request_timeout": "1s", **KEYS}
    )  # fmt: skip
    with pytest.raises(SourceError) as refused:
        find_files(f"s3://{path}", location=None, field="", storage=S3Storage(config))
    shown = f"{refused.value}{refused.value!r}{refused.value.__cause__}"
    assert not [key for key in KEYS.values() if key in shown]
    return refused.value


@pytest.mark.parametrize(
    ("status", "code", "kind", "transient"),
    [
        (403, b"AccessDenied", SourceAccessError, False),
        (403, b"InvalidAccessKeyId", SourceAccessError, False),
        (403, b"SignatureDoesNotMatch", SourceAccessError, False),
        (503, b"SlowDown", SourceUnreachableError, True),
        (500, b"InternalError", SourceUnreachableError, True),
        (301, b"PermanentRedirect", SourceError, False),
    ],
)
@pytest.mark.parametrize("path", ["bucket-a/in/*.csv", "bucket-a/in/a.csv"])
def test_what_the_store_answers_is_told_by_its_name_alone(
    status: int, code: bytes, kind: type[SourceError], transient: bool, path: str
) -> None:
    with refusing(status, code) as endpoint:
        error = failure(endpoint, path)

    assert (type(error), error.transient) == (kind, transient)


def test_a_store_that_is_not_there_cannot_be_reached() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    error = failure(f"http://127.0.0.1:{port}")

    assert type(error) is SourceUnreachableError
    assert error.transient


def test_a_store_that_does_not_answer_is_not_waited_for_long() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        error = failure(f"http://127.0.0.1:{silent.getsockname()[1]}")

    assert type(error) is SourceTimeoutError
    assert error.transient


def test_the_keys_stand_in_no_text_of_the_configuration(
    project: Project, server: S3Server, bucket: str
) -> None:
    platform = orders(project, server, f"s3://{bucket}/in/*.csv")
    source = platform.tables["orders"].config.source

    assert not [key for key in KEYS.values() if key in f"{source!r}{source.model_dump_json()}"]
