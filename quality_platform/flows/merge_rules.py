"""How rows of a table take the place of others: what `load` in runner.yaml says, made sure of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from quality_platform.checks.naming import identifier
from quality_platform.checks.specs import CheckSpec, NotNull, Scope, Severity
from quality_platform.config.load_models import DeletesConfig, LoadConfig
from quality_platform.contracts.models import SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import Location, Problem
from quality_platform.flows.contracted_tables import ContractedTable, SourceTable
from quality_platform.lake.query import quote_identifier
from quality_platform.lake.table_files import TableFiles
from quality_platform.lake.versions import VALID_TO, VERSION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    Locate = Callable[..., Location]


@dataclass(frozen=True)
class MergeRules:
    """What tells rows apart in `merge` and `snapshot`, and which of two stays.

    Attributes:
        key: The columns that tell rows apart; none is ever NULL in a row that is published.
        order_by: Of two rows with one key the one with the greater value stays, NULL being the
            least; "" where the last row read stays.
        deletes: How rows leave the table; None where they stay.
        keeps_versions: Whether a row that is no longer valid stays, with the time of its end.
        dated_by_order: Whether a version begins at its row's value of `order_by`; else it begins
            at the load.
    """

    key: tuple[str, ...]
    order_by: str = ""
    deletes: DeletesConfig | None = None
    keeps_versions: bool = False
    dated_by_order: bool = False

    @property
    def flag(self) -> DeletesConfig | None:
        """The deletes, where a column of the row itself says so."""
        return self.deletes if self.deletes and self.deletes.by == "flag" else None

    @property
    def compares(self) -> bool:
        """Whether a row that a whole read no longer finds is deleted."""
        return self.deletes is not None and self.deletes.by == "comparison"


def merge_rules(load: LoadConfig, obj: SchemaObject, schema: pa.Schema) -> MergeRules | None:
    """The rules of a table; None in the modes that compare no rows.

    The configuration has passed `load_problems`.
    """
    if load.mode not in ("merge", "snapshot"):
        return None
    order_by = load.order_by or cursor_column(load, obj)
    keeps_versions = load.mode == "snapshot"
    compares = load.deletes is not None and load.deletes.by == "comparison"
    return MergeRules(
        key=load.key or obj.primary_key,
        order_by=order_by,
        deletes=load.deletes,
        keeps_versions=keeps_versions,
        # What is gone ends when that is seen: a time of the source beside it could overlap.
        dated_by_order=keeps_versions and not compares and _is_timestamp(schema, order_by),
    )


def cursor_column(load: LoadConfig, obj: SchemaObject) -> str:
    """The contract's name of the incremental cursor's column; "" where there is none."""
    if load.incremental is None:
        return ""
    cursor = load.incremental.cursor
    by_source = {column.source_name: column.name for column in obj.properties}
    return cursor if cursor in obj.column_names else by_source.get(cursor, cursor)


def rules_of(table: ContractedTable) -> MergeRules | None:
    """The rules of a table; None for a feature view, and in the modes that compare no rows."""
    if not isinstance(table, SourceTable):
        return None
    return merge_rules(table.config.load, table.object, table.schema)


def present_rows(table: ContractedTable, files: TableFiles) -> TableFiles:
    """The files, of which only the present versions of rows count where the table keeps others."""
    rules = rules_of(table)
    if rules is None or not rules.keeps_versions:
        return files
    return replace(files, where=f"{quote_identifier(VALID_TO)} IS NULL")


def key_checks(
    load: LoadConfig, obj: SchemaObject, schema: pa.Schema, specs: Sequence[CheckSpec]
) -> tuple[CheckSpec, ...]:
    """The checks that `merge` and `snapshot` need beside the contract's own.

    Every key column has a value; and so has the column that dates the versions of a row.
    """
    rules = merge_rules(load, obj, schema)
    if rules is None:
        return ()
    there = {
        spec.claim.column
        for spec in specs
        if isinstance(spec.claim, NotNull)
        and spec.scope is Scope.ROW
        and spec.severity is Severity.ERROR
    }
    names = {spec.name for spec in specs}
    needed = (*rules.key, *((rules.order_by,) if rules.dated_by_order else ()))
    return tuple(
        CheckSpec(
            name=_free(f"{identifier(column) or 'column'}_in_key", names),
            claim=NotNull(column),
            scope=Scope.ROW,
            dimension="completeness",
            description=f"{column} has a value: it tells rows or their versions apart.",
            columns=(column,),
            location=obj.location,
        )
        for column in dict.fromkeys(needed)
        if column not in there and column in schema.names
    )


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)


def load_problems(
    name: str, load: LoadConfig, obj: SchemaObject, schema: pa.Schema, location: Locate
) -> Iterator[Problem]:
    """What is wrong with a table's `load`, beside what its model tells.

    Args:
        name: The table's name in runner.yaml.
        load: Its `load`.
        obj: Its object of the contract.
        schema: The contract's types.
        location: Where a setting below `tables.NAME` stands in runner.yaml.
    """
    if load.mode not in ("merge", "snapshot"):
        return
    field = f"tables.{name}.load"
    if not (load.key or obj.primary_key):
        yield Problem(
            f"mode: {load.mode} must know what tells rows apart, and the contract has no "
            "primary key",
            location("load"),
            f"{field}.key",
            action="write `primaryKey: true` in the contract, or `key` here",
        )
    yield from _column_problems(load, schema, field, location)
    if load.mode == "snapshot":
        yield from _reserved(obj)


def _column_problems(
    load: LoadConfig, schema: pa.Schema, field: str, location: Locate
) -> Iterator[Problem]:
    import pyarrow as pa

    kinds = [("key", column) for column in load.key]
    kinds += [("order_by", load.order_by)] if load.order_by else []
    for setting, column in kinds:
        if column not in schema.names:
            yield _unknown(column, schema, f"{field}.{setting}", location("load", setting))
        elif pa.types.is_nested(schema.field(column).type):
            yield Problem(
                "rows cannot be told apart or ordered by a column of this type",
                location("load", setting),
                f"{field}.{setting}",
                received=f"{column}: {schema.field(column).type}",
                allowed="a column with one value in each row",
            )
    if load.deletes is not None and load.deletes.column is not None:
        where = location("load", "deletes", "column")
        yield from _flag_problems(load.deletes, schema, f"{field}.deletes", where)


def _flag_problems(
    deletes: DeletesConfig, schema: pa.Schema, field: str, where: Location
) -> Iterator[Problem]:
    assert deletes.column is not None
    if deletes.column not in schema.names:
        yield _unknown(deletes.column, schema, f"{field}.column", where)
        return
    found = schema.field(deletes.column)
    if flag_value(deletes, found) is None:
        yield Problem(
            "the value that marks a deleted row is no value of its column",
            where,
            f"{field}.value",
            received=f"{deletes.value!r}",
            allowed=f"a value of type {found.type}: boolean, whole number or text",
        )


def flag_value(deletes: DeletesConfig, field: pa.Field[Any]) -> pa.Scalar[Any] | None:
    """The value that marks a deleted row, with its column's type; None where it is none of it."""
    import pyarrow as pa

    value, kind = deletes.value, field.type
    fits = (
        (pa.types.is_boolean(kind) and isinstance(value, bool))
        or (pa.types.is_integer(kind) and isinstance(value, int) and not isinstance(value, bool))
        or (pa.types.is_string(kind) and isinstance(value, str))
    )
    if not fits:
        return None
    try:
        found: pa.Scalar[Any] = pa.scalar(value, kind)
    except (pa.ArrowInvalid, OverflowError):
        return None
    return found


def _reserved(obj: SchemaObject) -> Iterator[Problem]:
    for column in obj.properties:
        if column.name.casefold() in VERSION_COLUMNS:
            yield Problem(
                f"the column {column.name!r} has the name of one that mode: snapshot adds",
                column.location,
                action="give it another `name`, and its present one as `physicalName`",
            )


def _unknown(column: str, schema: pa.Schema, field: str, location: Location) -> Problem:
    return Problem(
        f"the contract has no column {column!r}",
        location,
        field,
        allowed=", ".join(schema.names),
        action=did_you_mean(column, schema.names),
    )


def _is_timestamp(schema: pa.Schema, column: str) -> bool:
    import pyarrow as pa

    return column in schema.names and bool(pa.types.is_timestamp(schema.field(column).type))
