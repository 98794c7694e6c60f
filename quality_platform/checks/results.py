"""What a check found, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from quality_platform.checks.specs import CheckSpec, Scope, Severity


class Verdict(StrEnum):
    """How a check ended. An error (the check could not run) blocks as a failure does."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    ERROR = "error"


_ORDER = [Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.ERROR]


def worst(verdicts: list[Verdict]) -> Verdict:
    """The gravest of the verdicts; PASS when there are none."""
    return max(verdicts, key=_ORDER.index, default=Verdict.PASS)


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check on one batch.

    `count` is the number of rows that break the claim (None where the engine gives no number),
    `rows` the number of rows judged, `value` the metric compared with the threshold. `sample` holds
    some failing rows, PII already masked; `query` the SQL that a person can run to see them.
    `detail` is Markdown that explains the result further; `facts` are further numbers and texts, by
    names that mean the same in every result of the check.
    """

    spec: CheckSpec
    verdict: Verdict
    rows: int
    count: int | None = None
    value: Decimal | None = None
    message: str = ""
    sample: tuple[dict[str, object], ...] = field(default=(), hash=False)
    query: str = ""
    detail: str = ""
    facts: Mapping[str, str | int | float] = field(default_factory=dict, hash=False)

    @property
    def blocks(self) -> bool:
        """Whether the batch must not be published: a failed gate, or a check that could not run."""
        return self.verdict is Verdict.ERROR or (
            self.verdict is Verdict.FAIL and self.spec.scope is Scope.GATE
        )

    @property
    def share(self) -> float | None:
        """Failing rows as a fraction of the rows judged; None where there is no count or no row."""
        return None if self.count is None or not self.rows else self.count / self.rows


def verdict_of(spec: CheckSpec, passed: bool) -> Verdict:
    """The verdict that the check's severity gives to a pass or a failure."""
    if passed:
        return Verdict.PASS
    return Verdict.WARN if spec.severity is Severity.WARNING else Verdict.FAIL
