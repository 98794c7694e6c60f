"""The Dagster code location. Configuration is read when it is loaded, not when it is imported."""

import dagster as dg

from quality_platform.flows.platform import open_platform
from quality_platform.orchestration.build import build_definitions


@dg.definitions
def platform() -> dg.Definitions:
    """Everything that runner.yaml says."""
    return build_definitions(open_platform())
