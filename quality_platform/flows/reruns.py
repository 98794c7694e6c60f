"""When a table runs again because checks of it failed: with a limit, and later each time.

Nothing here knows Dagster. A chain begins with a run whose checks failed and ends when they have
passed: until then there are no more than `max_reruns` reruns, however many other runs fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class RerunPolicy:
    """How often, and how long after the end of a run, in seconds."""

    max_reruns: int
    delay_seconds: float
    multiplier: float = 1
    max_delay_seconds: float = 86_400

    def delay(self, reruns: int) -> float:
        """The delay after so many reruns."""
        delay: float = self.delay_seconds * self.multiplier**reruns
        return min(delay, self.max_delay_seconds)


@dataclass(frozen=True)
class TableEnd:
    """How a run ended for one table.

    Attributes:
        table: The table.
        run_id: The run.
        ended_at: Seconds since the epoch.
        failed: Those of the checks that count which failed.
        passed: Those that passed.
        root: The run that began the chain, where this is a rerun; "" else.
        attempt: The number of the rerun, from 1; 0 where this is none.
        crashed: Whether the run failed without a result of any check.
    """

    table: str
    run_id: str
    ended_at: float
    failed: frozenset[str] = frozenset()
    passed: frozenset[str] = frozenset()
    root: str = ""
    attempt: int = 0
    crashed: bool = False


@dataclass(frozen=True)
class Chain:
    """The reruns of a table since its checks failed.

    `root` is the run that began it, `reruns` how many were asked for, `due` when the next one is,
    in seconds since the epoch: None while one is under way, and when there will be no more.
    """

    root: str
    reruns: int
    due: float | None
    failed: tuple[str, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Chain:
        """The chain that `to_json` wrote."""
        return cls(data["root"], data["reruns"], data["due"], tuple(data["failed"]))

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Rerun:
    """A rerun to ask for: the same chain and attempt are always the same rerun."""

    table: str
    root: str
    attempt: int

    @property
    def name(self) -> str:
        """What tells it from all other reruns."""
        return f"{self.table}-{self.root}-{self.attempt}"


def after(chains: Mapping[str, Chain], end: TableEnd, policy: RerunPolicy) -> dict[str, Chain]:
    """The chains, by table, once a run has ended.

    A failure begins a chain or goes on with it; a chain ends when all checks that failed in it have
    passed. A rerun that crashed counts as failed. What is told twice changes nothing.
    """
    others = {table: chain for table, chain in chains.items() if table != end.table}
    chain = chains.get(end.table)
    crashed = end.crashed and end.attempt > 0
    if chain is None:
        if not end.failed:
            return others
        chain = Chain(end.root or end.run_id, end.attempt, None, ())
    reruns = max(chain.reruns, end.attempt if end.root == chain.root else 0)
    failed = tuple(sorted((set(chain.failed) - end.passed) | end.failed))
    if not failed:
        return others
    # A rerun that nobody remembers asking for was asked for before the cursor was lost.
    due = chain.due if reruns == chain.reruns else None
    chain = Chain(chain.root, reruns, due, failed)
    if (end.failed or crashed) and due is None and not _is_old(end, chain):
        chain = replace(chain, due=_due(end, reruns, policy))
    return {**others, end.table: chain}


def _due(end: TableEnd, reruns: int, policy: RerunPolicy) -> float | None:
    return None if reruns >= policy.max_reruns else end.ended_at + policy.delay(reruns)


def _is_old(end: TableEnd, chain: Chain) -> bool:
    """Whether a later rerun of the chain has been asked for since this run was."""
    return end.root == chain.root and end.attempt < chain.reruns


def due_reruns(chains: Mapping[str, Chain], now: float) -> tuple[list[Rerun], dict[str, Chain]]:
    """The reruns that are due, and the chains once they are asked for."""
    asked, left = [], dict(chains)
    for table, chain in chains.items():
        if chain.due is not None and chain.due <= now:
            asked.append(Rerun(table, chain.root, chain.reruns + 1))
            left[table] = replace(chain, reruns=chain.reruns + 1, due=None)
    return asked, left
