"""Automation conditions: assets that run by themselves once what they read has changed."""

from typing import Any

import dagster as dg

from quality_platform.config.sensor_references import AUTOMATION_SENSOR
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.keys import online_key, table_key

INTERVAL_SECONDS = 30
"""Least time between two looks."""


def condition_of(automate: str | None) -> dg.AutomationCondition[Any] | None:
    """The condition under which an asset runs by itself; None where it does not.

    `eager`: something that it reads was updated after it was, and after it was last asked for;
    nothing of that is missing or under way, and no check that stops a publish has failed on any of
    it since. Warnings and rows held back stop nothing.
    """
    if automate is None:
        return None
    condition = dg.AutomationCondition
    due = _updated_since() | condition.any_deps_match(condition.will_be_requested())
    new = condition.newly_missing().since_last_handled()
    # Not `all_deps_blocking_checks_passed`: a replay publishes rows whose gates were judged before,
    # so that no result would be of the newest materialization.
    good = condition.all_checks_match(
        ~condition.check_failed() | condition.will_be_requested(), blocking_only=True
    )
    return (
        condition.in_latest_time_window()
        & (due | new).with_label("something has changed")
        & ~condition.any_deps_missing()
        & ~condition.any_deps_in_progress()
        & ~condition.in_progress()
        & condition.all_deps_match(good).with_label("all that it reads is good")
    ).with_label("eager on good checks")


def _updated_since() -> dg.AutomationCondition[Any]:
    """Whether something that the asset reads was updated after it was, and after it was asked for.

    Dagster compares times of `newly_updated` and `newly_requested` alone, and not of conditions
    made of them. What is within `eager()` is made of them: an update that comes soon after the
    asset's own, before the next tick, is forgotten there.
    """
    condition = dg.AutomationCondition
    updated = condition.any_deps_match(condition.newly_updated())
    since_update = updated.since(condition.newly_updated())
    since_request = updated.since(condition.newly_requested())
    return since_update & since_request


def automation_sensors(platform: Platform) -> list[dg.SensorDefinition]:
    """The sensor that runs what automates itself; none where nothing does."""
    views = [view for view in platform.feature_tables.values() if view.config.automate]
    keys = [table_key(table) for table in platform.tables.values() if table.config.automate]
    keys += [table_key(view) for view in views]
    keys += [online_key(view.name) for view in views if view.config.online]
    if not keys:
        return []
    return [
        dg.AutomationConditionSensorDefinition(
            AUTOMATION_SENSOR,
            target=dg.AssetSelection.assets(*keys),
            description="Runs what says `automate: eager` when what it reads has changed.",
            default_status=dg.DefaultSensorStatus.RUNNING,
            minimum_interval_seconds=INTERVAL_SECONDS,
        )
    ]
