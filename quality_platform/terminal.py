"""What the command line prints: progress, summaries, tables."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from shutil import which
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table

from quality_platform.checks.results import CheckResult, Verdict
from quality_platform.checks.wording import reason_text
from quality_platform.errors import QualityPlatformError
from quality_platform.flows.outcomes import MaterializationOutcome, TableOutcome
from quality_platform.quarantine.columns import BROKEN_RULES

if TYPE_CHECKING:
    from quality_platform.config.broken import BrokenPart
    from quality_platform.flows.check_data import CheckReport
    from quality_platform.flows.contracted_tables import ContractedTable
    from quality_platform.flows.run_platform import StepOutcome
    from quality_platform.flows.table_status import TableStatus

_ANY_WIDTH = 100_000
_WITHOUT_CHECKS = ("failed", "rolled_back", "replayed", "released", "discarded")
"""States of runs that tell what was done by their message."""
_COLOURS = {Verdict.WARN: "yellow", Verdict.FAIL: "red", Verdict.ERROR: "bold red"}


def print_error(console: Console, error: QualityPlatformError) -> None:
    """Prints every problem of an error."""
    for problem in error.problems:
        console.print(f"[bold red]{error.code}[/bold red] {escape(str(problem))}", soft_wrap=True)


def print_broken(console: Console, broken: Iterable[BrokenPart]) -> None:
    """Prints the parts of runner.yaml that cannot be used, each with its problems."""
    for part in broken:
        console.print(f"[red]✗[/red] {part.noun} {escape(part.name)} is broken:", soft_wrap=True)
        print_error(console, part.error)


def print_step(console: Console, step: StepOutcome) -> None:
    """Prints how one table, feature view or materialization ended, and checks that did not pass."""
    if step.skipped:
        console.print(f"[yellow]-[/yellow] {step.name}: skipped, {escape(step.skipped)}")
    elif step.error is not None:
        console.print(f"[red]✗[/red] {step.name}:")
        print_error(console, step.error)
    elif isinstance(step.outcome, MaterializationOutcome):
        _print_materialization(console, step.outcome)
    elif step.outcome is not None:
        _print_table(console, step.outcome)


def _print_materialization(console: Console, outcome: MaterializationOutcome) -> None:
    text = "nothing new to materialize"
    if outcome.state == "materialized":
        text = f"{outcome.rows:,} entity rows in the online store"
        text += f", {outcome.taken_back:,} taken back" if outcome.taken_back else ""
    sign = "[red]✗[/red]" if outcome.blocked else "[green]✓[/green]"
    console.print(f"{sign} online.{outcome.view}: {text}")
    _print_results(console, outcome)


def _print_table(console: Console, outcome: TableOutcome) -> None:
    if outcome.state == "nothing_new":
        console.print(
            f"[green]✓[/green] {outcome.table}: nothing new, {outcome.total_rows:,} rows stay"
        )
        _print_results(console, outcome)
        return
    signs = {"blocked": "[red]✗[/red]", "partly_published": "[yellow]![/yellow]"}
    sign = signs.get(outcome.state, "[green]✓[/green]")
    console.print(
        f"{sign} {outcome.table}: {outcome.rows_read:,} rows read, "
        f"{outcome.rows_published:,} published, {outcome.rows_quarantined:,} quarantined"
        f"{_row_counts(outcome)}"
    )
    for note in outcome.notes:
        console.print(f"    [yellow]{escape(note)}[/yellow]", soft_wrap=True)
    _print_results(console, outcome)
    for load in outcome.loads:
        if load.branch:
            console.print(
                f"    [red]blocked[/red]: {load.rows_read:,} rows of "
                f"{escape(', '.join(load.files))} are "
                f"on branch {load.branch} of {outcome.identifier}; nothing of them was published",
                soft_wrap=True,
            )


def _print_results(console: Console, outcome: TableOutcome | MaterializationOutcome) -> None:
    """Prints the checks that did not pass; what several of them have to say, once."""
    alike: dict[tuple[Verdict, str], list[CheckResult]] = {}
    for result in outcome.results:
        if result.verdict is not Verdict.PASS:
            is_own = result.count is not None or not result.message
            told = result.spec.name if is_own else result.message
            alike.setdefault((result.verdict, told), []).append(result)
    for first, *others in alike.values():
        console.print(f"    {_result_line(first, len(others))}", soft_wrap=True)


def _result_line(result: CheckResult, others: int) -> str:
    colour, spec = _COLOURS[result.verdict], result.spec
    more = f" and {others} more" if others else ""
    count = "" if result.count is None else f" {result.count:,} of {result.rows:,} rows"
    text = f" {escape(result.message)}" if result.message else ""
    return (
        f"[{colour}]{result.verdict.value:<5}[/{colour}] {spec.name}{more}[dim]{count}{text}[/dim]"
    )


def print_summary(console: Console, steps: Sequence[StepOutcome]) -> None:
    """Prints the run as two tables, one of tables and one of feature views, and what to do next."""
    outcomes = [step.outcome for step in steps if step.outcome is not None]
    tables = [outcome for outcome in outcomes if isinstance(outcome, TableOutcome)]
    materialized = [o for o in outcomes if isinstance(o, MaterializationOutcome)]
    console.print()
    if tables:
        print_rows(console, _tables_summary(tables))
    if materialized:
        print_rows(console, _views_summary(tables, materialized))
    if outcomes and all(outcome.state == "nothing_new" for outcome in outcomes):
        console.print("Nothing new at any source: nothing was read, nothing was changed.\n")
    _print_next_steps(console, tables)


def plain_table(title: str | None, first: str) -> Table:
    """A table without lines, so that it fits into 80 columns; `first` is its first heading."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
    )
    table.add_column(first, no_wrap=True)
    return table


