"""What hooks are told: alerts as values, and as JSON. docs/sensors.md has an example of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Literal

from quality_platform.config.alert_models import AlertEvent
from quality_platform.flows.contracted_tables import ContractedTable

VERSION = 1
"""The version of the JSON: keys are only ever added without raising it."""


@dataclass(frozen=True)
class AlertRun:
    """The run that an alert is about.

    `url` is "" where `alerts.dagster_url` is not set; `attempt` is the number of the rerun, 0 for a
    run that is none.
    """

    id: str
    job: str
    url: str = ""
    attempt: int = 0


@dataclass(frozen=True)
class AlertCheck:
    """The check that an alert is about: numbers of rows, and never a value of one.

    `drift` is the population stability index of a drift check. None stands for what the check has
    no number for.
    """

    name: str
    verdict: str
    dimension: str = ""
    threshold: str = ""
    rows_failing: int | None = None
    rows_judged: int | None = None
    share_failing: float | None = None
    drift: float | None = None


@dataclass(frozen=True)
class AlertContract:
    """The contract of an alert's table."""

    id: str
    version: str
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alert:
    """One event that hooks are told of.

    Attributes:
        event: What happened.
        severity: How bad it is.
        at: When the run ended: ISO 8601, in UTC.
        message: One sentence for people.
        run: The run.
        table: The table or feature view in runner.yaml; "" for a run that failed as a whole.
        identifier: Its name in the lake.
        tenant: Its tenant; "" for none.
        contract: Its contract.
        check: The check that failed, where one did.
    """

    event: AlertEvent
    severity: Literal["error", "warning"]
    at: str
    message: str
    run: AlertRun
    table: str = ""
    identifier: str = ""
    tenant: str = ""
    contract: AlertContract | None = None
    check: AlertCheck | None = None

    @property
    def id(self) -> str:
        """By this a receiver knows an event again that it is told twice."""
        check = self.check.name if self.check else ""
        key = "\0".join((self.event, self.run.id, self.table, check))
        return hashlib.sha256(key.encode()).hexdigest()[:32]

    def to_json(self) -> str:
        """The alert as JSON."""
        return json.dumps({"version": VERSION, "id": self.id, **asdict(self)}, ensure_ascii=False)


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts a hook is told; no tables stand for all of them."""

    events: Collection[AlertEvent]
    tables: Collection[str] = ()
    severity: Literal["error", "warning"] = "error"

    def lets_pass(self, alert: Alert) -> bool:
        """Whether the hook is told. A run that failed as a whole is told whatever the tables."""
        return (
            alert.event in self.events
            and (not self.tables or not alert.table or alert.table in self.tables)
            and (self.severity == "warning" or alert.severity == "error" or alert.event == "drift")
        )


def contract_of(table: ContractedTable) -> AlertContract:
    """What an alert says of a table's contract."""
    contract = table.contract
    return AlertContract(contract.id, contract.version, tuple(contract.owners))
