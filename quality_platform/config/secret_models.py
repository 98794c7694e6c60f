"""The models of `secrets` in runner.yaml: who is asked for `${secret:NAME}`, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from quality_platform.config.base_models import Duration, Model, seconds
from quality_platform.config.secret_text import ConfiguredSecret

_Url = Annotated[str, Field(pattern=r"^https?://[^\s/@]+(/[^\s@]*)?$")]


def _of_the_file(secret: SecretStr) -> SecretStr:
    if isinstance(secret, ConfiguredSecret):
        raise ValueError("what opens the provider cannot come from it; write it as ${VAR}")
    return secret


def _longer_than_nothing(text: str) -> str:
    if not seconds(text):
        raise ValueError("must be at least 1s")
    return text


_Credential = Annotated[SecretStr, AfterValidator(_of_the_file)]


class SecretsConfig(Model):
    """Base of all providers of secrets."""

    type: str
    """The kind of provider."""
    prefix: str = ""
    """What is put before each name, such as `prod/`: nothing outside of it can be asked for."""


class RemoteSecretsConfig(SecretsConfig):
    """Base of all providers that are asked over the network."""

    ttl: Duration = "5m"
    """How long an answer is used before the provider is asked again; `0s` asks each time."""
    timeout: Annotated[Duration, AfterValidator(_longer_than_nothing)] = "10s"
    """How long one answer may take."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    """How often a provider that does not answer is asked once more."""


class EnvironmentSecretsConfig(SecretsConfig):
    """Environment variables, read when a secret is needed."""

    type: Literal["environment"] = "environment"
    """`environment`."""


class FileSecretsConfig(SecretsConfig):
    """Files of a folder, one for each secret, as Docker and Kubernetes mount them."""

    type: Literal["files"]
    """`files`."""
    folder: Path = Path("/run/secrets")
    """The folder, relative to that of runner.yaml. What links lead out of it is not read."""


class VaultSecretsConfig(RemoteSecretsConfig):
    """HashiCorp Vault or OpenBao, the key-value engine; needs the extra `vault`."""

    type: Literal["vault"]
    """`vault`."""
    address: _Url
    """Where it is: `https://vault.example.com:8200`."""
    mount: str = "secret"
    """Where the key-value engine is mounted."""
    kv_version: Literal[1, 2] = 2
    """The engine's version."""
    namespace: str | None = None
    """The namespace, where the server has them."""
    ca_certificate: Path | None = None
    """The certificates that the server's is checked against; the system's where left out."""
    token: _Credential | None = None
    """A token: `${VAULT_TOKEN}`."""
    token_file: Path | None = None
    """A file with the token, such as Vault's agent keeps; read anew when the server refuses."""
    role_id: _Credential | None = None
    """The role of an AppRole."""
    secret_id: _Credential | None = None
    """What proves the AppRole."""
    kubernetes_role: str | None = None
    """The role of the pod's service account."""
    kubernetes_token: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    """The service account's token."""

    @model_validator(mode="after")
    def _logs_in_one_way(self) -> VaultSecretsConfig:
        ways = (self.token, self.token_file, self.role_id, self.kubernetes_role)
        if sum(way is not None for way in ways) != 1:
            raise ValueError(
                "say one of `token`, `token_file`, `role_id` with `secret_id`, `kubernetes_role`"
            )
        if (self.role_id is None) != (self.secret_id is None):
            raise ValueError("`role_id` and `secret_id` belong together")
        return self


class AwsSecretsConfig(RemoteSecretsConfig):
    """AWS Secrets Manager; who asks is what AWS's own environment, files and roles say."""

    type: Literal["aws"]
    """`aws`."""
    region: str | None = None
    """The region; what AWS's environment says where left out."""
    endpoint: _Url | None = None
    """Another address, such as that of a VPC endpoint."""


class GcpSecretsConfig(RemoteSecretsConfig):
    """Google Cloud's Secret Manager, the newest version of each secret; needs the extra `gcp`."""

    type: Literal["gcp"]
    """`gcp`."""
    project: str
    """The project's id."""
    endpoint: _Url | None = None
    """Another address, such as that of a regional secret."""
    credentials_file: Path | None = None
    """A service account's key file; Google's default credentials where left out."""


class AzureSecretsConfig(RemoteSecretsConfig):
    """Azure Key Vault; who asks is what `DefaultAzureCredential` finds; needs the extra `azure`."""

    type: Literal["azure"]
    """`azure`."""
    vault_url: Annotated[str, Field(pattern=r"^https://[^\s/@]+/?$")]
    """The vault's address: `https://NAME.vault.azure.net`."""
    ca_certificate: Path | None = None
    """The certificates that the vault's is checked against; the system's where left out."""


AnySecrets = Annotated[
    EnvironmentSecretsConfig
    | FileSecretsConfig
    | VaultSecretsConfig
    | AwsSecretsConfig
    | GcpSecretsConfig
    | AzureSecretsConfig,
    Field(discriminator="type"),
]
