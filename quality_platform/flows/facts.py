"""Numbers that a flow tells on its way, beside its progress: for traces and logs, not for people.

Who wants them listens; nobody does where nothing is watched. They are numbers and identifiers, and
never a value of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Fact = str | int | float | bool
Listener = Callable[[Mapping[str, Fact]], None]

_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


def tell_facts(**facts: Fact) -> None:
    """Tells numbers of the step that is under way."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(facts)


@contextmanager
def told_to(listener: Listener) -> Iterator[None]:
    """While the block lasts, the facts of the flows in it go to the listener."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)
