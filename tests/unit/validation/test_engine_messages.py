"""Messages of engines hold no values of the data."""

from __future__ import annotations

import pytest

from quality_platform.validation.engine_outcomes import could_not_run, without_values


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "TypeError: '>=' not supported between instances of 'str' and 'int'",
            "TypeError: '>=' not supported between instances of 'str' and 'int'",
        ),
        (
            "Conversion Error: Could not convert string 'ann@x.org' to INT32",
            "Conversion Error: Could not convert string … to INT32",
        ),
        ("Could not convert string 'SECRET' to INT32", "Could not convert string … to INT32"),
        (
            "Could not convert string 'O'secret it's' to INT32 of x",
            "Could not convert string … to INT32 of x",
        ),
        (
            'invalid date field format: "a" secret", expected format is (Y)',
            "invalid date field format: …, expected format is (Y)",
        ),
        ("a value of 'VARCHAR' beside 'MEIER'", "a value of 'VARCHAR' beside …"),
        ("could not convert string to float: 'secret'", "could not convert string to float: …"),
        ('Failed to parse string: "secret" as int64', "Failed to parse string: … as int64"),
        ("Unknown datetime string format, unable to parse: secret thing", "…"),
        ("Integer value 12345678 not in range", "Integer value … not in range"),
        ("value -1.5e10 is out of range", "value … is out of range"),
        ("no column 'origin' beside 'fare'", "no column 'origin' beside 'fare'"),
        ("bound 150 is of another type", "bound 150 is of another type"),
    ],
)
def test_what_may_be_a_value_is_left_out_and_the_definition_is_kept(
    message: str, shown: str
) -> None:
    found = without_values(message, "origin fare {'min_value': 150}")

    assert found.endswith(shown)
    assert "secret" not in found.casefold()


def test_a_check_that_could_not_run_always_tells_a_reason() -> None:
    outcome = could_not_run("check", 3, "")

    assert (outcome.passed, outcome.rows, outcome.error) == (False, 3, "no reason")
