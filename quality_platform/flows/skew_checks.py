"""The check that the online store of a feature view gives what is published, before it ever ran."""

from __future__ import annotations

from quality_platform.checks.specs import CheckSpec, Note, Scope, Severity
from quality_platform.flows.contracted_tables import FeatureTable

ONLINE_AS_PUBLISHED = "online_is_as_published"
"""The name of the check."""


def skew_check(view: FeatureTable) -> CheckSpec | None:
    """The check of a view's online store; None where the view has none."""
    config = view.config.skew
    if config is None or not view.config.online:
        return None
    text = f"The online store gives what {view.identifier} has published, of a sample of entities."
    return CheckSpec(
        name=ONLINE_AS_PUBLISHED,
        claim=Note(text),
        scope=Scope.GATE,
        severity=Severity(config.severity),
        dimension="consistency",
        description=text,
        location=view.location,
    )
