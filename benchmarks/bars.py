"""The bars that the platform sets itself, and how far a run meets them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.plan import MILLION
from benchmarks.results import Result, Run

CLEAN_FLOORS = 3.0
BAD_FLOORS = 4.5
PEAK_BYTES = 0.7e9
GROWTH = 1.15
"""Memory counts as flat while three times the rows take at most this much more."""

GREAT_EXPECTATIONS_TIMES = 10


@dataclass(frozen=True)
class Bar:
    """One bar: what is promised, what was measured, and "yes", "no" or "not measured"."""

    text: str
    measured: str
    met: str


def bars_of(run: Run) -> Iterator[Bar]:
    """All bars."""
    for kind, limit in (("clean", CLEAN_FLOORS), ("bad", BAD_FLOORS)):
        text = f"10M {kind} rows, 20 rules: at most {limit} x the floor in CPU time"
        yield _times(text, *_pair(run, "ours", "floor", kind), most=limit)
    yield from _memory(run)
    for engine, name in (
        ("great_expectations", "Great Expectations that only says pass or fail"),
        ("great_expectations-complete", "Great Expectations that lists rows"),
    ):
        text = f"10M bad rows: at least {GREAT_EXPECTATIONS_TIMES} x less CPU time than {name}"
        yield _times(text, *_pair(run, engine, "ours", "bad"), least=GREAT_EXPECTATIONS_TIMES)
    for kind in ("clean", "bad"):
        text = f"10M {kind} rows: no more CPU time than Soda, while labelling rows"
        yield _times(text, *_pair(run, "ours", "soda", kind), most=1.0)


def _pair(run: Run, one: str, other: str, kind: str) -> tuple[Result | None, Result | None]:
    return run.find(one, 10 * MILLION, kind, 20), run.find(other, 10 * MILLION, kind, 20)


def _times(
    text: str,
    one: Result | None,
    other: Result | None,
    most: float = float("inf"),
    least: float = 0,
) -> Bar:
    """Whether one takes between `least` and `most` times the CPU time of the other."""
    if one is None or other is None:
        return Bar(text, "", "not measured")
    times = one.cpu / other.cpu
    measured = f"{times:.2f} x ({one.cpu:.2f} against {other.cpu:.2f} CPU s)"
    return Bar(text, measured, "yes" if least <= times <= most else "no")


def _memory(run: Run) -> Iterator[Bar]:
    text = f"20 rules, 512 MB limit: peak memory under {PEAK_BYTES / 1e9} GB"
    sizes = [
        (rows, kind, found)
        for rows in (10 * MILLION, 30 * MILLION)
        for kind in ("clean", "bad")
        if (found := run.find("ours", rows, kind, 20))
    ]
    if not sizes:
        yield Bar(text, "", "not measured")
        return
    shown = ", ".join(f"{n // MILLION}M {kind} {r.rss / 1e9:.2f} GB" for n, kind, r in sizes)
    yield Bar(text, shown, _yes(all(r.rss < PEAK_BYTES for _, _, r in sizes)))
    for kind in ("clean", "bad"):
        small, large = (run.find("ours", n * MILLION, kind, 20) for n in (10, 30))
        text = f"memory on {kind} rows flat from 10M to 30M (within {GROWTH} x)"
        if small is None or large is None:
            yield Bar(text, "", "not measured")
        else:
            times = large.rss / small.rss
            yield Bar(text, f"{times:.2f} x", _yes(times <= GROWTH))


def _yes(is_met: bool) -> str:
    return "yes" if is_met else "no"
