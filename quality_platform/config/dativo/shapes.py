"""The keys of Dativo's files. What they become here: docs/dativo.md.

The models hold what is written, before any `${VAR}` is replaced: so a number may be a text.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from quality_platform.config.base_models import Model

Text = str | int | float | None
Number = int | float | str | None
Truth = bool | str | None
Free = dict[str, Any] | None
"""A mapping whose keys are not looked at: it has no meaning here, or it belongs to an engine."""


class Schedule(Model):
    """An entry of `orchestrator.schedules`."""

    name: Text
    """Its name."""
    config: str
    """The job's file."""
    cron: Text = None
    """A cron expression."""
    interval_seconds: Number = None
    """The time between two runs, instead of `cron`."""
    enabled: Truth = True
    """Whether it runs."""
    timezone: str | None = None
    """The time zone of `cron`."""
    max_concurrent_runs: Number = None
    """How many of its runs may go on at once."""
    tags: dict[str, Text | bool] | None = None
    """Tags of its runs."""


class Orchestrator(Model):
    """`orchestrator`."""

    type: Literal["dagster", "airflow"] = "dagster"
    """Who runs the schedules in Dativo."""
    schedules: tuple[Schedule, ...] | None = None
    """The schedules."""
    concurrency_per_tenant: Number = None
    """How many runs of a tenant may go on at once."""


class Runner(Model):
    """What stands under `runner:`, or at the top of a file without it."""

    mode: Literal["orchestrated", "oneshot"] = "orchestrated"
    """Whether schedules run."""
    orchestrator: Orchestrator | None = None
    """The schedules."""
    notifications: Free = None
    """Commands that are run after a job."""
    metrics: Free = None
    """Where metrics go."""


class WrappedRunner(Model):
    """A file with `runner:`."""

    runner: Runner
    """The runner."""


class BareSchedules(Model):
    """A file that has the schedules at its top."""

    mode: Literal["orchestrated", "oneshot"] = "orchestrated"
    """Whether schedules run."""
    schedules: tuple[Schedule, ...]
    """The schedules."""
    concurrency_per_tenant: Number = None
    """How many runs of a tenant may go on at once."""


class TableEntry(Model):
    """An entry of `source.tables`."""

    name: str
    """The table, with or without its schema."""
    schema_name: Annotated[str | None, Field(validation_alias="schema")] = None
    """The table's schema."""
    object: str | None = None
    """What it is called in Dativo."""
    cursor_field: str | None = None
    """The column that grows."""


class FileEntry(Model):
    """An entry of `source.files`."""

    path: str | None = None
    """The file."""
    file: str | None = None
    """The file, by its older name."""
    object: str | None = None
    """What it is called in Dativo."""
    id: Text = None
    """By what Dativo knows it."""
    file_id: Text = None
    """The file's id at Google Drive."""


class Incremental(Model):
    """`source.incremental`."""

    enabled: Truth = True
    """Whether only what is new is read."""
    strategy: str | None = None
    """How what is new is told."""
    cursor_field: str | None = None
    """The column that grows."""
    lookback_days: Number = None
    """How far back rows are read again."""
    state_path: str | None = None
    """The file with the position."""
    cursor_field_default: str | None = None
    """The column that grows where a job names none; in a connector."""
    lookback_days_default: Number = None
    """As `lookback_days` where a job says none; in a connector."""


class Source(Model):
    """A job's `source`."""

    type: str | None = None
    """The kind of source, in jobs without a connector file."""
    description: str | None = None
    """For people."""
    object: str | None = None
    """The only object."""
    objects: tuple[str, ...] | str | None = None
    """Objects of an API."""
    files: tuple[FileEntry, ...] | None = None
    """Files."""
    sheets: tuple[dict[str, Any], ...] | None = None
    """Sheets of Google."""
    tables: tuple[TableEntry, ...] | None = None
    """Tables of a database."""
    incremental: Incremental | None = None
    """Reading only what is new."""
    connection: Free = None
    """Where the source is."""
    credentials: Free = None
    """Who asks."""
    dsn: str | None = None
    """The database's URL, instead of `connection`."""
    engine: Free = None
    """The engine that reads, with its options."""
    rate_limits: Free = None
    """How often the source may be asked."""
    custom_reader: str | None = None
    """Code that reads instead of Dativo."""
    wal: Free = None
    """Checkpoints of a read."""


