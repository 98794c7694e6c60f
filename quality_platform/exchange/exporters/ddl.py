"""A table as SQL: CREATE TABLE with the constraints that the dialect has, and comments.

A constraint refuses a row, as a row rule of severity error holds one back; warnings and checks on
the batch are losses. So is what a dialect cannot say, or says otherwise than DuckDB, which runs the
platform's own checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from quality_platform.checks.specs import (
    CheckSpec,
    Conforms,
    ForeignKey,
    Matches,
    NotNull,
    Scope,
    Severity,
    Unique,
)
from quality_platform.contracts.models import Contract, Property, SchemaObject
from quality_platform.contracts.schemas import arrow_schema
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import ConfigurationError
from quality_platform.exchange.exporters.checks import checks_of, is_nested, lets_nan_pass, loss_of
from quality_platform.exchange.exporters.conditions import condition_of
from quality_platform.exchange.results import Exported, Loss


@dataclass(frozen=True)
class _Dialect:
    """What a warehouse's SQL has."""

    name: str
    checks: str = ""
    """Where CHECK stands: in the `table`, in an `alter` statement after it, or nowhere."""
    has_keys: bool = True
    has_unique: bool = True
    enforced: bool = True
    comments: str = "column"
    """Where comments stand: with the `column`, in a `statement`, or in `options`."""
    has_structs: bool = True
    has_maps: bool = True
    json_type: str = "json"
    has_time: bool = True


_DIALECTS = {
    "duckdb": _Dialect("duckdb", "table", comments="statement"),
    "postgres": _Dialect(
        "postgres",
        "table",
        comments="statement",
        has_structs=False,
        has_maps=False,
        json_type="jsonb",
    ),
    "snowflake": _Dialect("snowflake"),
    "databricks": _Dialect("databricks", "alter", has_unique=False, has_time=False),
    "spark": _Dialect("spark", has_keys=False, has_unique=False, has_time=False),
    "bigquery": _Dialect(
        "bigquery", has_unique=False, enforced=False, comments="options", has_maps=False
    ),
}
DIALECTS = tuple(_DIALECTS)
"""The dialects that a table can be written in."""

_TYPES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_int32, "int"),
    (pa.types.is_int64, "bigint"),
    (pa.types.is_float32, "float"),
    (pa.types.is_float64, "double"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_binary, "blob"),
    (pa.types.is_string, "text"),
)
# Means the same in every dialect; of others, division for one, that is not sure.
_PORTABLE = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Tuple,
    exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.EQ, exp.NEQ, exp.GT, exp.GTE,
    exp.LT, exp.LTE, exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Coalesce, exp.Length, exp.Cast,
    exp.DataType, exp.Case, exp.If,
)  # fmt: skip


@dataclass
class _Table:
    """The statement in the making."""

    table: SchemaObject
    dialect: _Dialect
    losses: list[Loss] = field(default_factory=list)
    constraints: list[exp.Expression] = field(default_factory=list)
    later: list[exp.Expression] = field(default_factory=list)

    def lose(self, spec: CheckSpec, why: str) -> None:
        self.losses.append(loss_of(spec, why))


def export_ddl(contract: Contract, table: SchemaObject, dialect: str) -> Exported:
    """The statements that make the table, in one of `DIALECTS`.

    Raises:
        ConfigurationError: there is no such dialect.
        ContractError: types or rules of the contract that cannot be understood.
    """
    if dialect not in _DIALECTS:
        raise ConfigurationError(
            "there is no such dialect",
            field="--dialect",
            received=dialect,
            allowed=DIALECTS,
            action=did_you_mean(dialect, DIALECTS),
        )
    made = _Table(table, _DIALECTS[dialect])
    kinds = arrow_schema(table)
    columns = [_column(p, kinds.field(p.name).type, made) for p in table.properties]
    for spec in checks_of(contract, table):
        _add_check(made, spec)
    schema = exp.Schema(this=_name(table), expressions=[*columns, *made.constraints])
    create = exp.Create(this=schema, kind="TABLE")
    statements = [create, *made.later, *_comments(made)]
    head = f"-- {contract.name} {contract.version}, contract {contract.id}".replace("\n", " ")
    written = [f"{s.sql(dialect=dialect, pretty=s is create)};" for s in statements]
    return Exported("\n".join([head, *written]) + "\n", tuple(made.losses))


