"""The metrics, as values. docs/observability.md has the same table, and a test compares them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "quality_platform_"
"""What every metric's name begins with."""

TABLE = ("table", "namespace", "tenant")
"""The labels of a metric of one table or feature view; `tenant` is "" where it has none."""


@dataclass(frozen=True)
class Family:
    """One metric.

    Attributes:
        name: Its name, without the prefix. That of a counter ends in `_total`.
        kind: Its type in Prometheus.
        help: What it tells.
        labels: The names of its labels.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = TABLE

    @property
    def full_name(self) -> str:
        """The name that is scraped."""
        return PREFIX + self.name


ROWS_READ = Family("rows_read_total", "counter", "Rows that loads read from the source.")
ROWS_PUBLISHED = Family(
    "rows_published_total", "counter", "Rows that were published, by loads and by replays."
)
ROWS_QUARANTINED = Family("rows_quarantined_total", "counter", "Rows that loads held back.")
ROWS_MATERIALIZED = Family(
    "rows_materialized_total", "counter", "Rows that were written into the online store."
)
BYTES_READ = Family("read_bytes_total", "counter", "Bytes of the rows that were read, in memory.")
BYTES_WRITTEN = Family(
    "written_bytes_total", "counter", "Bytes of the data files that loads committed."
)
RUNS = Family(
    "runs_total", "counter", "Runs that had an effect or failed, by their state.", (*TABLE, "state")
)
RUN_SECONDS = Family("run_seconds_total", "counter", "Seconds that these runs took.")
LAST_RUN_STATE = Family(
    "last_run_state", "gauge", "1 for the state in which the latest run ended.", (*TABLE, "state")
)
LAST_RUN_AT = Family("last_run_timestamp_seconds", "gauge", "When the latest run ended.")
LAST_RUN_SECONDS = Family("last_run_duration_seconds", "gauge", "Seconds that the latest run took.")
CHECK_RESULTS = Family(
    "check_results_total",
    "counter",
    "Results of checks, by verdict (pass, warn, fail, error) and severity.",
    (*TABLE, "verdict", "severity"),
)
CHECKS = Family(
    "checks",
    "gauge",
    "Checks of the latest run that had any, by verdict and severity.",
    (*TABLE, "verdict", "severity"),
)
TABLE_ROWS = Family("table_rows", "gauge", "Rows that are published now.")
TABLE_BYTES = Family("table_bytes", "gauge", "Bytes of the data files of these rows.")
QUARANTINE_ROWS = Family("quarantine_rows", "gauge", "Rows that are in the quarantine now.")
BLOCKED_LOADS = Family("blocked_loads", "gauge", "Loads that a gate keeps from being published.")
BROKEN = Family(
    "table_broken", "gauge", "1 where what runner.yaml or the contract says cannot be used, else 0."
)
PUBLISHED_AT = Family(
    "last_publish_timestamp_seconds", "gauge", "When rows were last published; none for never."
)
FRESHNESS = Family("freshness_seconds", "gauge", "Seconds since rows were last published.")
DATA_AGE = Family(
    "data_age_seconds",
    "gauge",
    "Age of the newest value of a column whose age the contract limits.",
    (*TABLE, "check"),
)
DATA_AGE_LIMIT = Family(
    "data_age_limit_seconds",
    "gauge",
    "The age that the contract's service level allows.",
    (*TABLE, "check"),
)
LAKE_UP = Family("lake_up", "gauge", "1 where the lake could be read, else 0.", ())
COLLECTED_AT = Family("collected_timestamp_seconds", "gauge", "When the lake was last read.", ())
COLLECT_SECONDS = Family(
    "collect_duration_seconds", "gauge", "Seconds that reading the lake took.", ()
)
BUILD_INFO = Family("build_info", "gauge", "1; the label tells the version.", ("version",))

FAMILIES = (
    ROWS_READ,
    ROWS_PUBLISHED,
    ROWS_QUARANTINED,
    ROWS_MATERIALIZED,
    BYTES_READ,
    BYTES_WRITTEN,
    RUNS,
    RUN_SECONDS,
    LAST_RUN_STATE,
    LAST_RUN_AT,
    LAST_RUN_SECONDS,
    CHECK_RESULTS,
    CHECKS,
    TABLE_ROWS,
    TABLE_BYTES,
    QUARANTINE_ROWS,
    BLOCKED_LOADS,
    BROKEN,
    PUBLISHED_AT,
    FRESHNESS,
    DATA_AGE,
    DATA_AGE_LIMIT,
    LAKE_UP,
    COLLECTED_AT,
    COLLECT_SECONDS,
    BUILD_INFO,
)
"""All of them, in the order in which they are told."""
