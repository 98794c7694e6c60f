"""The nearest match for a misspelling."""

from __future__ import annotations

import pytest

from quality_platform.documents.suggestions import did_you_mean

ALLOWED = ("rowCount", "nullValues", "missingValues")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("rowCountt", "rowCount"), ("ROWCOUNT", "rowCount"), ("nulValue", "nullValues")],
)
def test_the_nearest_word_is_hinted_at_in_its_own_spelling(word, meant):
    assert did_you_mean(word, ALLOWED) == f"did you mean {meant!r}?"


@pytest.mark.parametrize("word", ["", "zzz", "description"])
def test_nothing_is_hinted_at_where_nothing_is_near(word):
    assert did_you_mean(word, ALLOWED) == ""


def test_nothing_is_hinted_at_where_nothing_is_allowed():
    assert did_you_mean("x", ()) == ""
