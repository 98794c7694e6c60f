"""Telling hooks: what they get, and errors that keep their secrets."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from support.local_servers import free_port
from support.webhook import Receiver, receiver

from quality_platform.config.alert_models import AnyHook
from quality_platform.config.secret_text import ConfiguredSecret
from quality_platform.errors import AlertError
from quality_platform.flows.alert_delivery import LOGGER, deliver
from quality_platform.flows.alerts import Alert, AlertFilter, AlertRun

ALERT = Alert(
    event="run_failed",
    severity="error",
    at="2026-11-21T19:00:00+00:00",
    message="orders: it broke",
    run=AlertRun("4711", "everything"),
    table="orders",
)
HOOKS: TypeAdapter[Any] = TypeAdapter(AnyHook)


@pytest.fixture
def hears() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def hook(**settings: Any) -> Any:
    for name in ("url", "signing_key"):
        if name in settings:
            settings[name] = ConfiguredSecret(settings[name])
    for name in ("headers", "environment"):
        if name in settings:
            settings[name] = {k: ConfiguredSecret(v) for k, v in settings[name].items()}
    return HOOKS.validate_python(settings)


def refused(tmp_path: Path, told: Any) -> str:
    with pytest.raises(AlertError) as raised:
        deliver(told, "pager", ALERT, tmp_path)
    assert raised.value.__cause__ is None
    return str(raised.value)


def test_a_webhook_gets_the_alert_as_json_with_its_headers_and_a_signature(
    tmp_path: Path, hears: Receiver
):
    told = hook(
        type="webhook", url=hears.url, headers={"Authorization": "Bearer x"}, signing_key="k"
    )
    deliver(told, "pager", ALERT, tmp_path)
    (body,), (headers,) = hears.bodies, hears.headers
    assert json.loads(body) == json.loads(ALERT.to_json())
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["Authorization"] == "Bearer x"
    assert headers["Idempotency-Key"] == ALERT.id
    signature = hmac.new(b"k", body, hashlib.sha256).hexdigest()
    assert headers["X-Signature-256"] == f"sha256={signature}"


@pytest.mark.parametrize("code", [301, 307, 400, 404, 429, 500])
def test_any_other_answer_than_a_success_is_an_error_without_the_address(
    tmp_path: Path, hears: Receiver, code: int
):
    hears.answers = [code]
    text = refused(tmp_path, hook(type="webhook", url=f"{hears.url}?token=canary"))
    assert f"HTTP {code}" in text
    assert "canary" not in text
    assert hears.bodies == []


def test_a_receiver_that_is_gone_is_an_error_without_the_address(tmp_path: Path):
    text = refused(tmp_path, hook(type="webhook", url=f"http://127.0.0.1:{free_port()}/canary"))
    assert "cannot be reached (ConnectionRefusedError)" in text
    assert "canary" not in text


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "http://127.0.0.1/ canary"},
        {"url": "http://127.0.0.1:canary/"},
        {"url": "http://[canary/"},
        {"url": "http://127.0.0.1:1/", "headers": {"X-Token": "canary\nX: y"}},
        {"url": "http://127.0.0.1:1/", "headers": {"X-Token": "canary☃"}},
    ],
)
def test_what_cannot_be_sent_is_an_error_without_it(tmp_path: Path, settings: dict[str, Any]):
    assert "canary" not in refused(tmp_path, hook(type="webhook", **settings))


@pytest.mark.parametrize("url", ["ftp://example.com/x", "file:///etc/passwd", "example.com"])
def test_only_addresses_of_the_web_are_taken(url: str):
    with pytest.raises(ValueError, match="write https://"):
        hook(type="webhook", url=url)


def test_a_command_reads_the_alert_and_has_only_the_environment_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DATABASE_PASSWORD", "canary")
    program = (
        "import json, os, sys; "
        "json.dump([json.load(sys.stdin), dict(os.environ), os.getcwd()], open('told.json', 'w'))"
    )
    command = [sys.executable, "-c", program]
    told = hook(type="command", command=command, environment={"TOKEN": "t"})
    deliver(told, "pager", ALERT, tmp_path)
    alert, environment, folder = json.loads((tmp_path / "told.json").read_text())
    assert alert == json.loads(ALERT.to_json())
    assert (environment["TOKEN"], folder) == ("t", str(tmp_path))
    assert "DATABASE_PASSWORD" not in environment


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ([sys.executable, "-c", "import sys; sys.exit(3)"], "exit code 3"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "longer than 0.2 s"),
        (["/no/such/canary"], "cannot be run (FileNotFoundError)"),
    ],
)
def test_a_command_that_fails_is_an_error(tmp_path: Path, command: list[str], reason: str):
    timeout = 0.2 if "longer" in reason else 20
    text = refused(tmp_path, hook(type="command", command=command, timeout_seconds=timeout))
    assert reason in text


def test_a_log_has_the_alert_as_json(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, LOGGER):
        deliver(hook(type="log"), "pager", ALERT, tmp_path)
    (record,) = caplog.records
    assert (record.levelname, json.loads(record.getMessage())["table"]) == ("ERROR", "orders")


@pytest.mark.parametrize(
    ("wanted", "heard"),
    [
        (AlertFilter(("run_failed",)), True),
        (AlertFilter(("check_failed",)), False),
        (AlertFilter(("run_failed",), ("orders",)), True),
        (AlertFilter(("run_failed",), ("customers",)), False),
    ],
)
def test_a_filter_is_of_events_and_tables(wanted: AlertFilter, heard: bool):
    assert wanted.lets_pass(ALERT) is heard
