"""The forms of texts, as the engine matches them."""

from __future__ import annotations

import base64
import ipaddress
import uuid
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.contracts import load_text, orders

from quality_platform.checks.hints import format_hints
from quality_platform.checks.specs import HasFormat
from quality_platform.checks.string_formats import FORMATS, UNCHECKED, known_format
from quality_platform.validation.sql_predicates import broken

CONNECTION = duckdb.connect()


def has_format(text: str | None, name: str) -> bool | None:
    """Whether a text keeps the claim; None for a text that is not judged."""
    sql = broken(HasFormat("a", name)).sql(dialect="duckdb")
    ((breaks,),) = CONNECTION.execute(
        f"SELECT {sql} FROM (SELECT ?::VARCHAR AS a)", [text]
    ).fetchall()
    return None if breaks is None else not breaks


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "email",
            [
                "a@b",
                "first.last+tag@sub.example.org",
                "o'neil@example.org",
                "x" * 242 + "@example.org",
            ],
            [
                "",
                "a",
                "a@",
                "@b",
                "a b@c",
                "a@-b.c",
                "a@b..c",
                "a@b.c\n",
                "ä@b.c",
                "a" * 250 + "@b.cd",
            ],
        ),
        (
            "uuid",
            ["123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"],
            [
                "123e4567e89b12d3a456426614174000",
                "{123e4567-e89b-12d3-a456-426614174000}",
                "g" * 36,
            ],
        ),
        (
            "uri",
            [
                "https://example.org/a?b=c#d",
                "mailto:a@b.c",
                "urn:isbn:0451450523",
                "http://[::1]:80/",
            ],
            ["example.org", "//example.org", "http:", "http://a b", "http://a/%zz", "1http://a"],
        ),
        (
            "hostname",
            ["localhost", "example.org", "a-b.c", "1.example.org", "x" * 63 + ".org"],
            [
                "",
                "-a.org",
                "a-.org",
                "a..b",
                "a_b.org",
                "x" * 64 + ".org",
                "a.",
                ".".join(["x" * 50] * 6),
            ],
        ),
        (
            "ipv4",
            ["0.0.0.0", "255.255.255.255"],
            ["256.0.0.1", "1.2.3", "01.2.3.4", "1.2.3.4.5", ""],
        ),
        (
            "ipv6",
            ["::", "::1", "1::", "2001:db8::8a2e:370:7334"],
            ["", ":", ":::", "1::2::3", "::1%eth0"],
        ),
        (
            "byte",
            ["", "YQ==", "YWI=", "YWJj", "+/+/"],
            ["Y", "YQ=", "YQ", "YQ==\n", "Y Q=", "-_-_"],
        ),
        (
            "date",
            ["2020-02-29", "0001-01-01"],
            ["2021-02-29", "2020-2-1", "20200201", "2020-13-01"],
        ),
        ("time", ["12:00:00Z", "23:59:60.5+01:00"], ["12:00:00", "24:00:00Z", "12:00Z"]),
        (
            "date-time",
            ["2020-02-29T12:00:00Z", "2020-01-01t00:00:00.123-05:30"],
            ["2021-02-29T12:00:00Z", "2020-01-01 00:00:00Z", "2020-01-01T00:00:00"],
        ),
    ],
)
def test_a_text_has_its_format_or_not(name: str, good: list[str], bad: list[str]):
    assert [text for text in good if has_format(text, name) is not True] == []
    assert [text for text in bad if has_format(text, name) is not False] == []
    assert has_format(None, name) is not False


def test_every_format_is_tried():
    assert set(FORMATS) == {
        "email", "uuid", "uri", "hostname", "ipv4", "ipv6", "byte", "date", "time", "date-time"
    }  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(st.ip_addresses(v=6), st.sampled_from(["compressed", "exploded"]))
def test_every_ipv6_address_has_its_format(address: ipaddress.IPv6Address, form: str):
    assert has_format(getattr(address, form), "ipv6")


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.sampled_from(["", "1", "ab", "ffff", "12345", "g", "1.2.3.4"]), max_size=10).map(
        ":".join
    )
)
def test_ipv6_is_what_the_standard_library_takes_for_it(text: str):
    try:
        ipaddress.IPv6Address(text)
        expected = True
    except ValueError:
        expected = False
    assert has_format(text, "ipv6") is expected


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=30), st.uuids())
def test_what_other_libraries_write_has_its_format(data: bytes, identity: uuid.UUID):
    assert has_format(base64.b64encode(data).decode(), "byte")
    assert has_format(str(identity), "uuid")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("email", "email"),
        ("URL", "uri"),
        ("date_time", "date-time"),
        ("base64", "byte"),
        ("password", None),
        ("binary", None),
        ("iban", None),
        (None, None),
    ],
)
def test_formats_are_known_by_their_usual_names(written: object, name: str | None):
    assert known_format(written) == name
    assert not UNCHECKED & FORMATS.keys()


def test_a_format_that_nobody_knows_is_a_hint(tmp_path: Path):
    text = orders(
        "{name: a, logicalType: string, logicalTypeOptions: {format: emial}}",
        "{name: b, logicalType: array, items: "
        "{logicalType: string, logicalTypeOptions: {format: iban}}}",
        "{name: c, logicalType: string, logicalTypeOptions: {format: password}}",
        "{name: d, logicalType: string, logicalTypeOptions: {format: email}}",
        "{name: e, logicalType: date, logicalTypeOptions: {format: yyyy-MM-dd}}",
    )
    (table,) = load_text(tmp_path, text).objects
    first, second = format_hints(table)
    assert "'a'" in first.message
    assert (first.received, first.action) == ("emial", "did you mean 'email'?")
    assert "'b[]'" in second.message
    assert (second.received, second.action) == ("iban", "say it with a `pattern`")
