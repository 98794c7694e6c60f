"""Rules tried on an empty table: what does DuckDB refuse of them, before there is any data.

Knows nothing of Arrow: `lint` is over before that is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from quality_platform.checks.specs import CheckSpec
from quality_platform.contracts.duckdb_types import duckdb_type
from quality_platform.contracts.models import SchemaObject
from quality_platform.errors import EngineError
from quality_platform.lake.query import EngineSettings, duckdb_session, engine_errors
from quality_platform.lake.query import quote_identifier as q
from quality_platform.validation.sql_predicates import broken

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def empty_batch(obj: SchemaObject) -> Iterator[DuckDBPyConnection]:
    """A session in which `batch` is a table of the object's columns, with one row of only NULL.

    Raises:
        ContractError: a column has no type.
    """
    columns = ", ".join(f"{q(column.name)} {duckdb_type(column)}" for column in obj.properties)
    with duckdb_session(EngineSettings(threads=1)) as connection:
        connection.execute(f"CREATE TABLE batch ({columns})")
        connection.execute("INSERT INTO batch DEFAULT VALUES")
        yield connection


def refusal_of_rules(connection: DuckDBPyConnection, specs: Sequence[CheckSpec]) -> str:
    """Why DuckDB refuses these row rules, which are predicates; "" where it does not."""
    conditions = [broken(spec.claim).sql(dialect="duckdb") for spec in specs]  # type: ignore[arg-type]
    return _refusal(connection, f"SELECT {', '.join(conditions)} FROM batch b")


def refusal_of_query(connection: DuckDBPyConnection, query: str) -> str:
    """Why DuckDB refuses a query of the batch; "" where it does not."""
    # It is planned and not run: what it makes of a row of NULLs is no matter.
    return _refusal(connection, f"EXPLAIN {query}")


def _refusal(connection: DuckDBPyConnection, statement: str) -> str:
    try:
        with engine_errors():
            connection.execute(statement).fetchall()
    except EngineError as error:
        return error.problems[0].message
    return ""
