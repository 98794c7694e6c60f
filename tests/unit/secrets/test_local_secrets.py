"""Secrets in environment variables and in files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quality_platform.config.secret_models import EnvironmentSecretsConfig, FileSecretsConfig
from quality_platform.config.secret_text import SecretReference
from quality_platform.errors import (
    SecretAccessError,
    SecretError,
    SecretNotFoundError,
    SecretUnreachableError,
    SecretValueError,
)
from quality_platform.secrets.environment import EnvironmentSecrets
from quality_platform.secrets.files import FileSecrets
from quality_platform.secrets.opening import secret_store
from quality_platform.secrets.protocol import client_library


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "secrets"
    (made / "db").mkdir(parents=True)
    return made


def test_a_variable_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch):
    provider = EnvironmentSecrets()
    monkeypatch.setenv("QP_TEST_SECRET", "one")
    assert provider.read("QP_TEST_SECRET") == "one"
    monkeypatch.setenv("QP_TEST_SECRET", "two")
    assert provider.read("QP_TEST_SECRET") == "two"


@pytest.mark.parametrize("content", [None, ""])
def test_a_variable_that_is_not_set_is_no_secret(monkeypatch: pytest.MonkeyPatch, content):
    monkeypatch.delenv("QP_TEST_SECRET", raising=False)
    if content is not None:
        monkeypatch.setenv("QP_TEST_SECRET", content)
    with pytest.raises(SecretNotFoundError, match="QP_TEST_SECRET is not set"):
        EnvironmentSecrets().read("QP_TEST_SECRET")


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"pw", "pw"), (b"pw\n", "pw"), (b"pw\r\n", "pw"), (b" pw \n\n", " pw \n"),
     ("pä".encode(), "pä")],
)  # fmt: skip
def test_a_file_is_a_secret_without_its_last_line_break(folder: Path, data, text):
    (folder / "db" / "password").write_bytes(data)
    assert FileSecrets(folder).read("db/password") == text


def test_a_secret_as_kubernetes_mounts_it_follows_its_rotation(folder: Path):
    for version, text in (("..1", "old"), ("..2", "new")):
        (folder / version).mkdir()
        (folder / version / "password").write_text(text)
    (folder / "..data").symlink_to("..1")
    (folder / "password").symlink_to("..data/password")
    provider = FileSecrets(folder)
    assert provider.read("password") == "old"
    (folder / "..new").symlink_to("..2")
    (folder / "..new").rename(folder / "..data")
    assert provider.read("password") == "new"


def test_nothing_outside_of_the_folder_is_read(folder: Path, tmp_path: Path):
    (tmp_path / "other").write_text("canary")
    (folder / "link").symlink_to(tmp_path / "other")
    (folder / "db" / "x").write_text("x")
    provider = FileSecrets(folder)
    for name in ("link", str(tmp_path / "other"), "../other", "db/../db/x", "db/../../other"):
        with pytest.raises((SecretAccessError, SecretNotFoundError)) as raised:
            provider.read(name)
        assert "canary" not in str(raised.value)


def test_a_prefix_cannot_be_left(folder: Path):
    for tenant in ("a", "b"):
        (folder / tenant).mkdir()
        (folder / tenant / "pw").write_text(f"of {tenant}")
    provider = FileSecrets(folder)
    assert provider.read("a/pw") == "of a"
    with pytest.raises(SecretNotFoundError):
        provider.read("a/../b/pw")


@pytest.mark.parametrize("name", ["none", "db", "db/none", "none/none", "a\0b", "x" * 300])
def test_what_is_no_file_is_no_secret(folder: Path, name):
    with pytest.raises((SecretNotFoundError, SecretUnreachableError)):
        FileSecrets(folder).read(name)


def test_what_is_no_text_is_no_secret(folder: Path):
    (folder / "bin").write_bytes(b"canary\xff")
    (folder / "big").write_bytes(b"x" * 1_000_001)
    for name in ("bin", "big"):
        with pytest.raises(SecretValueError) as raised:
            FileSecrets(folder).read(name)
        assert raised.value.__context__ is None


def test_a_file_that_may_not_be_read_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "pw").write_text("x")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Who runs as root may read everything.
    if os.geteuid() == 0:
        monkeypatch.setattr(Path, "open", refuse)
    else:
        (folder / "pw").chmod(0)
    with pytest.raises(SecretAccessError):
        FileSecrets(folder).read("pw")


def test_the_folder_is_relative_to_that_of_the_runner_file(folder: Path, tmp_path: Path):
    (folder / "pw").write_text("x")
    config = FileSecretsConfig(type="files", folder=Path("secrets"))
    store = secret_store(config, lambda path: tmp_path / path)
    assert store.provider.read("pw") == "x"


def test_a_library_that_is_missing_is_named_with_its_extra():
    with pytest.raises(SecretError) as raised:
        client_library("no_such_library_at_all", "vault")
    assert "no_such_library_at_all" in str(raised.value)
    assert "quality-platform[vault]" in str(raised.value)


def test_a_prefix_makes_the_names_of_another_convention_short(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATIVO_SECRET__GLOBAL__SHOP_DB__json", '{"password": "p"}')
    config = EnvironmentSecretsConfig(prefix="DATIVO_SECRET__GLOBAL__")
    store = secret_store(config, Path)
    assert store.read(SecretReference("SHOP_DB__json", "password")) == "p"
