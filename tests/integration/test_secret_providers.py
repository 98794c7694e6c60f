"""Four providers over the network, each through its vendor's client, and all behaving alike."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.local_servers import free_port
from support.s3_server import s3_server
from support.secret_servers import (
    TOKEN,
    AwsServer,
    AzureServer,
    GcpServer,
    SecretServer,
    VaultServer,
    serving,
    write_certificate,
    write_service_account,
)

from quality_platform.config.secret_models import (
    AwsSecretsConfig,
    AzureSecretsConfig,
    GcpSecretsConfig,
    RemoteSecretsConfig,
    VaultSecretsConfig,
)
from quality_platform.config.secret_text import SecretReference
from quality_platform.errors import (
    SecretAccessError,
    SecretError,
    SecretNotFoundError,
    SecretUnreachableError,
    SecretValueError,
)
from quality_platform.secrets.opening import secret_store
from quality_platform.secrets.store import SecretStore

CANARY = "canary-6e0c"


@dataclass(frozen=True)
class Stand:
    """A provider's server, and the section `secrets` that leads to it."""

    server: SecretServer
    folder: Path
    config: Callable[..., RemoteSecretsConfig]

    def store(self, **settings: Any) -> SecretStore:
        """A store that asks the server, with these settings of `secrets`."""
        wanted = {"ttl": "0s", "retries": 0, **settings}
        return secret_store(self.config(**wanted), lambda path: self.folder / path)


def read(store: SecretStore, name: str = "db", key: str = "") -> str:
    return store.read(SecretReference(name, key))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """What is around a process that may log in, and nothing of this machine's."""
    for name in ("VAULT_TOKEN", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_TENANT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", TOKEN)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


@pytest.fixture
def vault(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stand]:
    server = VaultServer()
    with serving(server) as server.url:
        yield Stand(
            server,
            tmp_path,
            lambda **s: VaultSecretsConfig(
                **{"type": "vault", "address": server.url, "token": server.token} | s
            ),
        )


@pytest.fixture
def aws(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stand]:
    server = AwsServer()
    with serving(server) as server.url:
        yield Stand(
            server,
            tmp_path,
            lambda **s: AwsSecretsConfig(
                **{"type": "aws", "region": "eu-west-1", "endpoint": server.url} | s
            ),
        )


@pytest.fixture
def gcp(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stand]:
    server = GcpServer()
    with serving(server) as server.url:
        write_service_account(tmp_path / "account.json")
        # The client asks Google, in a thread, in which regions an account may be used.
        surroundings.setattr(
            "google.auth.credentials.CredentialsWithRegionalAccessBoundary"
            "._maybe_start_regional_access_boundary_refresh",
            lambda *_: None,
        )
        yield Stand(
            server,
            tmp_path,
            lambda **s: GcpSecretsConfig(
                **{
                    "type": "gcp",
                    "project": "p",
                    "endpoint": server.url,
                    "credentials_file": Path("account.json"),
                }
                | s
            ),
        )


@pytest.fixture
def azure(surroundings: pytest.MonkeyPatch, tmp_path: Path, certificate: Path) -> Iterator[Stand]:
    server = AzureServer()
    with ExitStack() as stack:
        identity = stack.enter_context(serving(server))
        surroundings.setenv("IDENTITY_ENDPOINT", f"{identity}/identity")
        surroundings.setenv("IDENTITY_HEADER", "x")
        server.url = stack.enter_context(serving(server, certificate))
        yield Stand(
            server,
            tmp_path,
            lambda **s: AzureSecretsConfig(
                **{"type": "azure", "vault_url": server.url, "ca_certificate": certificate} | s
            ),
        )


@pytest.fixture(params=["vault", "aws", "gcp", "azure"])
def stand(request: pytest.FixtureRequest) -> Stand:
    """Each provider in turn."""
    found: Stand = request.getfixturevalue(request.param)
    return found


def test_nothing_is_asked_before_a_secret_is_needed(stand: Stand):
    stand.store()
    assert stand.server.asked == []


def test_a_secret_is_read_whole_and_by_field(stand: Stand):
    stand.server.secrets = {"db": "pw ä\n", "all": {"user": "u", "password": "p@/"}}
    store = stand.store()
    assert read(store) == "pw ä\n"
    assert (read(store, "all", "user"), read(store, "all", "password")) == ("u", "p@/")


def test_a_rotated_secret_is_seen_without_a_restart(stand: Stand):
    stand.server.secrets = {"db": "old"}
    store = stand.store()
    assert read(store) == "old"
    stand.server.secrets = {"db": "new"}
    assert read(store) == "new"


def test_a_kept_answer_is_not_asked_for_again(stand: Stand):
    stand.server.secrets = {"db": "x"}
    store = stand.store(ttl="1h")
    assert (read(store), read(store)) == ("x", "x")
    assert len(stand.server.asked) == 1


@pytest.mark.parametrize("name", ["none", "../db", "a b", "db?x=1", "%64b"])
def test_a_name_that_is_not_there_is_told(stand: Stand, name: str):
    stand.server.secrets = {"db": CANARY}
    with pytest.raises(SecretNotFoundError):
        read(stand.store(), name)


def test_a_provider_that_refuses_is_asked_once(stand: Stand):
    stand.server.secrets = {"db": CANARY}
    stand.server.behaves("refuses")
    with pytest.raises(SecretAccessError) as raised:
        read(stand.store(retries=3))
    assert len(stand.server.asked) == 1
    told = "".join(traceback.format_exception(raised.value))
    assert CANARY not in told
    assert TOKEN not in told


def test_a_provider_that_is_broken_for_a_moment_is_asked_again(stand: Stand):
    stand.server.secrets = {"db": "x"}
    stand.server.behaves("broken", times=1)
    assert read(stand.store(retries=1)) == "x"
    assert len(stand.server.asked) == 2


def test_a_provider_that_stays_broken_is_asked_as_often_as_allowed(stand: Stand):
    stand.server.behaves("broken")
    with pytest.raises(SecretUnreachableError):
        read(stand.store(retries=1))
    assert len(stand.server.asked) == 2


def test_a_provider_that_is_too_slow_is_not_waited_for(stand: Stand):
    stand.server.secrets = {"db": "x"}
    read(stand.store())
    stand.server.behaves("slow", times=1)
    with pytest.raises(SecretUnreachableError):
        read(stand.store(timeout="1s"))


def test_a_provider_that_is_not_there_is_told(stand: Stand, surroundings: pytest.MonkeyPatch):
    nobody = f"{stand.server.scheme}://127.0.0.1:{free_port()}"
    address = {"vault": "address", "azure": "vault_url"}.get(stand.config().type, "endpoint")
    with pytest.raises(SecretUnreachableError):
        read(stand.store(**{address: nobody}))


@pytest.fixture
def every_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> pytest.LogCaptureFixture:
    """What all loggers say, also those that libraries of other tests have silenced (Alembic's)."""
    caplog.set_level(logging.DEBUG)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger):
            monkeypatch.setattr(logger, "disabled", False)
            monkeypatch.setattr(logger, "propagate", True)
            caplog.set_level(logging.NOTSET, logger=name)
    return caplog


