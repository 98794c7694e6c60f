"""A launch from the terminal: what it tells, and what becomes of one that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from support.project import Project, column_of

from quality_platform.errors import ConfigurationError
from quality_platform.flows.run_platform import StepOutcome
from quality_platform.orchestration.launch import launch

STOPPED = """
import os, sys
from pathlib import Path
from quality_platform.flows.platform import open_platform
from quality_platform.orchestration.launch import launch

def progress(name, step, text):
    if (name, step) == ("orders", "staged"):
        os.kill(os.getpid(), int(sys.argv[2]))

launch(open_platform(Path(sys.argv[1])), progress, lambda step: None)
"""


@pytest.fixture
def named_home(dagster_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The instance that DAGSTER_HOME names."""
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    return dagster_home


def ignored(*_: object) -> None:
    pass


def stopped_by(number: signal.Signals, shop: Project) -> subprocess.CompletedProcess[bytes]:
    """A launch in a process of its own that gets a signal while it loads the orders."""
    command = [sys.executable, "-c", STOPPED, str(shop.write_runner()), str(int(number))]
    return subprocess.run(command, capture_output=True, check=False)


def runs(home: Path) -> list[dg.DagsterRun]:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return list(instance.get_runs())


def test_a_launch_tells_how_everything_ended(shop: Project, named_home: Path) -> None:
    told: list[tuple[str, str]] = []
    ended: list[StepOutcome] = []
    steps = launch(shop.open(), lambda name, step, _: told.append((name, step)), ended.append)
    assert [step.name for step in steps] == ["customers", "orders", "totals"]
    assert list(steps) == ended
    assert all(step.succeeded for step in steps)
    assert ("orders", "published") in told


def test_a_launch_is_a_run_of_the_job_that_the_ui_knows(shop: Project, named_home: Path) -> None:
    launch(shop.open(), ignored, ignored)
    (run,) = runs(named_home)
    assert (run.job_name, run.status) == ("everything", dg.DagsterRunStatus.SUCCESS)
    assert run.tags[".dagster/repository"] == "__repository__@quality_platform"


def test_a_launch_prints_nothing_by_itself(
    shop: Project, named_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    launch(shop.open(), ignored, ignored)
    assert capfd.readouterr() == ("", "")


def test_what_fails_and_what_is_skipped_is_told(shop: Project, named_home: Path) -> None:
    shop.deliver("orders/january.csv", "")
    customers, orders, totals = launch(shop.open(), ignored, ignored)
    assert customers.succeeded
    assert orders.error is not None
    assert orders.error.code == "QP202"
    assert totals.skipped


def test_without_a_named_instance_it_is_in_the_platforms_home(
    shop: Project, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    (shop.folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    launch(shop.open(), ignored, ignored)
    written = (home / "dagster" / "dagster.yaml").read_text()
    assert written.endswith("\ntelemetry: {enabled: false}\n")
    assert len(runs(home / "dagster")) == 1
    assert {path.name for path in shop.folder.iterdir()} == {
        "contracts", "dagster.yaml", "landing", "runner.yaml", "totals.sql",
    }  # fmt: skip


def test_a_killed_launch_is_ended_by_the_next_which_does_not_wait_for_it(
    shop: Project, named_home: Path
) -> None:
    assert stopped_by(signal.SIGKILL, shop).returncode == -signal.SIGKILL
    assert [run.status for run in runs(named_home)] == [dg.DagsterRunStatus.STARTED]
    platform = shop.open()
    steps = launch(platform, ignored, ignored)
    assert all(step.succeeded for step in steps)
    assert column_of(platform, "shop.orders", "id") == [1, 2, 3]
    assert [run.status for run in runs(named_home)] == [
        dg.DagsterRunStatus.SUCCESS,
        dg.DagsterRunStatus.FAILURE,
    ]


def test_ctrl_c_ends_a_launch_at_once_and_for_good(shop: Project, named_home: Path) -> None:
    stopped = stopped_by(signal.SIGINT, shop)
    assert stopped.returncode == -signal.SIGINT
    with dg.DagsterInstance.from_config(str(named_home)) as instance:
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.FAILURE
        events = [e.dagster_event_type for e in instance.all_logs(run.run_id)]
    assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in events
    assert all(step.succeeded for step in launch(shop.open(), ignored, ignored))


def test_two_launches_at_the_same_time_are_refused(shop: Project, named_home: Path) -> None:
    platform = shop.open()
    refused: list[str] = []

    def again(name: str, step: str, _: str) -> None:
        if (name, step) == ("customers", "staged"):
            with pytest.raises(ConfigurationError, match="another launch is running") as caught:
                launch(platform, ignored, ignored)
            refused.append(str(caught.value))

    assert all(step.succeeded for step in launch(platform, again, ignored))
    assert len(refused) == 1


def test_the_launch_of_another_machine_is_left_alone(shop: Project, named_home: Path) -> None:
    @dg.job
    def everything() -> None: ...

    tags = {"quality-platform/launched-by": "terminal", "quality-platform/launched-on": "other:/x"}
    with dg.DagsterInstance.from_config(str(named_home)) as instance:
        status = dg.DagsterRunStatus.STARTED
        other = instance.create_run_for_job(everything, status=status, tags=tags)
        launch(shop.open(), ignored, ignored)
        found = instance.get_run_by_id(other.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.STARTED
