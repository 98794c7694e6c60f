"""A source whose columns no longer fit the contract: `load.schema_drift` for every kind of file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.project import (
    Project,
    column_of,
    counts,
    integer,
    key,
    rows_of_table,
    text,
    verdicts,
)

from quality_platform.errors import HeaderError
from quality_platform.flows.load_table import load_table
from quality_platform.flows.outcomes import TableOutcome
from quality_platform.flows.platform import Platform

ORDERS = {"order_id": key(integer()), "amount": integer(required=True), "note": text()}
TABLE = "shop.orders"
CHECK = "source_columns_as_contracted"
KINDS = ["csv", "parquet", "arrow", "jsonl"]
TOLERANT = ["evolve", "quarantine"]

Rows = Sequence[Mapping[str, Any]]


def deliver(project: Project, kind: str, rows: Rows, name: str = "a") -> None:
    folder = project.folder / "landing" / "orders"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.{kind}"
    table = pa.Table.from_pylist([dict(row) for row in rows])
    if kind == "csv":
        lines = [list(rows[0]), *([row[name] for name in rows[0]] for row in rows)]
        path.write_text("".join(",".join(map(str, line)) + "\n" for line in lines))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)


def opened(project: Project, kind: str, policy: str | None) -> Platform:
    load = {"mode": "append", **({"schema_drift": policy} if policy else {})}
    source = {"type": kind, "path": f"landing/orders/*.{kind}"}
    return project.table("orders", ORDERS, source=source, load=load).open()


def run(platform: Platform) -> TableOutcome:
    return load_table(platform, "orders", "run-1")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", [None, "fail"])
def test_a_further_column_stops_the_load_by_name_where_nothing_else_is_said(
    project: Project, kind: str, policy: str | None
) -> None:
    platform = opened(project, kind, policy)
    deliver(project, kind, [{"order_id": 1, "amount": 5, "note": "n", "channel": "web"}] * 2)
    with pytest.raises(HeaderError, match="'channel'"):
        run(platform)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", TOLERANT)
def test_a_further_column_is_left_out_and_told_by_a_warning(
    project: Project, kind: str, policy: str
) -> None:
    platform = opened(project, kind, policy)
    deliver(project, kind, [{"order_id": 1, "amount": 5, "note": "n", "channel": "web"}])
    outcome = run(platform)
    assert rows_of_table(platform, TABLE) == [{"order_id": 1, "amount": 5, "note": "n"}]
    assert outcome.drift == (f"the file a.{kind} has a further column 'channel': it was left out.",)
    assert verdicts(outcome)[CHECK] == "warn"


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow"])
def test_a_missing_optional_column_stops_the_load_where_nothing_else_is_said(
    project: Project, kind: str
) -> None:
    platform = opened(project, kind, "fail")
    deliver(project, kind, [{"order_id": 1, "amount": 5}])
    with pytest.raises(HeaderError, match="'note'"):
        run(platform)


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow"])
@pytest.mark.parametrize("policy", TOLERANT)
def test_a_missing_optional_column_is_null_and_told_by_a_warning(
    project: Project, kind: str, policy: str
) -> None:
    platform = opened(project, kind, policy)
    deliver(project, kind, [{"amount": 5, "order_id": 1}])
    outcome = run(platform)
    assert rows_of_table(platform, TABLE) == [{"order_id": 1, "amount": 5, "note": None}]
    lacks = f"the file a.{kind} has no column 'note': it is NULL in every row of it."
    assert outcome.drift == (lacks,)
    assert verdicts(outcome)[CHECK] == "warn"


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow"])
@pytest.mark.parametrize("policy", ["fail", "evolve"])
def test_a_missing_required_column_stops_the_load(project: Project, kind: str, policy: str) -> None:
    platform = opened(project, kind, policy)
    deliver(project, kind, [{"order_id": 1, "note": "n"}])
    with pytest.raises(HeaderError, match="'amount'"):
        run(platform)


@pytest.mark.parametrize("kind", KINDS)
def test_with_quarantine_a_missing_required_column_holds_every_row_back(
    project: Project, kind: str
) -> None:
    platform = opened(project, kind, "quarantine")
    deliver(project, kind, [{"order_id": n, "note": "n"} for n in (1, 2)])
    outcome = run(platform)
    assert (outcome.rows_read, outcome.rows_published, outcome.rows_quarantined) == (2, 0, 2)
    assert counts(outcome)["amount_not_null"] == 2


@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow"])
@pytest.mark.parametrize("policy", ["fail", *TOLERANT])
def test_a_file_with_none_of_the_contracts_columns_is_refused_whatever_is_said(
    project: Project, kind: str, policy: str
) -> None:
    platform = opened(project, kind, policy)
    deliver(project, kind, [{"x": 1, "y": 2}])
    with pytest.raises(HeaderError, match="'order_id'"):
        run(platform)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize("policy", ["fail", "evolve"])
def test_a_type_that_never_fits_stops_the_load_with_both_types(
    project: Project, kind: str, policy: str
) -> None:
    platform = opened(project, kind, policy)
    deliver(project, kind, [{"order_id": 1, "amount": 5.5, "note": "n"}])
    with pytest.raises(HeaderError) as caught:
        run(platform)
    (problem,) = caught.value.problems
    assert "'amount'" in problem.message
    assert (problem.received, problem.allowed) == ("double", "long")


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_with_quarantine_values_of_a_type_that_never_fits_hold_their_rows_back(
    project: Project, kind: str
) -> None:
    platform = opened(project, kind, "quarantine")
    rows = [{"order_id": n, "amount": amount, "note": 7} for n, amount in ((1, 5.5), (2, None))]
    deliver(project, kind, rows)
    outcome = run(platform)
    assert (outcome.rows_read, outcome.rows_published, outcome.rows_quarantined) == (2, 0, 2)
    assert counts(outcome)["conforms_to_schema"] == 1
    assert len(outcome.drift) == 2


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize("policy", ["fail", *TOLERANT])
def test_a_wider_type_is_taken_as_far_as_its_values_fit(
    project: Project, kind: str, policy: str
) -> None:
    platform = opened(project, kind, policy)
    folder = project.folder / "landing" / "orders"
    folder.mkdir(parents=True)
    found = pa.table(
        {
            "order_id": pa.array([1, 2], pa.uint64()),
            "amount": pa.array([5, 2**63], pa.uint64()),
            "note": pa.array(["n", "n"], pa.large_string()),
        }
    )
    path = folder / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(found, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, found.schema) as writer:
            writer.write_table(found)
    outcome = run(platform)
    assert column_of(platform, TABLE, "order_id") == [1]
    assert outcome.rows_quarantined == 1


def test_a_json_key_that_only_a_later_record_has_holds_that_record_back(
    project: Project,
) -> None:
    platform = opened(project, "jsonl", "fail")
    good: dict[str, Any] = {"order_id": 1, "amount": 5}
    deliver(project, "jsonl", [good, {**good, "order_id": 2, "channel": "web"}])
    outcome = run(platform)
    assert (outcome.rows_published, outcome.rows_quarantined) == (1, 1)


@pytest.mark.parametrize("policy", TOLERANT)
def test_a_json_key_beyond_the_first_records_is_never_dropped_untold(
    project: Project, policy: str
) -> None:
    platform = opened(project, "jsonl", policy)
    rows: list[dict[str, Any]] = [{"order_id": n, "amount": 5} for n in range(150)]
    rows[3]["early"] = 1
    rows[149]["late"] = 1
    deliver(project, "jsonl", rows)
    outcome = run(platform)
    assert (outcome.rows_published, outcome.rows_quarantined) == (149, 1)
    assert outcome.drift == ("the file a.jsonl has a further column 'early': it was left out.",)


def test_a_source_as_contracted_passes_the_check_and_tells_nothing(project: Project) -> None:
    platform = opened(project, "csv", "evolve")
    deliver(project, "csv", [{"order_id": 1, "amount": 5, "note": "n"}])
    outcome = run(platform)
    assert verdicts(outcome)[CHECK] == "pass"
    assert outcome.notes == ()


def test_files_of_two_shapes_are_loaded_together_and_each_difference_is_told(
    project: Project,
) -> None:
    platform = opened(project, "csv", "evolve")
    deliver(project, "csv", [{"order_id": 1, "amount": 5, "note": "n"}], "a")
    deliver(project, "csv", [{"channel": "web", "amount": 6, "order_id": 2}], "b")
    outcome = run(platform)
    assert column_of(platform, TABLE, "amount") == [5, 6]
    assert [sentence[:14] for sentence in outcome.drift] == ["the file b.csv"] * 2


def test_columns_that_may_be_ignored_are_no_drift(project: Project) -> None:
    source = {"ignore_columns": ["channel"]}
    load = {"mode": "append", "schema_drift": "evolve"}
    platform = project.table("orders", ORDERS, source=source, load=load).open()
    deliver(project, "csv", [{"order_id": 1, "amount": 5, "note": "n", "channel": "web"}])
    assert run(platform).drift == ()


@pytest.mark.parametrize("scheme", ["sqlite:///{}", "adbc+adbc_driver_sqlite:{}"])
@pytest.mark.parametrize("policy", ["fail", *TOLERANT])
def test_a_table_of_any_database_may_differ_as_far_as_files_may(
    project: Project, policy: str, scheme: str
) -> None:
    file = project.folder / "shop.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE orders (order_id INTEGER, amount INTEGER, channel TEXT)")
        database.execute("INSERT INTO orders VALUES (1, 5, 'web')")
    project.settings["connections"] = {"shop_db": {"url": scheme.format(file)}}
    project.table("orders", ORDERS, load={"mode": "replace", "schema_drift": policy})
    source = {"type": "sql", "connection": "shop_db", "table": "orders"}
    project.tables["orders"]["source"] = source
    platform = project.open()
    if policy == "fail":
        with pytest.raises(HeaderError, match=r"'note'[\s\S]*'channel'"):
            run(platform)
        return
    outcome = run(platform)
    assert rows_of_table(platform, TABLE) == [{"order_id": 1, "amount": 5, "note": None}]
    assert len(outcome.drift) == 2
