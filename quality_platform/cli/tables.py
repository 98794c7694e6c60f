"""`quality-platform status` and `quarantine`."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from quality_platform.cli.options import (
    JsonOption,
    RunnerOption,
    TenantOption,
    as_text,
    print_json,
)
from quality_platform.terminal import print_quarantine, print_statuses


def status(
    runner: RunnerOption = None, as_json: JsonOption = False, tenant: TenantOption = ""
) -> None:
    """Show where every table stands: rows, quarantine, snapshot, and its latest run."""
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.table_status import table_statuses
    from quality_platform.flows.tenant_names import names_of_tenant

    platform = open_platform(runner)
    statuses = table_statuses(platform, names_of_tenant(platform, tenant))
    if as_json:
        print_json([vars(status) for status in statuses])
    else:
        print_statuses(Console(), statuses)


def quarantine(
    table: Annotated[str, typer.Argument(help="The table or feature view.")],
    runner: RunnerOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a row.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="Rows shown in the table; 0 for all. JSON and CSV give all.")
    ] = 20,
    tenant: TenantOption = "",
) -> None:
    """Show the rows in a table's quarantine, each with its reasons."""
    from quality_platform.flows.platform import open_platform
    from quality_platform.flows.table_status import quarantined_rows
    from quality_platform.flows.tenant_names import name_of_tenant
    from quality_platform.quarantine.columns import META_COLUMNS

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    platform = open_platform(runner)
    table = name_of_tenant(platform, tenant, table)
    rows = quarantined_rows(platform, table)
    if as_json:
        for row in rows:
            sys.stdout.write(json.dumps(_plain(row), default=as_text, ensure_ascii=False) + "\n")
    elif as_csv:
        _print_csv(rows, (*platform.contracted(table).object.column_names, *META_COLUMNS))
    else:
        print_quarantine(Console(), platform.contracted(table), rows, limit)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without what JSON has no number for: these become texts."""
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }


def _print_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    writer = csv.DictWriter(sys.stdout, fieldnames=columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _csv_cell(value) for key, value in row.items()})


def _csv_cell(value: object) -> object:
    if isinstance(value, list):
        return "; ".join(str(item) for item in value)
    return as_text(value) if isinstance(value, datetime) else value
