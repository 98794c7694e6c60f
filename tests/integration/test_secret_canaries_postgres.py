"""No secret is in any log, event, metadata, exception, run, Iceberg property, file or output.

Every secret of a platform is a canary that a Vault keeps. Runs that succeed, and runs that fail in
every way that has to do with a secret, are searched for them.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from support.canaries import (
    PASSWORDS,
    S3_KEYS,
    World,
    singing,
    texts_of_dagster,
    texts_of_files,
    texts_of_store,
    world,
)
from support.command_line import call
from support.dagster_runs import run
from support.local_servers import free_port
from support.project import Project, column_of
from support.s3_server import s3_server
from support.secret_servers import TOKEN, TellTale, VaultServer, serving

from quality_platform.errors import QualityPlatformError
from quality_platform.flows.load_table import load_table
from quality_platform.orchestration.build import build_definitions

ROOT = Path(__file__).parents[2]
WRONG = "canary-f00d"


@pytest.fixture(scope="module")
def around(postgres_url: str, redis_url: str) -> Iterator[World]:
    vault = VaultServer()
    with (
        serving(vault) as vault.url,
        s3_server() as s3,
        world(postgres_url, redis_url, s3, vault) as found,
    ):
        yield found


@pytest.fixture
def canaries(around: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world with the right secrets."""
    monkeypatch.setenv("QP_TEST_VAULT_TOKEN", TOKEN)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    around.reset()
    around.vault.asked.clear()
    return around


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    folder = tmp_path / "dagster"
    folder.mkdir()
    shutil.copy(ROOT / "dagster.yaml", folder)
    with dg.DagsterInstance.from_config(str(folder)) as found:
        yield found


@pytest.fixture
def heard(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    canaries: World,
) -> Callable[..., None]:
    """Asserts that no canary sang: in what was printed, logged, kept on disk, or given to it."""
    caplog.set_level(logging.DEBUG)

    def none_sang(*texts: str) -> None:
        printed = capfd.readouterr()
        assert singing(printed.out, printed.err) == set()
        assert singing(caplog.text, *(repr(r.__dict__) for r in caplog.records)) == set()
        files = texts_of_files(tmp_path)
        assert {path: singing(text) for path, text in files.items() if singing(text)} == {}
        assert singing(*texts) == set()

    return none_sang


@pytest.mark.parametrize("where", ["file", "log", "output", "text"])
def test_a_canary_that_sings_is_heard(heard, tmp_path: Path, where: str):
    found = PASSWORDS["lake"]
    if where == "file":
        (tmp_path / "kept").write_text(found)
    elif where == "log":
        logging.getLogger("anyone").debug("asked", extra={"password": found})
    elif where == "output":
        sys.stderr.write(found)
    with pytest.raises(AssertionError, match="canary-77ea"):
        heard(found if where == "text" else "")


def test_loading_the_definitions_asks_for_no_secret(canaries: World, project: Project, heard):
    canaries.vault.behaves("broken")
    platform = canaries.furnish(project).open()
    definitions = build_definitions(platform)
    assert dg.Definitions.validate_loadable(definitions) is None
    assert canaries.vault.asked == []
    shown = [repr(spec) for spec in definitions.resolve_all_asset_specs()]
    assert any("visits" in text for text in shown)
    heard(*shown, repr(platform), repr(definitions.get_repository_def()))


def test_a_run_that_succeeds_tells_no_secret(
    canaries: World, project: Project, instance: dg.DagsterInstance, heard
):
    platform = canaries.furnish(project).open()
    result = run(platform, instance)
    assert result.success
    assert column_of(platform, "shop.orders", "id") == [1, 2]
    assert column_of(platform, "shop.visits", "id") == [1, 2]
    assert {path.rpartition("/")[2].partition("?")[0] for path in canaries.vault.asked} == {
        "shop", "lake", "s3", "redis",
    }  # fmt: skip
    kept = texts_of_dagster(instance)
    assert any("STEP_SUCCESS" in text for text in kept)
    catalog = canaries.database.rows("SELECT t::text FROM iceberg_tables t")
    tables = [platform.lake.table(name) for name in ("shop.orders", "shop.visits")]
    heard(
        *kept,
        *texts_of_store(canaries.s3, canaries.bucket),
        *(row[0] for row in catalog),
        *(table.metadata.model_dump_json() for table in tables),
        repr(platform),
        repr(platform.lake),
        repr(tables),
    )


def test_the_command_line_tells_no_secret(canaries: World, project: Project, heard):
    runner = canaries.furnish(project).write_runner()
    ended = [call("run", "--runner", runner), call("run", "orders", "--runner", runner)]
    ended += [call(name, "--runner", runner) for name in ("status", "lint")]
    assert [end.code for end in ended] == [0, 0, 0, 0]
    canaries.vault.secrets["shop"]["password"] = f"{WRONG}@wrong"
    ended.append(call("run", "orders", "--runner", runner))
    assert ended[-1].code != 0
    heard(*(end.text for end in ended))


def shop(**fields: str) -> Callable[[World], None]:
    return lambda world: world.vault.secrets["shop"].update(fields)


def lake(**fields: str) -> Callable[[World], None]:
    return lambda world: world.vault.secrets["lake"].update(fields)


