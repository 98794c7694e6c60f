"""Random loads in the modes that compare rows, against a table of dictionaries."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.memory_source import MemorySource
from support.naive_merge import NaiveTable, Row
from support.project import Project, integer, key, rows_of_table, text

from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import LoadOutcome

COLUMNS = {
    "id": key(integer()),
    "at": integer(),
    "name": text(required=True),
    "gone": {"logicalType": "boolean"},
}
ROWS: st.SearchStrategy[Row] = st.tuples(
    st.one_of(st.integers(1, 6), st.integers(1, 6), st.none()),
    st.one_of(st.integers(1, 4), st.none()),
    st.sampled_from(["a", "b", "c", None]),
    st.booleans(),
)
LOADS = st.lists(st.lists(ROWS, max_size=8), min_size=1, max_size=4)
DELETES = st.sampled_from(["", "flag", "comparison"])
MODES = st.sampled_from(["merge", "snapshot"])


def load_settings(mode: str, deletes: str, *, ordered: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"mode": mode}
    if ordered:
        found["order_by"] = "at"
    if deletes == "flag":
        found["deletes"] = {"by": "flag", "column": "gone"}
    if deletes == "comparison":
        found["deletes"] = {"by": "comparison", "at_most": 1}
    return found


def told(load: LoadOutcome) -> dict[str, int]:
    counts = {"published": load.rows_published, "quarantined": load.rows_quarantined}
    return {**counts, **load.row_counts}


@settings(
    max_examples=20,
    deadline=None,
    # To make a failing example smaller would take minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(mode=MODES, deletes=DELETES, ordered=st.booleans(), loads=LOADS)
def test_random_loads_end_as_in_a_table_of_dictionaries(
    tmp_path_factory: pytest.TempPathFactory,
    mode: str,
    deletes: str,
    ordered: bool,
    loads: list[list[Row]],
) -> None:
    folder: Path = tmp_path_factory.mktemp("merge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUALITY_PLATFORM_HOME", str(folder / "home"))
        source = MemorySource().install(patch)
        project = Project(folder)
        load = load_settings(mode, deletes, ordered=ordered)
        platform = project.table("orders", COLUMNS, load=load).open()
        naive = NaiveTable(ordered=ordered)
        for batch in loads:
            rows = [row if deletes == "flag" else (*row[:3], False) for row in batch]
            source.rows = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
            expected = naive.load(rows, whole=deletes == "comparison")
            (outcome,) = load_table(platform, "orders", "run").loads
            assert told(outcome) == expected
            assert (
                outcome.rows_read
                == len(rows)
                == (outcome.rows_published + outcome.rows_quarantined + outcome.rows_not_published)
            )
        found = rows_of_table(platform, "shop.orders")
    if mode == "merge":
        assert Counter((r["id"], r["at"], r["name"]) for r in found) == Counter(
            (key, order, name) for key, (order, name) in naive.rows.items()
        )
    else:
        assert Counter(
            (r["id"], r["at"], r["name"], r["_valid_to"] is not None) for r in found
        ) == Counter(map(tuple, naive.versions))
