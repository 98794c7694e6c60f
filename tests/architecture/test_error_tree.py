"""The error tree is what its module draws, and every code is told once."""

import inspect
import re

from quality_platform import errors

CLASSES = {
    name: cls
    for name, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.QualityPlatformError)
}


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [cls.code for cls in CLASSES.values()]

    assert len(set(codes)) == len(codes)
    assert all("code" in vars(cls) for cls in CLASSES.values())


def test_the_tree_at_the_top_of_the_module_shows_every_error_with_its_code() -> None:
    drawn = dict(re.findall(r"(\w+Error) +(QP\d{3})", errors.__doc__ or ""))

    defined = {name: cls.code for name, cls in CLASSES.items() if cls.code != "QP000"}
    assert drawn == defined


def test_the_tree_marks_exactly_the_transient_errors() -> None:
    drawn = set(re.findall(r"(\w+Error) .*\(transient\)", errors.__doc__ or ""))

    assert drawn == {name for name, cls in CLASSES.items() if cls.transient}


def test_a_message_says_what_where_received_allowed_and_what_to_do() -> None:
    error = errors.RunnerFileError(
        "unknown key 'contrct'",
        location=errors.Location("runner.yaml", 14, 5),
        field="tables.flights",
        received="contrct",
        allowed=["contract", "source"],
        action="did you mean 'contract'?",
    )

    assert str(error).splitlines() == [
        "QP101 runner.yaml:14:5: tables.flights: unknown key 'contrct'",
        "    received: contrct",
        "    allowed: contract, source",
        "    to do: did you mean 'contract'?",
    ]
