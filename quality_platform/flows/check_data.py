"""Checks alone on any data: a contract and a file or a table, nothing published, nothing kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from quality_platform.checks.derive import CONFORMS, check_specs
from quality_platform.checks.results import CheckResult, Verdict, verdict_of, worst
from quality_platform.checks.specs import CheckSpec, Conforms, ForeignKey, Scope, Severity
from quality_platform.contracts.loading import load_contract
from quality_platform.contracts.models import Contract, SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import ConfigurationError, ContractError
from quality_platform.flows.bad_row_files import broken_rows, require_free, write_bad_rows
from quality_platform.flows.data_to_check import Data, DataReader, FileOptions, ReadRows
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.flows.samples import Samples, run_sampled
from quality_platform.flows.table_schemas import table_schema
from quality_platform.flows.tenant_names import names_of_tenant
from quality_platform.lake.query import EngineSettings, duckdb_session
from quality_platform.validation.batch_checks import BatchChecks, BatchFiles
from quality_platform.validation.engine_outcomes import EngineOutcome
from quality_platform.validation.reference_keys import ReferenceKeys

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class CheckRequest:
    """What to check, and against what.

    Attributes:
        contract: The contract file.
        data: A path, a glob, a URL (s3://...), or (with a runner) the name of a table in the lake.
        object_name: The object of the contract's schema; needed where there are several.
        references: For an object that foreign keys refer to, the data that stands for it.
        runner: A runner file, whose lake has the tables.
        only: Names of the checks to run; all where empty.
        skip: Names of checks that are not run.
        options: How files are written.
        sample_rows: Failing rows that are shown with each check.
        bad_rows: A CSV or Parquet file to write, with the rows that a load would quarantine.
        force: Replace that file where it is there already.
        engine: Limits of the engine.
        tenant: A tenant of the runner: tables are looked for among its own, and those that it may
            read stand for what foreign keys refer to; "" for all tables.
    """

    contract: Path
    data: str
    object_name: str | None = None
    references: Mapping[str, str] = field(default_factory=dict, hash=False)
    runner: Path | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    options: FileOptions = field(default_factory=FileOptions)
    sample_rows: int = 5
    bad_rows: Path | None = None
    force: bool = False
    engine: EngineSettings = field(default_factory=EngineSettings)
    tenant: str = ""


@dataclass(frozen=True)
class CheckReport:
    """What was found. `skipped` are checks that were asked not to run; `notes` are rules in prose.

    `rows` are the records of the data, `bad_rows` those that a load would have quarantined.
    """

    contract: Contract
    object: SchemaObject
    data: str
    rows: int
    bad_rows: int
    results: tuple[CheckResult, ...]
    skipped: tuple[CheckSpec, ...] = ()
    notes: tuple[CheckSpec, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The gravest verdict of all checks."""
        return worst([result.verdict for result in self.results])

    def count(self, verdict: Verdict) -> int:
        """The number of checks that ended in this verdict."""
        return sum(result.verdict is verdict for result in self.results)


def check_data(request: CheckRequest) -> CheckReport:
    """Runs the checks of a contract on data, without publishing or keeping anything.

    Raises:
        ContractError: the contract cannot be used.
        SourceError: the data cannot be read, or its columns are not the contract's.
        ConfigurationError: an option is wrong, or the file of bad rows cannot be written.
    """
    if request.bad_rows is not None:
        require_free(request.bad_rows, force=request.force)
    contract = load_contract(request.contract)
    obj = chosen_object(contract, request.object_name)
    targets = {link.to_object: link.to_object for link in obj.relationships}
    specs, schema = check_specs(obj, targets, contract.sla), table_schema(obj)
    wanted, skipped = _selected(specs, request)
    platform = _platform(request)
    if platform is not None:
        request = replace(request, engine=replace(request.engine, files=platform.remote_files))
    with DataReader(request.options, platform, request.tenant) as reader:
        data = reader.read(request.data, obj)
        references = _references(request, wanted, reader, schema)
        if request.bad_rows is not None:
            require_free(request.bad_rows, force=request.force, sources=reader.sources)
        checked = _Check(request, contract, obj, data, reader.scratch)
        return checked.report(wanted, skipped, references)


def _platform(request: CheckRequest) -> Platform | None:
    """The platform whose tables can be meant; None where no runner is named."""
    if request.runner is not None:
        platform = open_platform(request.runner)
        names_of_tenant(platform, request.tenant)
        return platform
    if request.tenant:
        raise ConfigurationError(
            "a tenant is one of a runner file",
            field="--tenant",
            received=request.tenant,
            action="say which: --runner runner.yaml",
        )
    return None


def chosen_object(contract: Contract, name: str | None) -> SchemaObject:
    """The object of a contract with this name, or its only one.

    Raises:
        ContractError: there are several, or none of this name.
    """
    names = [obj.name for obj in contract.objects]
    if name is None and len(names) == 1:
        return contract.objects[0]
    if name not in names:
        raise ContractError(
            "say which object of the contract's schema describes the data",
            location=contract.objects[0].location,
            field="object",
            received=name or "nothing",
            allowed=", ".join(names),
            action=did_you_mean(name, names) if name else "",
        )
    return contract.objects[names.index(name)]


def _selected(
    specs: Sequence[CheckSpec], request: CheckRequest
) -> tuple[tuple[CheckSpec, ...], tuple[CheckSpec, ...]]:
    """The specs to run (with the notes), and those left out."""
    names = [spec.name for spec in specs]
    for name in (*request.only, *request.skip):
        if name not in names:
            raise ConfigurationError(
                "the contract has no such check",
                received=name,
                allowed=", ".join(names),
                action=did_you_mean(name, names),
            )
    wanted = [
        spec
        for spec in specs
        if spec.name not in request.skip and (not request.only or spec.name in request.only)
    ]
    return tuple(wanted), tuple(spec for spec in specs if spec not in wanted)


def _references(
    request: CheckRequest,
    specs: Sequence[CheckSpec],
    reader: DataReader,
    schema: pa.Schema,
) -> dict[str, Sequence[str]]:
    """The files that stand for each object that a foreign key refers to."""
    claims = [spec.claim for spec in specs if isinstance(spec.claim, ForeignKey)]
    unknown = request.references.keys() - {claim.to_table for claim in claims}
    if unknown:
        raise ConfigurationError(
            "no foreign key of the contract refers to this object",
            received=", ".join(sorted(unknown)),
            allowed=", ".join(sorted({claim.to_table for claim in claims})) or "none",
        )
    found: dict[str, Sequence[str]] = {}
    for claim in claims:
        if claim.to_table in request.references:
            data = request.references[claim.to_table]
            found[claim.to_table] = reader.reference(data, claim, schema)
        elif files := reader.table_files(claim.to_table):
            found[claim.to_table] = files
    return found


@dataclass(frozen=True)
class _Check:
    request: CheckRequest
    contract: Contract
    object: SchemaObject
    data: Data
    scratch: Path

    def report(
        self,
        specs: Sequence[CheckSpec],
        skipped: Sequence[CheckSpec],
        references: Mapping[str, Sequence[str]],
    ) -> CheckReport:
        samples = Samples(self.object, self.request.sample_rows)
        runnable = [s for s in specs if s.scope is not Scope.NOTE]
        with duckdb_session(self.request.engine) as connection:
            batch = self._batch(connection, references)
            rest = [s for s in runnable if not isinstance(s.claim, Conforms)]
            outcomes = run_sampled(batch, rest, samples, self.data.place)
            bad = _held_rows(batch) + self.data.read.unconformed
            if self.request.bad_rows is not None:
                self._write_bad_rows(self.request.bad_rows, batch)
        return CheckReport(
            contract=self.contract,
            object=self.object,
            data=self.request.data,
            rows=self.data.read.rows,
            bad_rows=bad,
            results=tuple(self._result(spec, outcomes, samples) for spec in runnable),
            skipped=tuple(spec for spec in skipped if spec.scope is not Scope.NOTE),
            notes=tuple(spec for spec in specs if spec.scope is Scope.NOTE),
        )

    def _batch(
        self, connection: DuckDBPyConnection, references: Mapping[str, Sequence[str]]
    ) -> BatchChecks:
        return BatchChecks(
            connection,
            BatchFiles(table_schema(self.object), self.data.files),
            ReferenceKeys(connection, references, self.object.name),
            rows_read=self.data.read.rows,
            timeout_seconds=self.request.engine.check_timeout_seconds,
        )

    def _write_bad_rows(self, path: Path, batch: BatchChecks) -> None:
        schema = table_schema(self.object)
        unread = self.data.unread.batches() if self.data.unread else iter(())
        labels = self.scratch / "labels.arrow"
        broken = broken_rows(batch, schema, self.data.places, labels)
        write_bad_rows(path, schema, chain(unread, broken))

    def _result(
        self, spec: CheckSpec, outcomes: Mapping[str, EngineOutcome], samples: Samples
    ) -> CheckResult:
        if spec.name == CONFORMS:
            return self._conforms(spec, self.data.read)
        outcome = outcomes[spec.name]
        if outcome.error:
            return CheckResult(
                spec, Verdict.ERROR, outcome.rows, message=f"could not run: {outcome.error}"
            )
        return CheckResult(
            spec=spec,
            verdict=verdict_of(spec, outcome.passed),
            rows=outcome.rows,
            count=outcome.count,
            value=outcome.value,
            message=outcome.message if spec.scope is Scope.GATE else "",
            sample=samples.of(spec),
        )

    def _conforms(self, spec: CheckSpec, read: ReadRows) -> CheckResult:
        return CheckResult(
            spec=spec,
            verdict=verdict_of(spec, not read.unconformed),
            rows=read.rows,
            count=read.unconformed,
            sample=tuple(read.sample[: self.request.sample_rows]),
        )


def _held_rows(batch: BatchChecks) -> int:
    """Rows that a load would quarantine: those that break a row rule of severity error."""
    return batch.bad_row_count([s for s in batch.row_specs if s.severity is Severity.ERROR])
