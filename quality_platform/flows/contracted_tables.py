"""Tables with their contracts: what runner.yaml and ODCS files say of each, put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from quality_platform.checks.specs import CheckSpec, ForeignKey, Note, Scope, Severity
from quality_platform.config.drift_models import DriftConfig
from quality_platform.config.feature_models import FeatureViewConfig
from quality_platform.config.models import RetryConfig, TableConfig
from quality_platform.config.partition_models import LateConfig, TimePartitionsConfig
from quality_platform.config.tenant_models import namespace_of_tenant
from quality_platform.contracts.models import Contract, SchemaObject
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import Location, Problem
from quality_platform.features.functions import WrittenFunction
from quality_platform.flows.drift_checks import drift_specs
from quality_platform.flows.drift_rules import Tested, tested_table, tested_view
from quality_platform.sources.fences import NO_FENCE, Fence

ALL_FILES_LOADED = "source_files_all_loaded"
COLUMNS_AS_CONTRACTED = "source_columns_as_contracted"
"""The names of the checks of how a source was read."""

IN_ITS_PARTITION = "is_in_its_partition"
"""The name of the check that a row is of the partition that it was read for."""

IS_NOT_LATE = "is_not_late"
"""The name of the check that a row did not happen long before its partition."""


@dataclass(frozen=True)
class TablePartitions:
    """The partitions of a table.

    Attributes:
        config: What runner.yaml says of them.
        column: The column that says to which one a row belongs.
        late: What becomes of late rows; None where they are not told.
    """

    config: TimePartitionsConfig
    column: str
    late: LateConfig | None = None


@dataclass(frozen=True)
class ContractedTable:
    """A table of the lake with its contract: what tables and feature views have in common."""

    name: str
    namespace: str
    contract: Contract
    object: SchemaObject
    schema: pa.Schema
    specs: tuple[CheckSpec, ...]
    location: Location

    @property
    def tenant(self) -> str:
        """The tenant that it is of; "" where it is nobody's."""
        return ""

    @property
    def identifier(self) -> str:
        """The table's name in the lake."""
        return f"{self.namespace}.{self.name}"

    @property
    def quarantine_identifier(self) -> str:
        """The name of its quarantine in the lake."""
        return f"{namespace_of_tenant(self.tenant, 'quarantine')}.{self.name}"

    @property
    def references(self) -> tuple[str, ...]:
        """The tables that its foreign keys refer to."""
        targets = (s.claim.to_table for s in self.specs if isinstance(s.claim, ForeignKey))
        return tuple(dict.fromkeys(targets))

    @property
    def checks(self) -> tuple[CheckSpec, ...]:
        """The specs that are run; notes are not among them."""
        return tuple(spec for spec in self.specs if spec.scope is not Scope.NOTE)

    @property
    def all_checks(self) -> tuple[CheckSpec, ...]:
        """Every check that a run can give a result for."""
        return self.checks

    @property
    def drift(self) -> DriftConfig | None:
        """Its drift test; None where it has none."""
        return None

    @property
    def drift_tested(self) -> Tested:
        """The table, as a drift test needs to know it."""
        return Tested(self.object, self.schema)

    @property
    def drift_checks(self) -> tuple[CheckSpec, ...]:
        """A check for every column of the drift test, and one for all of them together."""
        drift = self.drift
        if drift is None:
            return ()
        return drift_specs(drift, self.drift_tested.columns_of(drift), self.location)

    @property
    def partitions(self) -> TablePartitions | None:
        """The partitions that it is made by; None where it has none."""
        return None

    @property
    def partition_checks(self) -> tuple[CheckSpec, ...]:
        """That each row is of the partition that it was read for, and not late; () without any."""
        partitions = self.partitions
        if partitions is None:
            return ()
        every = partitions.config.every
        text = f"{partitions.column} is within the {every} that the row was read for."
        checks = [self._row_check(IN_ITS_PARTITION, text, "consistency", partitions.column)]
        if late := partitions.late:
            text = f"{late.column} is at most {late.after} before the {every} began."
            check = self._row_check(IS_NOT_LATE, text, "timeliness", late.column)
            is_held = late.then == "quarantine"
            severity = Severity.ERROR if is_held else Severity.WARNING
            checks.append(replace(check, severity=severity))
        return tuple(checks)

    def _row_check(self, name: str, text: str, dimension: str, column: str) -> CheckSpec:
        return CheckSpec(
            name=name,
            claim=Note(text),
            scope=Scope.ROW,
            dimension=dimension,
            description=text,
            columns=(column,),
            location=self.location,
        )

    @property
    def notes(self) -> tuple[CheckSpec, ...]:
        """Rules in prose."""
        return tuple(spec for spec in self.specs if spec.scope is Scope.NOTE)


