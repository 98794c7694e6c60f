"""Secrets in HashiCorp Vault or OpenBao."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from quality_platform.config.base_models import seconds
from quality_platform.config.secret_models import VaultSecretsConfig
from quality_platform.errors import (
    SecretAccessError,
    SecretError,
    SecretNotFoundError,
    SecretUnreachableError,
)
from quality_platform.secrets.protocol import client_library

EXTRA = "vault"


class VaultSecrets:
    """A server's key-value engine; a secret is its fields at a path.

    `resolve` makes paths of runner.yaml absolute.
    """

    def __init__(self, config: VaultSecretsConfig, resolve: Callable[[Path], Path]) -> None:
        self._config = config
        self._resolve = resolve
        self._client: Any = None

    def read(self, name: str) -> Mapping[str, Any]:
        """The fields of the newest version at a path.

        Raises:
            SecretError: as the protocol says.
        """
        if any(part in ("", ".", "..") for part in name.split("/")):
            raise SecretNotFoundError("the name is no path", allowed="words between single slashes")
        hvac = client_library("hvac", EXTRA)
        with _translated(hvac):
            if self._client is None:
                self._client = self._logged_in(hvac)
            elif not self._is_static:
                return self._read_again(hvac, name)
            return self._fields(name)

    @property
    def _is_static(self) -> bool:
        return self._config.token is not None

    def _read_again(self, hvac: Any, name: str) -> Mapping[str, Any]:
        """Reads with the token of before, and with a new one where that has ended."""
        try:
            return self._fields(name)
        except (hvac.exceptions.Forbidden, hvac.exceptions.Unauthorized):
            self._client = self._logged_in(hvac)
            return self._fields(name)

    def _fields(self, name: str) -> Mapping[str, Any]:
        engine, mount = self._client.secrets.kv, self._config.mount
        if self._config.kv_version == 1:
            answer = engine.v1.read_secret(name, mount_point=mount)["data"]
        else:
            answer = engine.v2.read_secret_version(
                name, mount_point=mount, raise_on_deleted_version=True
            )["data"]["data"]
        return cast("Mapping[str, Any]", answer)

    def _logged_in(self, hvac: Any) -> Any:
        config = self._config
        authority = config.ca_certificate and str(self._resolve(config.ca_certificate))
        client = hvac.Client(
            url=config.address,
            # Without one, hvac looks for a token in the environment and in the home folder.
            token=config.token.get_secret_value() if config.token else "",
            namespace=config.namespace,
            verify=authority or True,
            timeout=seconds(config.timeout),
        )
        if config.token_file is not None:
            client.token = _content(self._resolve(config.token_file))
        elif config.role_id is not None and config.secret_id is not None:
            role, proof = config.role_id.get_secret_value(), config.secret_id.get_secret_value()
            client.auth.approle.login(role_id=role, secret_id=proof)
        elif config.kubernetes_role is not None:
            account = _content(self._resolve(config.kubernetes_token))
            client.auth.kubernetes.login(role=config.kubernetes_role, jwt=account)
        return client


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise SecretAccessError(
            "the file that opens Vault cannot be read", allowed=f"a file with a token at {path}"
        ) from None


@contextmanager
def _translated(hvac: Any) -> Iterator[None]:
    requests = client_library("requests", EXTRA)
    known = hvac.exceptions
    try:
        yield
    except known.InvalidPath:
        raise SecretNotFoundError(
            "Vault has no such secret", action="look at its path, secrets.mount and kv_version"
        ) from None
    except (known.Forbidden, known.Unauthorized, known.InvalidRequest):
        raise SecretAccessError(
            "Vault refuses the platform",
            action="look at the policy of its token or role, and at when the token ends",
        ) from None
    except requests.exceptions.SSLError:
        raise SecretError(
            "Vault's certificate is not trusted", action="name its authority: ca_certificate"
        ) from None
    except (
        known.VaultDown,
        known.InternalServerError,
        known.BadGateway,
        known.RateLimitExceeded,
        known.VaultNotInitialized,
        requests.exceptions.RequestException,
    ) as error:
        raise SecretUnreachableError(
            f"Vault does not answer ({type(error).__name__})",
            action="look at secrets.address and at the server, or try again later",
        ) from None
    except (known.VaultError, KeyError, TypeError) as error:
        raise SecretError(
            f"Vault's answer is none that the platform knows ({type(error).__name__})",
            action="look at secrets.address, mount and kv_version",
        ) from None
