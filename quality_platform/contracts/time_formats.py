"""The `format` of dates and times: letters of the JDK's DateTimeFormatter, as a regular expression.

Source: https://docs.oracle.com/javase/8/docs/api/java/time/format/DateTimeFormatter.html

Letters are read strictly: `yyyy` is four digits, `MM` two, `M` one or two. What depends on a
locale, leaves a choice or needs a guess (`yy`, `EEE`, `MMMM`, `VV`, `[...]`) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from quality_platform.errors import ContractError

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""What `MMM` stands for: the English names, in this spelling."""

_TWO, _ONE_OR_TWO = r"\d{2}", r"\d{1,2}"
_LETTERS = {
    "yyyy": ("year", r"\d{4}"),
    "uuuu": ("year", r"\d{4}"),
    "MM": ("month", _TWO),
    "M": ("month", _ONE_OR_TWO),
    "MMM": ("month_name", "|".join(MONTHS)),
    "dd": ("day", _TWO),
    "d": ("day", _ONE_OR_TWO),
    "HH": ("hour", _TWO),
    "H": ("hour", _ONE_OR_TWO),
    "hh": ("hour_of_half", "0[1-9]|1[0-2]"),
    "h": ("hour_of_half", "[1-9]|1[0-2]"),
    "a": ("half", "AM|PM"),
    "mm": ("minute", _TWO),
    "m": ("minute", _ONE_OR_TWO),
    "ss": ("second", _TWO),
    "s": ("second", _ONE_OR_TWO),
    **{"S" * n: ("fraction", rf"\d{{{n}}}") for n in range(1, 7)},
    "XXX": ("zone", r"Z|[+-]\d{2}:\d{2}"),
    "XX": ("zone", r"Z|[+-]\d{4}"),
    "X": ("zone", r"Z|[+-]\d{2}(?:\d{2})?"),
    "xxx": ("zone", r"[+-]\d{2}:\d{2}"),
    "xx": ("zone", r"[+-]\d{4}"),
    "x": ("zone", r"[+-]\d{2}(?:\d{2})?"),
    "Z": ("zone", r"[+-]\d{4}"),
}
"""What each run of letters stands for, and the texts that it matches."""

_TOKEN = re.compile(r"''|'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']|'")
_TIME_OF_DAY = frozenset({"hour", "hour_of_half", "half", "minute", "second", "fraction", "zone"})
_NEEDED = {
    "date": ("year", "month", "day"),
    "timestamp": ("year", "month", "day"),
    "time": ("hour",),
}


@dataclass(frozen=True)
class TimeFormat:
    """A format as an anchored RE2 pattern, whose named groups are the `parts` that it has."""

    pattern: str
    parts: frozenset[str]


@lru_cache(maxsize=512)
def time_format(text: str, logical_type: str) -> TimeFormat:
    """The format of a date, a timestamp or a time.

    Raises:
        ContractError: a letter that is not read here, or not what the logical type needs.
    """
    groups: dict[str, None] = {}
    pattern = ""
    for token in _TOKEN.finditer(text):
        if not token[2]:
            pattern += re.escape(_literal(token, text))
            continue
        name, matched = _LETTERS.get(token[0]) or _unread(token[0], text)
        if name in groups:
            raise _error(f"{name.replace('_', ' ')} stands twice in the format", text)
        groups[name] = None
        pattern += f"(?P<{name}>{matched})"
    _require_parts(frozenset(groups), logical_type, text)
    return TimeFormat(f"^{pattern}$", frozenset(groups))


def _literal(token: re.Match[str], text: str) -> str:
    if token[0] == "''":
        return "'"
    if token[0] in "[]{}#'":
        raise _error(f"the format's {token[0]!r} is not read here", text)
    return token[0] if token[1] is None else token[1].replace("''", "'")


def _unread(letters: str, text: str) -> tuple[str, str]:
    action = f"write '{letters}' in single quotes if it stands for itself" if letters == "T" else ""
    raise _error(f"the format's {letters!r} is not read here", text, action)


def _require_parts(parts: frozenset[str], logical_type: str, text: str) -> None:
    calendar = {"month" if part == "month_name" else part for part in parts}
    if "month" in parts and "month_name" in parts:
        raise _error("the month stands twice in the format", text)
    clock = {"hour" if part == "hour_of_half" else part for part in parts}
    if ("hour_of_half" in parts) != ("half" in parts) or {"hour", "hour_of_half"} <= parts:
        raise _error("a format has either H, or h and a", text)
    missing = [p for p in _NEEDED[logical_type] if p not in calendar | clock]
    if missing:
        raise _error(f"the format of a {logical_type} needs the {', '.join(missing)}", text)
    odd = parts & _TIME_OF_DAY if logical_type == "date" else frozenset[str]()
    if logical_type == "time":
        odd = parts - (_TIME_OF_DAY - {"zone"})
    if odd:
        raise _error(f"a {logical_type} has no {', '.join(sorted(odd))}", text)
    _require_larger_units(clock, text)


def _require_larger_units(parts: set[str], text: str) -> None:
    for smaller, larger in (("minute", "hour"), ("second", "minute"), ("fraction", "second")):
        if smaller in parts and larger not in parts:
            raise _error(f"a format with the {smaller} needs the {larger}", text)


def _error(message: str, text: str, action: str = "") -> ContractError:
    return ContractError(
        message,
        field="logicalTypeOptions.format",
        received=text,
        allowed=_listed([*_LETTERS, "'text'"]),
        action=action,
    )


def _listed(words: Sequence[str]) -> str:
    return " ".join(words)
