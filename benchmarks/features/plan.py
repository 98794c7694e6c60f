"""What a case is: a probe, one of its variants, and how many rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One variant of a probe, which is a module of `benchmarks.features.probes`.

    `times` is a multiple of the rows of the run; the median of `repeats` runs counts. `environment`
    is that of a peer in benchmarks/peers, "" for the environment that this runs in.
    """

    probe: str
    variant: str
    repeats: int = 1
    times: float = 1
    environment: str = ""
