"""The Dagster UI, looked at in a browser: what it shows of a finished run, and that nothing is
wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ui.browser import Page

ORDERS = "/assets/shop/orders"
JOB = "/locations/quality_platform/jobs/everything"

PAGES: dict[str, tuple[str, Sequence[str]]] = {
    "asset graph": ("/asset-groups", ["landing", "shop", "quarantine", "features"]),
    "table": (
        ORDERS,
        ["The table orders.", "Latest check results", "Number of the order.", "nothing_new"],
    ),
    "checks": (f"{ORDERS}?view=checks", ["Checks (", "amount_is_not_negative", "row_count"]),
    "check": (
        f"{ORDERS}?view=checks&checkDetail=amount_is_not_negative",
        ["amount_is_not_negative holds.", "rows_failing", "share_failing", "sample", "query"],
    ),
    "quarantine": ("/assets/quarantine/orders", ["rows_quarantined", "amount_is_not_negative"]),
    "source": ("/assets/landing/orders", ["Files that shop.orders is loaded from."]),
    "feature view": ("/assets/features/totals", ["The table totals."]),
    "job": (JOB, ["Every table and feature view", "Latest run"]),
    "runs of the job": (f"{JOB}/runs", ["everything", "Success"]),
    "runs": ("/runs", ["everything", "Success", "quality-platform/launched-by: terminal"]),
    "code location": ("/deployment", ["quality_platform", "Loaded"]),
}

WRONG = (
    "Unsynced",
    "Unable to",
    "Something went wrong",
    "not found",
    "Failed to load",
    "Could not",
    "PythonError",
    "Traceback",
    "Deprecat",
    "Warning",
    "Join the Dagster community",
)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_it_should_and_nothing_wrong(name: str, served: str, page: Page) -> None:
    path, texts = PAGES[name]
    page.complaints.clear()
    shown = page.visit(f"{served}{path}", *texts)
    assert [text for text in WRONG if text in shown] == []
    assert page.complaints == []


def test_a_check_keeps_the_history_of_its_results(served: str, page: Page) -> None:
    page.visit(
        f"{served}{ORDERS}?view=checks&checkDetail=amount_is_not_negative", "Execution history"
    )
    page.click("Execution history")
    page.shows("Nothing new: still the result of run")
    assert page.evaluate("document.querySelectorAll('table tbody tr').length") >= 2
    assert page.complaints == []


def test_a_complaint_of_the_console_is_noticed(served: str, page: Page) -> None:
    page.visit(f"{served}/runs", "everything")
    page.complaints.clear()
    page.evaluate("console.error('this is wrong'); setTimeout(() => { throw Error('bang') }, 0)")
    page.shows("everything")
    page.evaluate("new Promise(done => setTimeout(done, 200))")
    page.shows("everything")
    noticed = " ".join(page.complaints)
    page.complaints.clear()
    assert "this is wrong" in noticed
    assert "bang" in noticed
