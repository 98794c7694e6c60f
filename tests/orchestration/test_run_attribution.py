"""Every run says who launched it: a person behind a proxy, or what of Dagster's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from support.dagster_daemon import queued_run
from support.project import Project
from support.webserver import Webserver, running_webserver

from quality_platform.orchestration.run_attribution import (
    COMMAND_LINE,
    LAUNCHED_BY,
    NOBODY,
    USER_HEADER_VARIABLE,
)

HEADER = "X-Forwarded-User"
TENANT = "quality-platform/tenant"


@pytest.fixture
def behind_proxy(shop: Project, dagster_home: Path) -> Iterator[Webserver]:
    with running_webserver(shop, dagster_home, {USER_HEADER_VARIABLE: HEADER}) as server:
        yield server


def told(home: Path, run_id: str) -> tuple[str, list[str]]:
    """The tag of a run, and the lines of its log that speak of a launch."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        events = [entry.user_message or entry.message for entry in instance.all_logs(run_id)]
    return run.tags[LAUNCHED_BY], [text for text in events if "Launched by" in text]


def test_a_run_names_the_person_that_the_proxy_names(
    behind_proxy: Webserver, dagster_home: Path
) -> None:
    run_id = behind_proxy.launch(["shop/customers"], {HEADER: "ada@example.com"})
    tag, lines = told(dagster_home, run_id)
    assert tag == "ada@example.com"
    assert any("Launched by ada@example.com." in line for line in lines)

    # A launch again copies all tags, the launcher's too; the launchpad can say anything.
    copied = {LAUNCHED_BY: "ada@example.com", "dagster/schedule_name": "nightly"}
    again = behind_proxy.launch(["shop/customers"], {HEADER: "bob"}, copied, parent=run_id)
    assert told(dagster_home, again)[0] == "bob"

    # A header that is empty, or has signs that cannot be shown, names nobody.
    for header in ({}, {HEADER: " "}, {HEADER: "\t"}):
        nameless = behind_proxy.launch(["shop/customers"], header, copied)
        assert told(dagster_home, nameless)[0] == NOBODY
    long = behind_proxy.launch(["shop/customers"], {HEADER: "x" * 1000})
    assert told(dagster_home, long)[0] == "x" * 200


def test_without_a_proxy_no_header_is_believed(shop: Project, dagster_home: Path) -> None:
    with running_webserver(shop, dagster_home) as server:
        run_id = server.launch(
            ["shop/customers"], {HEADER: "mallory"}, {LAUNCHED_BY: "ada@example.com"}
        )
    assert told(dagster_home, run_id)[0] == NOBODY


@pytest.mark.parametrize(
    ("tags", "launcher"),
    [
        ({"dagster/schedule_name": "nightly"}, "schedule nightly"),
        ({"dagster/sensor_name": "arrival"}, "sensor arrival"),
        ({"dagster/backfill": "abcdefgh"}, "backfill abcdefgh"),
        ({"dagster/retry_number": "1", LAUNCHED_BY: "ada"}, "ada"),
        ({LAUNCHED_BY: "ada"}, COMMAND_LINE),
        ({}, COMMAND_LINE),
    ],
)
def test_a_run_that_no_request_launches_names_its_cause(
    shop: Project, instance: dg.DagsterInstance, tags: dict[str, str], launcher: str
) -> None:
    run_id = queued_run(shop, instance, "everything", ["shop/customers"], tags=tags)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.tags[LAUNCHED_BY] == launcher
    assert run.status is dg.DagsterRunStatus.QUEUED


def test_a_run_of_one_tenants_assets_is_the_tenants(shop: Project, dagster_home: Path) -> None:
    shop.settings["tenants"] = {"acme": {}}
    shop.tables["customers"]["tenant"] = "acme"
    with running_webserver(shop, dagster_home) as server:
        runs = [
            server.launch(["acme__shop/customers", "quarantine/customers"], {}),
            server.launch(["acme__shop/customers", "shop/orders"], {}),
            server.launch(["acme__shop/customers"], {}, {TENANT: "zeta"}),
        ]
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        tags = [run.tags for id_ in runs if (run := instance.get_run_by_id(id_)) is not None]
    assert [found.get(TENANT) for found in tags] == ["acme", None, "zeta"]
