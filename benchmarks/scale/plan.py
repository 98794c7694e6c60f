"""What is measured: which probe, on a location of how many tables."""

from __future__ import annotations

from dataclasses import dataclass

CHECKS = 20
"""Checks of every table."""

BAR_TABLES = 1000
"""The location that the bars are about."""

SIZES = (100, BAR_TABLES, 3000)
"""Tables of the locations that show how load time grows."""

DUE = 20
"""Schedules that are due in the same minute, of as many as there are tables."""

QUEUED, TENANTS, TENANT_LIMIT = 50, 5, 2
"""Runs in the queue, the tenants that they belong to, and how many of one may be under way."""


@dataclass(frozen=True)
class Case:
    """One probe: a module of `benchmarks.scale.probes`, with its arguments.

    `tables` is the size of the location; `variant` tells cases of one probe apart. `repeats` is
    how often it runs: the median counts.
    """

    probe: str
    tables: int
    variant: str = ""
    repeats: int = 1


def plan(sizes: tuple[int, ...] = SIZES) -> tuple[Case, ...]:
    """All cases; about eight minutes on two quiet cores.

    Locations above that of the bars are only loaded.
    """
    large = BAR_TABLES if BAR_TABLES in sizes else max(sizes)
    served = tuple(size for size in sizes if size <= large)
    return (
        *(Case("load", size, repeats=3 if size == large else 1) for size in sizes),
        *(Case("validate", size) for size in served),
        *(Case("ui", size) for size in served),
        *(Case("ticks", size) for size in served),
        *(Case("results", 0, storage) for storage in ("sqlite", "postgres")),
        Case("run", 0, "empty", repeats=3),
        Case("run", 1, "table", repeats=3),
        Case("run", large, "table"),
        Case("queue", QUEUED),
    )
