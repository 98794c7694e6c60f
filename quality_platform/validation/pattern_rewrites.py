r"""Patterns that a cheaper condition replaces: the same answer for every text, at a fraction.

A call of the regular expression engine costs more than reading the text. Two forms need none:

- one of some literal texts, `^(new|paid)$`: a comparison;
- a fixed sequence of ASCII characters and simple classes, `^[A-Z]{3}-\d{4}$`: DuckDB's GLOB, which
  it also runs once for each entry of a dictionary instead of once for each row.

Only patterns that this module reads to the last character are replaced. In RE2, without flags, `^`
and `$` are the ends of the text and not of a line, and `\d` and classes of ASCII characters match
these alone (https://github.com/google/re2/wiki/Syntax).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

_PLAIN = r"[A-Za-z0-9_ @#%&,:;/<>=!~'\"-]"
"""Characters that mean themselves in a pattern, and in GLOB outside a class."""
_ESCAPED = r"\\[.@#%&,:;/_-]"
"""Characters that mean themselves behind a backslash, and in GLOB without one."""

_LITERAL = re.compile(rf"(?:{_PLAIN}|{_ESCAPED})*")
_ALTERNATIVES = re.compile(rf"\((?:\?:)?({_LITERAL.pattern}(?:\|{_LITERAL.pattern})*)\)")
_STEP = re.compile(
    rf"(?P<literal>{_PLAIN}|{_ESCAPED})|(?P<digit>\\d)"
    r"|\[(?P<members>(?:[A-Z]-[A-Z]|[a-z]-[a-z]|[0-9]-[0-9]|[A-Za-z0-9_])+)\]"
)
_TIMES = re.compile(r"\{(\d{1,2})\}")
_MOST_STEPS = 64


def matched(text: exp.Expr, pattern: str) -> exp.Expr:
    """True where the pattern (RE2) is found in the text; NULL for NULL."""
    return _rewritten(text, pattern) or exp.RegexpLike(
        this=text, expression=exp.Literal.string(pattern)
    )


def _rewritten(text: exp.Expr, pattern: str) -> exp.Expr | None:
    if not (pattern.startswith("^") and pattern.endswith("$")) or len(pattern) < 2:
        return None
    inner = pattern[1:-1]
    if _LITERAL.fullmatch(inner):
        return exp.EQ(this=text, expression=exp.Literal.string(_plain(inner)))
    if alternatives := _ALTERNATIVES.fullmatch(inner):
        texts = [exp.Literal.string(_plain(one)) for one in alternatives[1].split("|")]
        return exp.In(this=text, expressions=texts)
    steps = _steps(inner)
    if steps is None:
        return None
    return exp.Glob(this=text, expression=exp.Literal.string("".join(steps)))


def _plain(literal: str) -> str:
    return re.sub(r"\\(.)", r"\1", literal)


def _steps(inner: str) -> list[str] | None:
    """The pattern in GLOB, character by character; None where it is more than such a sequence."""
    found: list[str] = []
    for step in _read(inner):
        if step is None:
            return None
        found += step
        if len(found) > _MOST_STEPS:
            return None
    return found


def _read(inner: str) -> Iterator[list[str] | None]:
    place = 0
    while place < len(inner):
        step = _STEP.match(inner, place)
        if step is None or _is_reversed(step["members"] or ""):
            yield None
            return
        times = _TIMES.match(inner, step.end())
        place = times.end() if times else step.end()
        yield [_in_glob(step)] * (int(times[1]) if times else 1)


def _is_reversed(members: str) -> bool:
    """Whether a class has a range like z-a, which RE2 refuses and GLOB does not."""
    return any(first > last for first, last in re.findall(r"(.)-(.)", members))


def _in_glob(step: re.Match[str]) -> str:
    if step["members"]:
        return f"[{step['members']}]"
    return "[0-9]" if step["digit"] else _plain(step["literal"])
