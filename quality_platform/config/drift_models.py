"""The models of drift tests in runner.yaml."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from quality_platform.config.base_models import Model, Name

Share = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]

TEXT, LIST, PERIOD = "branch:text", "branch:list", "branch:period"
"""Marks of the forms that a value can have; problems leave them out of a key's path."""


class ReferencePeriod(Model):
    """A period of event time: from the first day (inclusive) to the second (exclusive), in UTC."""

    start: date
    """First day."""
    end: date
    """First day after."""

    @model_validator(mode="after")
    def _ordered(self) -> ReferencePeriod:
        if self.start >= self.end:
            raise ValueError(f"start {self.start} must be before end {self.end}")
        return self


class TagReference(Model):
    """All rows of the snapshot that a tag (or branch) names."""

    tag: Annotated[str, Field(min_length=1)]
    """The tag's name."""


class SnapshotReference(Model):
    """All rows of a snapshot."""

    snapshot: int
    """The snapshot's id."""


class TrailingReference(Model):
    """The days right before the rows that are judged."""

    days: Annotated[int, Field(ge=1, le=3660)]
    """So many days."""


class WeekdayReference(Model):
    """The same day of the week in the weeks before the day that is judged."""

    same_weekday: Annotated[int, Field(ge=1, le=520)]
    """So many weeks."""


class ProfileReference(Model):
    """What `quality-platform drift freeze` has kept under a name."""

    profile: Name
    """The name."""


_BRANCHES: dict[str, type[Model]] = {
    "tag": TagReference,
    "snapshot": SnapshotReference,
    "days": TrailingReference,
    "same_weekday": WeekdayReference,
    "profile": ProfileReference,
}


def _branch(value: Any) -> str:
    """The form of a value: by its own keys, so that a problem is told of that form alone."""
    if isinstance(value, str):
        return TEXT
    for key, model in _BRANCHES.items():
        if isinstance(value, model) or (isinstance(value, dict) and key in value):
            return f"branch:{key}"
    return PERIOD


def _columns_branch(value: Any) -> str:
    return TEXT if value == "all" else LIST


WindowName = Literal["previous_month", "previous_week"]
CurrentName = Literal["latest_month", "latest_week", "latest_day", "new_rows", "snapshot"]

Reference = Annotated[
    Annotated[ReferencePeriod, Tag(PERIOD)]
    | Annotated[TagReference, Tag("branch:tag")]
    | Annotated[SnapshotReference, Tag("branch:snapshot")]
    | Annotated[TrailingReference, Tag("branch:days")]
    | Annotated[WeekdayReference, Tag("branch:same_weekday")]
    | Annotated[ProfileReference, Tag("branch:profile")]
    | Annotated[WindowName, Tag(TEXT)],
    Discriminator(_branch),
]
"""The rows that count as normal."""

Current = Annotated[
    Annotated[ReferencePeriod, Tag(PERIOD)] | Annotated[CurrentName, Tag(TEXT)],
    Discriminator(lambda value: TEXT if isinstance(value, str) else PERIOD),
]
"""The rows that are judged."""

Columns = Annotated[
    Annotated[tuple[Name, ...], Field(min_length=1), Tag(LIST)]
    | Annotated[Literal["all"], Tag(TEXT)],
    Discriminator(_columns_branch),
]


class ColumnDriftConfig(Model):
    """What holds for one column instead of what holds for all."""

    psi: Positive | None = None
    """As that of the whole test."""
    ks: Share | None = None
    """As that of the whole test."""
    jensen_shannon: Share | None = None
    """As that of the whole test."""
    wasserstein: Positive | None = None
    """As that of the whole test."""
    cramers_v: Share | None = None
    """As that of the whole test."""
    missing_share: Share | None = None
    """As that of the whole test."""
    new_share: Share | None = None
    """As that of the whole test."""
    vanished_share: Share | None = None
    """As that of the whole test."""
    out_of_range_share: Share | None = None
    """As that of the whole test."""
    severity: Literal["error", "warning"] | None = None
    """As that of the whole test."""


