"""The Dagster code location. Configuration is read when it is loaded, not when it is imported."""

import gc

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
        definitions = build_definitions(open_platform())
    # They stay as long as the process: the collector would walk them again and again while Dagster
    # makes its snapshots of them.
    gc.freeze()
    return definitions
