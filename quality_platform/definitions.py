"""The Dagster code location. Configuration is read when Dagster asks for what is in it."""

import dagster as dg

from quality_platform.orchestration.preloading import repository
from quality_platform.orchestration.repository import PlatformRepository
from quality_platform.telemetry.log_lines import configure_logs


# Dagster takes repositories here, too, which its type leaves out.
@dg.definitions  # type: ignore[arg-type]
def platform() -> PlatformRepository:
    """Everything that runner.yaml says."""
    configure_logs()
    return repository()
