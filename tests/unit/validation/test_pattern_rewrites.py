"""Patterns that are replaced give the answers of the regular expression engine for every text."""

from __future__ import annotations

import string

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from quality_platform.validation.pattern_rewrites import matched

REPLACED = [
    "^$",
    "^abc$",
    "^a b$",
    r"^a\.b$",
    "^(new|paid|sent)$",
    "^(?:new|paid)$",
    "^(|a)$",
    "^[A-Z]{2}$",
    r"^[A-Z]{3}-\d{4}-[A-Z0-9]{2}$",
    r"^\d\d:\d\d$",
    "^[A-Za-z_]x{3}$",
    "^[0-9]{0}a$",
    "^it's$",
    '^"q"$',
    "^a%_b$",
]
KEPT = [
    "abc",
    "^abc",
    "abc$",
    "^a+$",
    "^a*$",
    "^a?$",
    "^a{2,3}$",
    "^.$",
    "^[^a]$",
    r"^\w$",
    r"^[\d]$",
    "^é$",
    "^[a-é]$",
    "^(a|b$",
    "^a|b$",
    "^(a|b)c$",
    "(?i)^a$",
    "^(?i:a)$",
    r"^a\$",
    r"^\x41$",
    "^[a-]$",
    "^[z-a]$",
    "^[A-z]$",
    "^a{100}$",
    "^[a]{60}[b]{60}$",
    "^",
    "$",
    "^[[:alpha:]]$",
    "^{2}$",
    "^a{2}{2}$",
]


def sql(pattern: str) -> exp.Expression:
    return matched(exp.column("s"), pattern)


@pytest.mark.parametrize("pattern", REPLACED)
def test_a_fixed_form_needs_no_regular_expression(pattern):
    assert not isinstance(sql(pattern), exp.RegexpLike)


@pytest.mark.parametrize("pattern", KEPT)
def test_any_other_pattern_stays_one(pattern):
    assert isinstance(sql(pattern), exp.RegexpLike)


def answers(pattern: str, texts: list[str | None]) -> tuple[list[bool | None], list[bool | None]]:
    """What the replacement says of the texts, and what the regular expression engine says."""
    with duckdb.connect() as connection:
        condition = sql(pattern).sql(dialect="duckdb")
        found = connection.execute(
            f"SELECT {condition}, regexp_matches(s, ?) FROM (SELECT unnest(?::VARCHAR[]) AS s)",
            [pattern, texts],
        ).fetchall()
    return [row[0] for row in found], [row[1] for row in found]


def near(pattern: str) -> list[str]:
    """Texts that a careless replacement takes for others."""
    seeds = ["", "a", "abc", "new", "AB", "ABC-1234-X9", "12:34", "Axxx", "a b", "a.b", "it's", "é"]
    seeds += ['"q"', "a%_b", "_xxx", "a\\.b", "\uff21\uff22", "١٢:٣٤"]
    seeds += [pattern, pattern[1:-1]]
    changes = [str, lambda s: s + "\n", lambda s: "\n" + s, str.lower, str.upper]
    changes += [lambda s: s + "\x00", lambda s: s + "é", lambda s: s[:-1], lambda s: f"x\n{s}\ny"]
    return [change(seed) for seed in seeds for change in changes]


@pytest.mark.parametrize("pattern", REPLACED)
def test_a_replacement_agrees_on_texts_that_are_nearly_right(pattern):
    replaced, original = answers(pattern, [*near(pattern), None])
    assert replaced == original


CHARACTERS = st.sampled_from([*"abzABZ019_-. \n\\|[]{}*?^$'\"%", "é", "\x00", "日"])
TEXTS = st.lists(st.text(CHARACTERS, max_size=6), min_size=1, max_size=12)


@st.composite
def fixed_patterns(draw: st.DrawFn) -> tuple[str, str]:
    """A pattern of literals and classes, and a text that it matches."""
    pattern, text = "", ""
    members = {
        "[A-Z]": "AQZ",
        "[a-z0-9]": "az09",
        r"\d": "059",
        "[AB_]": "AB_",
        r"\.": ".",
        "-": "-",
    }
    for part in draw(st.lists(st.sampled_from([*members, "x", "7", "%"]), max_size=5)):
        times = draw(st.sampled_from([None, 0, 1, 3]))
        pattern += part if times is None else f"{part}{{{times}}}"
        for _ in range(1 if times is None else times):
            text += draw(st.sampled_from(members.get(part, part)))
    return f"^{pattern}$", text


@settings(deadline=None, max_examples=60)
@given(fixed_patterns(), TEXTS, st.sampled_from(string.printable))
@example(("^[A-Z]{2}$", "AB"), ["AB\n", "ab"], "\n")
def test_fixed_patterns_agree_with_the_engine_on_any_text(drawn, texts, noise):
    pattern, right = drawn
    variants = [right, right + noise, noise + right, right[1:], right.swapcase(), *texts]
    replaced, original = answers(pattern, variants)
    assert replaced == original
    assert replaced[0] is True


@settings(deadline=None, max_examples=60)
@given(st.text(st.sampled_from("^$()|[]{}?*+\\-.aA0d,é\n'"), max_size=10), TEXTS)
def test_whatever_is_replaced_agrees_with_the_engine(pattern, texts):
    if not isinstance(sql(pattern), exp.RegexpLike):
        replaced, original = answers(pattern, texts)
        assert replaced == original
