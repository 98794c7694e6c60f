"""Data contracts in, a running data platform out."""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The component `quality_platform.ContractedTable`, which `dg` finds under this name.

    It is imported when it is asked for: nothing else here needs Dagster.
    """
    if name == "ContractedTable":
        from quality_platform.orchestration.components import ContractedTable

        return ContractedTable
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "ContractedTable"]
