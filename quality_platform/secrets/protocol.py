"""What a provider of secrets does."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from quality_platform.errors import SecretError

Found = str | Mapping[str, Any]
"""A secret's text, or its fields where the provider keeps them apart."""


class SecretProvider(Protocol):
    """Where secrets are kept. Nothing is asked of it before the first `read`."""

    def read(self, name: str) -> Found:
        """The secret of this name, as it is now. Asks once.

        Raises:
            SecretNotFoundError: there is none.
            SecretAccessError: the provider refuses.
            SecretUnreachableError: the provider does not answer in time.
            SecretError: it cannot be asked in this way.
        """


def client_library(module: str, extra: str) -> Any:
    """A provider's client library, which comes with an extra of this package.

    Raises:
        SecretError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise SecretError(
            f"the library for this provider of secrets is not installed: {error.name or module}",
            action=f"install quality-platform[{extra}]",
        ) from None