def test_no_log_of_a_client_holds_what_it_was_told(
    stand: Stand, every_log: pytest.LogCaptureFixture
):
    stand.server.secrets = {"db": {"password": CANARY}}
    store = stand.store()
    assert read(store, key="password") == CANARY
    with pytest.raises(SecretValueError):
        read(store, key="user")
    told = [every_log.text, *(repr(record.__dict__) for record in every_log.records), repr(store)]
    assert every_log.records
    assert CANARY not in "".join(told)
    assert TOKEN not in "".join(told)


def test_a_prefix_is_a_part_of_every_name(stand: Stand):
    stand.server.secrets = {"a-db": "of a", "b-db": CANARY}
    store = stand.store(prefix="a-")
    assert read(store) == "of a"
    for name in ("b-db", "/b-db", "../b-db"):
        with pytest.raises(SecretNotFoundError):
            read(store, name)


@pytest.mark.parametrize("stand", ["aws", "gcp"], indirect=True)
def test_a_binary_secret_is_told_without_its_bytes(stand: Stand):
    stand.server.secrets = {"db": CANARY.encode() + b"\xff"}
    with pytest.raises(SecretValueError) as raised:
        read(stand.store())
    assert raised.value.__cause__ is None
    assert CANARY not in str(raised.value)


def test_a_real_secrets_manager_of_motos_answers_too(surroundings: pytest.MonkeyPatch):
    import boto3  # type: ignore[import-untyped]

    with s3_server() as server:
        client = boto3.client(
            "secretsmanager", endpoint_url=server.endpoint, region_name="us-east-1"
        )
        client.create_secret(Name="app/db", SecretString='{"password": "p"}')
        client.create_secret(Name="app/bin", SecretBinary=b"x")
        gone = client.create_secret(Name="gone", SecretString="x")["ARN"]
        client.delete_secret(SecretId=gone)
        config = AwsSecretsConfig(
            type="aws", region="us-east-1", endpoint=server.endpoint, ttl="0s"
        )
        store = secret_store(config, Path)
        assert read(store, "app/db", "password") == "p"
        client.put_secret_value(SecretId="app/db", SecretString='{"password": "q"}')
        assert read(store, "app/db", "password") == "q"
        for name in ("none", gone):
            with pytest.raises(SecretNotFoundError):
                read(store, name)
        with pytest.raises(SecretValueError):
            read(store, "app/bin")
        client.close()