class Target(Model):
    """A job's `target`."""

    type: str | None = None
    """The kind of target, in jobs without a connector file."""
    catalog: dict[str, Any] | str | None = None
    """The catalog: `nessie`."""
    branch: str | None = None
    """The catalog's branch."""
    warehouse: str | None = None
    """Where the tables' files are."""
    connection: Free = None
    """The catalog's address, and the object store with its keys."""
    file_format: str | None = None
    """The format of the files."""
    partitioning: tuple[str, ...] | None = None
    """The columns by which files are divided."""
    parquet_target_size_mb: Number = None
    """The size of the files."""
    engine: Free = None
    """The engine that writes, with its options."""
    markdown_kv_storage: Free = None
    """Rows as Markdown-KV."""
    custom_writer: str | None = None
    """Code that writes instead of Dativo."""
    spreadsheet_id: str | None = None
    """A sheet of Google."""
    range: str | None = None
    """The cells of it."""
    credentials: Free = None
    """Who writes."""


class Retry(Model):
    """A job's `retry_config`."""

    max_retries: Number = None
    """Retries after the first attempt."""
    max_attempts: Number = None
    """Attempts, the first one too; what the JSON schema of jobs calls it."""
    initial_delay_seconds: Number = None
    """Delay before the first retry."""
    retry_delay_seconds: Number = None
    """The older name of `initial_delay_seconds`."""
    max_delay_seconds: Number = None
    """The longest delay."""
    backoff_multiplier: Number = None
    """How much longer each delay is."""
    retryable_exit_codes: tuple[int | str, ...] | None = None
    """Exit codes after which a job is run again."""
    retryable_error_patterns: tuple[str, ...] | None = None
    """Errors after which a job is run again."""
    retryable_errors: tuple[str, ...] | None = None
    """The older name of `retryable_error_patterns`."""


class Governance(Model):
    """A job's `governance_overrides`."""

    retention_days: Number = None
    """How long the rows are kept."""
    owner: str | None = None
    """Who owns the table."""


class Logging(Model):
    """A job's `logging`."""

    redaction: Truth = None
    """Whether secrets are hidden in logs."""
    level: str | None = None
    """What is logged."""


class Job(Model):
    """A job's file."""

    json_schema: Annotated[str | None, Field(validation_alias="$schema")] = None
    """For editors."""
    tenant_id: Text
    """Whose job it is."""
    environment: str | None = None
    """A name such as `prod`."""
    source_connector: str | None = None
    """The name of the source's connector."""
    source_connector_path: str | None = None
    """The source's connector file."""
    target_connector: str | None = None
    """The name of the target's connector."""
    target_connector_path: str | None = None
    """The target's connector file."""
    asset: str | None = None
    """The asset's name."""
    asset_path: str | None = None
    """The asset's file."""
    asset_definition: str | None = None
    """The older name of `asset_path`."""
    source: Source | None = None
    """What is read."""
    target: Target | None = None
    """Where it goes."""
    classification_overrides: dict[str, str] | None = None
    """Classifications of columns, and `default`."""
    finops: dict[str, Text | bool | list[Text]] | None = None
    """Who pays."""
    governance_overrides: Governance | None = None
    """Owner and retention."""
    schema_validation_mode: Literal["strict", "warn"] | None = None
    """What follows when rows do not fit the asset."""
    retry_config: Retry | None = None
    """Retries."""
    logging: Logging | None = None
    """What is logged."""
    infrastructure: Free = None
    """Where Dativo runs the job."""
    catalog: Free = None
    """A data catalog that is told of the table."""
    metrics: Free = None
    """Where metrics go."""
    observability: Free = None
    """Where metrics go, by its other name."""
    llm: Free = None
    """Descriptions written by a language model."""


class Connector(Model):
    """A connector's file, of a source or a target."""

    name: str
    """Its name."""
    type: str
    """The kind of source or target."""
    roles: tuple[str, ...] | None = None
    """`source`, `target`."""
    description: str | None = None
    """For people."""
    default_engine: Free = None
    """The engine, with its options."""
    credentials: Free = None
    """Who asks."""
    incremental: Incremental | None = None
    """Reading only what is new."""
    rate_limits: Free = None
    """How often the source may be asked."""
    connection_template: Free = None
    """Where it is, unless a job says otherwise."""
    catalog: str | None = None
    """The catalog of a target."""
    file_format: str | None = None
    """The format of a target's files."""
    partitioning_default: tuple[str, ...] | None = None
    """The columns by which a target's files are divided."""
