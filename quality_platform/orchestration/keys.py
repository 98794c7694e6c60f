"""How the parts of the platform are called in Dagster."""

import hashlib
import re
from collections.abc import Iterable

import dagster as dg

from quality_platform.config.broken import BrokenPart
from quality_platform.config.tenant_models import namespace_of_tenant
from quality_platform.flows.broken_tables import namespace_of
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.platform import Platform

EVERYTHING = "everything"
"""The job of all assets and checks."""

MAINTENANCE = "maintenance"
"""The job of the upkeep of all tables."""

HISTORY_UPKEEP = "_history"
"""Stands for the platform's own tables; no table has such a name."""

QUARANTINE = "quarantine"
"""What the keys of all quarantines begin with."""

BROKEN = "broken"
"""The group and kind of the assets of what cannot be used, and what the keys of some begin with."""

TRAINING_SETS = "training_sets"
"""The group and the job of all training sets."""

LANDING_OP = "look_at_sources"
"""The op that looks at all sources."""


def table_key(table: ContractedTable) -> dg.AssetKey:
    """The asset of a table or of a feature view's table."""
    return dg.AssetKey([table.namespace, table.name])


def quarantine_key(table: ContractedTable) -> dg.AssetKey:
    """The asset of the rows that a table holds back."""
    return dg.AssetKey([QUARANTINE, table.name])


def landing_key(name: str) -> dg.AssetKey:
    """The asset of the files that a table is loaded from; Dagster only looks at it."""
    return dg.AssetKey(["landing", name])


def online_key(name: str) -> dg.AssetKey:
    """The asset of a feature view in Feast's online store."""
    return dg.AssetKey(["online", name])


def training_set_key(platform: Platform, name: str) -> dg.AssetKey:
    """The asset of a training set."""
    config = platform.runner.config.training_sets[name]
    return dg.AssetKey([namespace_of_tenant(config.tenant or "", config.namespace), name])


def training_set_op(name: str) -> str:
    """The op that makes a version of a training set."""
    return f"make_training_set_{name}"


def broken_key(part: BrokenPart) -> dg.AssetKey:
    """The asset of a part that cannot be used: a table's own key, where it can be told."""
    if part.section in ("tables", "feature_views"):
        return dg.AssetKey([namespace_of(part), word_of(part.name)])
    return dg.AssetKey([BROKEN, word_of(f"{part.section}_{part.name}")])


def broken_op(part: BrokenPart) -> str:
    """The op of a part that cannot be used: that of its table where it is one."""
    ops = {"tables": load_op, "feature_views": compute_op}
    if op := ops.get(part.section):
        return op(word_of(part.name))
    return f"{BROKEN}_{word_of(f'{part.section}_{part.name}')}"


def word_of(name: str) -> str:
    """A name that Dagster takes: what a broken part is called need not be one."""
    word = re.sub(r"\W", "_", name, flags=re.ASCII)
    return word if word == name else f"{word}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def due_key(name: str) -> dg.AssetKey:
    """The asset without partitions that makes what is due of a partitioned table or view."""
    return dg.AssetKey(["due", name])


def maintenance_key(name: str) -> dg.AssetKey:
    """The asset of the upkeep of a table or feature view; `HISTORY_UPKEEP` of the history."""
    return dg.AssetKey([MAINTENANCE, word_of(name)])


def maintenance_op(name: str) -> str:
    """The op that looks after a table."""
    return f"maintain_{word_of(name)}"


def step_names(platform: Platform) -> dict[str, str]:
    """The name that people know a step by, for the name of every op."""
    tables = {
        (due_op(name) if is_partitioned(platform, name) else load_op(name)): name
        for name in platform.load_order
    }
    views = {
        (due_op(name) if is_partitioned(platform, name) else compute_op(name)): name
        for name in platform.feature_tables
    }
    online = {
        online_op(name): f"online.{name}"
        for name, view in platform.feature_tables.items()
        if view.config.online
    }
    broken = {broken_op(part): part.name for part in platform.broken_tables.values()}
    return {**tables, **views, **online, **broken}


def op_tables(platform: Platform) -> dict[str, str]:
    """The table or feature view that each op is about, by the name of the op."""
    tables = {op: name for name in platform.tables for op in (load_op(name), due_op(name))}
    views = {
        op: name
        for name in platform.feature_tables
        for op in (compute_op(name), due_op(name), online_op(name))
    }
    return {
        **tables,
        **views,
        **{maintenance_op(name): name for name in (*platform.tables, *platform.feature_tables)},
    }


def load_op(name: str) -> str:
    """The op that loads a table."""
    return f"load_{name}"


def due_op(name: str) -> str:
    """The op that makes what is due of a partitioned table or feature view."""
    return f"due_{name}"


def is_partitioned(platform: Platform, name: str) -> bool:
    """Whether a table or feature view is made by partitions."""
    found = platform.tables.get(name) or platform.feature_tables.get(name)
    return found is not None and found.partitions is not None


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
        others = maintenance_of(platform, ()) | training_sets_of(platform)
        return everything - others - _by_partition(platform)
    keys = [key for name in names for key in keys_of(platform, name)]
    return dg.AssetSelection.assets(*keys)


def maintenance_of(platform: Platform, names: tuple[str, ...]) -> dg.AssetSelection:
    """The upkeep of tables and views; () selects that of all, and of the history."""
    if not names:
        everything = (*platform.tables, *platform.feature_tables, *platform.broken_tables)
        names = (*everything, HISTORY_UPKEEP)
    return dg.AssetSelection.assets(*(maintenance_key(name) for name in names))


def training_set_keys(platform: Platform, names: tuple[str, ...] = ()) -> list[dg.AssetKey]:
    """The assets of training sets; () stands for all. That of a broken one tells what is wrong."""
    declared = platform.runner.config.training_sets.items()
    broken = {p.name: broken_key(p) for p in platform.broken if p.section == "training_sets"}
    made = [name for name, config in declared if config.entities is not None]
    return [
        broken.get(name) or training_set_key(platform, name) for name in names or (*made, *broken)
    ]


def training_sets_of(platform: Platform) -> dg.AssetSelection:
    """All training sets. The job of everything leaves them out: each version is kept for long."""
    return dg.AssetSelection.assets(*training_set_keys(platform))


def _by_partition(platform: Platform) -> dg.AssetSelection:
    """The assets that run for partitions that somebody names."""
    known = (*platform.tables.values(), *platform.feature_tables.values())
    tables = [table for table in known if table.partitions is not None]
    return dg.AssetSelection.assets(
        *(key(t) for t in tables for key in (table_key, quarantine_key))
    )


def names_of(keys: Iterable[dg.AssetKey]) -> set[str]:
    """The tables and views that assets are about: every key ends with the name of its own.

    Keys that belong to none, such as that of the upkeep of the history, name none.
    """
    return {key.path[-1] for key in keys} - {HISTORY_UPKEEP}


def keys_of(platform: Platform, name: str) -> list[dg.AssetKey]:
    """The assets that run a table or feature view: its source, itself, its quarantine, online.

    Of a partitioned one it is what makes the partitions that are due.
    """
    if name in platform.broken_tables:
        return [broken_key(platform.broken_tables[name])]
    table = platform.contracted(name)
    view = platform.feature_tables.get(name)
    landing = [landing_key(name)] if view is None else []
    online = [online_key(name)] if view is not None and view.config.online else []
    if is_partitioned(platform, name):
        return [*landing, due_key(name), *online]
    return [*landing, table_key(table), quarantine_key(table), *online]
