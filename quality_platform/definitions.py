"""The Dagster code location. Configuration is read when it is loaded, not when it is imported."""

import dagster as dg

from quality_platform.documents.yaml_documents import no_garbage_collection
from quality_platform.flows.platform import open_platform
from quality_platform.orchestration.build import build_definitions
from quality_platform.telemetry.log_lines import configure_logs


@dg.definitions
def platform() -> dg.Definitions:
    """Everything that runner.yaml says."""
    configure_logs()
    with no_garbage_collection():
        return build_definitions(open_platform())
