"""A person's way through the Dagster UI: launch, look at a failed check, replay what it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from support.dagster_daemon import Daemon, running_daemon
from support.project import Project, predicate
from support.shop import ORDERS, furnish, orders_csv
from support.webserver import running_webserver
from ui.browser import Page

from quality_platform.flows.table_status import quarantined_rows
from quality_platform.orchestration.instance_file import InstanceFile

ROOT = Path(__file__).parents[2]
JOBS = "/locations/quality_platform/jobs"
CHECKS = "/assets/shop/orders?view=checks&checkDetail=amount_is_not_negative"
EDITOR = "document.querySelector('.CodeMirror').CodeMirror"
REPLAY = {"ops": {"replay_rows": {"config": {"table": "orders"}}}}


@pytest.fixture
def walked(project: Project, tmp_path: Path) -> Iterator[tuple[str, Daemon, Project]]:
    """The address of the UI over a shop that has never run, and the daemon that runs it."""
    shop = furnish(project)
    shop.deliver("orders/february.csv", orders_csv(11, 5, -1, 7))
    home = tmp_path / "dagster"
    InstanceFile(home, ROOT / "dagster.yaml", "").write()
    with running_daemon(shop, home) as daemon, running_webserver(shop, home) as server:
        yield server.address, daemon, shop


def test_a_run_a_failed_check_and_a_replay(walked: tuple[str, Daemon, Project], page: Page) -> None:
    address, daemon, shop = walked
    page.complaints.clear()

    page.visit(f"{address}{JOBS}/everything", "Materialize all")
    page.press("Materialize all")
    assert _ended(daemon, 1) == {"everything": "SUCCESS"}

    page.visit(f"{address}{CHECKS}", "1 of 6 rows fail", "12\t-1\tfebruary.csv:3")
    page.click("Execution history")
    page.shows("Failed", "1 of 6 rows fail")

    # A negative amount is a refund, says the contract from now on.
    refunds = predicate("amount_is_not_negative", "amount >= -1")
    shop.table("orders", ORDERS, version="1.1.0", quality=[refunds])
    shop.write_runner()
    page.visit(f"{address}{JOBS}/replay/playground", "Launch Run")
    page.evaluate(f"{EDITOR}.setValue({json.dumps(json.dumps(REPLAY))})")
    page.press("Launch Run")
    assert _ended(daemon, 2) == {"everything": "SUCCESS", "replay": "SUCCESS"}

    page.visit(f"{address}/assets/quarantine/orders", "replayed_loads")
    assert page.complaints == []
    assert list(quarantined_rows(shop.open(), "orders")) == []


def _ended(daemon: Daemon, runs: int) -> dict[str, str]:
    """How each job's run has ended, once so many have."""

    def ended() -> list[dg.DagsterRun] | None:
        found = [run for run in daemon.runs() if run.is_finished]
        return found if len(found) == runs else None

    return {run.job_name: run.status.name for run in daemon.wait_for(f"{runs} runs", ended)}
