"""Who launched a run and whose it is: tags, and a line in the run's log."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from quality_platform.config.environment import environment_variable
from quality_platform.orchestration.run_queue import TENANT, stored_limits

LAUNCHED_BY = "quality-platform/launched-by"
"""The tag that tells it. What a launchpad or the run before says of it does not count."""

USER_HEADER_VARIABLE = "QUALITY_PLATFORM_USER_HEADER"
"""The request header in which a proxy names the person who is logged in.

Nothing is believed where the variable is not set: without a proxy in front, anybody can send any
header.
"""

NOBODY = "somebody without a login"
"""A request whose sender no proxy tells: it came to the webserver directly."""

COMMAND_LINE = "the command line"
"""Neither a request nor anything automatic: `dagster job launch`."""

_LONGEST = 200

_AUTOMATIC = {
    "dagster/backfill": "backfill",
    "dagster/schedule_name": "schedule",
    "dagster/sensor_name": "sensor",
}
"""Tags of Dagster's on runs that its daemon launches."""

_RETRY_NUMBER = "dagster/retry_number"


class AttributedRunCoordinator(dg.QueuedRunCoordinator):
    """Dagster's queue of runs; every run that enters it says who launched it, and whose it is.

    The queue's limits are those of dagster.yaml and those of the tenants, which `instance_care`
    keeps in the instance.
    """

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        """Tags the run, and puts it into the queue."""
        run = context.dagster_run
        launcher = _requester(context) or _cause(run.tags)
        self._instance.add_run_tags(run.run_id, {**_tenant(context), LAUNCHED_BY: launcher})
        self._instance.report_engine_event(f"Launched by {launcher}.", run)
        return super().submit_run(context)

    def get_run_queue_config(self) -> Any:
        """What the daemon looks up before each round: how many runs may be under way."""
        said = super().get_run_queue_config()
        limits = [*said.tag_concurrency_limits, *stored_limits(self._instance)]
        return said._replace(tag_concurrency_limits=limits)


def _tenant(context: dg.SubmitRunContext) -> dict[str, str]:
    """The tag of a run whose assets are all one tenant's; a tag that it has stays."""
    run = context.dagster_run
    checked = [key.asset_key for key in run.asset_check_selection or ()]
    keys = {*(run.asset_selection or ()), *checked}
    if TENANT in run.tags or not keys:
        return {}
    graph = context.workspace.asset_graph
    found = {graph.get(key).tags.get(TENANT, "") for key in keys if graph.has(key)}
    return {TENANT: tenant} if len(found) == 1 and (tenant := found.pop()) else {}


def _requester(context: dg.SubmitRunContext) -> str:
    """The person who sent a request; "" where the run comes from no request.

    The tags of such a run prove nothing: a launch again copies them from the run before.
    """
    header = environment_variable(USER_HEADER_VARIABLE)
    user = _printable(context.get_request_header(header) or "") if header else ""
    # Every request names its host; what the daemon and the command line submit is no request.
    is_request = context.get_request_header("host") is not None
    return user or (NOBODY if is_request else "")


def _cause(tags: Mapping[str, str]) -> str:
    """What made Dagster's daemon launch a run with these tags."""
    if _RETRY_NUMBER in tags and LAUNCHED_BY in tags:
        return tags[LAUNCHED_BY]
    found = (f"{kind} {tags[tag]}" for tag, kind in _AUTOMATIC.items() if tag in tags)
    return next(found, COMMAND_LINE)


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:_LONGEST].strip()
