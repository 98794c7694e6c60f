"""Tables of the command line at the widths of terminals: nothing is cut off."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from quality_platform.flows.table_status import TableStatus
from quality_platform.terminal import plain_table, print_rows, print_statuses

AT = datetime(2026, 5, 31, 12, 30, tzinfo=UTC)
LONG = "sales_of_the_northern_region.order_lines_of_the_web_shop"


def run(state: str, message: str = "", **counts: int) -> dict[str, Any]:
    numbers = ("checks_passed", "checks_warned", "checks_failed", "checks_in_error")
    rows = ("rows_published", "rows_quarantined")
    return {"state": state, "message": message, **dict.fromkeys((*numbers, *rows), 0), **counts}


def status(identifier: str, latest: dict[str, Any] | None, **more: Any) -> TableStatus:
    known = {
        "name": identifier.rpartition(".")[2],
        "identifier": identifier,
        "kind": "table",
        "rows": 1_234_567,
        "quarantined": 12_345,
        "snapshot_id": 1,
        "published_at": AT,
        "blocked_branches": (),
        "latest_run": latest,
    }
    return TableStatus(**{**known, **more})


PUBLISHED = run("partly_published", checks_passed=12, checks_warned=1, checks_in_error=2)


def shown(width: int, *statuses: TableStatus) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_statuses(console, statuses)
    file: Any = console.file
    return str(file.getvalue())


@pytest.mark.parametrize("width", [80, 120])
def test_a_table_has_one_line_in_the_width_of_a_terminal(width: int) -> None:
    lines = shown(width, status("shop.orders", PUBLISHED)).splitlines()
    (line,) = [line for line in lines if "shop.orders" in line]
    told = "1,234,567", "12,345", "2026-05-31 12:30", "partly published", "12/1/2"
    assert all(text in line for text in told)
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [30, 80, 120])
def test_nothing_is_cut_off_in_any_width(width: int) -> None:
    text = shown(width, status(LONG, PUBLISHED), status("shop.orders", None, published_at=None))
    words = "".join(text.split())
    for told in (LONG, "1,234,567", "12,345", "2026-05-3112:30", "partlypublished", "12/1/2"):
        assert told in words
    assert "\N{HORIZONTAL ELLIPSIS}" not in text


@pytest.mark.parametrize(
    ("latest", "more", "line"),
    [
        (run("failed", "no disk\nmore"), {}, "failed shop.orders: no disk"),
        (run("rolled_back", "to 7"), {}, "rolled back shop.orders: to 7"),
        (
            run("replayed", rows_published=3, rows_quarantined=4),
            {},
            "replayed shop.orders: 3 published, 4 stay",
        ),
        (None, {"broken": "x.yaml:1: no [such] column"}, "broken x.yaml:1: no [such] column"),
        (
            PUBLISHED,
            {"blocked_branches": ("audit_1",)},
            "blocked shop.orders: a load waits on branch audit_1",
        ),
    ],
)
def test_what_there_is_to_say_of_a_table_stands_below(
    latest: dict[str, Any] | None, more: dict[str, Any], line: str
) -> None:
    assert line in shown(80, status("shop.orders", latest, **more)).splitlines()


def test_rows_that_are_too_wide_are_a_list_with_headings() -> None:
    table = plain_table("Things", "name")
    for heading in ("one", "two", "three"):
        table.add_column(heading, no_wrap=True)
    table.add_row("a", "x" * 15, "", "y" * 15)
    console = Console(file=io.StringIO(), width=40)
    print_rows(console, table)
    file: Any = console.file
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert lines == ["Things", "a", f"  one: {'x' * 15}; three:", f"  {'y' * 15}"]
    wide = Console(file=io.StringIO(), width=60)
    print_rows(wide, table)
    wide_file: Any = wide.file
    assert len(wide_file.getvalue().splitlines()) == 3
