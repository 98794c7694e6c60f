"""What a row predicate may be made of, and what it means in DuckDB.

Allowed is what gives one value for one row, reads nothing but the row, and is the same each time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlglot import exp

from quality_platform.contracts.models import Property

INSTANT = "quality_platform_now"
"""The variable of a session that holds the instant at which it began to judge."""

Columns = Collection[str] | Mapping[str, Property]
"""Names of columns; as a mapping to their properties it tells their types and parts as well."""

ALLOWED: tuple[type[exp.Expression], ...] = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Tuple, exp.Var,
    exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Abs, exp.Sign, exp.Round,
    exp.Floor, exp.Ceil, exp.Trunc, exp.Pow, exp.Sqrt, exp.Exp, exp.Ln, exp.Log, exp.IsNan,
    exp.IsInf, exp.BitwiseAnd,
    exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least, exp.Try,
    exp.Like, exp.ILike, exp.Escape, exp.SimilarTo, exp.Glob, exp.RegexpLike, exp.RegexpFullMatch,
    exp.RegexpExtract, exp.RegexpReplace, exp.Contains, exp.StartsWith, exp.EndsWith,
    exp.StrPosition, exp.Levenshtein,
    exp.Length, exp.Lower, exp.Upper, exp.Trim, exp.Concat, exp.DPipe, exp.Substring, exp.Left,
    exp.Right, exp.Pad, exp.SplitPart, exp.Replace, exp.Reverse,
    exp.Cast, exp.DataType, exp.DataTypeParam, exp.Interval,
    exp.Date, exp.CurrentDate, exp.CurrentTimestamp, exp.DateDiff, exp.DateAdd, exp.DateTrunc,
    exp.TimestampTrunc, exp.LastDay, exp.TimeToStr, exp.TimeToUnix, exp.Extract, exp.Year,
    exp.Quarter, exp.Month, exp.Week, exp.Day, exp.DayOfYear, exp.DayOfWeek, exp.DayOfWeekIso,
    exp.Hour, exp.Minute, exp.Second,
    exp.ArrayContains, exp.ArrayOverlaps, exp.ArraySize, exp.ArrayMin, exp.ArrayMax,
)  # fmt: skip

FUNCTIONS = frozenset(
    {
        "cardinality",
        "date_part",
        "date_sub",
        "isfinite",
        "list_count",
        "list_sum",
        "list_unique",
        "now",
        "prefix",
        "strlen",
        "suffix",
        "try_strptime",
        "weekday",
    }
)
"""Functions of DuckDB that sqlglot does not know by name."""

_TYPE = exp.DataType.Type
TYPES = frozenset(
    {
        _TYPE.BIGINT, _TYPE.BOOLEAN, _TYPE.CHAR, _TYPE.DATE, _TYPE.DECIMAL, _TYPE.DOUBLE,
        _TYPE.FLOAT, _TYPE.INT, _TYPE.INT128, _TYPE.INTERVAL, _TYPE.SMALLINT, _TYPE.TEXT,
        _TYPE.TIME, _TYPE.TIMESTAMP, _TYPE.TIMESTAMPNTZ, _TYPE.TIMESTAMPTZ, _TYPE.TINYINT,
        _TYPE.UBIGINT, _TYPE.UINT, _TYPE.USMALLINT, _TYPE.UTINYINT, _TYPE.UUID, _TYPE.VARCHAR,
    }
)  # fmt: skip
"""What a value may be cast to: no type that somebody has made."""

_CONDITIONS = (
    exp.Boolean, exp.Null, exp.Is, exp.In, exp.Between,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ,
    exp.Like, exp.ILike, exp.Escape, exp.SimilarTo, exp.Glob, exp.RegexpLike, exp.RegexpFullMatch,
    exp.Contains, exp.StartsWith, exp.EndsWith, exp.ArrayContains, exp.ArrayOverlaps,
    exp.IsNan, exp.IsInf,
)  # fmt: skip
_CONDITION_FUNCTIONS = frozenset({"isfinite", "prefix", "suffix"})


def is_allowed(node: exp.Expr) -> bool:
    """Whether a node of the tree may stand in a predicate."""
    match node:
        case exp.Anonymous():
            return node.name.casefold() in FUNCTIONS
        case exp.DataType():
            return node.this in TYPES
        case exp.Glob():
            return bool(node.args.get("expression"))
        case _:
            return isinstance(node, ALLOWED)


def advice(node: exp.Expr) -> str:
    """What to write instead of a node that is not allowed."""
    match node:
        case exp.StrToTime():
            return "use try_strptime, which gives NULL for a text that is no time"
        case exp.DataType():
            return "cast to a type of standard SQL"
        case exp.Bracket():
            return "write a rule on the property `NAME[]`, which judges every item"
        case _:
            return "write the rule as a `sql` metric, or compute the value upstream"


def is_condition(node: exp.Expr, columns: Columns) -> bool:
    """Whether an expression is true, false or NULL, and so are the parts that AND, OR, NOT join."""
    match node:
        case exp.Cast():
            return bool(node.is_type("boolean"))
        case exp.Anonymous():
            return node.name.casefold() in _CONDITION_FUNCTIONS
        case exp.Column():
            return _is_truth(node, columns)
        case _:
            parts = _deciding_parts(node)
            return isinstance(node, _CONDITIONS) or (
                bool(parts) and all(is_condition(part, columns) for part in parts)
            )


def _deciding_parts(node: exp.Expr) -> list[exp.Expr]:
    """The parts of which one is the value of the expression, or that it joins by logic."""
    match node:
        case exp.Paren() | exp.Not() | exp.Try() | exp.Nullif():
            parts = [node.this]
        case exp.And() | exp.Or():
            parts = [node.left, node.right]
        case exp.Coalesce():
            parts = [node.this, *node.expressions]
        case exp.Case():
            parts = [*(b.args.get("true") for b in node.args["ifs"]), node.args.get("default")]
        case exp.If():
            parts = [node.args.get("true"), node.args.get("false")]
        case _:
            parts = []
    return [part for part in parts if part is not None]


def path_of(column: exp.Column) -> list[str]:
    """The names of a reference, `address.city` being two."""
    return [part.name for part in column.parts]


def property_at(path: list[str], columns: Mapping[str, Property]) -> Property | None:
    """What a path of names leads to; None where it leads nowhere."""
    found = columns.get(path[0])
    for name in path[1:]:
        inner = found.properties if found else ()
        found = next((child for child in inner if child.name == name), None)
    return found


def as_written_for_duckdb(tree: exp.Expr) -> exp.Expr:
    """The tree with parts of objects and the present instant in DuckDB's terms.

    `b.city` could be taken for a column of a relation called `b`; and without the session's
    variable every statement of a load would have a present of its own.
    """
    return tree.transform(_for_duckdb)


def _for_duckdb(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Column) and node.table:
        first, *rest = path_of(node)
        value: exp.Expr = exp.column(first, quoted=True)
        for name in rest:
            field = exp.Literal.string(name)
            value = exp.Anonymous(this="struct_extract", expressions=[value, field])
        return value
    is_now = isinstance(node, exp.Anonymous) and node.name.casefold() == "now"
    if is_now or isinstance(node, exp.CurrentTimestamp):
        return _instant()
    if isinstance(node, exp.CurrentDate):
        return exp.cast(_instant(), "date")
    return node


def _instant() -> exp.Expr:
    variable = exp.Anonymous(this="getvariable", expressions=[exp.Literal.string(INSTANT)])
    present = exp.Anonymous(this="now", expressions=[])
    return exp.cast(exp.Coalesce(this=variable, expressions=[present]), "timestamptz")


def _is_truth(column: exp.Column, columns: Columns) -> bool:
    if not isinstance(columns, Mapping):
        return True
    found = property_at(path_of(column), columns)
    return found is not None and found.logical_type == "boolean"