def print_rows(console: Console, table: Table) -> None:
    """Prints a table, or a list of its rows where cells would be cut off for want of width.

    A list has the first cell of each row and, below it, the others that are not empty with their
    headings.
    """
    if _least_width(console, table) <= console.width:
        console.print(table)
        return
    if table.title:
        console.print(table.title, style=table.title_style)
    headings = [str(column.header) for column in table.columns[1:]]
    for first, *others in zip(*(column.cells for column in table.columns), strict=True):
        console.print(first, soft_wrap=True)
        told = [f"{name}: {cell}" for name, cell in zip(headings, others, strict=True) if cell]
        console.print(Padding("; ".join(told), (0, 0, 0, 2)))


def _least_width(console: Console, table: Table) -> int:
    """The width in which no cell is cut off; text that may be wrapped is, between its words."""
    options = console.options.update(width=_ANY_WIDTH)
    width = 0
    for column in table.columns:
        cells = [Measurement.get(console, options, c) for c in (column.header, *column.cells)]
        width += 1 + max(cell.maximum if column.no_wrap else cell.minimum for cell in cells)
    return width


def _row_counts(outcome: TableOutcome) -> str:
    """What else became of rows, in the modes that compare them with the table's; "" for nothing."""
    told = [f"{number:,} {word}" for word, number in outcome.row_counts.items() if number]
    return f" ({', '.join(told)})" if told else ""


