"""What a driver says, without what nobody may see."""

from __future__ import annotations

import pytest

from quality_platform.sources.sql_errors import redacted

URL = "postgresql://ann:p%40ss-w0rd@db.example:5432/shop?sslpassword=k3y&options=x"


@pytest.mark.parametrize(
    "text",
    [
        f"cannot connect to {URL}",
        "password p@ss-w0rd is wrong",
        "password p%40ss-w0rd is wrong",
        "missing '=' after 'postgresql://ann:other@host/x' in connection string",
        "connection string: host=db password=p@ss-w0rd dbname=x",
        "connection string: host=db password='some thing' dbname=x",
        "key k3y is wrong",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    shown = redacted(text, URL)

    assert "***" in shown
    for secret in ("p@ss-w0rd", "p%40ss-w0rd", "k3y", "ann:other", "some thing"):
        assert secret not in shown


def test_only_the_first_line_is_told_and_not_too_much_of_it() -> None:
    assert redacted("first\nDETAIL: Key (email)=(ann@example.com)", URL) == "first"
    assert len(redacted("x" * 5000, URL)) < 400


def test_a_url_that_cannot_be_read_is_taken_out_as_a_whole() -> None:
    assert redacted("bad: //[secret", "//[secret") == "bad: ***"


def test_a_host_that_is_a_secret_is_not_shown():
    assert redacted("no such host: inner.db", "pg://h", ["inner.db"]) == "no such host: ***"
