"""What an external check engine says about one check, in the terms of this platform."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Number

import pyarrow as pa

_LONGEST_LINE = 400


@dataclass(frozen=True)
class EngineOutcome:
    """The outcome of one check in an external engine.

    `name` is the name of the check spec. `rows` is the number of rows judged; `count` those that
    break the check, None where the engine gives none; `value` the metric a gate compared, where it
    is a number. `positions` are the failing rows' places (0-based, ascending) in the table given,
    None where the engine cannot tell. A check that could not run has an `error` and has not passed.
    `message` says in one line what was observed and expected; it holds no values of single rows.
    """

    name: str
    passed: bool
    rows: int
    count: int | None = None
    value: Decimal | None = None
    positions: pa.UInt64Array | None = field(default=None, hash=False)
    error: str = ""
    message: str = ""


def could_not_run(name: str, rows: int, error: str) -> EngineOutcome:
    """The outcome of a check that the engine could not run: never a pass."""
    return EngineOutcome(name=name, passed=False, rows=rows, error=one_line(error) or "no reason")


def without_values(text: str, known: str) -> str:
    """An engine's message without values of the data: what it quotes or could not parse, numbers.

    What `known` has (the check's own definition, the columns' names) is kept, and so are the names
    of types and operators.
    """
    text = re.sub(r"(\b(?:parse|format|literal)\b[^:'\"]{0,40}: )[^'\"]+$", r"\1…", text)
    # A value may hold the very quotes that the engine puts around it.
    text = re.sub(r"(?s)\b(string|format|value|input)(:? )(['\"]).*['\"].*\3", r"\1\2…", text)
    quoted = re.sub(r"'[^']*'|\"[^\"]*\"", lambda m: _shown(m[0], m[0][1:-1], known), text)
    return re.sub(r"(?<![\w.])[-+]?\d[\d.,:eE+-]*", lambda m: _shown(m[0], m[0], known), quoted)


def _shown(fragment: str, value: str, known: str) -> str:
    """The fragment where nothing is hidden by hiding it; an ellipsis for what may be a value."""
    return fragment if not value or value in known or _TECHNICAL.fullmatch(value) else "…"


_TECHNICAL = re.compile(
    r"[<>=!+*/%-]+|str|u?int\d*|float\d*|bool|bytes|date|datetime|datetime\.date|NoneType|NAType|"
    r"decimal\.Decimal|Decimal|Timestamp|large_string|string|double|object|"
    # A value may be in capitals too, so that only the words of SQL are let through.
    r"BOOLEAN|(TINY|SMALL|BIG|HUGE)INT|INTEGER|FLOAT|DOUBLE|DECIMAL|NUMERIC|VARCHAR|BLOB|DATE|TIME|"
    r"TIMESTAMP|INTERVAL|UUID|JSON|STRUCT|LIST|MAP|NULL|AND|OR|NOT|IN|LIKE|BETWEEN|SELECT|FROM|WHERE"
)


def one_line(text: str) -> str:
    """The text on one line, cut where it is too long for a list of results."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 3]}..."


def as_decimal(value: object) -> Decimal | None:
    """The number as a decimal with the digits that it prints; None for anything but a number."""
    if isinstance(value, bool) or not isinstance(value, Number | Decimal):
        return None
    number = Decimal(str(value))
    return number if math.isfinite(number) else None