def store(url: str) -> Callable[[World], None]:
    return lambda world: world.vault.secrets["redis"].update(url=url)


def refused_by_redis(world: World) -> None:
    address = world.redis.rpartition("@")[2]
    world.vault.secrets["redis"]["url"] = f"redis://qp_test_canary:{WRONG}@{address}"


FAILURES = {
    "the database's password is wrong": shop(password=f"{WRONG}@x"),
    "the database's host has no address": shop(host=f"{WRONG}.invalid"),
    "the database does not listen": shop(host=f"127.0.0.1:{free_port()}"),
    "the database's port is none": shop(host=f"localhost:{WRONG}"),
    "the database's address is none": shop(host=f"[{WRONG}"),
    "the lake's password is wrong": lake(password=f"{WRONG}@x"),
    "the lake's host has no address": lake(host=f"{WRONG}.invalid"),
    "the lake's port is none": lake(host=f"localhost:{WRONG}"),
    "the store of limits refuses": refused_by_redis,
    "the store of limits has no address": store(f"redis://u:{WRONG}@{WRONG}.invalid:1/0"),
    "the store of limits is none": store(f"http://{WRONG}"),
    "the store of limits has a wrong port": store(f"redis://u:p@h:{WRONG}/0"),
    "the secret is not there": lambda world: world.vault.secrets.pop("shop"),
    "the secret lacks the field": lambda world: world.vault.secrets["shop"].pop("password"),
    "the field is no text": lambda world: world.vault.secrets["shop"].update(password=[WRONG]),
    "the provider refuses": lambda world: world.vault.behaves("refuses"),
    "the provider is broken": lambda world: world.vault.behaves("broken"),
    "the provider is slow": lambda world: world.vault.behaves("slow"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_load_that_fails_tells_no_secret(canaries: World, project: Project, heard, what: str):
    FAILURES[what](canaries)
    platform = canaries.furnish(project).open()
    with pytest.raises(QualityPlatformError) as raised:
        load_table(platform, "orders", "r1")
    assert "runner.yaml" in str(raised.value) or "rate_limits" in str(raised.value)
    heard(str(raised.value), repr(raised.value), *traceback.format_exception(raised.value))


@pytest.mark.parametrize("place", ["visits", "lake"])
def test_a_store_that_repeats_the_keys_is_not_quoted(
    canaries: World, project: Project, heard, place: str
):
    store = TellTale(secrets=dict(S3_KEYS))
    with serving(store) as canaries.endpoints[place]:
        platform = canaries.furnish(project).open()
        with pytest.raises(QualityPlatformError) as raised:
            load_table(platform, "visits", "r1")
    assert store.asked
    heard(str(raised.value), repr(raised.value), *traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "what",
    [
        "the database's password is wrong",
        "the lake's host has no address",
        "the secret lacks the field",
        "the provider refuses",
    ],
)
def test_a_run_of_dagster_that_fails_tells_no_secret(
    canaries: World, project: Project, instance: dg.DagsterInstance, heard, what: str
):
    FAILURES[what](canaries)
    assert not run(canaries.furnish(project).open(), instance).success
    heard(*texts_of_dagster(instance))


def test_the_processes_of_a_real_run_tell_no_secret(
    canaries: World,
    project: Project,
    home: Path,
    instance: dg.DagsterInstance,
    heard,
):
    """Each step has a process of its own, whose output Dagster keeps; one of them fails."""
    canaries.vault.secrets["shop"]["password"] = f"{WRONG}@x"
    command = [sys.executable, "-m", "dagster", "job", "execute"]
    command += ["-m", "quality_platform.definitions", "-j", "everything"]
    surroundings = {
        **os.environ,
        "DAGSTER_HOME": instance.root_directory,
        "QUALITY_PLATFORM_RUNNER": str(canaries.furnish(project).write_runner()),
    }
    ended = subprocess.run(
        command, env=surroundings, cwd=project.folder, capture_output=True, text=True, check=False
    )
    (found,) = instance.get_runs()
    assert found.status == dg.DagsterRunStatus.FAILURE
    steps = instance.get_run_step_stats(found.run_id)
    assert {step.step_key: step.status.value for step in steps if step.status} == {
        "look_at_sources": "SUCCESS",
        "load_visits": "SUCCESS",
        "load_orders": "FAILURE",
    }
    heard(ended.stdout, ended.stderr, *texts_of_dagster(instance))


def test_a_password_that_was_rotated_is_used_by_the_next_load(canaries: World, project: Project):
    canaries.furnish(project)
    project.settings["secrets"]["ttl"] = "0s"
    platform = project.open()
    assert load_table(platform, "orders", "r1")
    role, new = "qp_test_canary_reader", "canary-f00d-next"
    canaries.database.run(f"ALTER ROLE {role} PASSWORD '{new}'")
    try:
        with pytest.raises(QualityPlatformError):
            load_table(platform, "orders", "r2")
        canaries.vault.secrets["shop"]["password"] = new
        assert load_table(platform, "orders", "r3")
    finally:
        canaries.database.run(f"ALTER ROLE {role} PASSWORD '{PASSWORDS['shop']}'")
