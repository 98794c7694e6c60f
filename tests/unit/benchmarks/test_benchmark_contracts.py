"""The rules of the benchmark as contracts."""

import pytest
import yaml

from benchmarks.contract import COMMITTED, contract_of, write_contract
from benchmarks.rules import Kind, broken_sql, rules_of
from quality_platform.checks.derive import CONFORMS, check_specs
from quality_platform.contracts.loading import load_contract

TABLES = {"orders": "orders", "customers": "customers"}


def test_the_committed_contract_is_what_the_rules_say():
    assert yaml.safe_load(COMMITTED.read_text(encoding="utf-8")) == contract_of(rules_of(20))


@pytest.mark.parametrize("number", [5, 20, 100])
def test_the_platform_reads_each_rule_as_one_check(number, tmp_path):
    path = tmp_path / "orders.odcs.yaml"
    write_contract(path, rules_of(number))
    specs = check_specs(load_contract(path).objects[0], TABLES)
    assert {spec.name for spec in specs} == {CONFORMS, *(rule.name for rule in rules_of(number))}


def test_a_greater_set_contains_the_smaller_ones():
    assert rules_of(100)[:20] == rules_of(20)
    assert rules_of(20)[:5] == rules_of(5)
    assert len({rule.name for rule in rules_of(100)}) == 100


def test_a_set_of_another_size_is_refused():
    with pytest.raises(ValueError, match="there is no set of 30 rules"):
        rules_of(30)


def test_the_hundred_have_twelve_patterns():
    assert sum(rule.kind is Kind.PATTERN for rule in rules_of(100)) == 12


def test_one_row_cannot_tell_whether_a_key_is_repeated():
    unique = next(rule for rule in rules_of(5) if rule.kind is Kind.UNIQUE)
    with pytest.raises(ValueError, match="about groups of rows"):
        broken_sql(unique)
