"""Versions of files that an earlier release has loaded: known again, and never loaded twice."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

import pytest
from support.project import Project, column_of, integer

from quality_platform.errors import SourceChangedError
from quality_platform.flows.load_table import load_table, position_of
from quality_platform.flows.platform import Platform
from quality_platform.sources import files

BEFORE, AFTER = "id\n1\n2\n", "id\n1\n3\n"


def sha_256(stream: BinaryIO, _: str = "") -> str:
    """What earlier releases kept of a file."""
    return hashlib.sha256(stream.read()).hexdigest()


def loaded_before(project: Project, mode: str, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A project whose file was loaded by an earlier release."""
    project.deliver("orders/a.csv", BEFORE)
    platform = project.table("orders", {"id": integer()}, load={"mode": mode}).open()
    with monkeypatch.context() as earlier:
        earlier.setattr(files, "checksum_of", sha_256)
        load_table(platform, "orders", "earlier")
    assert version(platform) == hashlib.sha256(BEFORE.encode()).hexdigest()
    return platform


def version(platform: Platform) -> str:
    (source,) = position_of(platform, platform.tables["orders"]).sources.values()
    return source.version


def deliver_later(project: Project, content: str) -> None:
    """Delivers the file with another time, so that it must be read to be told apart."""
    path = project.deliver("orders/a.csv", content)
    os.utime(path, ns=(0, path.stat().st_mtime_ns - 10**12))


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_file_that_is_known_by_its_sha_256_is_not_loaded_again(
    project: Project, monkeypatch: pytest.MonkeyPatch, mode: str
):
    platform = loaded_before(project, mode, monkeypatch)
    deliver_later(project, BEFORE)

    assert load_table(platform, "orders", "now").state == "nothing_new"
    assert column_of(platform, "shop.orders", "id") == [1, 2]


def test_a_changed_file_that_is_known_by_its_sha_256_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
):
    platform = loaded_before(project, "append", monkeypatch)
    deliver_later(project, AFTER)

    with pytest.raises(SourceChangedError) as refused:
        load_table(platform, "orders", "now")

    assert "received: xxh3-128:" in str(refused.value)
    assert f"allowed: sha-256:{version(platform)}" in str(refused.value)
    assert column_of(platform, "shop.orders", "id") == [1, 2]


def test_a_changed_file_takes_the_place_of_one_that_is_known_by_its_sha_256(
    project: Project, monkeypatch: pytest.MonkeyPatch
):
    platform = loaded_before(project, "replace", monkeypatch)
    deliver_later(project, AFTER)

    assert load_table(platform, "orders", "now").state == "published"
    assert version(platform).startswith("xxh3-128:")
    assert column_of(platform, "shop.orders", "id") == [1, 3]
    assert load_table(platform, "orders", "again").state == "nothing_new"
