"""`quality-platform forget-entity`: who is forgotten, what is told, and what the history keeps."""

from __future__ import annotations

import json

import pytest
from support.command_line import call
from support.online_shop import online_shop, run_all
from support.project import Project, column_of

from quality_platform.feature_store.store import online_features
from quality_platform.flows.feature_store_objects import store_settings


@pytest.fixture
def shop(project: Project) -> Project:
    made = online_shop(project)
    made.write_runner()
    run_all(made.open())
    return made


def totals(shop: Project) -> list[float | None]:
    rows = [{"customer": 1}, {"customer": 2}]
    return online_features(store_settings(shop.open()), ["totals:total"], rows)["total"]


def test_a_customer_is_forgotten_and_the_decision_is_kept(shop: Project) -> None:
    assert totals(shop) == [40, 20]
    options = ("--runner", shop.runner, "--reason", "asked by the customer", "--by", "Grace")
    tried = call("forget-entity", "customer", "1", *options, "--dry-run")
    assert (tried.code, tried.out.splitlines()[0]) == (
        0,
        "totals: 1 rows and 1 online would be removed",
    )
    assert totals(shop) == [40, 20]
    done = call("forget-entity", "customer", "1", *options)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "totals: 1 rows and 1 online removed",
        "    1 older snapshots of features.totals have it until they expire",
    ]
    assert totals(shop) == [None, 20]
    platform = shop.open()
    assert column_of(platform, "features.totals", "customer") == [2]
    [decision] = platform.lake.table("history.decisions").scan().to_arrow().to_pylist()
    assert (decision["table"], decision["kind"], decision["rows"]) == ("totals", "forget", 1)
    assert (decision["decided_by"], decision["reason"]) == ("Grace", "asked by the customer")


def test_who_is_not_known_is_told_and_nothing_is_recorded(shop: Project) -> None:
    found = call("forget-entity", "customer", "77", "--runner", shop.runner, "--reason", "asked")
    assert (found.code, found.out.strip()) == (0, "nothing is known of such a customer")
    assert shop.open().lake.find_table("history.decisions") is None


def test_the_answer_as_json_names_views_and_no_keys(shop: Project) -> None:
    options = ("--runner", shop.runner, "--reason", "asked", "--json")
    told = json.loads(call("forget-entity", "customer", "1", "2", *options).out)
    assert told["state"] == "done"
    assert [(view["view"], view["offline"]["rows"]) for view in told["erased"]] == [
        ("totals", 1),
        ("totals", 1),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("customer", "1", "--reason", " "), "for a reason"),
        (("client", "1", "--reason", "asked"), "Feast knows no such entity"),
        (("customer", "Ada", "--reason", "asked"), "cannot be one of the column"),
    ],
)
def test_what_cannot_be_done_is_an_error(
    shop: Project, arguments: tuple[str, ...], message: str
) -> None:
    failed = call("forget-entity", *arguments, "--runner", shop.runner)
    assert failed.code == 2
    assert message in failed.text


def test_what_is_computed_again_from_what_is_left_stays_forgotten(shop: Project) -> None:
    call("forget-entity", "customer", "1", "--runner", shop.runner, "--reason", "asked")
    again = run_all(shop.open(), "totals")
    assert again["totals"].state == "nothing_new"
    assert (again["online.totals"].state, again["online.totals"].extent) == (
        "materialized",
        "changes",
    )
    assert totals(shop) == [None, 20]
    assert run_all(shop.open(), "totals")["online.totals"].state == "nothing_new"