def _tables_summary(outcomes: Sequence[TableOutcome]) -> Table:
    table = plain_table("Tables (checks: passed / warned / failed)", "table")
    for name in ("read", "published", "quarantined", "checks"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("snapshot", no_wrap=True)
    for outcome in outcomes:
        rows = (outcome.rows_read, outcome.rows_published, outcome.rows_quarantined)
        numbers = [f"{number:,}" for number in rows]
        snapshot = str(outcome.snapshot_id or "none")
        table.add_row(outcome.table, *numbers, _checks_text(outcome), snapshot)
    return table


def _checks_text(outcome: TableOutcome) -> str:
    if not outcome.results:
        return "none run"
    failed = outcome.count(Verdict.FAIL) + outcome.count(Verdict.ERROR)
    return f"{outcome.count(Verdict.PASS)}/{outcome.count(Verdict.WARN)}/{failed}"


def _views_summary(
    tables: Sequence[TableOutcome], materialized: Sequence[MaterializationOutcome]
) -> Table:
    by_name = {outcome.table: outcome for outcome in tables}
    table = plain_table("\nFeature views", "feature view")
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("materialized", justify="right", no_wrap=True)
    table.add_column("drift")
    for outcome in materialized:
        view = by_name.get(outcome.view)
        rows = f"{view.total_rows:,}" if view else ""
        table.add_row(outcome.view, rows, f"{outcome.rows:,}", _drift_text(view))
    return table


def _drift_text(view: TableOutcome | None) -> str:
    from quality_platform.checks.specs import NoDrift

    results = [r for r in view.results if isinstance(r.spec.claim, NoDrift)] if view else []
    if not results:
        return "no test" if view and view.loads else "nothing new"
    drifted = [r.spec.columns[0] for r in results if r.verdict not in (Verdict.PASS, Verdict.ERROR)]
    unknown = [r.spec.columns[0] for r in results if r.verdict is Verdict.ERROR]
    parts = [f"drifted: {', '.join(drifted)}"] if drifted else []
    parts += [f"could not run: {', '.join(unknown)}"] if unknown else []
    return "; ".join(parts) or "none"


def _print_next_steps(console: Console, tables: Sequence[TableOutcome]) -> None:
    held = [outcome for outcome in tables if outcome.rows_quarantined]
    program = _program()
    console.print("[bold]Next[/bold]")
    if held:
        worst = max(held, key=lambda outcome: outcome.rows_quarantined)
        console.print(
            f"  {program} quarantine {worst.table}\n      the rows held back, with reasons"
        )
    console.print(f"  {program} status\n      where every table stands")
    console.print("  make ui\n      the asset graph, and every check with its history")


def _program() -> str:
    """The command as this shell would find it: by name, or by the path that was called."""
    name = "quality-platform"
    return name if which(name) or not sys.argv[0].endswith(name) else sys.argv[0]


def print_check_report(console: Console, report: CheckReport) -> None:
    """Prints every check of a contract on some data, and rows that break those that failed."""
    title = f"{report.contract.id} {report.contract.version} on {report.data}"
    table = plain_table(escape(title), "check")
    # A long name is broken, so that no verdict is ever cut off.
    table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"
    table.columns[0].max_width = max(console.width // 2 - 8, 1)
    table.add_column("verdict", no_wrap=True)
    table.add_column("broken rows", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("found", overflow="fold")
    for result in report.results:
        colour = _COLOURS.get(result.verdict, "green")
        table.add_row(
            result.spec.name,
            f"[{colour}]{result.verdict.value}[/{colour}]",
            "" if result.count is None else f"{result.count:,}",
            f"{result.share:.2%}" if result.share else "",
            escape(result.message or _told(result)),
        )
    console.print(table)
    for result in report.results:
        if result.verdict is not Verdict.PASS and result.sample:
            _print_sample(console, result)
    _print_totals(console, report)


def _told(result: CheckResult) -> str:
    """What the check says, where its description or its result does not."""
    is_broken = result.verdict in (Verdict.WARN, Verdict.FAIL)
    return (result.spec.description or reason_text(result.spec)) if is_broken else ""


def _print_sample(console: Console, result: CheckResult) -> None:
    console.print(f"\n[bold]{result.spec.name}[/bold]: some of the rows")
    for row in result.sample:
        cells = "  ".join(f"{name}={_cell(value)}" for name, value in row.items())
        console.print(f"  {escape(cells)}", soft_wrap=True)


def _cell(value: object) -> str:
    """A value as SQL names it, so that NULL and NaN are not taken for text."""
    if value is None:
        return "NULL"
    return "NaN" if isinstance(value, float) and math.isnan(value) else str(value)


def _print_totals(console: Console, report: CheckReport) -> None:
    named = ((Verdict.PASS, "passed"), (Verdict.WARN, "warned"), (Verdict.FAIL, "failed"))
    parts = [f"{report.count(verdict)} {word}" for verdict, word in named]
    if errors := report.count(Verdict.ERROR):
        parts.append(f"{errors} could not run")
    if report.skipped:
        parts.append(f"{len(report.skipped)} skipped")
    console.print(
        f"\n{report.rows:,} rows, {report.bad_rows:,} of them would be quarantined; "
        f"{len(report.results)} checks: {', '.join(parts)}",
        soft_wrap=True,
    )


def print_statuses(console: Console, statuses: Sequence[TableStatus]) -> None:
    """Prints a line for every table, and then what there is to say of some."""
    table = plain_table("Tables (checks: passed / warned / failed)", "table")
    for heading in ("rows", "quarantined"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("published (UTC)", "latest run", "checks"):
        table.add_column(heading, no_wrap=True)
    for status in statuses:
        table.add_row(
            escape(status.identifier),
            f"{status.rows:,}",
            f"{status.quarantined:,}",
            status.published_at.strftime("%Y-%m-%d %H:%M") if status.published_at else "never",
            "[red]broken[/red]" if status.broken else _run_state(status.latest_run),
            "" if status.broken else _run_checks(status.latest_run),
        )
    print_rows(console, table)
    for status in statuses:
        for note in _status_notes(status):
            console.print(note, soft_wrap=True)


def _run_state(run: Mapping[str, Any] | None) -> str:
    return "none" if run is None else str(run["state"]).replace("_", " ")


def _run_checks(run: Mapping[str, Any] | None) -> str:
    """The numbers of checks that passed, warned and failed; "" for a run that made none."""
    if run is None or run["state"] in _WITHOUT_CHECKS:
        return ""
    failed = run["checks_failed"] + run["checks_in_error"]
    return f"{run['checks_passed']}/{run['checks_warned']}/{failed}"


def _status_notes(status: TableStatus) -> Iterator[str]:
    """Why a table is broken, its latest run failed, or was no load; and what waits for people."""
    name, run = escape(status.identifier), status.latest_run
    if status.broken:
        yield f"[red]broken[/red] {escape(status.broken)}"
    elif run is not None and run["state"] in _WITHOUT_CHECKS:
        colour = "red" if run["state"] == "failed" else "yellow"
        left = f"{run['rows_published']} published, {run['rows_quarantined']} stay"
        text = (run["message"] or left).splitlines()[0]
        yield f"[{colour}]{_run_state(run)}[/{colour}] {name}: {escape(text)}"
    for branch in status.blocked_branches:
        yield f"[red]blocked[/red] {name}: a load waits on branch {escape(branch)}"


def print_quarantine(
    console: Console, table: ContractedTable, rows: Iterable[dict[str, Any]], limit: int
) -> None:
    """Prints up to `limit` quarantined rows (0 for all): place, key, and reasons."""
    keys = table.object.primary_key or table.object.column_names[:3]
    iterator = iter(rows)
    count = 0
    for row in islice(iterator, limit or None):
        place = row["_source_file"] + (f":{row['_source_line']}" if row["_source_line"] else "")
        shown = "  ".join(f"{key}={row[key]}" for key in keys if row[key] is not None)
        console.print(f"[bold]{escape(place)}[/bold]  {escape(shown)}", soft_wrap=True)
        for rule, reason in zip(row[BROKEN_RULES], row["_reasons"], strict=True):
            console.print(f"    [red]{rule}[/red]  {escape(reason)}", soft_wrap=True)
        if row["_raw_record"] is not None:
            console.print(f"    [dim]{escape(row['_raw_record'])}[/dim]", soft_wrap=True)
        count += 1
    rest = sum(1 for _ in iterator)
    if not count:
        console.print(f"{table.quarantine_identifier} is empty")
    if rest:
        console.print(f"... and {rest:,} more: --limit 0, --csv or --json show all")
