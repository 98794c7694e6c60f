"""Sensors and hooks in runner.yaml: what they may say, and what leads nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.problems import only_problem, place
from support.runner_text import ORDERS, VIEW, load_runner_text

from quality_platform.config.alert_models import WebhookConfig
from quality_platform.errors import RunnerFileError

DATABASE = """\
connections:
  shop: {url: "sqlite:///shop.db"}
tables:
  orders:
    contract: orders.odcs.yaml
    source: {type: sql, connection: shop, table: orders}
    load: {mode: replace}
"""
HOOK = "alerts: {hooks: {pager: {type: log, events: [drift]}}}\n"

WRONG = [
    (DATABASE, "sensors: {s: {type: database_changed, table: orders}}", 8, "no incremental cursor"),
    (ORDERS, "sensors: {s: {type: database_changed, table: orders}}", 5, "asks a database"),
    (DATABASE, "sensors: {s: {type: file_arrival, table: orders}}", 8, "watches files"),
    (DATABASE, "sensors: {s: {type: database_changed, table: o, query: x}}", 8, "no such table"),
    (
        DATABASE,
        "sensors: {s: {type: database_changed, table: orders, query: x, timeout: 21s}}",
        8,
        "1s to 20s",
    ),
    (
        ORDERS,
        "sensors: {s: {type: check_failed, tables: [orders, o]}}",
        5,
        "no such table or feature",
    ),
    (ORDERS, "sensors: {s: {type: check_failed, max_reruns: 0}}", 5, "greater than or equal to 1"),
    (ORDERS, "sensors: {s: {type: check_failed, multiplier: 0.5}}", 5, "greater than or equal"),
    (ORDERS, "sensors: {s: {type: drift, view: v, action: recompute}}", 5, "no such feature view"),
    (
        ORDERS + VIEW,
        "sensors: {s: {type: drift, view: daily, action: recompute}}",
        12,
        "has no drift test",
    ),
    (
        ORDERS,
        "sensors: {s: {type: drift, table: orders, action: recompute}}",
        5,
        "this table has no drift test",
    ),
    (ORDERS, "sensors: {s: {type: drift, table: o, action: recompute}}", 5, "no such table"),
    (ORDERS, "sensors: {s: {type: drift, action: recompute}}", 5, "say `table` or `view`"),
    (
        ORDERS,
        "sensors: {s: {type: drift, table: orders, view: daily, action: recompute}}",
        5,
        "and not both",
    ),
    (
        ORDERS
        + VIEW
        + "    drift: {columns: [a], reference: {start: 2026-01-01, end: 2026-02-01}}\n",
        "sensors: {s: {type: drift, view: daily, action: alert}}",
        13,
        "`hook` belongs to",
    ),
    (
        ORDERS
        + VIEW
        + "    drift: {columns: [a], reference: {start: 2026-01-01, end: 2026-02-01}}\n",
        "sensors: {s: {type: drift, view: daily, action: alert, hook: h}}",
        13,
        "no such hook",
    ),
    (ORDERS, "alerts: {hooks: {h: {type: log, tables: [o]}}}", 5, "no such table or feature view"),
    (ORDERS, "alerts: {hooks: {h: {type: mail}}}", 5, "no such type"),
    (
        ORDERS,
        "alerts: {hooks: {h: {type: log, events: [fire]}}}",
        5,
        "'run_failed', 'check_failed'",
    ),
    (ORDERS, "alerts: {hooks: {h: {type: webhook, url: 'ftp://x'}}}", 5, "write https://"),
    (ORDERS, "alerts: {hooks: {h: {type: command, command: []}}}", 5, "at least one entry"),
    (ORDERS, "alerts: {hooks: {h: {type: log, url: 'http://x'}}}", 5, "unknown key 'url'"),
    (ORDERS, "alerts: {dagster_url: 'dagster:3000'}", 5, "match pattern"),
    (
        ORDERS + HOOK,
        "sensors: {alert_pager: {type: file_arrival, table: orders}}",
        6,
        "the name of the sensor of the hook",
    ),
]


@pytest.mark.parametrize(("before", "line", "number", "message"), WRONG, ids=[w[1] for w in WRONG])
def test_what_cannot_be_is_told_with_its_line(
    tmp_path: Path, before: str, line: str, number: int, message: str
):
    problem = only_problem(
        RunnerFileError, lambda: load_runner_text(tmp_path, before + line + "\n")
    )
    assert place(problem) == ("runner.yaml", number)
    assert message in str(problem)


def test_an_address_of_a_hook_is_not_shown(tmp_path: Path):
    text = ORDERS + "alerts: {hooks: {h: {type: webhook, url: 'https://x/${TOKEN}'}}}\n"
    config = load_runner_text(tmp_path, text, {"TOKEN": "canary"}).config
    assert "canary" not in repr(config)
    assert "canary" not in config.model_dump_json()


def test_the_secrets_of_hooks_are_asked_for_when_they_are_needed(tmp_path: Path):
    text = ORDERS + (
        "alerts: {hooks: {h: {type: webhook, url: 'https://x/${secret:PATH_OF_HOOK}', "
        "headers: {Authorization: 'Bearer ${secret:TOKEN}'}, signing_key: '${secret:KEY}'}}}\n"
    )
    file = load_runner_text(tmp_path, text)
    hook = file.config.alerts.hooks["h"]
    assert isinstance(hook, WebhookConfig)
    assert hook.signing_key is not None
    asked = [*hook.url.references, *hook.headers["Authorization"].references]
    asked += hook.signing_key.references
    assert [reference.name for reference in asked] == ["PATH_OF_HOOK", "TOKEN", "KEY"]
    assert [reference.name for reference in file.secrets.references] == [
        "PATH_OF_HOOK",
        "TOKEN",
        "KEY",
    ]
