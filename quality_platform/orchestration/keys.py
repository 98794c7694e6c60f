"""How the parts of the platform are called in Dagster."""

import dagster as dg

from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.platform import Platform

EVERYTHING = "everything"
"""The job of all assets and checks."""

MAINTENANCE = "maintenance"
"""The job of the upkeep of all tables."""

HISTORY_UPKEEP = "_history"
"""Stands for the platform's own tables; no table has such a name."""

LANDING_OP = "look_at_sources"
"""The op that looks at all sources."""


def table_key(table: ContractedTable) -> dg.AssetKey:
    """The asset of a table or of a feature view's table."""
    return dg.AssetKey([table.namespace, table.name])


def quarantine_key(table: ContractedTable) -> dg.AssetKey:
    """The asset of the rows that a table holds back."""
    return dg.AssetKey(["quarantine", table.name])


def landing_key(name: str) -> dg.AssetKey:
    """The asset of the files that a table is loaded from; Dagster only looks at it."""
    return dg.AssetKey(["landing", name])


def online_key(name: str) -> dg.AssetKey:
    """The asset of a feature view in Feast's online store."""
    return dg.AssetKey(["online", name])


def maintenance_key(name: str) -> dg.AssetKey:
    """The asset of the upkeep of a table or feature view; `HISTORY_UPKEEP` of the history."""
    return dg.AssetKey([MAINTENANCE, name])


def maintenance_op(name: str) -> str:
    """The op that looks after a table."""
    return f"maintain_{name}"


def step_names(platform: Platform) -> dict[str, str]:
    """The name that people know a step by, for the name of every op."""
    tables = {load_op(name): name for name in platform.load_order}
    views = {compute_op(name): name for name in platform.feature_tables}
    online = {
        online_op(name): f"online.{name}"
        for name, view in platform.feature_tables.items()
        if view.config.online
    }
    return {**tables, **views, **online}


def load_op(name: str) -> str:
    """The op that loads a table."""
    return f"load_{name}"


def compute_op(name: str) -> str:
    """The op that computes a feature view."""
    return f"compute_{name}"


def online_op(name: str) -> str:
    """The op that materializes a feature view into the online store."""
    return f"materialize_{name}"


def selection_of(platform: Platform, names: tuple[str, ...]) -> dg.AssetSelection:
    """What runs when tables and views are named: their sources, assets, quarantines, and checks.

    () selects everything.
    """
    if not names:
        sources = [landing_key(name) for name in platform.tables]
        everything = dg.AssetSelection.all() | dg.AssetSelection.assets(*sources)
        return everything - maintenance_of(platform, ())
    keys = [key for name in names for key in _keys_of(platform, name)]
    return dg.AssetSelection.assets(*keys)


def maintenance_of(platform: Platform, names: tuple[str, ...]) -> dg.AssetSelection:
    """The upkeep of tables and views; () selects that of all, and of the history."""
    wanted = names or (*platform.tables, *platform.feature_tables, HISTORY_UPKEEP)
    return dg.AssetSelection.assets(*(maintenance_key(name) for name in wanted))


def _keys_of(platform: Platform, name: str) -> list[dg.AssetKey]:
    table = platform.contracted(name)
    view = platform.feature_tables.get(name)
    landing = [landing_key(name)] if view is None else []
    online = [online_key(name)] if view is not None and view.config.online else []
    return [*landing, table_key(table), quarantine_key(table), *online]
