"""What Dagster shows of a feature view: who owns it, what computes it, where columns come from."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from support.dagster_runs import QUIET, metadata, run
from support.project import Project
from support.shop import TOTALS_SQL, orders_csv

from quality_platform.orchestration.build import build_definitions
from quality_platform.orchestration.keys import EVERYTHING, compute_op

TOTALS_KEY = dg.AssetKey(["features", "totals"])
ORDERS_KEY = dg.AssetKey(["shop", "orders"])


def deps(lineage: dg.TableColumnLineage) -> dict[str, list[tuple[dg.AssetKey, str]]]:
    return {
        column: [(one.asset_key, one.column_name) for one in found]
        for column, found in lineage.deps_by_column.items()
    }


def as_python(shop: Project, **settings: Any) -> Project:
    """The view of the shop, computed by a function that runs the same SQL."""
    view = shop.views["totals"]
    del view["sql"]
    view |= {"python": "totals.py:totals", **settings}
    text = f"def totals(inputs, context):\n    return inputs.sql({TOTALS_SQL!r})\n"
    (shop.folder / "totals.py").write_text(text)
    return shop


def test_a_materialization_tells_which_columns_its_columns_are_made_of(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = shop.open()
    told = metadata(run(platform, instance), "features/totals")
    assert deps(told["dagster/column_lineage"]) == {
        "customer": [(ORDERS_KEY, "customer")],
        "placed_at": [(ORDERS_KEY, "placed_at")],
        "total": [(ORDERS_KEY, "amount")],
    }
    assert "columns_of_unknown_origin" not in told
    # The page of the asset shows the latest materialization, of a run without news too.
    again = metadata(run(platform, instance), "features/totals")
    assert again["nothing_new"]
    assert again["dagster/column_lineage"] == told["dagster/column_lineage"]
    assert "dagster/column_lineage" not in metadata(run(platform, instance), "shop/orders")


def test_a_column_that_cannot_be_told_is_named_and_has_no_lineage(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    sql = TOTALS_SQL.replace("sum(amount) AS total", "sum(COLUMNS('amount')) AS total")
    (shop.folder / "totals.sql").write_text(sql)
    told = metadata(run(shop.open(), instance), "features/totals")
    assert told["columns_of_unknown_origin"] == "total"
    assert {*deps(told["dagster/column_lineage"])} == {"customer", "placed_at"}

    shop.views["totals"]["lineage"] = {"total": ["orders.amount"]}
    told = metadata(run(shop.open(), instance), "features/totals")
    assert deps(told["dagster/column_lineage"])["total"] == [(ORDERS_KEY, "amount")]


def test_of_a_function_the_declared_lineage_is_told(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    platform = as_python(shop, lineage={"total": ["orders.amount", "orders.customer"]}).open()
    told = metadata(run(platform, instance), "features/totals")
    assert told["rows_published"] == 2
    assert deps(told["dagster/column_lineage"]) == {
        "total": [(ORDERS_KEY, "amount"), (ORDERS_KEY, "customer")]
    }
    assert told["columns_of_unknown_origin"] == "customer, placed_at"


def test_the_partitions_of_a_view_tell_the_lineage_too(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    shop.views["totals"]["partitions"] = {
        "every": "month",
        "start": "2026-01-01",
        "end": "2026-03-01",
    }
    result = run(shop.open(), instance)
    found = [
        event.materialization
        for event in result.all_events
        if event.is_step_materialization and event.asset_key == TOTALS_KEY
    ]
    assert found
    assert all("dagster/column_lineage" in one.metadata for one in found)


@pytest.fixture
def spec(shop: Project) -> dg.AssetSpec:
    shop.views["totals"] |= {
        "owner": "ada@example.org",
        "owners": ["team:shop"],
        "tags": {"tier": "gold", "needs a/look": ""},
    }
    found = build_definitions(as_python(shop).open()).resolve_asset_graph().get(TOTALS_KEY)
    return found.to_asset_spec()


def test_owners_tags_and_kinds_are_those_of_the_view(spec: dg.AssetSpec) -> None:
    assert [*spec.owners] == ["ada@example.org", "team:shop"]
    assert (spec.tags["tier"], spec.tags["needs_a_look"]) == ("gold", "")
    assert {"iceberg", "python"} <= {*spec.kinds}


def test_another_function_is_another_code_version(shop: Project) -> None:
    def version() -> str | None:
        graph = build_definitions(shop.open()).resolve_asset_graph()
        return graph.get(TOTALS_KEY).code_version

    as_python(shop)
    before = version()
    path = shop.folder / "totals.py"
    path.write_text(f"# A word.\n{path.read_text()}")
    assert version() != before


def test_a_materialization_says_how_much_was_computed_and_why(
    shop: Project, instance: dg.DagsterInstance
) -> None:
    (shop.folder / "totals.sql").write_text(
        "SELECT customer, placed_at, sum(amount) AS total FROM orders GROUP BY ALL"
    )
    shop.views["totals"]["incremental"] = {"times": {"orders": "placed_at"}}
    platform = shop.open()
    told = metadata(run(platform, instance), "features/totals")
    assert told["notes"] == "Computed as a whole: nothing was computed before."
    shop.deliver("orders/more.csv", orders_csv(11, 5, 6))
    told = metadata(run(platform, instance), "features/totals")
    assert told["notes"] == "Computed for new rows of orders: 2026-01-01...2026-01-02."
    job = build_definitions(platform).resolve_job_def(EVERYTHING)
    config = {**QUIET, "ops": {compute_op("totals"): {"config": {"full_refresh": True}}}}
    told = metadata(job.execute_in_process(config, instance=instance), "features/totals")
    assert told["notes"] == "Computed as a whole: it was asked for."