class OverallDriftConfig(Model):
    """What the check of all columns together, `no_drift_overall`, lets pass."""

    drifted_columns: Share = 0.5
    """The share of the columns from which on the whole has drifted."""
    volume: Positive | None = None
    """The greatest change of the number of rows that is none: 0.5 lets it be half as many more, or
    1.5 times fewer. Periods are compared by their rows a day, whole snapshots by their rows. Not
    judged where left out."""
    severity: Literal["error", "warning"] | None = None
    """As that of the whole test where left out."""


class DriftConfig(Model):
    """A drift test of a table or feature view: current rows against others ([drift](drift.md))."""

    columns: Columns
    """The columns that are compared; `all` for those of a comparable type, without key columns and
    the event timestamp."""
    reference: Reference
    """The rows that count as normal: a period; `{tag: NAME}` or `{snapshot: ID}`; `previous_month`
    or `previous_week`, those before the current rows; `{days: 28}` before the current rows;
    `{same_weekday: 4}`, the same day of the week in so many weeks before the current day; or
    `{profile: NAME}`, which `quality-platform drift freeze` has kept."""
    current: Current = "latest_month"
    """The rows that are judged: a period; the calendar month, the week (from Monday) or the day of
    the latest event; `new_rows`, what the last load added; or `snapshot`, all rows."""
    event_timestamp: Name | None = None
    """The column, a date or timestamp, that periods are of; a feature view's own where left out,
    and for a table the column with the contract's custom property `eventTimestamp: true`."""
    psi: Positive = 0.2
    """Population stability index above which a column has drifted. Raised to the noise floor of
    the sample sizes where that is higher."""
    ks: Share = 0.15
    """Kolmogorov-Smirnov distance above which a numeric column has drifted. Raised to the noise
    floor where that is higher."""
    jensen_shannon: Share | None = None
    """Jensen-Shannon distance above which a column has drifted; not judged where left out, as all
    that follow."""
    wasserstein: Positive | None = None
    """Wasserstein distance, in standard deviations of the reference, above which a numeric column
    has drifted."""
    cramers_v: Share | None = None
    """Cramer's V above which a column of categories has drifted."""
    missing_share: Share | None = None
    """By how much the share of missing values may differ from the reference's, up or down."""
    new_share: Share | None = None
    """Share of the current rows whose category the reference does not have, above which a column
    has drifted."""
    vanished_share: Share | None = None
    """Share of the reference rows whose category the current rows do not have, above which a column
    has drifted."""
    out_of_range_share: Share | None = None
    """Share of the current rows outside the reference's smallest and largest value, above which a
    numeric column has drifted."""
    minimum_rows: Annotated[int, Field(ge=1)] = 1
    """Fewer rows on either side are too few to judge by."""
    too_few: Literal["error", "warning"] = "error"
    """What too few rows are: `error`, a test that could not run, or `warning`, which shows and lets
    pass. They never pass as undrifted."""
    severity: Literal["error", "warning"] = "warning"
    """`error` fails the run once the rows are published, and stops what comes after: a view's
    materialization, the views that read a table. `warning` shows and lets pass."""
    per_column: dict[Name, ColumnDriftConfig] = Field(default_factory=dict)
    """What holds for single columns instead, by their names."""
    overall: OverallDriftConfig = OverallDriftConfig()
    """The check of all columns together, and of the number of rows."""

    @model_validator(mode="after")
    def _can_be_compared(self) -> DriftConfig:
        match self.reference, self.current:
            case WeekdayReference(), current if not is_one_day(current):
                raise ValueError(
                    "a reference by `same_weekday` needs `current: latest_day`, or a period of "
                    "one day"
                )
            case ((str() | TrailingReference()), "snapshot"):
                raise ValueError(
                    "a reference before the current rows needs rows of a time: "
                    "`current: snapshot` is all rows"
                )
        if self.columns != "all" and (others := set(self.per_column) - set(self.columns)):
            raise ValueError(
                f"`per_column` names columns that are not compared: {', '.join(sorted(others))}"
            )
        return self


def is_one_day(current: ReferencePeriod | CurrentName) -> bool:
    """Whether the rows that are judged are those of one day."""
    if isinstance(current, ReferencePeriod):
        return current.end - current.start == timedelta(days=1)
    return current == "latest_day"