def test_without_credentials_for_aws_nobody_is_asked(aws: Stand, surroundings: pytest.MonkeyPatch):
    surroundings.delenv("AWS_ACCESS_KEY_ID")
    surroundings.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SecretAccessError, match="no credentials"):
        read(aws.store())
    assert aws.server.asked == []


def test_without_a_region_aws_is_not_guessed(aws: Stand, surroundings: pytest.MonkeyPatch):
    surroundings.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(SecretError, match="region"):
        read(aws.store(region=None, endpoint=None))


def test_the_first_version_of_vaults_engine_is_read(vault: Stand):
    vault.server.secrets = {"app/db": {"user": "u", "password": "p"}}
    store = vault.store(kv_version=1, mount="old")
    assert read(store, "app/db", "password") == "p"
    assert vault.server.asked == ["/v1/old/app/db"]


def test_vault_is_opened_by_a_role_and_again_when_its_token_has_ended(vault: Stand):
    vault.server.secrets = {"db": "x"}
    store = vault.store(token=None, role_id="role", secret_id=TOKEN)
    assert read(store) == "x"
    vault.server.token = "the next"
    assert read(store) == "x"


def test_vault_is_opened_by_a_pods_account(vault: Stand):
    (vault.folder / "jwt").write_text(f"{TOKEN}\n")
    vault.server.secrets = {"db": "x"}
    store = vault.store(token=None, kubernetes_role="pod", kubernetes_token=Path("jwt"))
    assert read(store) == "x"


def test_vault_is_opened_by_a_file_that_its_agent_keeps_fresh(vault: Stand):
    file = vault.folder / "token"
    file.write_text(f"{TOKEN}\n")
    vault.server.secrets = {"db": "x"}
    store = vault.store(token=None, token_file=Path("token"))
    assert read(store) == "x"
    vault.server.token = "the next"
    file.write_text("the next\n")
    assert read(store) == "x"


@pytest.mark.parametrize(
    "settings",
    [
        {"role_id": "role", "secret_id": "wrong"},
        {"token_file": Path("none")},
        {"kubernetes_role": "pod", "kubernetes_token": Path("none")},
    ],
)
def test_who_does_not_open_vault_is_refused(vault: Stand, settings: dict[str, Any]):
    vault.server.secrets = {"db": CANARY}
    with pytest.raises(SecretAccessError):
        read(vault.store(token=None, **settings))


def test_a_token_of_this_machines_user_does_not_open_vault(
    vault: Stand, surroundings: pytest.MonkeyPatch
):
    surroundings.setenv("VAULT_TOKEN", TOKEN)
    (vault.folder / "jwt").write_text("wrong")
    with pytest.raises(SecretAccessError):
        read(vault.store(token=None, kubernetes_role="pod", kubernetes_token=Path("jwt")))


def test_something_that_is_no_vault_is_told(vault: Stand):
    other = AwsServer(secrets={"db": CANARY})
    other.answer = lambda *_: (200, {"data": [CANARY]})  # type: ignore[method-assign]
    with serving(other) as url, pytest.raises(SecretError, match="none that the platform knows"):
        read(vault.store(address=url))


def test_a_certificate_that_nobody_vouches_for_is_refused(vault: Stand, certificate: Path):
    with serving(vault.server, certificate) as url, pytest.raises(SecretError, match="trusted"):
        read(vault.store(address=url))
    vault.server.secrets = {"db": "x"}
    with serving(vault.server, certificate) as url:
        assert read(vault.store(address=url, ca_certificate=certificate)) == "x"


def test_a_key_file_of_googles_that_is_none_is_told(gcp: Stand):
    (gcp.folder / "account.json").write_text('{"private_key": "' + CANARY)
    with pytest.raises(SecretAccessError) as raised:
        read(gcp.store())
    assert CANARY not in str(raised.value)
