"""Version numbers of contracts, as Semantic Versioning (https://semver.org) reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBERS = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:[-+].*)?", re.ASCII)


@dataclass(frozen=True, order=True)
class Version:
    """The three numbers of a version; those that are not written are 0."""

    major: int
    minor: int = 0
    patch: int = 0

    @classmethod
    def of(cls, text: str) -> Version | None:
        """The version that a text such as `1.2.0` or `v2` means; None for any other text."""
        found = _NUMBERS.fullmatch(text.strip())
        return cls(*(int(number or 0) for number in found.groups())) if found else None

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"
