"""Secrets in Azure Key Vault."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quality_platform.config.base_models import seconds
from quality_platform.config.secret_models import AzureSecretsConfig
from quality_platform.errors import (
    SecretAccessError,
    SecretError,
    SecretNotFoundError,
    SecretUnreachableError,
)
from quality_platform.secrets.protocol import client_library

EXTRA = "azure"

_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")
"""Source: https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates"""


class AzureSecrets:
    """A vault's secrets.

    `resolve` makes paths of runner.yaml absolute.
    """

    def __init__(self, config: AzureSecretsConfig, resolve: Callable[[Path], Path]) -> None:
        self._config = config
        self._resolve = resolve
        self._client: Any = None

    def read(self, name: str) -> str:
        """The text of the current version.

        Raises:
            SecretError: as the protocol says.
        """
        if not _NAME.fullmatch(name):
            raise SecretNotFoundError(
                "the name is none of Azure's", allowed="letters, digits and -"
            )
        library = client_library("azure.keyvault.secrets", EXTRA)
        with _translated():
            if self._client is None:
                self._client = self._made(library)
            return str(self._client.get_secret(name).value or "")

    def _made(self, library: Any) -> Any:
        identity = client_library("azure.identity", EXTRA)
        authority = self._config.ca_certificate
        wait = seconds(self._config.timeout)
        # Attempts are the store's to count.
        return library.SecretClient(
            self._config.vault_url,
            identity.DefaultAzureCredential(),
            retry_total=0,
            connection_timeout=wait,
            read_timeout=wait,
            connection_verify=str(self._resolve(authority)) if authority else True,
        )


@contextmanager
def _translated() -> Iterator[None]:
    known = client_library("azure.core.exceptions", EXTRA)
    try:
        yield
    except known.ResourceNotFoundError:
        raise SecretNotFoundError(
            "the vault has no such secret", action="look at its name and secrets.vault_url"
        ) from None
    except known.ClientAuthenticationError:
        raise SecretAccessError(
            "there are no credentials for Azure that work",
            action="give the platform a managed identity, or set AZURE_CLIENT_ID and the like",
        ) from None
    except (known.ServiceRequestError, known.ServiceResponseError) as error:
        raise SecretUnreachableError(
            f"the vault does not answer ({type(error).__name__})",
            action="look at secrets.vault_url and at the network",
        ) from None
    except known.HttpResponseError as error:
        raise _refusal(error.status_code or 0) from None
    except known.AzureError as error:
        raise SecretError(f"the vault cannot be asked ({type(error).__name__})") from None


def _refusal(status: int) -> SecretError:
    if status == 403:
        return SecretAccessError(
            "the vault refuses the platform", action="give it the role Key Vault Secrets User"
        )
    if status == 429 or status >= 500:
        return SecretUnreachableError(f"the vault cannot answer now (HTTP status {status})")
    return SecretError(
        f"the vault refuses the request (HTTP status {status})", action="look at the secret's name"
    )
