"""Rows that break something: held back with their values, their place, and every reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.project import (
    Project,
    column_of,
    counts,
    csv_text,
    foreign_key,
    integer,
    key,
    number,
    predicate,
    rows_of_table,
    text,
    verdicts,
)

from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform
from quality_platform.flows.samples import MASK
from quality_platform.flows.table_status import quarantined_rows

ORDERS = {
    "id": key(integer()),
    "customer": text(required=True),
    "amount": number("decimal(8,2)"),
    "day": {"logicalType": "date"},
}
HEADER = "id,customer,amount,day"
AMOUNT_KNOWN = predicate("amount_known", "amount IS NOT NULL", "warning")


def run(platform: Platform, name: str = "orders") -> TableOutcome:
    outcome = load_table(platform, name, "run-1")
    assert outcome.rows_read == outcome.rows_published + outcome.rows_quarantined
    return outcome


def held(platform: Platform, name: str = "orders") -> dict[int, dict[str, Any]]:
    """The quarantined rows by the line of their source."""
    return {row["_source_line"]: row for row in quarantined_rows(platform, name)}


def test_cells_that_do_not_convert_take_their_row_out_with_its_raw_text(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    records = [
        "1,Ann,1.00,2024-02-29",
        '2,Bob,"1,5",2024-13-01',
        'x3,"Cy ""C""",2.00,2024-01-01',
        "4,Dan,1.005,2024-01-01",
    ]
    project.deliver("orders/a.csv", "\n".join([HEADER, *records]) + "\n")
    outcome = run(platform)
    assert (outcome.rows_published, outcome.rows_quarantined) == (1, 3)
    assert counts(outcome)["conforms_to_schema"] == 3
    rows = held(platform)
    assert [rows[line]["_raw_record"] for line in (3, 4, 5)] == records[1:]
    assert rows[3]["_reasons"] == [
        "amount: '1,5' is no decimal(8, 2); day: '2024-13-01' is no date"
    ]
    assert rows[4]["_reasons"] == ["id: 'x3' is no long"]
    assert rows[5]["_reasons"] == ["amount: '1.005' is no decimal(8, 2)"]
    assert all(row["_broken_rules"] == ["conforms_to_schema"] for row in rows.values())
    # Cells that did convert are kept as values.
    assert (rows[4]["id"], rows[4]["customer"], rows[4]["amount"]) == (None, 'Cy "C"', Decimal(2))


