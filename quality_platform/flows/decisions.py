"""Decisions of people about quarantined rows: who, and why."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

from quality_platform.errors import ConfigurationError


@dataclass(frozen=True)
class Decision:
    """Who decided, and why; both are "" where nobody had to."""

    by: str = ""
    reason: str = ""

    @classmethod
    def of(cls, reason: str, by: str = "") -> Decision:
        """A decision of a person, who is the user of the operating system where not named."""
        return cls(by or _user(), reason)

    def require_reason(self) -> None:
        """Checks that somebody said why.

        Raises:
            ConfigurationError: nobody did.
        """
        if not self.reason.strip():
            raise ConfigurationError(
                "rows are released and discarded for a reason: it is kept in the history",
                field="reason",
                received=repr(self.reason),
                allowed="a sentence that says why",
            )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a user that nothing names.
        return "unknown"