def _name(table: SchemaObject) -> exp.Table:
    return exp.Table(this=exp.to_identifier(table.name, quoted=True))


def _identifier(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _column(column: Property, kind: pa.DataType, made: _Table) -> exp.ColumnDef:
    constraints = []
    if column.required:
        constraints.append(exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))
    text = exp.Literal.string(column.description)
    if column.description and made.dialect.comments == "column":
        constraints.append(exp.ColumnConstraint(kind=exp.CommentColumnConstraint(this=text)))
    if column.description and made.dialect.comments == "options":
        option = exp.Property(this=exp.var("description"), value=text)
        constraints.append(exp.ColumnConstraint(kind=exp.Properties(expressions=[option])))
    return exp.ColumnDef(
        this=_identifier(column.name),
        kind=_type(kind, column.name, made),
        constraints=constraints,
    )


def _type(kind: pa.DataType, where: str, made: _Table) -> exp.DataType:
    """The type in the lake as the dialect's; `where` names the column, or the part of one."""
    dialect = made.dialect
    if pa.types.is_list(kind):
        return _nested("ARRAY", [_type(kind.value_type, f"{where}[]", made)])
    if pa.types.is_struct(kind) and dialect.has_structs:
        parts = [
            exp.ColumnDef(this=_identifier(f.name), kind=_type(f.type, f"{where}.{f.name}", made))
            for f in kind
        ]
        return _nested("STRUCT", parts)
    if pa.types.is_map(kind) and dialect.has_maps:
        ends = [_type(kind.key_type, where, made), _type(kind.item_type, where, made)]
        return _nested("MAP", ends)
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        _lose_type(made, where, "a text of JSON")
        return exp.DataType.build(dialect.json_type, dialect=dialect.name)
    if pa.types.is_time(kind) and not dialect.has_time:
        _lose_type(made, where, "a text")
        return exp.DataType.build("text", dialect="duckdb")
    return exp.DataType.build(_plain_type(kind), dialect="duckdb")


def _plain_type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if pa.types.is_timestamp(kind):
        return "timestamptz" if kind.tz else "timestamp"
    return next(name for fits, name in _TYPES if fits(kind))


def _nested(name: str, parts: Sequence[exp.Expression]) -> exp.DataType:
    return exp.DataType(this=exp.DataType.Type[name], expressions=list(parts), nested=True)


def _lose_type(made: _Table, where: str, instead: str) -> None:
    why = f"{made.dialect.name} has no such type: taken as {instead}"
    made.losses.append(Loss(f"{made.table.name}: {where}", "its type", why))


def _add_check(made: _Table, spec: CheckSpec) -> None:
    match spec.claim:
        case Conforms():
            return
        case _ if spec.scope is not Scope.ROW:
            made.lose(spec, "a table's constraints judge rows, not batches")
        case _ if spec.severity is not Severity.ERROR:
            made.lose(spec, "a constraint would refuse what the contract only warns of")
        case _ if is_nested(spec, made.table):
            made.lose(spec, "it judges a part of a column")
        case NotNull(column) if column in made.table.column_names:
            _require_not_null(made, spec, column)
        case Unique(columns, ""):
            _add_key(made, spec, columns)
        case ForeignKey():
            _add_foreign_key(made, spec, spec.claim)
        case _:
            _add_condition(made, spec)


