"""Online reads: what is measured and told of them. Nothing is promised: the reader is Feast's."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bars import Bar
from benchmarks.features.plan import Case
from benchmarks.features.results import Result, Run
from benchmarks.report import table

_SHARE = 0.1
_FIGURES = ("p50_1", "p99_1", "p50_100", "p99_100")

CASES = tuple(
    Case("online_read", variant, times=_SHARE)
    for variant in ("redis feast", "redis raw", "sqlite feast", "sqlite stock")
)


def bars(_: Run) -> Iterator[Bar]:
    """No bars."""
    yield from ()


def section(run: Run) -> Iterator[str]:
    """The section of the page."""
    if not run.of("online_read"):
        return
    yield "## Online reads"
    yield ""
    heads = ("way", "1 entity: p50 ms", "p99", "100 entities: p50 ms", "p99")
    yield from table(heads, [_line(result) for result in run.of("online_read")])
    yield ""
    yield _TEXT.strip()


def _line(result: Result) -> tuple[str, ...]:
    if result.failure:
        return (result.variant, result.failure, "", "", "")
    return (result.variant, *(f"{result.figures[name]:.2f}" for name in _FIGURES))


_TEXT = """
Ten features of one entity, and of a hundred at random. *feast* is `get_online_features` of Feast's
own store over what this platform has materialized; *stock* is the same over a table that Feast has
made and filled; *raw* asks Redis for the same fields with HMGET, in one pipeline, and decodes
nothing.
"""
