"""Training sets with features that a function computes: those of on-demand feature views."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from support.project import Project
from support.training_sets import (
    TABLE,
    deliver_more,
    loaded,
    make,
    manifests,
    rows,
    with_training_set,
)

from quality_platform.errors import ConfigurationError, TrainingSetError
from quality_platform.feature_store.opening import open_store
from quality_platform.flows.feature_store_objects import register_all, store_settings
from quality_platform.flows.platform import Platform

SHARE = {
    "inputs": ["totals"],
    "request": {"amount": "double"},
    "python": "user_features:share",
    "features": {"share": "double", "is_first": "boolean"},
}
CODE = """
def share(inputs):
    pairs = list(zip(inputs["amount"], inputs["totals__total"], strict=True))
    assert inputs["total"] == inputs["totals__total"]
    return {
        "share": [None if total is None else amount / total for amount, total in pairs],
        "is_first": [total is None for _, total in pairs],
    }


def of_frames(frame):
    import pandas as pd

    share = frame["amount"] / frame["total"]
    return pd.DataFrame({"share": share, "is_first": frame["total"].isna()})


def fails(inputs):
    raise ValueError(f"of {inputs['amount']}")


def too_few(inputs):
    return {"share": [0.5], "is_first": [True]}


def of_other_types(inputs):
    return {"share": ["a"] * len(inputs["amount"]), "is_first": [True] * len(inputs["amount"])}
"""
EXPECTED = [
    (10.0, None, None, True),
    (30.0, 40.0, 0.75, False),
    (20.0, 20.0, 1.0, False),
]
"""Amount, total, share and whether nothing was known, of the three orders."""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's module, which can be imported, and may be written anew."""
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "user_features", raising=False)
    # A module that is written twice within a second would be taken from its compiled file.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = folder / "user_features.py"
    file.write_text(CODE)
    return file


def shop_with(project: Project, *features: Any, **view: Any) -> Project:
    """The shop, with the share of an order in its customer's total among the features."""
    found = with_training_set(project, features=list(features) or ["totals:total", "share"])
    found.settings["on_demand_feature_views"] = {"share": {**SHARE, **view}}
    return found


def found(platform: Platform) -> list[tuple[Any, ...]]:
    names = ("amount", "total", "share", "is_first")
    return [tuple(row[name] for name in names) for row in rows(platform)]


@pytest.mark.parametrize(("mode", "function"), [("python", "share"), ("pandas", "of_frames")])
def test_a_function_is_given_what_was_known_at_the_moment_of_each_row(
    project: Project, code: Path, mode: str, function: str
) -> None:
    platform = loaded(shop_with(project, mode=mode, python=f"user_features:{function}"))
    made = make(platform)
    assert found(platform) == EXPECTED
    assert made.manifest.features == ("totals:total", "share:share", "share:is_first")
    types = dict(made.manifest.columns)
    assert (types["share"], types["is_first"]) == ("double", "bool")
    schema = platform.lake.table(TABLE).schema().as_arrow()
    assert (schema.field("share").type, schema.field("is_first").type) == (pa.float64(), pa.bool_())
    assert make(platform, verify=True).verified


@pytest.mark.filterwarnings("ignore:.*experimental feature:RuntimeWarning")
@pytest.mark.parametrize(("mode", "function"), [("python", "share"), ("pandas", "of_frames")])
def test_the_values_are_those_that_feast_gives_for_the_same_rows(
    project: Project, code: Path, mode: str, function: str
) -> None:
    platform = loaded(shop_with(project, mode=mode, python=f"user_features:{function}"))
    made = make(platform)
    assert register_all(platform).errors == {}
    asked = [(row["customer"], row["event_timestamp"], row["amount"]) for row in rows(platform)]
    entities = pd.DataFrame(asked, columns=["customer", "event_timestamp", "amount"])
    store = open_store(store_settings(platform))
    given = store.get_historical_features(entities, list(made.manifest.features)).to_arrow()
    names = ("amount", "total", "share", "is_first")
    assert list(zip(*(given[name].to_pylist() for name in names), strict=True)) == EXPECTED


def test_what_a_function_needs_is_read_and_not_kept(project: Project, code: Path) -> None:
    shop = shop_with(project, {"share": ["is_first"]})
    shop.settings["training_sets"]["churn"]["full_feature_names"] = True
    platform = loaded(shop)
    made = make(platform)
    names = [name for name, _ in made.manifest.columns]
    assert names == ["customer", "event_timestamp", "amount", "share__is_first"]
    assert "features.totals" in made.manifest.refs
    assert [row["share__is_first"] for row in rows(platform)] == [True, False, False]


def test_a_service_brings_what_it_computes_along(project: Project, code: Path) -> None:
    shop = shop_with(project)
    shop.settings["feature_services"] = {"score": {"features": ["totals", "share"]}}
    shop.settings["training_sets"]["churn"] |= {"features": [], "feature_service": "score"}
    platform = loaded(shop)
    make(platform)
    assert found(platform) == EXPECTED


def test_new_loads_do_not_change_what_was_computed(project: Project, code: Path) -> None:
    made = make(loaded(shop_with(project)))
    again = make(deliver_more(project, 1), verify=True)
    assert (again.verified, again.manifest) == (True, made.manifest)


def test_a_function_that_has_changed_makes_another_version(project: Project, code: Path) -> None:
    make(loaded(shop_with(project)))
    code.write_text(CODE.replace("amount / total", "amount / total / 2"))
    del sys.modules["user_features"]
    with pytest.raises(TrainingSetError, match="was made of something else") as error:
        make(project.open())
    assert "definitions.share.source" in error.value.problems[0].received
    assert make(project.open(), "v2").state == "made"


def test_a_function_of_which_only_what_it_calls_has_changed_is_found_out(
    project: Project, code: Path
) -> None:
    text = CODE.replace("amount / total for", "part(amount) / total for")
    helper = "\n\ndef part(amount):\n    return amount / {}\n"
    code.write_text(text + helper.format(2))
    make(loaded(shop_with(project)))
    code.write_text(text + helper.format(4))
    del sys.modules["user_features"]
    with pytest.raises(TrainingSetError, match="is not the same") as error:
        make(project.open(), verify=True)
    assert "a function gives something else" in error.value.problems[0].action


@pytest.mark.parametrize("function", ["fails", "too_few", "of_other_types"])
def test_a_function_that_does_not_serve_ends_it_and_no_value_is_told(
    project: Project, code: Path, function: str
) -> None:
    platform = loaded(shop_with(project, python=f"user_features:{function}"))
    with pytest.raises(TrainingSetError, match="the features of share cannot be") as error:
        make(platform)
    assert error.value.__cause__ is None
    assert "10.0" not in str(error.value)
    assert manifests(platform) == {}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a request without a label": (
        {"request": {"limit": "double"}},
        "share is computed from 'limit', which is none of the labels",
    ),
    "a view that is not there": ({"inputs": ["totls"]}, "there is no such feature view"),
    "a feature that is not there": ({"inputs": ["totals:totl"]}, "has no feature 'totl'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_function_cannot_be_given_is_told(project: Project, case: str) -> None:
    view, message = REFUSED[case]
    with pytest.raises(ConfigurationError) as error:
        shop_with(project, **view).open()
    assert message in str(error.value)


def test_a_feature_that_a_function_does_not_compute_is_told(project: Project) -> None:
    with pytest.raises(ConfigurationError, match="'share' has no such feature"):
        shop_with(project, "share:shares").open()
