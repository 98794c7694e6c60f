"""Named moments in the middle of the platform's work, at which a test makes something happen."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


class Moments:
    """Tells of each moment: a step, and what happens between it and the next.

    A step is what a flow's progress says ("staged"); what happens between two of them are calls of
    watched functions ("staged > after close").
    """

    def __init__(self, happen: Callable[[str], None]) -> None:
        self._happen = happen
        self._step = "begin"

    def reach(self, step: str) -> None:
        """A step has been reached."""
        self._step = step
        self._happen(step)

    def watch(self, owner: Any, name: str) -> None:
        """Tells of each call of a function or method from now on, before and after it."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def watched(*arguments: Any, **more: Any) -> Any:
            step = self._step
            self._happen(f"{step} > before {name}")
            result = original(*arguments, **more)
            self._happen(f"{step} > after {name}")
            return result

        is_static = isinstance(inspect.getattr_static(owner, name), staticmethod)
        setattr(owner, name, staticmethod(watched) if is_static else watched)
