"""Names and values as SQL text, for each dialect that the platform writes.

Every name and value that reaches a database goes through here, and nothing else writes quotes.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

Dialect = Literal["postgres", "mysql", "ansi"]
"""`ansi` is the SQL of the standard, for databases that the platform knows no more about."""

SqlValue = bool | int | Decimal | datetime | date | str

_MARKS: dict[Dialect, str] = {"postgres": '"', "mysql": "`", "ansi": '"'}
_PART = re.compile(r'"((?:[^"]|"")+)"|`((?:[^`]|``)+)`|([^."`]+)')


def split_name(name: str) -> tuple[str, ...]:
    """The parts of a dotted name: `sales.orders`; one that holds a dot is quoted (`"a.b".c`).

    Raises:
        ValueError: it is no such name.
    """
    parts, position = [], 0
    while found := _PART.match(name, position):
        double, back, plain = found.groups()
        whole = double.replace('""', '"') if double else back.replace("``", "`") if back else plain
        parts.append(whole)
        if found.end() == len(name):
            return tuple(parts)
        if name[found.end()] != ".":
            break
        position = found.end() + 1
    raise ValueError("not a name, or names with dots between them")


def quote_identifier(dialect: Dialect, *parts: str) -> str:
    """A name of one or more parts as a SQL identifier.

    Raises:
        ValueError: a part is empty, or has a NUL character, which no database can hold.
    """
    if not parts or not all(parts) or any("\0" in part for part in parts):
        raise ValueError("a name must have characters, and none of them may be NUL")
    mark = _MARKS[dialect]
    return ".".join(f"{mark}{part.replace(mark, mark * 2)}{mark}" for part in parts)


def literal(dialect: Dialect, value: SqlValue) -> str:
    """A value as a SQL literal of its own type.

    In MySQL, a time with a zone is written in UTC and needs a session in UTC.

    Raises:
        ValueError: NaN, an infinity, or a text with a NUL character.
    """
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("only finite numbers have a literal")
        return format(value, "f")
    if isinstance(value, datetime):
        return _timestamp(dialect, value)
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    return text_literal(dialect, value)


def text_literal(dialect: Dialect, value: str) -> str:
    """A text as a SQL literal, whatever the session's rules for backslashes are.

    Raises:
        ValueError: it has a NUL character.
    """
    if "\0" in value:
        raise ValueError("no SQL text can hold a NUL character")
    if dialect == "mysql":
        # Backslashes mean one thing or another by the session's sql_mode; digits do not.
        return f"_utf8mb4 X'{value.encode().hex()}'"
    quoted = value.replace("'", "''")
    if dialect == "postgres" and "\\" in value:
        return "E'" + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"


def _timestamp(dialect: Dialect, value: datetime) -> str:
    zoned = value.tzinfo is not None
    at = value.astimezone(UTC).replace(tzinfo=None) if zoned else value
    text = at.isoformat(" ", "microseconds")
    if not zoned or dialect == "mysql":
        return f"TIMESTAMP '{text}'"
    return f"TIMESTAMP WITH TIME ZONE '{text}+00:00'"
