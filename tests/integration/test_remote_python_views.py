"""Feature views over a lake in an object store: by a function, and incrementally."""

from __future__ import annotations

import textwrap
from pathlib import Path

from support.catalogs import lake_settings
from support.incremental import INCREMENTAL, at, deliver, furnish, published
from support.project import Project
from support.s3_server import s3_server

from quality_platform.flows.compute_features import compute_feature_view
from quality_platform.flows.load_table import load_table

FUNCTION = """
    def totals(inputs, context):
        for _ in inputs.read("orders", ["id"]):
            pass
        return inputs.sql('''
            SELECT
                customer, date_trunc('day', "at") AS day,
                count(*) AS orders, sum(amount) AS total
            FROM orders GROUP BY ALL
        ''')
"""


def test_the_inputs_of_a_function_are_read_where_they_are(project: Project, tmp_path: Path) -> None:
    furnish(project, {**INCREMENTAL, "lookback": "0s"})
    del project.views["totals"]["sql"]
    project.views["totals"]["python"] = "totals.py:totals"
    (project.folder / "totals.py").write_text(textwrap.dedent(FUNCTION))
    deliver(project, "first", [(1, 1, 10, at(1)), (2, 1, 20, at(2))])
    with s3_server() as store, lake_settings("sqlite_s3", tmp_path / "lake", store) as settings:
        project.settings["lake"] = settings
        platform = project.open()
        load_table(platform, "orders", "r")
        compute_feature_view(platform, "totals", "r")
        deliver(project, "more", [(3, 1, 5, at(2))])
        load_table(platform, "orders", "r")
        outcome = compute_feature_view(platform, "totals", "r")

        assert outcome.notes == ("Computed for new rows of orders: 2024-01-02.",)
        assert [row[-1] for row in published(platform)] == [10.0, 25.0]
