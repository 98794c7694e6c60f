"""The nearest match for a misspelling."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """A hint at the allowed word that is nearest; empty where none is near."""
    by_folded = {item.casefold(): item for item in allowed}
    matches = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"did you mean {by_folded[matches[0]]!r}?" if matches else ""
