"""What a table or query of PostgreSQL has: its columns and their types, from the catalog."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from quality_platform.config.source_models import PostgresSourceConfig
from quality_platform.errors import RunnerFileError, SourceNotFoundError
from quality_platform.sources.postgres_session import PostgresSession
from quality_platform.sources.postgres_types import CatalogColumn
from quality_platform.sources.sql_errors import Failure
from quality_platform.sources.sql_text import quote_identifier, split_name, text_literal


@dataclass(frozen=True)
class Relation:
    """What is read.

    `sql` stands after FROM; `oid` is the table's, None for a query; `pages` is the size of a table
    with rows of its own, None where there are none (a view, a partitioned table, a query).
    """

    sql: str
    columns: tuple[CatalogColumn, ...]
    oid: int | None = None
    pages: int | None = None

    def column(self, name: str) -> CatalogColumn | None:
        """The column of a name."""
        return next((column for column in self.columns if column.name == name), None)


def found_relation(session: PostgresSession, config: PostgresSourceConfig) -> Relation:
    """The table or query that the configuration names.

    Raises:
        RunnerFileError: the table's name is none.
        SourceNotFoundError: there is no such table; the message has the nearest one.
        SourceError: the query cannot be run.
    """
    if config.query is not None:
        return _query(session, config.query)
    return _table(session, str(config.table))


def _table(session: PostgresSession, name: str) -> Relation:
    try:
        parts = split_name(name)
        quoted = quote_identifier("postgres", *parts)
    except ValueError as error:
        raise RunnerFileError(
            str(error),
            location=session.place.location,
            field=f"{session.place.field}.table",
            received=name,
            allowed='table, schema.table, "a name with dots".table',
        ) from None
    rows = session.rows(
        "SELECT c.oid::int8 AS oid, c.relkind::text AS kind, "
        "pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::int8 AS pages "
        "FROM pg_catalog.pg_class c "
        f"WHERE c.oid = pg_catalog.to_regclass({text_literal('postgres', quoted)})"
    )
    if not rows:
        raise _no_table(session, name, parts)
    oid = rows[0]["oid"]
    columns = _columns(
        session,
        "SELECT a.attnum::int4 AS n, a.attname::text AS name, a.atttypid AS type, "
        "a.atttypmod AS mod, a.attnotnull AS required FROM pg_catalog.pg_attribute a "
        f"WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped",
    )
    has_pages = rows[0]["kind"] in ("r", "m")
    return Relation(quoted, columns, oid, rows[0]["pages"] if has_pages else None)


def _no_table(session: PostgresSession, name: str, parts: tuple[str, ...]) -> SourceNotFoundError:
    known = session.rows(
        "SELECT n.nspname::text AS schema, c.relname::text AS name, "
        "pg_catalog.pg_table_is_visible(c.oid) AS visible "
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') "
        "AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    )
    names = {f"{row['schema']}.{row['name']}" for row in known}
    names |= {row["name"] for row in known if row["visible"]}
    nearest = difflib.get_close_matches(".".join(parts), sorted(names), n=1)
    action = f"did you mean {nearest[0]!r}?" if nearest else "create it, or correct `table`"
    failure = Failure(SourceNotFoundError, f"there is no table {name!r}", action)
    found = session.place.error(failure)
    assert isinstance(found, SourceNotFoundError)
    return found


def _query(session: PostgresSession, query: str) -> Relation:
    # The line end closes a comment at the query's end.
    inner = f"({query.rstrip().rstrip(';')}\n)"
    names = session.columns(f"SELECT * FROM {inner} AS q LIMIT 0")
    aliases = [f"c{n}" for n, _ in enumerate(names)]
    if not names:
        return Relation(f"{inner} AS q", ())
    types = session.rows(
        f"SELECT {', '.join(f'pg_catalog.pg_typeof(q.{a})::oid::int8 AS {a}' for a in aliases)} "
        f"FROM (SELECT 1) AS one LEFT JOIN (SELECT * FROM {inner} AS s LIMIT 0) "
        f"AS q({', '.join(aliases)}) ON true"
    )[0]
    values = ", ".join(
        f"({n}, {text_literal('postgres', name)}, {types[alias]}::oid, -1, false)"
        for n, (name, alias) in enumerate(zip(names, aliases, strict=True))
    )
    columns = f"SELECT * FROM (VALUES {values}) AS v(n, name, type, mod, required)"
    return Relation(f"{inner} AS q", _columns(session, columns))


def _columns(session: PostgresSession, columns: str) -> tuple[CatalogColumn, ...]:
    """The columns that a statement lists by number, name, type, modifier and NOT NULL."""
    rows = session.rows(
        f"WITH RECURSIVE c AS ({columns}), base(n, type) AS (SELECT n, type FROM c UNION ALL "
        "SELECT b.n, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type "
        "WHERE t.typtype = 'd') "
        "SELECT c.name, pg_catalog.format_type(c.type, c.mod) AS written, "
        "t.typname::text AS base, s.nspname = 'pg_catalog' AS built_in, t.typtype::text AS kind, "
        "t.typcategory::text AS category, c.required "
        "FROM c JOIN base b USING (n) JOIN pg_catalog.pg_type t ON t.oid = b.type "
        "JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace "
        "WHERE t.typtype <> 'd' ORDER BY c.n"
    )
    return tuple(
        CatalogColumn(
            name=row["name"],
            written=row["written"],
            base=row["base"] if row["built_in"] else "",
            extension_type="" if row["built_in"] else row["base"],
            kind=row["kind"],
            category=row["category"],
            required=row["required"],
        )
        for row in rows
    )