@dataclass(frozen=True)
class SourceTable(ContractedTable):
    """A table that is loaded from a source.

    `source_pattern` is the absolute path or glob of its files; "" where it is no files. `fence`
    says where they may be.
    """

    config: TableConfig
    retries: RetryConfig
    source_pattern: str
    fence: Fence = NO_FENCE

    @property
    def tenant(self) -> str:
        """The tenant that it is of; "" where it is nobody's."""
        return self.config.tenant or ""

    @property
    def group(self) -> str:
        """The asset group in the UI."""
        group = self.config.group
        return namespace_of_tenant(self.tenant, group) if group else self.namespace

    @property
    def source_checks(self) -> tuple[CheckSpec, ...]:
        """Warnings about the source, where the table may be loaded in spite of what they tell."""
        load, told = self.config.load, {}
        if load.on_file_error == "continue":
            told[ALL_FILES_LOADED] = "Every file of the source is in the table."
        if load.schema_drift != "fail":
            told[COLUMNS_AS_CONTRACTED] = "The source has the columns of the contract, and no more."
        return tuple(
            CheckSpec(name, Note(text), Scope.GATE, Severity.WARNING, description=text)
            for name, text in told.items()
        )

    @property
    def partitions(self) -> TablePartitions | None:
        """The partitions that it is loaded by; None where it has none."""
        config = self.config.partitions
        return None if config is None else TablePartitions(config, config.column, config.late)

    @property
    def drift(self) -> DriftConfig | None:
        """Its drift test; None where it has none."""
        return self.config.drift

    @property
    def drift_tested(self) -> Tested:
        """The table, as a drift test needs to know it."""
        return tested_table(self.config, self.object, self.schema)

    @property
    def all_checks(self) -> tuple[CheckSpec, ...]:
        """The contract's checks, those of the source and the drift test's."""
        return (*self.checks, *self.partition_checks, *self.source_checks, *self.drift_checks)


@dataclass(frozen=True)
class FeatureTable(ContractedTable):
    """A table that a feature view computes: by `sql`, or by a function where there is one.

    `sql_location` is the file of the code, or the place in runner.yaml that names the function.
    """

    config: FeatureViewConfig
    sql: str
    sql_location: Location
    function: WrittenFunction | None = None

    @property
    def tenant(self) -> str:
        """The tenant that it is of; "" where it is nobody's."""
        return self.config.tenant or ""

    @property
    def drift(self) -> DriftConfig | None:
        """Its drift test; None where it has none."""
        return self.config.drift

    @property
    def drift_tested(self) -> Tested:
        """The view, as a drift test needs to know it."""
        return tested_view(self.config, self.object, self.schema)

    @property
    def all_checks(self) -> tuple[CheckSpec, ...]:
        """The contract's checks, those of partitions and the drift test's."""
        return (*self.checks, *self.partition_checks, *self.drift_checks)

    @property
    def partitions(self) -> TablePartitions | None:
        """The partitions that it is computed by; None where it has none."""
        config = self.config.partitions
        return None if config is None else TablePartitions(config, self.config.event_timestamp)


def reference_problems(
    table: ContractedTable, tables: Mapping[str, ContractedTable]
) -> Iterator[Problem]:
    """Foreign keys that lead to a column that is not there, or that has another kind of type."""
    for spec in table.specs:
        claim = spec.claim
        if not isinstance(claim, ForeignKey) or claim.to_table not in tables:
            continue
        target = tables[claim.to_table]
        for column, key in zip(claim.columns, claim.to_columns, strict=True):
            yield from _key_problems(spec, table.schema.field(column), key, target)


def _key_problems(
    spec: CheckSpec, column: pa.Field[Any], key: str, target: ContractedTable
) -> Iterator[Problem]:
    if key not in target.schema.names:
        yield Problem(
            f"the foreign key refers to the column {key!r}, which {target.name} does not have",
            spec.location,
            allowed=", ".join(target.schema.names),
            action=did_you_mean(key, target.schema.names),
        )
    elif not _are_comparable(column.type, target.schema.field(key).type):
        yield Problem(
            f"the foreign key compares {column.name} with {target.name}.{key}, "
            "which are of different types",
            spec.location,
            received=f"{column.type} and {target.schema.field(key).type}",
            allowed="the same type, or two numbers",
        )


def _are_comparable(one: pa.DataType, other: pa.DataType) -> bool:
    return one == other or (_is_number(one) and _is_number(other))


def _is_number(found: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(found) or pa.types.is_decimal(found) or pa.types.is_floating(found)
    )
