"""The tables of Dativo's jobs: one for each object, file or table that a job reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quality_platform.config.dativo.drafts import Draft, first, name_of
from quality_platform.config.dativo.files import Found, refused
from quality_platform.config.dativo.jobs import JobFiles, Unit
from quality_platform.config.dativo.sources import put_source
from quality_platform.config.dativo.targets import Lake, lake_of, put_partitions, put_target_size
from quality_platform.errors import (
    ConfigurationError,
    EnvironmentVariableError,
)

_DRIFT = {"strict": "evolve", "merge": "evolve", "warn": "quarantine", "relaxed": "quarantine"}
"""What follows when a source does not fit the asset, by Dativo's modes: it passes over further
columns in each of them, and missing optional ones."""

_RETRIES = {
    "initial_delay_seconds": ("initial_delay_seconds", "retry_delay_seconds"),
    "max_delay_seconds": ("max_delay_seconds",),
    "backoff_multiplier": ("backoff_multiplier",),
    "retryable_error_patterns": ("retryable_error_patterns", "retryable_errors"),
}
"""Our keys of `retries`, by Dativo's."""


@dataclass
class JobTables:
    """Adds the tables of one job after the other to a draft."""

    draft: Draft
    runs_per_tenant: Found | None = None
    """How many runs of a tenant may be under way, where the runner file says it."""
    _by_job: dict[Path, list[str]] = field(default_factory=dict)
    _owners: dict[str, Found] = field(default_factory=dict)
    _doubles: dict[str, Found] = field(default_factory=dict)
    _tenants: dict[str, Found] = field(default_factory=dict)
    _lake: tuple[Lake, JobFiles] | None = None

    def known(self, path: Path) -> list[str]:
        """The tables of a job that has been added; [] where it has not."""
        return self._by_job.get(path, [])

    def add(self, job: JobFiles) -> list[str]:
        """Adds the tables of a job; gives their names, also of those that are broken."""
        units = job.units()
        names = [self._name(job, unit, alone=len(units) == 1) for unit in units]
        self._by_job[job.file.document.path] = names
        error = self._lake_error(job)
        for name, unit in zip(names, units, strict=True):
            self._add(name, job, unit, error)
        try:
            job.raise_unset()
        except ConfigurationError as unset:
            for name in names:
                self.draft.break_part(("tables", name), unset)
        return names

    def _add(
        self, name: str, job: JobFiles, unit: Unit, lake_error: ConfigurationError | None
    ) -> None:
        path = ("tables", name)
        at = job.file.find(*unit.path) if unit.path else None
        self.draft.put(path, {}, at or job.whole)
        self.draft.put((*path, "contract"), str(job.asset.file), _asset_at(job))
        try:
            self._refuse_double(name, job)
            self._put_tenant(name, job)
            if lake_error is not None:
                raise lake_error
            put_source(self.draft, name, job, unit)
            put_partitions(self.draft, name, job)
            self._put_drift(name, job)
            self._put_retries(name, job)
            self._put_overrides(name, job)
        except ConfigurationError as error:
            self.draft.break_part(path, error)

    def _name(self, job: JobFiles, unit: Unit, *, alone: bool) -> str:
        """The table's name; where another job's table has it, one that tells them apart."""
        name = name_of(job.tenant, job.asset.name, "" if alone else unit.name)
        at = Found(job.file.document, unit.path, None)
        owner = self._owners.setdefault(name, at)
        if owner == at:
            return name
        again, number = name_of(name, job.stem), 2
        while again in self._owners:
            again, number = f"{name}_{number}", number + 1
        self._owners[again] = at
        self._doubles[again] = owner
        return again

    def _refuse_double(self, name: str, job: JobFiles) -> None:
        owner = self._doubles.get(name)
        if owner is not None:
            message = f"another job fills this table: {owner.document.location(owner.path)}"
            action = "give one of them an asset with another name, or take it out"
            raise refused(_asset_at(job).problem(message, action=action))

    def _put_tenant(self, table: str, job: JobFiles) -> None:
        """Sets whose the table is: what is its tenant's is in a namespace of its own."""
        at = job.file.find("tenant_id") or job.whole
        known = self._tenants.setdefault(job.tenant, at)
        if known.text != at.text:
            message = f"two tenants become the namespace {job.tenant!r}"
            other = known.document.location(known.path)
            raise refused(at.problem(message, action=f"rename one; {other}"))
        if known is at:
            self.draft.put(("tenants", job.tenant), {}, at)
            limit = ("tenants", job.tenant, "max_concurrent_runs")
            self.draft.copy(limit, self.runs_per_tenant)
        self.draft.put(("tables", table, "tenant"), job.tenant, at)

    def _lake_error(self, job: JobFiles) -> ConfigurationError | None:
        """Why a job's tables cannot be in the lake, which is that of the first job."""
        only_target = job.again()
        try:
            lake = lake_of(only_target)
            only_target.raise_unset()
        except EnvironmentVariableError as error:
            if self._lake is None:
                # Without it nobody knows where any table is.
                self.draft.break_part(("lake",), error)
            return error
        except ConfigurationError as error:
            return error
        if self._lake is None:
            self._lake = (lake, job)
            lake.put(self.draft)
            put_target_size(self.draft, job)
            return None
        return self._difference(lake, job, *self._lake)

    def _difference(
        self, lake: Lake, job: JobFiles, first_lake: Lake, first_job: JobFiles
    ) -> ConfigurationError | None:
        difference = lake.difference(first_lake)
        if not difference:
            return None
        at = lake.origin(difference) or job.file.find("target") or job.whole
        other = first_lake.origin(difference) or first_job.whole
        place = other.document.location(other.path)
        message = f"{difference} differs from that of another job; a runner.yaml has one lake"
        action = f"write to the same lake as {place}, or run this job with a runner.yaml of its own"
        return refused(at.problem(message, action=action))

    def _put_drift(self, table: str, job: JobFiles) -> None:
        stated = first(
            (job.file.find("schema_validation_mode"), job.asset.asset.find("target", "mode"))
        )
        mode = stated.text.casefold() if stated is not None else "strict"
        if mode not in _DRIFT and stated is not None:
            message = "there is no such mode"
            raise refused(stated.problem(message, ", ".join(sorted(_DRIFT))))
        self.draft.put(("tables", table, "load", "schema_drift"), _DRIFT[mode], stated)

    def _put_retries(self, table: str, job: JobFiles) -> None:
        path = ("tables", table, "retries")
        self.draft.copy((*path, "max_retries"), job.file.find("retry_config", "max_retries"))
        attempts = job.file.find("retry_config", "max_attempts")
        if attempts is not None:
            count = attempts.text
            retries = max(int(count) - 1, 0) if count.isdigit() else count
            self.draft.put((*path, "max_retries"), retries, attempts)
        for ours, theirs in _RETRIES.items():
            found = first(job.file.find("retry_config", name) for name in theirs)
            self.draft.copy((*path, ours), found)

    def _put_overrides(self, table: str, job: JobFiles) -> None:
        path = ("tables", table, "overrides")
        self.draft.copy((*path, "classification"), job.file.find("classification_overrides"))
        for key in ("owner", "retention_days"):
            self.draft.copy((*path, key), job.file.find("governance_overrides", key))
        if finops := job.file.find("finops"):
            named = {f"finops.{key}": _joined(value) for key, value in finops.value.items()}
            self.draft.put((*path, "properties"), named, finops)
        if environment := job.file.find("environment"):
            self.draft.put((*path, "properties", "environment"), environment.text, environment)


def _asset_at(job: JobFiles) -> Found:
    return first((job.file.find("asset_path"), job.file.find("asset_definition"))) or job.whole


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return "" if value is None or isinstance(value, Mapping) else str(value)
