"""The rows that all engines of the benchmark read, and the answers that they are held to."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from benchmarks.data import COLUMNS, DEFECTS, Dataset, dataset, size
from benchmarks.expected import expected, holds
from benchmarks.rules import TWENTY, Kind, Rule, rules_of

ROWS = 10_000


@pytest.fixture(scope="module", params=["clean", "bad"])
def rows(request, tmp_path_factory) -> Dataset:
    return dataset(tmp_path_factory.mktemp("rows"), ROWS, request.param)


def table_of(data: Dataset) -> list[dict[str, object]]:
    return pq.ParquetDataset([str(path) for path in data.orders]).read().to_pylist()


def test_every_data_set_has_the_rows_and_columns_asked_for(rows):
    table = pq.ParquetDataset([str(path) for path in rows.orders]).read()
    assert table.num_rows == ROWS
    assert table.column_names == list(COLUMNS)
    assert pq.read_metadata(rows.customers).num_rows == ROWS // 10


def test_the_same_rows_are_made_again(rows, tmp_path):
    again = dataset(tmp_path, ROWS, rows.kind)
    assert table_of(again) == table_of(rows)


def test_a_data_set_that_is_there_is_not_made_anew(rows):
    before = rows.orders[0].stat().st_mtime_ns
    assert dataset(rows.folder.parent, ROWS, rows.kind) == rows
    assert rows.orders[0].stat().st_mtime_ns == before


def test_no_clean_row_breaks_a_rule(tmp_path):
    answers = expected(dataset(tmp_path, ROWS, "clean"))
    broken = {r.name: answers[r.name].rows for r in rules_of(100) if not r.is_gate}
    assert not any(broken.values()), broken


def test_every_rule_on_rows_is_broken_by_bad_rows(tmp_path):
    answers = expected(dataset(tmp_path, ROWS, "bad"))
    assert all(answers[rule.name].rows for rule in TWENTY)


def test_one_and_a_half_percent_of_bad_rows_carry_a_defect(tmp_path):
    clean, bad = (table_of(dataset(tmp_path, ROWS, kind)) for kind in ("clean", "bad"))
    changed = sum(a != b for a, b in zip(clean, bad, strict=True))
    # A negative discount of a row that had none by chance is still a change; hence no exact number.
    assert 0.012 * ROWS < changed < 0.018 * ROWS
    assert len(DEFECTS) == 19


def test_plain_sql_counts_what_a_loop_over_the_rows_counts(rows):
    table = table_of(rows)
    customers = set(pq.read_table(rows.customers)["customer_id"].to_pylist())
    answers = expected(rows)
    for rule in TWENTY:
        breaks = _breaks(rule, customers, table)
        counted = sum(breaks(row) for row in table)
        assert counted == answers[rule.name].rows, rule.name


def _breaks(rule: Rule, customers: set[object], table: list[dict]) -> Callable[[dict], bool]:
    first = rule.column
    match rule.kind:
        case Kind.NOT_NULL | Kind.NULL_SHARE:
            return lambda row: row[first] is None
        case Kind.UNIQUE | Kind.REPEATED_SHARE:
            keys = Counter(_key(rule, row) for row in table)
            return lambda row: None not in _key(rule, row) and keys[_key(rule, row)] > 1
        case Kind.FOREIGN_KEY:
            return lambda row: row[first] is not None and row[first] not in customers
        case Kind.PATTERN:
            return lambda row: row[first] is not None and not re.search(rule.pattern, row[first])
        case Kind.IN_SET:
            return lambda row: row[first] not in rule.values
        case Kind.LENGTH | Kind.IN_RANGE:
            measure = len if rule.kind is Kind.LENGTH else lambda value: value
            return lambda row: row[first] is not None and _outside(rule, measure(row[first]))
        case Kind.WITHIN_TOTAL:
            return lambda row: (
                row["discount"] is not None
                and row["discount"] > float(row["price"]) * row["quantity"]
            )
        case Kind.CANCELLED:
            return lambda row: row["status"] == "cancelled" and (row["discount"] or 0) > 0


def _key(rule: Rule, row: dict) -> tuple[object, ...]:
    return tuple(row[column] for column in rule.columns)


def _outside(rule: Rule, value: object) -> bool:
    low = datetime(2024, 1, 1, tzinfo=UTC) if isinstance(rule.minimum, str) else rule.minimum
    return (low is not None and value < low) or (rule.maximum is not None and value > rule.maximum)


def test_a_gate_holds_up_to_its_percentage(tmp_path):
    gate = next(rule for rule in TWENTY if rule.name == "orders_not_repeated")
    for kind, verdict in (("clean", True), ("bad", False)):
        answer = expected(dataset(tmp_path, ROWS, kind))[gate.name]
        assert holds(gate, answer, ROWS) is verdict


@pytest.mark.parametrize(("text", "rows"), [("500000", 500_000), ("20k", 20_000), ("10M", 10**7)])
def test_sizes_are_written_as_people_do(text, rows):
    assert size(text) == rows


@pytest.mark.parametrize(("rows", "kind"), [(10, "bad"), (5000, "dirty")])
def test_a_data_set_that_cannot_be_made_is_refused(rows, kind, tmp_path):
    with pytest.raises(ValueError, match="there is no data set"):
        dataset(tmp_path, rows, kind)
