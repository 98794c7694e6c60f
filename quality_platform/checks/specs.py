"""Check specs: what a contract claims about a table, as plain data, before any engine.

A `CheckSpec` pairs a claim (what must hold) with a threshold (how often it may fail) and a severity
(what follows). A claim about rows with the threshold "none" labels rows: it is a row rule. Any
other threshold, and any claim about the batch as a whole, is a gate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from quality_platform.checks.thresholds import NONE_ALLOWED, Threshold
from quality_platform.errors import Location


class Severity(StrEnum):
    """What a broken check does: an error quarantines or blocks, a warning counts and lets pass."""

    ERROR = "error"
    WARNING = "warning"


class Scope(StrEnum):
    """Whether a check labels single rows or judges the batch as a whole."""

    ROW = "row"
    GATE = "gate"
    NOTE = "note"


@dataclass(frozen=True)
class Conforms:
    """Every cell of the row converts to its column's type; decided while the source is read."""


@dataclass(frozen=True)
class NotNull:
    """The column has a value in every row."""

    column: str


@dataclass(frozen=True)
class NotMissing:
    """The column has none of the values that stand for "missing"; NULL counts only when listed."""

    column: str
    missing_values: tuple[object, ...]


@dataclass(frozen=True)
class InSet:
    """The column's value is one of `values`, or NULL."""

    column: str
    values: tuple[object, ...]


@dataclass(frozen=True)
class Matches:
    """The pattern (RE2) is found in the column's text, or the column is NULL."""

    column: str
    pattern: str


@dataclass(frozen=True)
class InRange:
    """The column's value is within the bounds, or NULL; a bound of None is open."""

    column: str
    minimum: object | None = None
    maximum: object | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False


@dataclass(frozen=True)
class LengthBetween:
    """The column's text has a length in characters within the bounds, or is NULL."""

    column: str
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True)
class MultipleOf:
    """The column's value is a multiple of a positive factor, or NULL.

    Exact for integers and decimals. A floating-point number is a multiple when it is the one
    nearest to a multiple; NaN and the infinities are not.
    """

    column: str
    factor: Decimal


@dataclass(frozen=True)
class HasFormat:
    """The column's text has a form of `string_formats.FORMATS`, or is NULL."""

    column: str
    format: str


@dataclass(frozen=True)
class ItemCount:
    """The column's array has a number of items within the bounds, or is NULL."""

    column: str
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True)
class UniqueItems:
    """No two items of the column's array are equal; items that are NULL are not judged."""

    column: str


@dataclass(frozen=True)
class PropertyCount:
    """The column's object has values for a number of `properties` within the bounds, or is NULL."""

    column: str
    properties: tuple[str, ...]
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True)
class Satisfies:
    """A SQL predicate over one row is not false; NULL (unknown) passes, as in a SQL CHECK.

    `written` is the text of the contract, which people are shown; so it is in `When` and `Unique`.
    """

    predicate: str
    columns: tuple[str, ...] = ()
    written: str = field(default="", compare=False)


ITEMS, KEYS, VALUES = "[]", "{key}", "{value}"
"""The steps of a path from an array to each of its items, and from a map to its keys and values."""


@dataclass(frozen=True)
class Nested:
    """A claim about a value within an object, or about every item of an array or map.

    `steps` lead from the column to the value: names of properties, `ITEMS`, `KEYS` and `VALUES`.
    What has no parent is not judged; a row breaks the claim when any one of its values does. The
    `column` of the inner claim is the path as people write it, `lines[].sku`.
    """

    column: str
    steps: tuple[str, ...]
    claim: ValueClaim


@dataclass(frozen=True)
class When:
    """A claim that judges only the rows for which a condition is true (not false, not NULL).

    `condition` is SQL that has passed the guard, `columns` what it reads. A percentage is of the
    rows judged: `sql_predicates.judged` gives them.
    """

    condition: str
    columns: tuple[str, ...]
    claim: ValueClaim | Satisfies | Nested
    written: str = field(default="", compare=False)


