"""Queries in the SQL of the server where the data is: which SQL that is, and DuckDB's for it.

sqlglot translates. What depends on types it can only translate where it knows them (PostgreSQL's
7 / 2 is 3, DuckDB's 3.5): every column gets its type, and a division whose operands have none is
refused. What cannot be translated is an error, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.dialects.dialect import Dialects
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from quality_platform.checks.specs import SqlMetric
from quality_platform.checks.sql_guard import BATCH, DUCKDB, checked_query, guarded, query_tree
from quality_platform.contracts.duckdb_types import duckdb_type
from quality_platform.contracts.models import Property, QualityRule, SchemaObject
from quality_platform.contracts.physical_types import DIALECTS, physical_type
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import PredicateError

DIALECT = "dialect"
"""The custom property of a rule that names the SQL of its query."""

_NOT_SQL = {"", "dax", "prql", "solr", "tableau"}
_KNOWN = sorted({d.value for d in Dialects} - _NOT_SQL)


def metric_of(rule: QualityRule, table: SchemaObject) -> SqlMetric:
    """The metric of a `type: sql` rule, translated to DuckDB's SQL where it is in another.

    Raises:
        PredicateError: the query is not allowed, or cannot be translated.
    """
    dialect = query_dialect(rule, table)
    if dialect == DUCKDB:
        return SqlMetric(checked_query(rule.entry["query"], rule.location, rule.column))
    tree = query_tree(rule.entry["query"], rule.location, rule.column, dialect)
    written = tree.sql(dialect=dialect, comments=False)
    try:
        query = _translated(tree, dialect, table)
        # Fails closed: what a translation makes is guarded as what people write.
        guarded(query, rule.location, dialect=DUCKDB, knows_functions=True)
        sql = query.sql(dialect=DUCKDB, comments=False, unsupported_level=ErrorLevel.RAISE)
    except (SqlglotError, ValueError) as error:
        raise _untranslatable(rule, dialect, str(error).splitlines()[0]) from error
    return SqlMetric(sql, dialect, written)


def query_dialect(rule: QualityRule, table: SchemaObject) -> str:
    """The SQL in which a rule's query is written, by sqlglot's name.

    It is the rule's custom property `dialect`, else what the contract's servers speak, else
    DuckDB's. The words of the standard for servers (`postgresql`, `sqlserver`) are understood too.

    Raises:
        PredicateError: there is no such dialect.
    """
    stated = rule.custom.get(DIALECT)
    if stated is None:
        return table.dialect or DUCKDB
    name = str(stated).casefold()
    found = DIALECTS.get(name, name)
    if found not in _KNOWN:
        raise PredicateError(
            "there is no such dialect of SQL",
            location=rule.location,
            field="customProperties",
            received=stated,
            allowed=_KNOWN,
            action=did_you_mean(name, _KNOWN),
        )
    return found


def _translated(tree: exp.Select, dialect: str, table: SchemaObject) -> exp.Select:
    for node in tree.find_all(exp.SimilarTo, exp.Like, exp.ILike):
        _refuse_pattern(node)
    for cast in tree.find_all(exp.Cast):
        _tell_digits(cast, dialect)
    # DuckDB compares names without regard to case, and so no two columns differ in that alone.
    named = f"{dialect}, normalization_strategy=CASE_INSENSITIVE"
    schema: dict[str, object] = {BATCH: {column.name: _type(column) for column in table.properties}}
    typed = annotate_types(
        qualify(tree, schema=schema, dialect=named), schema=schema, dialect=named
    )
    for mean in typed.find_all(exp.Avg):
        if dialect in _MEANS_ARE_WHOLE and not mean.this.is_type(*exp.DataType.REAL_TYPES):
            raise ValueError("whether the mean is a whole number cannot be told; CAST its argument")
    for division in [*typed.find_all(exp.Div)]:
        _divide_whole_numbers(division, dialect)
    for rounded in [*typed.find_all(exp.Round)] if dialect == "postgres" else ():
        _round_to_even(rounded)
    if not isinstance(typed, exp.Select):
        raise ValueError("it is no longer one SELECT")
    return typed


def _tell_digits(cast: exp.Cast, dialect: str) -> None:
    """Gives a decimal without digits those of its dialect, which are not DuckDB's."""
    kind = cast.to
    if not kind.is_type(exp.DataType.Type.DECIMAL) or kind.expressions:
        return
    if dialect in _ANY_DIGITS:
        cast.set("to", exp.DataType.build("DOUBLE"))
        return
    found = physical_type("decimal", dialect)
    if found is None or found.precision is None:
        raise ValueError("how many digits a DECIMAL has is not known: write them")
    cast.set("to", exp.DataType.build(f"DECIMAL({found.precision}, {found.scale})"))


