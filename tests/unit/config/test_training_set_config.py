"""What runner.yaml may say of training sets, and what is said of what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from support.project import Project
from support.training_sets import with_training_set

from quality_platform.errors import ConfigurationError
from quality_platform.flows.platform import open_platform

ROWS = {"table": "orders", "event_timestamp": "placed_at"}


@pytest.fixture
def shop(project: Project) -> Project:
    return with_training_set(project)


def told(shop: Project, **more: Any) -> str:
    """What is said of the training set with these settings; all else goes on without it."""
    shop.settings["training_sets"]["churn"] |= more
    platform = open_platform(shop.write_runner())
    assert set(platform.tables) == {"customers", "orders"}
    assert set(platform.feature_tables) == {"totals"}
    (part,) = platform.broken
    assert (part.section, part.noun) == ("training_sets", "training set")
    with pytest.raises(ConfigurationError) as error:
        shop.open()
    assert f"{shop.runner}:" in str(error.value)
    return str(error.value)


def test_a_declared_training_set_knows_its_views_and_columns(shop: Project) -> None:
    from quality_platform.flows.training_definitions import training_set

    found = training_set(shop.open(), "churn")
    assert found.identifier == "training_sets.churn"
    assert found.features == ["totals:total"]
    assert found.columns.sources == {
        "customer": "customer",
        "event_timestamp": "placed_at",
        "amount": "amount",
    }


def test_a_feature_service_names_the_features(shop: Project) -> None:
    from quality_platform.flows.training_definitions import training_set

    shop.settings["feature_services"] = {"score": {"features": ["totals"]}}
    churn = shop.settings["training_sets"]["churn"]
    churn["feature_service"] = "score"
    del churn["features"]
    assert training_set(shop.open(), "churn").features == ["totals:total"]


CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a view that is not there": (
        {"features": ["totls:total"]},
        ["training_sets.churn.features.0", "no such feature view", "'totals'"],
    ),
    "a feature that is not there": (
        {"features": ["totals:totl"]},
        ["training_sets.churn.features.0", "no such feature", "did you mean 'total'"],
    ),
    "no features": ({"features": []}, ["either `features` or `feature_service`"]),
    "a service that is not there": (
        {"features": [], "feature_service": "score"},
        ["training_sets.churn.feature_service", "no such feature service"],
    ),
    "a table that is not there": (
        {"entities": {**ROWS, "table": "oders"}},
        ["training_sets.churn.entities.table", "did you mean 'orders'"],
    ),
    "rows from two places": (
        {"entities": {**ROWS, "file": "x.csv"}},
        ["either `table` or `file`"],
    ),
    "a label that is not there": (
        {"entities": {**ROWS, "labels": ["amunt"]}},
        ["the table 'orders' has no column 'amunt'", "did you mean 'amount'"],
    ),
    "a moment that is none": (
        {"entities": {"table": "orders", "event_timestamp": "amount"}},
        ["'amount' holds no moments"],
    ),
    "a key that no view has": (
        {"entities": {**ROWS, "join_keys": {"client": "customer"}}},
        ["no feature view of the training set has such a join key", "customer"],
    ),
    "two columns of one name": (
        {"features": ["totals"], "entities": {**ROWS, "labels": ["amount", "amount"]}},
        ["would have two columns 'amount'"],
    ),
    "a namespace of the platform": ({"namespace": "history"}, ["belong to the platform"]),
    "a time to keep that is none": ({"keep": "0d"}, ["such as 365d"]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_used_is_told_with_its_place(shop: Project, case: str) -> None:
    settings, texts = CASES[case]
    said = told(shop, **settings)
    assert [text for text in texts if text not in said] == []


def test_a_training_set_cannot_be_called_like_a_table(shop: Project) -> None:
    sets = shop.settings["training_sets"]
    sets["orders"] = sets.pop("churn")
    with pytest.raises(ConfigurationError, match="name of a training set, and of a table"):
        shop.open()


def test_a_training_set_whose_view_is_broken_is_broken_itself(shop: Project) -> None:
    shop.views["totals"]["sql"] = "nowhere.sql"
    platform = open_platform(shop.write_runner())
    parts = {(part.section, part.name): part for part in platform.broken}
    assert parts["training_sets", "churn"].needs == ("totals",)
    assert set(platform.tables) == {"customers", "orders"}


def test_a_training_set_whose_service_is_broken_is_told_that(shop: Project) -> None:
    shop.settings["feature_services"] = {"score": {"features": ["totals:totl"]}}
    shop.settings["training_sets"]["churn"] |= {"features": [], "feature_service": "score"}
    platform = open_platform(shop.write_runner())
    parts = {(part.section, part.name): part for part in platform.broken}
    churn = parts["training_sets", "churn"]
    assert churn.needs == ("score",)
    assert churn.only_follows
    (problem,) = churn.error.problems
    assert problem.message == "depends on the feature service 'score', which is broken"
    assert problem.field == "training_sets.churn.feature_service"


def test_no_table_can_be_of_the_namespace_of_training_sets(shop: Project) -> None:
    shop.tables["orders"]["namespace"] = "training_sets"
    with pytest.raises(ConfigurationError, match="belong to the platform"):
        shop.open()


SCHEDULES: dict[str, tuple[dict[str, Any], str]] = {
    "a table as target": ({"targets": ["orders"]}, "no such training set"),
    "a tenant": ({"tenant": "acme"}, "the tenant acme has no training set that it could run"),
    "a set without rows": ({"targets": ["loose"]}, "nothing says which rows"),
}


@pytest.mark.parametrize("case", SCHEDULES)
def test_a_schedule_of_training_sets_names_such_that_have_rows(shop: Project, case: str) -> None:
    more, said = SCHEDULES[case]
    shop.settings["training_sets"]["loose"] = {"features": ["totals"]}
    shop.settings["tenants"] = {"acme": {}}
    shop.settings["schedules"] = {"weekly": {"cron": "@weekly", "job": "training_sets", **more}}
    with pytest.raises(ConfigurationError, match=said):
        shop.open()


def test_a_schedule_of_broken_training_sets_is_none_itself(shop: Project) -> None:
    shop.settings["training_sets"]["churn"]["colour"] = "red"
    shop.settings["schedules"] = {"weekly": {"cron": "@weekly", "job": "training_sets"}}
    (part,) = open_platform(shop.write_runner()).broken
    assert part.section == "training_sets"


def test_a_schedule_needs_a_training_set_that_it_could_make(shop: Project) -> None:
    del shop.settings["training_sets"]["churn"]["entities"]
    shop.settings["schedules"] = {"weekly": {"cron": "@weekly", "job": "training_sets"}}
    with pytest.raises(ConfigurationError, match="no training set that it could make"):
        shop.open()