@dataclass(frozen=True)
class ForeignKey:
    """The columns' values stand in another table; a row with any NULL among them is not judged."""

    columns: tuple[str, ...]
    to_table: str
    to_columns: tuple[str, ...]


@dataclass(frozen=True)
class Unique:
    """No two rows share the columns' values; a row with any NULL among them is not judged.

    The metric counts extra rows (n - 1 for a group of n); a row rule labels all rows of the group.
    `where` is SQL that has passed the guard: only rows for which it is true are compared; "" for
    all. A percentage is of those rows.
    """

    columns: tuple[str, ...]
    where: str = ""
    written: str = field(default="", compare=False)


@dataclass(frozen=True)
class RowCount:
    """The number of rows in the batch, of those alone for which `where` is true; "" for all."""

    where: str = ""


@dataclass(frozen=True)
class Fresh:
    """The newest value of a column is at most this old; a gate.

    The metric is the age in seconds: the instant of the evaluation minus the greatest value. A date
    counts from its start, a time without a zone is UTC. A batch without a value breaks the claim
    (there is nothing to tell the age by) and has no metric; as a warning, that stops nothing.
    """

    column: str
    max_age_seconds: int


@dataclass(frozen=True)
class Retained:
    """No row is older than the period for which the data is kept; a gate.

    The metric is the number of rows whose value is more than this many seconds before the instant
    of the evaluation. NULL is not judged; dates and times are read as by `Fresh`.
    """

    column: str
    max_age_seconds: int


@dataclass(frozen=True)
class SqlMetric:
    """A query of `batch` that returns one number; `written` in another SQL, that of `dialect`."""

    query: str
    dialect: str = "duckdb"
    written: str = ""


@dataclass(frozen=True)
class Expectation:
    """A Great Expectations expectation: its type and its keyword arguments."""

    type: str
    kwargs: dict[str, object] = field(hash=False)


@dataclass(frozen=True)
class SodaCheck:
    """One check in Soda contract language; `column` is None for a check on the data set."""

    definition: dict[str, object] = field(hash=False)
    column: str | None = None


@dataclass(frozen=True)
class NoDrift:
    """The column is distributed as in the reference (a text for people)."""

    column: str
    reference: str


@dataclass(frozen=True)
class NoDriftOverall:
    """The columns taken together, and the number of rows, are as in the reference."""

    reference: str


@dataclass(frozen=True)
class Note:
    """A rule in prose: shown, never run."""

    text: str


ValueClaim = (
    NotNull | NotMissing | InSet | Matches | InRange | LengthBetween | MultipleOf | HasFormat
    | ItemCount | UniqueItems | PropertyCount
)  # fmt: skip
"""A claim about the value of one column."""

Predicate = ValueClaim | Satisfies | Nested | When
"""A claim that a row keeps or breaks by itself."""

Claim = (
    Conforms
    | Predicate
    | ForeignKey
    | Unique
    | RowCount
    | Fresh
    | Retained
    | SqlMetric
    | Expectation
    | SodaCheck
    | NoDrift
    | NoDriftOverall
    | Note
)


@dataclass(frozen=True)
class CheckSpec:
    """One check of one table. `name` is unique within the table and a valid Dagster check name.

    `impact`, `tags`, `id` and `schedule` are as the contract has them: for reports, not acted on.
    """

    name: str
    claim: Claim
    scope: Scope
    severity: Severity = Severity.ERROR
    threshold: Threshold = NONE_ALLOWED
    dimension: str = ""
    description: str = ""
    columns: tuple[str, ...] = ()
    location: Location | None = None
    impact: str = ""
    tags: tuple[str, ...] = ()
    id: str = ""
    schedule: str = ""

    @property
    def blocks(self) -> bool:
        """Whether a failure stops the publish."""
        return self.scope is Scope.GATE and self.severity is Severity.ERROR


def is_row_rule(spec: CheckSpec) -> bool:
    """Whether a row alone, with the keys of the tables that it refers to, decides the check."""
    needs_batch = Unique | RowCount | SqlMetric | Expectation | SodaCheck | Conforms | Note
    return spec.scope is Scope.ROW and not isinstance(spec.claim, needs_batch)
