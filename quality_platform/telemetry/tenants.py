"""Whose a table is."""

from __future__ import annotations

from quality_platform.flows.contracted_tables import ContractedTable


def tenant_of(table: ContractedTable) -> str:
    """The tenant of a table or feature view; "" where it has none."""
    config = getattr(table, "config", None)
    return getattr(config, "tenant", "") or ""
