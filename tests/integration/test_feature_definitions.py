"""When a feature view is computed anew: for other rows, and for another meaning, and no more."""

from __future__ import annotations

from typing import Any

import pytest
from support.incremental import TOTALS, at, deliver, furnish, published
from support.project import Project, number, predicate

from quality_platform.errors import FeatureViewError
from quality_platform.flows import compute_features
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.maintain import Wanted, maintain
from quality_platform.flows.platform import Platform
from quality_platform.flows.publishing import LakeTables


@pytest.fixture
def computed(project: Project) -> Platform:
    """A view of two files of orders."""
    furnish(project)
    platform = project.open()
    for day in (1, 2):
        deliver(project, f"of{day}", [(day, 1, 10, at(day))])
        load_table(platform, "orders", "r")
    assert compute_feature_view(platform, "totals", "r").state == "published"
    return platform


def state(project: Project) -> str:
    return compute_feature_view(project.open(), "totals", "r").state


RULE = predicate("total_is_not_60", "total <> 60")


@pytest.mark.parametrize(
    "contract",
    [
        {"quality": [predicate("total_is_not_60", "total <> 61")]},
        {"quality": [predicate("total_is_not_60", "total <> 60", "warning")]},
        {"quality": [RULE], "version": "1.0.1"},
        {"quality": []},
    ],
)
@pytest.mark.usefixtures("computed")
def test_another_meaning_of_the_contract_computes_anew(
    project: Project, contract: dict[str, Any]
) -> None:
    project.contract("totals", TOTALS, **contract)
    assert (state(project), state(project)) == ("published", "nothing_new")


@pytest.mark.usefixtures("computed")
def test_a_column_that_must_have_a_value_is_another_meaning(project: Project) -> None:
    project.contract("totals", {**TOTALS, "total": number(required=True)}, quality=[RULE])
    assert state(project) == "published"


@pytest.mark.usefixtures("computed")
def test_other_words_of_the_contract_compute_nothing(project: Project) -> None:
    columns = {**TOTALS, "total": number(description="In three days.", tags=["money"])}
    path = project.contract("totals", columns, quality=[{**RULE, "description": "Never 60."}])
    path.write_text(f"# Other lines than before.\n\n{path.read_text()}")
    assert state(project) == "nothing_new"


def test_putting_the_files_of_an_input_together_computes_nothing(
    project: Project, computed: Platform
) -> None:
    files = len(computed.lake.table("shop.orders").inspect.files())
    assert all(done.error is None for done in maintain(computed, ["orders"], Wanted(("compact",))))
    assert len(computed.lake.table("shop.orders").inspect.files()) < files
    assert state(project) == "nothing_new"

    deliver(project, "of3", [(3, 1, 10, at(3))])
    load_table(computed, "orders", "r")
    assert state(project) == "published"
    assert len(published(computed)) == 3


def test_rows_that_are_all_read_again_compute_anew(project: Project, computed: Platform) -> None:
    from quality_platform.flows.requests import Request

    load_table(computed, "orders", "r", request=Request(full_refresh=True))
    assert state(project) == "published"


def test_before_its_inputs_are_there_no_table_is_made_for_a_view(project: Project) -> None:
    platform = furnish(project).open()
    with pytest.raises(FeatureViewError, match="nothing has been published to orders yet"):
        compute_feature_view(platform, "totals", "r")
    assert platform.lake.find_table("features.totals") is None


def test_a_run_that_was_overtaken_never_goes_back_to_older_rows(
    project: Project, computed: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run loads and computes right after this one has looked at what it would replace."""
    original, once = LakeTables.of, []

    def overtaken(*args: Any, **kwargs: Any) -> LakeTables:
        found = original(*args, **kwargs)
        if not once:
            once.append(True)
            deliver(project, "of4", [(4, 1, 10, at(4))])
            load_table(computed, "orders", "other")
            assert compute_feature_view(computed, "totals", "other").state == "published"
        return found

    deliver(project, "of3", [(3, 1, 10, at(3))])
    load_table(computed, "orders", "r")
    monkeypatch.setattr(compute_features.LakeTables, "of", overtaken)
    assert compute_feature_view(computed, "totals", "r").state == "nothing_new"
    assert len(published(computed)) == 4
