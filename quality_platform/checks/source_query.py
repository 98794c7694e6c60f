"""The border between SQL that people write for a source's database and that database.

Such a query is asked outside of a load, by a sensor. It must be one SELECT that only reads: no
statement that writes or locks, and no function that sqlglot does not know by name, which may do
anything (`pg_sleep`, `load_file`, ...). What is asked is written anew from what was parsed, without
comments: MySQL runs what stands in some of them. The guard fails closed.
"""

from __future__ import annotations

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from quality_platform.errors import Location, PredicateError

_REFUSED = (
    exp.Anonymous,
    exp.Command,
    exp.DDL,
    exp.DML,
    exp.Into,
    exp.Lock,
    exp.Parameter,
    exp.Placeholder,
    exp.ReadCSV,
    exp.ReadParquet,
)


def checked_source_query(text: str, dialect: str, location: Location | None) -> str:
    """The query in the SQL of `dialect`, by sqlglot's name ("" where it is not known), guarded.

    Raises:
        PredicateError: it is not one SELECT, has not one column, or does more than read.
    """
    try:
        trees = parse(text, read=dialect or None)
    except SqlglotError as error:
        raise PredicateError(
            f"not valid SQL: {str(error).splitlines()[0]}", location=location, received=text
        ) from error
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Select):
        raise PredicateError("must be one SELECT", location=location, received=text)
    for node in tree.find_all(*_REFUSED):
        raise PredicateError(
            "the query may do nothing but read",
            location=location,
            received=node.sql(dialect=dialect or None),
            allowed="one SELECT with the standard's SQL functions",
            action="make a view of it at the database, and select from that",
        )
    if len(tree.expressions) != 1 or tree.is_star:
        raise PredicateError("the query must have one column", location=location, received=text)
    return tree.sql(dialect=dialect or None, comments=False)
