"""Results: what blocks, which is the gravest, and the share of failing rows."""

from __future__ import annotations

import pytest

from quality_platform.checks.results import CheckResult, Verdict, verdict_of, worst
from quality_platform.checks.specs import CheckSpec, NotNull, Scope, Severity


def spec(scope: Scope, severity: Severity = Severity.ERROR) -> CheckSpec:
    return CheckSpec("check", NotNull("a"), scope, severity)


@pytest.mark.parametrize(
    ("verdicts", "gravest"),
    [
        ([], Verdict.PASS),
        ([Verdict.PASS, Verdict.WARN], Verdict.WARN),
        ([Verdict.FAIL, Verdict.WARN, Verdict.PASS], Verdict.FAIL),
        ([Verdict.ERROR, Verdict.FAIL], Verdict.ERROR),
    ],
)
def test_the_gravest_verdict_wins(verdicts, gravest):
    assert worst(verdicts) is gravest


@pytest.mark.parametrize(
    ("severity", "passed", "verdict"),
    [
        (Severity.ERROR, True, Verdict.PASS),
        (Severity.WARNING, True, Verdict.PASS),
        (Severity.ERROR, False, Verdict.FAIL),
        (Severity.WARNING, False, Verdict.WARN),
    ],
)
def test_the_severity_decides_what_a_failure_is(severity, passed, verdict):
    assert verdict_of(spec(Scope.ROW, severity), passed) is verdict


@pytest.mark.parametrize(
    ("scope", "verdict", "blocks"),
    [
        (Scope.ROW, Verdict.FAIL, False),
        (Scope.GATE, Verdict.FAIL, True),
        (Scope.GATE, Verdict.WARN, False),
        (Scope.GATE, Verdict.PASS, False),
        (Scope.ROW, Verdict.ERROR, True),
        (Scope.GATE, Verdict.ERROR, True),
    ],
)
def test_failed_gates_and_checks_that_could_not_run_block(scope, verdict, blocks):
    assert CheckResult(spec(scope), verdict, rows=3).blocks is blocks


def test_a_warning_that_could_not_run_blocks_too():
    result = CheckResult(spec(Scope.ROW, Severity.WARNING), Verdict.ERROR, rows=3)
    assert result.blocks


@pytest.mark.parametrize(
    ("rows", "count", "share"), [(4, 1, 0.25), (4, 0, 0.0), (0, 0, None), (4, None, None)]
)
def test_the_share_is_of_the_rows_judged(rows, count, share):
    assert CheckResult(spec(Scope.ROW), Verdict.FAIL, rows, count).share == share


@pytest.mark.parametrize(
    ("scope", "severity", "blocks"),
    [
        (Scope.GATE, Severity.ERROR, True),
        (Scope.GATE, Severity.WARNING, False),
        (Scope.ROW, Severity.ERROR, False),
        (Scope.NOTE, Severity.ERROR, False),
    ],
)
def test_only_a_gate_of_severity_error_can_stop_a_publish(scope, severity, blocks):
    assert spec(scope, severity).blocks is blocks
