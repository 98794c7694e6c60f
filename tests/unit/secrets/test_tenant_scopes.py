"""How the secrets of tenants are called, by provider."""

from __future__ import annotations

from pathlib import Path

import pytest

from quality_platform.config.secret_models import (
    AwsSecretsConfig,
    AzureSecretsConfig,
    EnvironmentSecretsConfig,
    FileSecretsConfig,
    GcpSecretsConfig,
    SecretsConfig,
)
from quality_platform.config.secret_text import SecretReference
from quality_platform.errors import SecretNotFoundError
from quality_platform.secrets.opening import secret_store

TENANTS = ("a", "a_b", "ab", "global", "a_b_c")
NAMES = ("b__x", "x", "_b__x", "b--x", "-b--x", "b/x", "x__y", "b-c--x")


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (EnvironmentSecretsConfig(prefix="DATIVO_SECRET__"), "DATIVO_SECRET__ACME_EU__DB"),
        (FileSecretsConfig(type="files"), "acme_eu/DB"),
        (AwsSecretsConfig(type="aws", prefix="prod/"), "prod/acme_eu/DB"),
        (GcpSecretsConfig(type="gcp", project="p"), "acme_eu__DB"),
        (AzureSecretsConfig(type="azure", vault_url="https://v.vault.azure.net"), "acme-eu--DB"),
    ],
)
def test_a_name_begins_with_the_tenants_in_letters_of_the_provider(
    config: SecretsConfig, name: str
):
    store = secret_store(config, Path)
    assert store.prefix + store.scope("acme_eu") + "DB" == name
    called = [store.scope(tenant) + secret for tenant in TENANTS for secret in NAMES]
    assert len(set(called)) == len(called)


@pytest.mark.parametrize(
    "name", ["../b/KEY", "x/../../b/KEY", "%2e%2e/b/KEY", "/b/KEY", "./KEY", "b\\KEY"]
)
def test_no_name_leads_out_of_the_scope(tmp_path: Path, name: str):
    for tenant in ("a", "b"):
        (tmp_path / tenant).mkdir()
        (tmp_path / tenant / "KEY").write_text(tenant)
    store = secret_store(FileSecretsConfig(type="files", folder=tmp_path), Path)
    assert store.read(SecretReference("KEY", tenant="a")) == "a"
    with pytest.raises(SecretNotFoundError):
        store.read(SecretReference(name, tenant="a"))


def test_what_all_share_comes_after_the_tenants_own(tmp_path: Path):
    (tmp_path / "global").mkdir()
    (tmp_path / "global" / "KEY").write_text("for all")
    store = secret_store(FileSecretsConfig(type="files", folder=tmp_path), Path)
    assert store.read(SecretReference("KEY", tenant="a")) == "for all"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "KEY").write_text("a's")
    assert store.read(SecretReference("KEY", tenant="a")) == "a's"
    with pytest.raises(SecretNotFoundError):
        store.read(SecretReference("KEY"))
