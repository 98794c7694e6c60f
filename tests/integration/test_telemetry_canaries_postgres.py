"""No secret is in any log line, span or metric, of runs that succeed and of runs that fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.canaries import World, singing, world
from support.command_line import call
from support.otlp_receiver import Received
from support.project import Project
from support.s3_server import s3_server
from support.secret_servers import TOKEN, VaultServer, serving
from support.telemetry import lines_of, logged_as_json, traced


@pytest.fixture(scope="module")
def around(postgres_url: str, redis_url: str) -> Iterator[World]:
    vault = VaultServer()
    with (
        serving(vault) as vault.url,
        s3_server() as s3,
        world(postgres_url, redis_url, s3, vault) as found,
    ):
        yield found


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    with logged_as_json(monkeypatch), traced(monkeypatch) as found:
        yield found


@pytest.mark.parametrize("wrong", ["", "shop", "lake"])
def test_no_canary_sings_in_logs_spans_or_metrics(
    around: World,
    project: Project,
    received: Received,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
) -> None:
    monkeypatch.setenv("QP_TEST_VAULT_TOKEN", TOKEN)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    around.reset()
    if wrong:
        around.vault.secrets[wrong]["password"] = f"canary-f00d-{wrong}"
    runner = around.furnish(project).write_runner()
    ended = call("run", "-r", runner)
    scraped = call("metrics", "--once", "-r", runner)
    lines = lines_of(ended.err)
    assert received.spans
    assert bool([line for line in lines if line["level"] == "error"]) == bool(wrong)
    assert (ended.code == 0) == (not wrong)
    bodies = [body.decode("utf-8", errors="ignore") for body in received.bodies]
    assert singing(ended.text, scraped.text, *bodies) == set()
