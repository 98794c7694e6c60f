"""The models of runner.yaml. docs/configuration.md is generated from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from quality_platform.config.alert_models import AlertsConfig
from quality_platform.config.base_models import (
    Bytes,
    Duration,
    Model,
    Name,
    Namespace,
    Pattern,
)
from quality_platform.config.catalog_models import LakeConfig
from quality_platform.config.drift_models import DriftConfig
from quality_platform.config.feature_models import FeatureViewConfig
from quality_platform.config.feature_service_models import FeatureServiceConfig, OnDemandViewConfig
from quality_platform.config.feature_store_models import (
    ONLINE_FILE,
    REGISTRY_FILE,
    FeatureStoreConfig,
)
from quality_platform.config.load_models import LoadConfig
from quality_platform.config.override_models import OverridesConfig
from quality_platform.config.partition_models import PartitionsConfig
from quality_platform.config.schedule_models import ScheduleConfig
from quality_platform.config.secret_models import AnySecrets, EnvironmentSecretsConfig
from quality_platform.config.sensor_models import SensorConfig
from quality_platform.config.source_models import ConnectionConfig, RateLimitStoreConfig
from quality_platform.config.source_plugins import AnySource
from quality_platform.config.tenant_models import TenantConfig, TenantName, Tenants
from quality_platform.config.training_set_models import TrainingSetConfig


class MaintenanceConfig(Model):
    """Upkeep of a table: what `quality-platform maintain` and the maintenance assets do."""

    compact_below: Bytes = "32MB"
    """Data files smaller than this are put together."""
    keep_snapshots: Duration = "7d"
    """Snapshots younger than this are kept, for time travel and rollback."""
    keep_at_least: Annotated[int, Field(ge=1)] = 5
    """So many snapshots are kept, however old."""
    orphans_after: Duration = "3d"
    """Files that no snapshot refers to are removed once they are this old; younger ones may belong
    to a load that is under way."""


class EngineConfig(Model):
    """Limits of the check engine, for each table that is being loaded."""

    memory_limit: Bytes = "512MB"
    """Memory of the DuckDB engine; what does not fit spills to disk."""
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    """Threads of the DuckDB engine."""
    sample_rows: Annotated[int, Field(ge=0, le=100)] = 5
    """Failing rows shown with each check; personal data in them is masked."""
    check_timeout_seconds: Annotated[float, Field(gt=0)] = 3600
    """Seconds after which a check that still runs is stopped, and ends as an error. Checks that
    share one statement share the time; Great Expectations stops between pieces of a batch only."""


class RetryConfig(Model):
    """Retries of transient errors. Errors that would only repeat themselves are never retried."""

    max_retries: Annotated[int, Field(ge=0, le=20)] = 3
    """Retries after the first attempt."""
    initial_delay_seconds: Annotated[float, Field(gt=0)] = 5
    """Delay before the first retry."""
    backoff_multiplier: Annotated[float, Field(ge=1, le=100)] = 2.0
    """How many times as long each further delay is; 1 for delays that stay the same."""
    max_delay_seconds: Annotated[float, Field(gt=0)] = 300
    """No delay is longer, unless the other side asked for it, as by HTTP's `Retry-After`."""
    retryable_error_patterns: tuple[Pattern, ...] = ()
    """Regular expressions, in any case of letters. An error whose text has one of them is retried
    as well, although its kind says that it would only repeat itself."""
    jitter: bool = True
    """Whether delays are varied at random, so that many tables do not retry at the same moment."""
    opening_seconds: Annotated[float, Field(ge=0, le=60)] = 5
    """How long the first attempt tries again to open its source (to connect, and to ask for what is
    new), at once and beside `max_retries`; 0 for not at all."""


