"""The feature store's sections of runner.yaml: where it stands, services, on-demand views."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.problems import only_problem, place
from support.runner_text import ORDERS, VIEW, load_runner_text

from quality_platform.config.feature_store_models import (
    PostgresRegistryConfig,
    RedisOnlineConfig,
    SqliteOnlineConfig,
    SqliteRegistryConfig,
)
from quality_platform.errors import Problem, RunnerFileError

STORE = ORDERS + VIEW + "feature_store: "
LINE = len((ORDERS + VIEW).splitlines()) + 1
"""The line of what follows the table and the view."""


def refused(folder: Path, text: str) -> Problem:
    return only_problem(RunnerFileError, lambda: load_runner_text(folder, text))


def test_a_path_alone_is_a_sqlite_file(tmp_path: Path) -> None:
    text = STORE + "{registry: feast/r.db, online_store: {type: sqlite, path: o.db}}\n"
    store = load_runner_text(tmp_path, text).config.feature_store
    assert store.registry == SqliteRegistryConfig(path=Path("feast/r.db"))
    assert store.online_store == SqliteOnlineConfig(path=Path("o.db"))


def test_servers_are_named_with_their_secrets_hidden(tmp_path: Path) -> None:
    text = (
        STORE
        + "{registry: {type: postgres, url: 'postgresql://u:${PASSWORD}@db/feast'},"
        + " online_store: {type: redis, host: redis.example, ssl: true, password: '${secret:r}',"
        + " key_ttl: 30d}}\n"
    )
    store = load_runner_text(tmp_path, text, {"PASSWORD": "hunter2"}).config.feature_store
    assert isinstance(store.registry, PostgresRegistryConfig)
    assert store.registry.url is not None
    assert store.registry.url.get_secret_value() == "postgresql://u:hunter2@db/feast"
    assert isinstance(store.online_store, RedisOnlineConfig)
    assert (store.online_store.port, store.online_store.db) == (6379, 0)
    assert "hunter2" not in repr(store)
    assert "hunter2" not in store.model_dump_json()


@pytest.mark.parametrize(
    ("settings", "field", "told"),
    [
        ("registry: {type: postgres}", "feature_store.registry", "either `url` or `connection`"),
        (
            "registry: {type: postgres, url: 'mysql://db'}",
            "feature_store.registry",
            "must begin with postgresql://",
        ),
        ("registry: {type: oracle}", "feature_store.registry.type", "there is no such type"),
        ("registry: {type: sqlite, file: x}", "feature_store.registry.path", "is missing"),
        (
            "online_store: {type: redis, host: r, prt: 1}",
            "feature_store.online_store.prt",
            "unknown key 'prt'",
        ),
        (
            "online_store: {type: redis, host: 'redis://r:6379'}",
            "feature_store.online_store.host",
            "pattern",
        ),
        (
            "online_store: {type: redis, host: r, ca_file: ca.pem}",
            "feature_store.online_store",
            "`ssl: true`",
        ),
        (
            "online_store: {type: redis, host: r, key_ttl: 0s}",
            "feature_store.online_store",
            "at least 1s",
        ),
    ],
)
def test_what_the_store_cannot_be_is_told_with_its_line(
    tmp_path: Path, settings: str, field: str, told: str
) -> None:
    with pytest.raises(RunnerFileError) as caught:
        load_runner_text(tmp_path, STORE + "{" + settings + "}\n")
    problem = next(p for p in caught.value.problems if told in p.message)
    assert problem.field == field
    assert place(problem) == ("runner.yaml", LINE)


def test_the_keys_of_a_store_that_is_no_file_are_suggested(tmp_path: Path) -> None:
    problem = refused(tmp_path, STORE + "{online_store: {type: redis, host: r, prt: 1}}\n")
    assert "port" in problem.allowed
    assert "port" in problem.action


def test_the_registry_may_use_a_connection_that_leads_to_postgresql(tmp_path: Path) -> None:
    connection = "connections: {db: {url: 'postgresql://db/feast'}, other: {url: 'mysql://db/x'}}\n"
    registry = "{registry: {type: postgres, connection: %s}}\n"
    found = load_runner_text(tmp_path, connection + STORE + registry % "db")
    assert isinstance(found.config.feature_store.registry, PostgresRegistryConfig)
    problem = refused(tmp_path, connection + STORE + registry % "other")
    assert "leads elsewhere" in problem.message
    problem = refused(tmp_path, connection + STORE + registry % "dbb")
    assert problem.field == "feature_store.registry.connection"
    assert "no such connection" in problem.message
    assert "db" in problem.action


ON_DEMAND = """\
on_demand_feature_views:
  late:
    inputs: [daily]
    request: {limit: double}
    python: shop.features:late
    features: {is_late: boolean}
"""


def test_features_of_services_are_chosen_in_three_ways(tmp_path: Path) -> None:
    text = (
        ORDERS
        + VIEW
        + ON_DEMAND
        + ("feature_services:\n  offers:\n    features: ['daily:total', late, daily: [a, b]]\n")
    )
    [service] = load_runner_text(tmp_path, text).config.feature_services.values()
    assert [(c.view, c.features) for c in service.features] == [
        ("daily", ("total",)),
        ("late", ()),
        ("daily", ("a", "b")),
    ]


@pytest.mark.parametrize(
    ("text", "field", "told"),
    [
        (
            "feature_services: {s: {features: [dayly]}}\n",
            "feature_services.s.features.0",
            "no such",
        ),
        (
            "feature_services: {s: {features: ['a b']}}\n",
            "feature_services.s.features.0",
            "write VIEW",
        ),
        (
            "feature_services: {s: {features: [{a: [x], b: [y]}]}}\n",
            "feature_services.s.features.0",
            "write VIEW",
        ),
        ("feature_services: {s: {features: []}}\n", "feature_services.s.features", "at least one"),
        (
            ON_DEMAND + "feature_services: {s: {features: ['late:early']}}\n",
            "feature_services.s.features.0",
            "computes no such feature",
        ),
        (
            ON_DEMAND.replace("late:\n", "DAILY:\n"),
            "on_demand_feature_views.DAILY",
            "case makes no difference",
        ),
        (
            ON_DEMAND.replace("[daily]", "[dayly]"),
            "on_demand_feature_views.late.inputs.0",
            "no such feature view",
        ),
        (
            ON_DEMAND.replace("shop.features:late", "shop.features"),
            "on_demand_feature_views.late.python",
            "pattern",
        ),
        (
            ON_DEMAND.replace("{limit: double}", "{limit: number}"),
            "on_demand_feature_views.late.request.limit",
            "pattern",
        ),
        (
            ON_DEMAND.replace("{is_late: boolean}", "{limit: boolean}"),
            "on_demand_feature_views.late",
            "are both called limit",
        ),
        (
            ON_DEMAND.replace("    inputs: [daily]\n    request: {limit: double}\n", ""),
            "on_demand_feature_views.late",
            "write `inputs`, `request`, or both",
        ),
    ],
)
def test_what_a_service_or_on_demand_view_cannot_be_is_told(
    tmp_path: Path, text: str, field: str, told: str
) -> None:
    problem = refused(tmp_path, ORDERS + VIEW + text)
    assert problem.field == field
    assert told in problem.message
    assert place(problem)[1] >= LINE


def test_skew_is_of_what_is_online(tmp_path: Path) -> None:
    problem = refused(tmp_path, ORDERS + VIEW + "    online: false\n    skew: {sample: 10}\n")
    assert "leave it out with `online: false`" in problem.message
