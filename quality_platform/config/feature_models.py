"""The models of feature views in runner.yaml."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from quality_platform.config.base_models import Duration, Model, Name, Timezone, seconds
from quality_platform.config.drift_models import DriftConfig
from quality_platform.config.function_names import FunctionName
from quality_platform.config.partition_models import ViewPartitionsConfig
from quality_platform.config.partition_windows import Every
from quality_platform.config.skew_models import SkewConfig
from quality_platform.config.tenant_models import SEPARATOR, Tenants

InputColumn = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*\.[^.]+$", max_length=300)]
"""A column of an input: `orders.amount`."""


class EntityConfig(Model):
    """What a feature describes."""

    name: Name
    """The entity's name in Feast."""
    join_key: Name
    """The column that identifies it. Where several columns identify it together, each is the key of
    an entity of its own."""


class ViewIncrementalConfig(Model):
    """Computing only the time that new rows of the inputs touch."""

    times: Annotated[dict[Name, Name], Field(min_length=1)]
    """The inputs whose rows happen at a time, each with the column that says when: a date or a
    timestamp, such as `{orders: placed_at}`. New rows of any other input make the whole view be
    computed."""
    window: Every = "day"
    """The stretch of time whose rows make features together: `hour`, `day`, `week` (from Monday),
    `month`, `year`."""
    lookback: Duration = "0s"
    """How far features look back at rows of before their window. Precisely: a row changes only
    features whose `event_timestamp` is within the row's own window, less than so long after its
    end, or at most `lookahead` before its beginning."""
    lookahead: Duration = "0s"
    """How far an `event_timestamp` can lie before the window of the rows that it is made of: a day
    where local days are called by midnight in UTC."""
    timezone: Timezone = "UTC"
    """The time zone in which windows begin."""

    @property
    def back(self) -> timedelta:
        """The lookback."""
        return timedelta(seconds=seconds(self.lookback))

    @property
    def ahead(self) -> timedelta:
        """The lookahead."""
        return timedelta(seconds=seconds(self.lookahead))


class FeatureViewConfig(Model):
    """Features computed from published tables, by SQL or Python, checked like any table."""

    tenant: Name | None = None
    """The tenant that the view is of, by its name in this file; nobody's where left out."""
    tenants: Tenants = ()
    """In place of `tenant`, several of which each has such a view, as in a table. In the SQL or
    function the tenant's own inputs are called as they are here, without the tenant."""
    shared: bool = False
    """Whether other tenants may read it by foreign keys and sources."""
    contract: Path
    """The data contract (ODCS v3) of the computed table."""
    sql: Path | None = None
    """A file with one SELECT in DuckDB SQL over the input tables, by their names in this file.
    Either this or `python`."""
    python: FunctionName | None = None
    """A function that gives the rows as Arrow record batches: `features/totals.py:totals` (a file),
    `shop.features:totals` (a module that can be imported), or the name of an entry point of the
    group `quality_platform.feature_functions` ([features](features.md#python))."""
    version: Annotated[str, Field(max_length=100)] = ""
    """Of a `python` function: a new one makes the view be computed anew. The source of the
    function's module where left out."""
    inputs: Annotated[tuple[Name, ...], Field(min_length=1)]
    """The tables that are read."""
    lineage: dict[str, tuple[InputColumn, ...]] = Field(default_factory=dict)
    """The columns of the inputs that a column is made of, such as `{total: [orders.amount]}`, where
    the SQL does not tell them, and of a Python function."""
    entities: Annotated[tuple[EntityConfig, ...], Field(min_length=1)]
    """What the features describe."""
    event_timestamp: Name
    """The column that tells when the features became known."""
    created_timestamp: Name | None = None
    """The column that tells when a row was made: of several of the same key and `event_timestamp`,
    historical reads take the one that was made last."""
    partitions: ViewPartitionsConfig | None = None
    """Computing by hours, days, weeks, months or years of `event_timestamp`, each replaced as a
    whole; the whole view is computed whenever its inputs change where left out."""
    incremental: ViewIncrementalConfig | None = None
    """Computing only what new rows of the inputs touch, where the inputs have only grown
    ([features](features.md#incremental))."""
    ttl: Duration | None = None
    """How long a value stays valid in historical reads, such as `36h`; for ever where left out."""
    ttl_days: Annotated[int, Field(ge=1)] | None = None
    """`ttl` in days."""
    owner: str = ""
    """E-mail address or team of the owner."""
    owners: tuple[str, ...] = ()
    """Further owners; Feast knows the first of all."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of the view in Feast and Dagster, beside those of its contract."""
    drift: DriftConfig | None = None
    """A drift test that runs with every computation."""
    on_breaking: Literal["fail", "new_table"] = "fail"
    """As in a table's `load`."""
    online: bool = True
    """Whether Feast materializes the view into its online store."""
    skew: SkewConfig | None = None
    """A comparison of the online store with the published table, after every materialization
    ([Feast](feast.md#skew)). None where left out."""
    automate: Literal["eager"] | None = None
    """`eager` computes the view by itself when a table that it reads has changed and its checks are
    good ([sensors](sensors.md#automation))."""

    def called(self, name: str) -> str:
        """What the SQL or function calls an input: without the tenant where it is of several."""
        short = name.removeprefix(f"{self.tenant}{SEPARATOR}") if self.tenants else name
        return name if short in self.inputs else short

    @property
    def time_to_live(self) -> timedelta | None:
        """How long a value stays valid; None for ever."""
        if self.ttl is not None:
            return timedelta(seconds=seconds(self.ttl))
        return None if self.ttl_days is None else timedelta(days=self.ttl_days)

    @property
    def all_owners(self) -> tuple[str, ...]:
        """The owners, the first one first."""
        return tuple(dict.fromkeys(name for name in (self.owner, *self.owners) if name.strip()))

    @model_validator(mode="after")
    def _is_possible(self) -> FeatureViewConfig:
        if (self.sql is None) == (self.python is None):
            raise ValueError("write exactly one of `sql` and `python`")
        if self.version and self.python is None:
            raise ValueError("`version` is of a `python` function: the text of SQL tells itself")
        if self.ttl is not None and self.ttl_days is not None:
            raise ValueError("write `ttl` or `ttl_days`, not both")
        if self.partitions is not None and self.incremental is not None:
            raise ValueError("write `partitions` or `incremental`, not both")
        if self.skew is not None and not self.online:
            raise ValueError("`skew` compares what is online: leave it out with `online: false`")
        if self.ttl is not None and not seconds(self.ttl):
            raise ValueError("`ttl` must be longer than nothing; leave it out for no end")
        return self
