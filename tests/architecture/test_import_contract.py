"""Imports flow one way, and every library has one home."""

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports


def test_the_rooms_import_only_what_lies_below_them() -> None:
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS
