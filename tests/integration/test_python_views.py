"""Feature views that a Python function computes: as a whole, by partitions, incrementally."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from support.incremental import INCREMENTAL, TOTALS, at, deliver, furnish, published
from support.project import Project

from quality_platform.errors import ConfigurationError, FeatureViewError
from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform

FUNCTION = """
    import pyarrow as pa

    def totals(inputs, context):
        FACTOR = 1
        rows = inputs.read("orders", ["customer", "amount", "at"]).read_all()
        days = rows.column("at").cast(pa.int64()).to_numpy() // 86_400_000_000 * 86_400_000_000
        day = pa.array(days).cast(pa.timestamp("us", "UTC"))
        table = rows.drop_columns(["at"]).append_column("day", day)
        sums = [("amount", "sum"), ("amount", "count")]
        found = table.group_by(["customer", "day"]).aggregate(sums)
        yield found.rename_columns(["customer", "day", "total", "orders"])
        seen.append(context)

    seen = []
"""


def python_view(project: Project, text: str = FUNCTION, **view: Any) -> Project:
    """The view `totals`, computed by a function of totals.py."""
    furnish(project, **view)
    del project.views["totals"]["sql"]
    project.views["totals"]["python"] = "totals.py:totals"
    (project.folder / "totals.py").write_text(textwrap.dedent(text))
    return project


def opened(project: Project) -> Platform:
    deliver(project, "first", [(1, 1, 10, at(1)), (2, 1, 60, at(1)), (3, 2, 60, at(2))])
    platform = project.open()
    load_table(platform, "orders", "r")
    return platform


def compute(platform: Platform, **asked: Any) -> TableOutcome:
    return compute_feature_view(platform, "totals", "r", **asked)


def totals(platform: Platform) -> list[tuple[int, int, float]]:
    """Customer, day of the month and total."""
    return [(row[0], row[1].day, row[3]) for row in published(platform)]


def test_what_a_function_gives_is_checked_held_back_and_published(project: Project) -> None:
    platform = opened(python_view(project))
    outcome = compute(platform)
    assert totals(platform) == [(1, 1, 70)]
    assert outcome.rows_quarantined == 1
    assert compute(platform).state == "nothing_new"


def test_another_text_of_the_function_computes_anew(project: Project) -> None:
    platform = opened(python_view(project))
    compute(platform)
    python_view(project, FUNCTION.replace("FACTOR = 1", "FACTOR = 2"))
    assert compute(project.open()).state == "published"
    assert compute(project.open()).state == "nothing_new"


def test_where_a_version_is_told_only_another_version_computes_anew(project: Project) -> None:
    project = python_view(project, version="1")
    compute(opened(project))
    python_view(project, FUNCTION.replace("FACTOR = 1", "FACTOR = 2"), version="1")
    assert compute(project.open()).state == "nothing_new"
    project.views["totals"]["version"] = "2"
    assert compute(project.open()).state == "published"


def test_a_function_is_told_its_partitions_and_its_other_rows_are_left_out(
    project: Project,
) -> None:
    days = {"every": "day", "start": "2024-01-01", "end": "2024-01-04"}
    text = FUNCTION.replace(
        "yield found",
        "assert [w.start.day for w in context.windows] == [2]\n        yield found",
    )
    platform = opened(python_view(project, text.replace("60", "61"), partitions=days))
    outcome = compute(platform, partitions=("2024-01-02", "2024-01-02"))
    assert (outcome.rows_read, outcome.partition) == (1, "2024-01-02")


def test_a_function_is_given_the_rows_that_its_windows_need(project: Project) -> None:
    platform = opened(python_view(project, incremental={**INCREMENTAL, "lookback": "0s"}))
    compute(platform)
    deliver(project, "more", [(4, 2, 5, at(5)), (5, 3, 5, at(1))])
    load_table(platform, "orders", "r")
    outcome = compute(platform)
    assert outcome.notes == ("Computed for new rows of orders: 2024-01-01, 2024-01-05.",)
    assert totals(platform) == [(1, 1, 70), (2, 5, 5), (3, 1, 5)]
    assert outcome.rows_read == len(totals(platform))


def test_a_function_that_fails_is_told_with_its_line_and_nothing_is_published(
    project: Project,
) -> None:
    text = FUNCTION.replace("FACTOR = 1", "raise ValueError('of Ada')")
    platform = opened(python_view(project, text))
    with pytest.raises(FeatureViewError, match="failed with ValueError") as caught:
        compute(platform)
    location = caught.value.problems[0].location
    assert location is not None
    assert (location.file.rpartition("/")[2], location.line) == ("totals.py", 5)
    assert "Ada" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"total", "orders"', '"total", "number"', "columns of the function are not those"),
        (
            "yield found",
            "found = found.set_column(1, 'day', pa.array([1.5] * len(found)))\n        yield found",
            "the column 'day' of the function does not fit the contract's type",
        ),
    ],
)
def test_rows_that_are_not_the_contracts_are_refused_without_their_values(
    project: Project, old: str, new: str, message: str
) -> None:
    platform = opened(python_view(project, FUNCTION.replace(old, new)))
    with pytest.raises(FeatureViewError, match=message) as caught:
        compute(platform)
    assert "1.5" not in str(caught.value)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ({"sql": "totals.sql"}, "exactly one of `sql` and `python`"),
        ({"python": "no such form"}, "name a function as"),
        ({"python": "nowhere.py:totals"}, "the Python file cannot be read"),
        ({"lineage": {"sum": ["orders.amount"]}}, "contract of totals has no column 'sum'"),
        ({"lineage": {"total": ["orders.amounts"]}}, "contract of orders has no column 'amounts'"),
        ({"lineage": {"total": ["others.amount"]}}, "'others' is none of the view's inputs"),
        ({"created_timestamp": "made"}, "contract of totals has no column 'made'"),
        ({"created_timestamp": "total"}, "does not tell when a row of totals happened"),
        ({"created_timestamp": "day"}, "it is the `event_timestamp` already"),
        ({"ttl": "1d", "ttl_days": 1}, "not both"),
        ({"ttl": "0s"}, "longer than nothing"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_only_of_the_view(
    project: Project, view: dict[str, Any], message: str
) -> None:
    python_view(project)
    project.views["sound"] = {**project.views["totals"]}
    project.views["totals"].update(view)
    with pytest.raises(ConfigurationError, match=message) as caught:
        project.open()
    assert all(problem.location and problem.location.line for problem in caught.value.problems)
    from quality_platform.flows.platform import open_platform

    assert set(open_platform(project.runner).feature_tables) == {"sound"}


def test_a_version_is_of_a_function(project: Project) -> None:
    furnish(project, version="1")
    with pytest.raises(ConfigurationError, match="`version` is of a `python` function"):
        project.open()


def test_the_columns_of_totals_are_those_of_the_examples() -> None:
    assert [*TOTALS] == ["customer", "day", "orders", "total"]