def test_records_of_another_width_are_held_with_text_line_and_reason(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver(
        "orders/a.csv",
        f'{HEADER}\n1,Ann,1,2024-01-01\n2,Bob\n3,"two\nlines",1,2024-01-01\n4,D,1,2024-01-01,x\n',
    )
    outcome = run(platform)
    assert column_of(platform, "shop.orders", "id") == [1, 3]
    assert outcome.rows_quarantined == 2
    rows = held(platform)
    assert rows[3]["_raw_record"] == "2,Bob"
    assert rows[3]["_reasons"] == ["2 fields, the header has 4"]
    assert rows[6]["_raw_record"] == "4,D,1,2024-01-01,x"
    assert rows[6]["_reasons"] == ["5 fields, the header has 4"]
    assert all(row["id"] is None for row in rows.values())


def test_a_row_that_breaks_rules_is_held_with_all_of_them(project: Project) -> None:
    quality = [
        predicate("amount_positive", "amount > 0"),
        predicate("amount_small", "amount < 100"),
        predicate("not_zero", "amount <> 0"),
    ]
    platform = project.table("orders", ORDERS, quality=quality).open()
    project.deliver(
        "orders/a.csv", f"{HEADER}\n1,Ann,5,\n2,Bob,500,\n3,,0,\n4,Dan,,\n5,Eve,-1,2024-01-01\n"
    )
    outcome = run(platform)
    # NULL is unknown, and unknown passes, as in a SQL CHECK.
    assert column_of(platform, "shop.orders", "id") == [1, 4]
    rows = held(platform)
    assert rows[3]["_broken_rules"] == ["amount_small"]
    assert rows[4]["_broken_rules"] == ["customer_not_null", "amount_positive", "not_zero"]
    told = zip(rows[4]["_reasons"], ("customer", "amount", "amount"), strict=True)
    assert all(column in reason for reason, column in told)
    assert rows[6]["_broken_rules"] == ["amount_positive"]
    assert (rows[6]["amount"], rows[6]["_raw_record"]) == (Decimal(-1), None)
    found = counts(outcome)
    assert (found["amount_positive"], found["amount_small"], found["not_zero"]) == (2, 1, 1)
    assert verdicts(outcome)["not_zero"] == "fail"


def test_a_held_row_says_where_it_came_from_and_under_which_contract(project: Project) -> None:
    platform = project.table("orders", ORDERS, version="3.2.1").open()
    project.deliver("orders/x/a.csv", f"{HEADER}\n")
    project.deliver("orders/b.csv", f"{HEADER}\r\n1,Ann,,\r\n2,,,\r\n")
    before = datetime.now(UTC)
    outcome = run(platform)
    (row,) = quarantined_rows(platform, "orders")
    (load,) = outcome.loads
    assert row["_source_file"] == "b.csv"
    assert row["_source_line"] == 3
    assert (row["_load_id"], row["_attempt"]) == (load.load_id, load.attempt)
    assert row["_run_id"] == "run-1"
    assert (row["_contract_id"], row["_contract_version"]) == ("contract-of-orders", "3.2.1")
    assert before <= row["_quarantined_at"] <= before + timedelta(minutes=5)


def test_a_warning_counts_publishes_and_is_listed_only_beside_another_reason(
    project: Project,
) -> None:
    platform = project.table("orders", ORDERS, quality=[AMOUNT_KNOWN]).open()
    project.deliver("orders/a.csv", f"{HEADER}\n1,Ann,,\n2,,,\n3,,1,\n4,Dan,1,\n")
    outcome = run(platform)
    assert column_of(platform, "shop.orders", "id") == [1, 4]
    assert counts(outcome)["amount_known"] == 2
    assert verdicts(outcome)["amount_known"] == "warn"
    rows = held(platform)
    assert rows[3]["_warnings"] == ["amount_known"]
    assert rows[4]["_warnings"] == []
    assert rows[3]["_broken_rules"] == ["customer_not_null"]


def test_all_rows_that_share_a_key_within_a_batch_are_held(project: Project) -> None:
    platform = project.table("orders", ORDERS, quality=[AMOUNT_KNOWN]).open()
    project.deliver(
        "orders/a.csv", f"{HEADER}\n1,Ann,1,\n2,Bob,,\n3,Cy,1,\n2,Bo,1,\n,x,1,\n2,,1,\n"
    )
    outcome = run(platform)
    assert column_of(platform, "shop.orders", "id") == [1, 3]
    assert counts(outcome)["primary_key_unique"] == 3
    rows = held(platform)
    assert sorted(rows) == [3, 5, 6, 7]
    assert rows[3]["_broken_rules"] == rows[5]["_broken_rules"] == ["primary_key_unique"]
    assert rows[3]["customer"] == "Bob"
    # Held late for its key, but its warning is as good as that of a row held early.
    assert (rows[3]["_warnings"], rows[5]["_warnings"]) == (["amount_known"], [])
    assert rows[6]["_broken_rules"] == ["id_not_null"]
    # A row that was held already gets its further reason.
    assert rows[7]["_broken_rules"] == ["customer_not_null", "primary_key_unique"]
    assert ["customer" in reason for reason in rows[7]["_reasons"]] == [True, False]


def test_a_key_that_is_published_already_is_held_and_the_old_row_stays(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", f"{HEADER}\n1,Ann,1,\n2,Bob,1,\n")
    run(platform)
    project.deliver("orders/b.csv", f"{HEADER}\n3,Cy,1,\n2,Bobby,1,\n")
    outcome = run(platform)
    assert (outcome.rows_published, outcome.rows_quarantined) == (1, 1)
    rows = {row["id"]: row["customer"] for row in rows_of_table(platform, "shop.orders")}
    assert rows == {1: "Ann", 2: "Bob", 3: "Cy"}
    assert held(platform)[3]["customer"] == "Bobby"


def test_replacing_does_not_compare_with_the_rows_that_it_replaces(project: Project) -> None:
    load = {"mode": "replace", "batch": "all"}
    platform = project.table("orders", ORDERS, load=load).open()
    for customer in ("Ann", "Anna"):
        project.deliver("orders/a.csv", f"{HEADER}\n1,{customer},1,\n")
        assert run(platform).rows_quarantined == 0
    assert column_of(platform, "shop.orders", "customer") == ["Anna"]


def test_late_rows_keep_their_lines_over_several_data_files_and_sources(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quality_platform.lake.data_files.ROW_GROUP_BYTES", 20_000)
    project.table("orders", ORDERS, load={"mode": "append", "batch": "all"})
    platform = project.open()
    monkeypatch.setattr(type(platform), "target_file_bytes", property(lambda self: 1_000))
    # Every row of b repeats one of a, but for each tenth; c repeats nothing and stays as written.
    a = [(n, f"a{n}", "", "") for n in range(0, 3000)]
    b = [(n + (10_000 if n % 10 == 0 else 0), f"b{n}", "", "") for n in range(1000, 2000)]
    c = [(n, f"c{n}", "", "") for n in range(20_000, 24_000)]
    for name, rows in (("a", a), ("b", b), ("c", c)):
        project.deliver(f"orders/{name}.csv", csv_text(HEADER, rows))
    outcome = run(platform)
    assert outcome.rows_quarantined == 1800
    published = column_of(platform, "shop.orders", "id")
    assert len(set(published)) == len(published) == 8000 - 1800
    for row in quarantined_rows(platform, "orders"):
        name, number_ = row["customer"][0], int(row["customer"][1:])
        assert row["_source_file"] == f"{name}.csv"
        first = {"a": 0, "b": 1000}[name]
        assert row["_source_line"] == number_ - first + 2
        assert row["_broken_rules"] == ["primary_key_unique"]
    table = platform.lake.table("shop.orders")
    files = [task.file.file_path for task in table.scan().plan_files()]
    # Only the files that held such rows were written again.
    assert any("-split-" in file for file in files)
    assert any("-split-" not in file for file in files)
    on_disk = {p.name for p in (platform.home / "warehouse" / "shop").rglob("*.parquet")}
    assert on_disk == {file.rpartition("/")[2] for file in files}


def test_a_foreign_key_judges_every_row_that_has_a_key(project: Project) -> None:
    project.table("shops", {"code": key(text())})
    project.table(
        "orders",
        {
            "id": key(integer()),
            "shop": text(**foreign_key("shops.code", "shop_known")),
            "origin": text(**foreign_key("shops.code", "origin_known", "warning")),
        },
    )
    project.deliver("shops/a.csv", "code\nN\nS\n")
    project.deliver("orders/a.csv", "id,shop,origin\n1,N,S\n2,W,S\n3,,\n4,S,W\n5,W,W\n")
    platform = project.open()
    run(platform, "shops")
    outcome = run(platform)
    assert column_of(platform, "shop.orders", "id") == [1, 3, 4]
    assert (counts(outcome)["shop_known"], counts(outcome)["origin_known"]) == (2, 2)
    assert held(platform)[6]["_warnings"] == ["origin_known"]
    # The run pinned the snapshot that it compared with.
    shops = platform.lake.table("shop.shops").current_snapshot()
    assert shops is not None
    assert outcome.pins == {"shops": shops.snapshot_id}


def test_a_foreign_key_to_a_published_table_without_rows_holds_every_key(
    project: Project,
) -> None:
    shop = text(**foreign_key("shops.code", "shop_known"))
    project.table("shops", {"code": key(text())})
    project.table("orders", {"id": key(integer()), "shop": shop})
    project.deliver("shops/a.csv", "code\n")
    project.deliver("orders/a.csv", "id,shop\n1,N\n2,\n")
    platform = project.open()
    run(platform, "shops")
    assert counts(run(platform))["shop_known"] == 1
    assert column_of(platform, "shop.orders", "id") == [2]


def test_samples_are_few_show_key_and_columns_and_hide_personal_data(project: Project) -> None:
    columns = {
        "id": key(integer()),
        "email": text(
            classification="restricted", required=True, logicalTypeOptions={"pattern": "@"}
        ),
        "note": text(),
    }
    project.settings["engine"] = {"sample_rows": 2}
    platform = project.table("people", columns).open()
    lines = [f"{n},mail{n},secret note" for n in range(5)] + ["7,,x", "7,a@b,x"]
    project.deliver("people/a.csv", "id,email,note\n" + "\n".join(lines) + "\n")
    results = {result.spec.name: result for result in run(platform, "people").results}
    assert results["email_pattern"].count == 5
    assert results["email_pattern"].sample == (
        {"id": 0, "email": MASK, "source": "a.csv:2"},
        {"id": 1, "email": MASK, "source": "a.csv:3"},
    )
    assert results["email_not_null"].sample == ({"id": 7, "email": None, "source": "a.csv:7"},)
    assert [row["id"] for row in results["primary_key_unique"].sample] == [7, 7]
    assert not any("secret" in str(result) for result in results.values())
    assert not any("mail" in str(r.sample) for r in results.values() if "mail" not in r.spec.name)


def test_no_sample_is_kept_where_none_is_wanted(project: Project) -> None:
    project.settings["engine"] = {"sample_rows": 0}
    platform = project.table("orders", ORDERS, quality=[AMOUNT_KNOWN]).open()
    project.deliver("orders/a.csv", f"{HEADER}\n1,,,\n1,x,,\n")
    assert all(result.sample == () for result in run(platform).results)


def test_counts_and_samples_add_up_over_the_loads_of_a_run(project: Project) -> None:
    platform = project.table("orders", ORDERS, quality=[AMOUNT_KNOWN]).open()
    project.deliver("orders/a.csv", f"{HEADER}\n1,Ann,,\n2,Bob,1,\n")
    project.deliver("orders/b.csv", f"{HEADER}\n3,,1,\n4,Dan,,\n5,Eve,,\n")
    outcome = run(platform)
    results = {result.spec.name: result for result in outcome.results}
    assert (results["amount_known"].count, results["amount_known"].rows) == (3, 5)
    assert (results["customer_not_null"].count, results["customer_not_null"].rows) == (1, 5)
    assert [len(load.results) for load in outcome.loads] == [len(results)] * 2


def test_a_file_without_one_good_row_publishes_none_and_is_done(project: Project) -> None:
    platform = project.table("orders", ORDERS).open()
    project.deliver("orders/a.csv", f"{HEADER}\nx,Ann,,\ny,Bob,,\n")
    outcome = run(platform)
    assert (outcome.state, outcome.rows_published, outcome.rows_quarantined) == ("published", 0, 2)
    assert run(platform).state == "nothing_new"


def test_sixty_five_rules_are_told_apart(project: Project) -> None:
    quality = [predicate(f"not_{n}", f"id <> {n}") for n in range(65)]
    platform = project.table("orders", {"id": key(integer())}, quality=quality).open()
    project.deliver("orders/a.csv", csv_text("id", [(n,) for n in range(70)]))
    outcome = run(platform)
    assert column_of(platform, "shop.orders", "id") == list(range(65, 70))
    for row in quarantined_rows(platform, "orders"):
        assert row["_broken_rules"] == [f"not_{row['id']}"]
    assert outcome.rows_quarantined == 65
