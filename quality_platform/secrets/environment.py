"""Secrets in environment variables."""

from __future__ import annotations

from dataclasses import dataclass

from quality_platform.config.environment import environment_variable
from quality_platform.errors import SecretNotFoundError


@dataclass(frozen=True)
class EnvironmentSecrets:
    """The process environment; the name of a secret is that of its variable."""

    def read(self, name: str) -> str:
        """The variable's content.

        Raises:
            SecretNotFoundError: it is not set, or empty.
        """
        found = environment_variable(name)
        if found is None:
            raise SecretNotFoundError(
                f"the environment variable {name} is not set", action=f"set {name}"
            )
        return found