def _require_not_null(made: _Table, spec: CheckSpec, column: str) -> None:
    is_required = made.table.properties[made.table.column_names.index(column)].required
    if not is_required:
        _add_condition(made, spec)


def _add_key(made: _Table, spec: CheckSpec, columns: tuple[str, ...]) -> None:
    names = [_identifier(column) for column in columns]
    if columns == made.table.primary_key and made.dialect.has_keys:
        # Another rule that says the same of the key needs no constraint of its own.
        if not _is_primary(made):
            _add_constraint(made, f"{made.table.name}_key", exp.PrimaryKey(expressions=names))
        return
    if not made.dialect.has_unique:
        made.lose(spec, f"{made.dialect.name} has no such constraint")
        return
    kind = exp.UniqueColumnConstraint(this=exp.Schema(expressions=names))
    _add_constraint(made, spec.name, kind)


def _is_primary(made: _Table) -> bool:
    return any(found.find(exp.PrimaryKey) for found in made.constraints)


def _add_constraint(made: _Table, name: str, kind: exp.Expression) -> None:
    if not made.dialect.enforced and isinstance(kind, exp.PrimaryKey | exp.ForeignKey):
        kind.set("options", ["NOT ENFORCED"])
    made.constraints.append(exp.Constraint(this=_identifier(name), expressions=[kind]))


def _add_foreign_key(made: _Table, spec: CheckSpec, claim: ForeignKey) -> None:
    if not made.dialect.has_keys:
        made.lose(spec, f"{made.dialect.name} has no such constraint")
        return
    target = exp.Schema(
        this=exp.Table(this=_identifier(claim.to_table)),
        expressions=[_identifier(column) for column in claim.to_columns],
    )
    kind = exp.ForeignKey(
        expressions=[_identifier(column) for column in claim.columns],
        reference=exp.Reference(this=target),
    )
    _add_constraint(made, spec.name, kind)


def _add_condition(made: _Table, spec: CheckSpec) -> None:
    texts = [p.name for p in made.table.properties if p.logical_type == "string"]
    condition = condition_of(spec.claim, texts)
    if condition is None:
        made.lose(spec, "a table's constraints have nothing like it")
        return
    if not made.dialect.checks:
        made.lose(spec, f"{made.dialect.name} has no such constraint")
        return
    if made.dialect.name != "duckdb" and not _is_portable(spec, condition):
        made.lose(spec, "its functions may mean something else in another dialect than DuckDB's")
        return
    if lets_nan_pass(spec, made.table):
        made.lose(spec, "in part: the constraint lets NaN pass")
    kind = exp.CheckColumnConstraint(this=condition)
    if made.dialect.checks == "table":
        _add_constraint(made, spec.name, kind)
        return
    constraint = exp.Constraint(this=_identifier(spec.name), expressions=[kind])
    add = exp.AddConstraint(expressions=[constraint])
    made.later.append(exp.Alter(this=_name(made.table), kind="TABLE", actions=[add]))


def _is_portable(spec: CheckSpec, condition: exp.Expr) -> bool:
    allowed: tuple[type[exp.Expression], ...] = _PORTABLE
    if isinstance(spec.claim, Matches):
        allowed = (*_PORTABLE, exp.RegexpLike)
    return all(isinstance(node, allowed) for node in condition.walk())


def _comments(made: _Table) -> Iterator[exp.Expression]:
    table = made.table
    texts: list[tuple[str, exp.Expression, str]] = [("TABLE", _name(table), table.description)]
    if made.dialect.comments == "options" and table.description:
        made.losses.append(Loss(str(table.location), "its description", "set it as an option"))
        texts = []
    if made.dialect.comments == "statement":
        texts += [
            ("COLUMN", exp.column(_identifier(p.name), _identifier(table.name)), p.description)
            for p in table.properties
        ]
    for kind, name, text in texts:
        if text:
            yield exp.Comment(this=name, kind=kind, expression=exp.Literal.string(text))
