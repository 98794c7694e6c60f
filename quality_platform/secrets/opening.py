"""The section `secrets` of runner.yaml -> what answers its references."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from quality_platform.config.base_models import seconds
from quality_platform.config.secret_models import (
    AwsSecretsConfig,
    AzureSecretsConfig,
    EnvironmentSecretsConfig,
    FileSecretsConfig,
    GcpSecretsConfig,
    RemoteSecretsConfig,
    SecretsConfig,
    VaultSecretsConfig,
)
from quality_platform.secrets.aws import AwsSecrets
from quality_platform.secrets.azure import AzureSecrets
from quality_platform.secrets.environment import EnvironmentSecrets
from quality_platform.secrets.files import FileSecrets
from quality_platform.secrets.gcp import GcpSecrets
from quality_platform.secrets.protocol import SecretProvider
from quality_platform.secrets.store import SecretStore
from quality_platform.secrets.vault import VaultSecrets


def secret_store(config: SecretsConfig, resolve: Callable[[Path], Path]) -> SecretStore:
    """What answers the references of a runner.yaml; asks nobody by itself.

    `resolve` makes paths of the file absolute.
    """
    provider = _provider(config, resolve)
    if isinstance(config, RemoteSecretsConfig):
        wait = seconds(config.ttl)
        return SecretStore(provider, config.prefix, wait, config.retries, scope=_scope(config))
    return SecretStore(provider, config.prefix, scope=_scope(config))


def _scope(config: SecretsConfig) -> Callable[[str], str]:
    """How the names of a tenant's secrets begin, in the letters that a provider allows.

    No tenant's name has the sign at the end, so that none begins as another's.
    """
    match config:
        case EnvironmentSecretsConfig():
            return lambda tenant: f"{tenant.upper()}__"
        case GcpSecretsConfig():
            return lambda tenant: f"{tenant}__"
        case AzureSecretsConfig():
            # Azure knows no `_`.
            return lambda tenant: f"{tenant.replace('_', '-')}--"
        case _:
            return lambda tenant: f"{tenant}/"


def _provider(config: SecretsConfig, resolve: Callable[[Path], Path]) -> SecretProvider:
    match config:
        case FileSecretsConfig():
            return FileSecrets(resolve(config.folder))
        case VaultSecretsConfig():
            return VaultSecrets(config, resolve)
        case AwsSecretsConfig():
            return AwsSecrets(config)
        case GcpSecretsConfig():
            return GcpSecrets(config, resolve)
        case AzureSecretsConfig():
            return AzureSecrets(config, resolve)
        case _:
            return EnvironmentSecrets()
