"""Secrets in Google Cloud's Secret Manager."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quality_platform.config.base_models import seconds
from quality_platform.config.secret_models import GcpSecretsConfig
from quality_platform.errors import (
    SecretAccessError,
    SecretError,
    SecretNotFoundError,
    SecretUnreachableError,
    SecretValueError,
)
from quality_platform.secrets.protocol import client_library

EXTRA = "gcp"

_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
"""Source: https://cloud.google.com/secret-manager/docs/creating-and-accessing-secrets"""


class GcpSecrets:
    """A project's secrets, by their ids.

    `resolve` makes paths of runner.yaml absolute.
    """

    def __init__(self, config: GcpSecretsConfig, resolve: Callable[[Path], Path]) -> None:
        self._config = config
        self._resolve = resolve
        self._client: Any = None

    def read(self, name: str) -> str:
        """The text of the newest version.

        Raises:
            SecretError: as the protocol says.
        """
        if not _NAME.fullmatch(name):
            raise SecretNotFoundError(
                "the name is none of Google's", allowed="letters, digits, - and _"
            )
        path = f"projects/{self._config.project}/secrets/{name}/versions/latest"
        library = client_library("google.cloud.secretmanager", EXTRA)
        with _translated():
            if self._client is None:
                self._client = self._made(library)
            # Attempts are the store's to count.
            answer = self._client.access_secret_version(
                name=path, retry=None, timeout=seconds(self._config.timeout)
            )
        return _text(bytes(answer.payload.data))

    def _made(self, library: Any) -> Any:
        settings: dict[str, Any] = {}
        if self._config.endpoint:
            settings["client_options"] = {"api_endpoint": self._config.endpoint}
        if self._config.credentials_file is not None:
            account = client_library("google.oauth2.service_account", EXTRA)
            settings["credentials"] = account.Credentials.from_service_account_file(
                str(self._resolve(self._config.credentials_file)), scopes=_SCOPES
            )
        # gRPC would bring threads that do not survive a fork of the process.
        return library.SecretManagerServiceClient(transport="rest", **settings)


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is None:
        # Not raised within: the error that it would come from holds the bytes.
        raise SecretValueError("the secret is binary", allowed="a secret that is text")
    return text


@contextmanager
def _translated() -> Iterator[None]:
    requests = client_library("requests", EXTRA)
    api = client_library("google.api_core.exceptions", EXTRA)
    login = client_library("google.auth.exceptions", EXTRA)
    try:
        yield
    except api.NotFound:
        raise SecretNotFoundError(
            "Google has no such secret, or no version of it that is enabled",
            action="look at its name and secrets.project",
        ) from None
    except (api.Forbidden, api.Unauthorized):
        raise SecretAccessError(
            "Google refuses the platform",
            action="give it the role roles/secretmanager.secretAccessor",
        ) from None
    except (
        login.TransportError,
        login.TimeoutError,
        requests.exceptions.RequestException,
    ) as error:
        raise _unreachable(error) from None
    except (login.GoogleAuthError, OSError, ValueError) as error:
        raise SecretAccessError(
            f"there are no credentials for Google that work ({type(error).__name__})",
            action="correct secrets.credentials_file, or Google's default credentials",
        ) from None
    except (api.ServerError, api.TooManyRequests, api.RetryError) as error:
        raise _unreachable(error) from None
    except api.GoogleAPIError as error:
        raise SecretError(
            f"Google refuses the request ({type(error).__name__})",
            action="look at secrets.project and secrets.endpoint",
        ) from None


def _unreachable(error: Exception) -> SecretUnreachableError:
    return SecretUnreachableError(
        f"Google's Secret Manager does not answer ({type(error).__name__})",
        action="look at the network, or try again later",
    )