_ANY_DIGITS = ("oracle", "postgres")
"""Where a decimal without digits keeps those of its value."""
_MEANS_ARE_WHOLE = ("fabric", "redshift", "tsql")
"""Where the mean of whole numbers is one."""


def _refuse_pattern(node: exp.Expr) -> None:
    """Refuses patterns that sqlglot takes over as they are, and that DuckDB reads otherwise."""
    if isinstance(node, exp.SimilarTo):
        raise ValueError("SIMILAR TO takes a regular expression in DuckDB")
    if isinstance(node.parent, exp.Escape) or not isinstance(node.expression, exp.Literal):
        return
    if "\\" in node.expression.name:
        raise ValueError("whether \\ is an escape differs: tell it by ESCAPE")


def _divide_whole_numbers(division: exp.Div, dialect: str) -> None:
    """Makes a division one of whole numbers where that is what the dialect means by it."""
    if not division.args.get("typed"):
        return
    operands = (division.left, division.right)
    if any(_is_fraction(operand) for operand in operands):
        return
    if not all(operand.is_type(*exp.DataType.INTEGER_TYPES) for operand in operands) or any(
        _is_doubtful(node, dialect) for node in _origins(division)
    ):
        raise ValueError(
            f"whether {' / '.join(operand.sql(dialect=DUCKDB) for operand in operands)} divides "
            "whole numbers cannot be told; CAST its operands"
        )
    division.replace(exp.IntDiv(this=division.left, expression=division.right))


def _is_fraction(operand: exp.Expr) -> bool:
    """Whether it is surely a fraction: its own type is one, and that of a part of it."""
    parts = operand.find_all(exp.Column, exp.Cast, exp.Literal, exp.Avg)
    real = exp.DataType.REAL_TYPES
    return operand.is_type(*real) and any(part.is_type(*real) for part in parts)


def _origins(division: exp.Div) -> Iterator[exp.Expr]:
    """What the operands' types come from: with columns of subqueries, all of these as well."""
    yield from division.walk()
    query = division.root()
    inner = [*query.find_all(exp.CTE, exp.Subquery)]
    if {c.table for c in division.find_all(exp.Column)} & {part.alias for part in inner}:
        for part in inner:
            yield from part.walk()


def _is_doubtful(node: exp.Expr, dialect: str) -> bool:
    """Whether sqlglot calls something a whole number that the dialect may not take for one."""
    if not node.is_type(*exp.DataType.INTEGER_TYPES) or isinstance(node, _WHOLE):
        return False
    if isinstance(node, exp.Sum):
        # PostgreSQL and Redshift make a decimal of it.
        return dialect not in _SUMS_STAY_WHOLE and node.this.is_type(exp.DataType.Type.BIGINT)
    return True


_SUMS_STAY_WHOLE = ("athena", "fabric", "presto", "trino", "tsql")
"""Where a sum of whole numbers of eight bytes is one."""
_WHOLE = (
    exp.Abs, exp.Add, exp.Alias, exp.Case, exp.Cast, exp.Coalesce, exp.Column, exp.Count,
    exp.DataType, exp.DenseRank, exp.Div, exp.Filter, exp.Greatest, exp.If, exp.IntDiv, exp.Least,
    exp.Length, exp.Literal, exp.Max, exp.Min, exp.Mod, exp.Mul, exp.Neg, exp.Nullif, exp.Paren,
    exp.Rank, exp.RowNumber, exp.Select, exp.StrPosition, exp.Sub, exp.Subquery, exp.Window,
)  # fmt: skip
"""What is a whole number in every dialect where its operands are."""


def _round_to_even(rounded: exp.Round) -> None:
    """PostgreSQL rounds a double that ends in .5 to the even number, and a decimal away from 0.

    Its result is a double where any operand is; sqlglot takes a mean of decimals for one as well.
    """
    leaves = rounded.this.find_all(exp.Column, exp.Cast)
    is_double = any(leaf.is_type(*exp.DataType.FLOAT_TYPES) for leaf in leaves)
    if is_double and rounded.args.get("decimals") is None:
        rounded.replace(exp.func("ROUND_EVEN", rounded.this, exp.Literal.number(0)))


def _type(column: Property) -> exp.DataType:
    physical = physical_type(column.physical_type, column.dialect) if column.physical_type else None
    if physical is not None and physical.kind == "decimal":
        # The lake may keep it as an integer, which the server divides otherwise.
        return exp.DataType.build("DECIMAL", dialect=DUCKDB)
    return exp.DataType.build(duckdb_type(column), dialect=DUCKDB)


def _untranslatable(rule: QualityRule, dialect: str, reason: str) -> PredicateError:
    return PredicateError(
        f"the query cannot be translated from the SQL of {dialect} to DuckDB's: {reason}",
        location=rule.location,
        received=rule.entry["query"],
        action=f"write it in DuckDB's SQL, with the custom property `{DIALECT}: {DUCKDB}`",
    )