class TableConfig(Model):
    """One table: a data contract, a source, and how the one becomes the other."""

    contract: Path
    """The table's data contract (ODCS v3), relative to the folder of this file."""
    schema_object: str | None = None
    """The object of the contract's `schema` for this table; needed where there are several."""
    tenant: Name | None = None
    """The tenant that the table is of, by its name in this file; nobody's where left out."""
    tenants: Tenants = ()
    """In place of `tenant`, several of which each has such a table: `orders` of acme and globex are
    `acme__orders` and `globex__orders`, and `{tenant}` in the texts is the tenant's name
    ([tenants](tenants.md#one-declaration-for-several))."""
    shared: bool = False
    """Whether other tenants may read it: by foreign keys, feature views and sources."""
    namespace: Namespace = "main"
    """The Iceberg namespace of the table; a tenant's is `TENANT__NAMESPACE`, and `TENANT` where
    left out."""
    source: AnySource
    """Where the rows come from."""
    load: LoadConfig = LoadConfig()
    """How what is read becomes rows."""
    partitions: PartitionsConfig | None = None
    """Loading by hours, days, weeks, months or years, each replaced as a whole; what is new is
    loaded where left out. `partition_by` says how files are laid out, and nothing of loading."""
    partition_by: tuple[str, ...] | None = None
    """How the table's files are divided: columns or transforms of them, such as `region`,
    `day(ordered_at)`, `month(ordered_at)`, `bucket(16, customer_id)`, `truncate(4, zip)`. The
    contract's partition keys where left out, `[]` for none."""
    sort_by: tuple[str, ...] = ()
    """How the rows of a file are sorted: columns, each with `desc` where it descends."""
    maintenance: MaintenanceConfig | None = None
    """Upkeep of this table; the file's `maintenance` where left out."""
    drift: DriftConfig | None = None
    """A drift test that runs with every load ([drift](drift.md))."""
    retries: RetryConfig | None = None
    """Retries of this table's loads; the file's `retries` where left out."""
    overrides: OverridesConfig | None = None
    """What is said of the table over what its contract says."""
    group: Name | None = None
    """The asset group in the Dagster UI; the namespace where left out."""
    automate: Literal["eager"] | None = None
    """`eager` runs the table by itself when a table that it refers to, or what was seen of its
    source, has changed, and the checks of all these are good ([sensors](sensors.md#automation))."""


class RunnerConfig(Model):
    """runner.yaml."""

    version: Literal[1] = 1
    """The version of this file's format."""
    include: tuple[str, ...] = ()
    """Files with further tables, views, connections, schedules and sensors: paths and globs
    (`tables/*.yaml`, `teams/**/runner.yaml`), relative to the folder of this file. Each must find
    one ([runner.yaml](runner.md#include))."""
    secrets: AnySecrets = EnvironmentSecretsConfig()
    """Who is asked for `${secret:NAME}` in the texts below that are secret: environment variables
    where left out ([secrets](secrets.md))."""
    tenants: dict[TenantName, TenantConfig] = Field(default_factory=dict)
    """Tenants, by name: whose tables, secrets and files are kept apart ([tenants](tenants.md))."""
    lake: LakeConfig = LakeConfig()
    """Where the tables live."""
    engine: EngineConfig = EngineConfig()
    """Limits of the check engine."""
    retries: RetryConfig = RetryConfig()
    """Retries of every table that does not say otherwise."""
    maintenance: MaintenanceConfig = MaintenanceConfig()
    """Upkeep of every table that does not say otherwise."""
    connections: dict[Name, ConnectionConfig] = Field(default_factory=dict)
    """Databases and services that sources read from, by name."""
    rate_limits: RateLimitStoreConfig = RateLimitStoreConfig()
    """Where the rate limits of connections are kept."""
    # That there is one is seen before those that are broken are taken out.
    tables: Annotated[dict[Name, TableConfig], Field(json_schema_extra={"minProperties": 1})]
    """The tables, by name."""
    feature_views: dict[Name, FeatureViewConfig] = Field(default_factory=dict)
    """The feature views, by name."""
    on_demand_feature_views: dict[Name, OnDemandViewConfig] = Field(default_factory=dict)
    """Features that are computed when they are asked for, by name ([Feast](feast.md))."""
    feature_services: dict[Name, FeatureServiceConfig] = Field(default_factory=dict)
    """Features that are asked for together, by name ([Feast](feast.md))."""
    feature_store: FeatureStoreConfig = FeatureStoreConfig()
    """Feast's registry and online store."""
    training_sets: dict[Name, TrainingSetConfig] = Field(default_factory=dict)
    """Training sets, by name ([training sets](training-sets.md))."""
    schedules: dict[Name, ScheduleConfig] = Field(default_factory=dict)
    """Schedules, by name ([schedules](scheduling.md))."""
    sensors: dict[Name, SensorConfig] = Field(default_factory=dict)
    """Sensors, by name ([sensors](sensors.md))."""
    alerts: AlertsConfig = AlertsConfig()
    """Who is told when something goes wrong ([sensors](sensors.md#hooks))."""


def model_defaults() -> dict[str, Any]:
    """The sections that may be left out, with their defaults, before `${VAR}` are replaced."""
    return {
        "feature_store": {
            "registry": REGISTRY_FILE,
            "online_store": ONLINE_FILE,
        },
    }
