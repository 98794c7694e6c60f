"""Bringing a table's schema up to its contract, in one commit and before any data moves."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa
from pyiceberg.exceptions import NoSuchTableError, TableAlreadyExistsError
from pyiceberg.manifest import DataFile
from pyiceberg.table import Transaction

from quality_platform.config.layout_terms import NO_LAYOUT, TableLayout
from quality_platform.contracts.versions import Version
from quality_platform.errors import (
    ConcurrentLoadError,
    Location,
    Problem,
    QualityPlatformError,
    TableSchemaError,
)
from quality_platform.lake.catalog import Lake, Table, translated
from quality_platform.lake.layout_spec import apply_layout
from quality_platform.lake.position import Position
from quality_platform.lake.reading import rows_of, tasks_of
from quality_platform.lake.schema_plan import (
    BREAKING,
    Change,
    Step,
    TableState,
    made_anew,
    plan,
)
from quality_platform.lake.schema_steps import apply_steps

CONTRACT_VERSION = "quality-platform.contract-version"
"""Table property: the version of the contract that the schema fits."""

PROPERTY_IDS = "quality-platform.property-ids"
"""Table property: for every column whose contract property has an id, that id and the field id."""


@dataclass(frozen=True)
class TableDefinition:
    """What a contract wants of one table.

    `properties` are table properties, the contract's version among them; `property_ids` the
    contract's ids of its columns, by name; `locations` where the columns stand in the contract,
    `location` where the table does; `layout` how its files are divided and sorted.
    """

    identifier: str
    schema: pa.Schema
    properties: Mapping[str, str] = field(default_factory=dict)
    property_ids: Mapping[str, str] = field(default_factory=dict)
    locations: Mapping[str, Location] = field(default_factory=dict)
    location: Location | None = None
    layout: TableLayout = NO_LAYOUT

    @property
    def version(self) -> str:
        """The contract's version."""
        return self.properties.get(CONTRACT_VERSION, "")

    def location_of(self, step: Step) -> Location | None:
        """Where the contract says what the step is about."""
        return self.locations.get(step.path[0], self.location) if step.path else self.location


@dataclass(frozen=True)
class Evolution:
    """A table as it is now, None where there is none, and the steps to its definition."""

    definition: TableDefinition
    table: Table | None
    steps: tuple[Step, ...] = ()

    @property
    def breaking(self) -> tuple[Step, ...]:
        """The steps that cannot be done."""
        return tuple(step for step in self.steps if step.change in BREAKING)

    @property
    def old_version(self) -> str:
        """The version of the contract that the table fits; "" where it does not say."""
        return self.table.properties.get(CONTRACT_VERSION, "") if self.table is not None else ""

    @property
    def is_of_a_new_major(self) -> bool:
        """Whether the contract's major version is greater than that of the table."""
        old, new = Version.of(self.old_version), Version.of(self.definition.version)
        return old is not None and new is not None and new.major > old.major


def ensure_tables(
    lake: Lake, main: TableDefinition, quarantine: TableDefinition, *, may_set_aside: bool = False
) -> tuple[Table, Table]:
    """A table and its quarantine with the columns that the contract wants; made where missing.

    Changes that keep what readers have are made, each table's in one commit; a run that dies
    between the two is finished by the next. With `may_set_aside`, a contract of a new major version
    whose changes cannot be made gets new tables; the old ones are kept under another name.

    Raises:
        TableSchemaError: the contract has changes that cannot be made; nothing was changed.
        ConcurrentLoadError: another run changed one of the tables meanwhile.
    """
    found = _settled(lake, main.identifier, quarantine.identifier)
    is_new = found[0] is None or not Position.of(found[0].properties).is_of_a_load
    evolutions = [
        _evolution(definition, table, is_new)
        for definition, table in zip((main, quarantine), found, strict=True)
    ]
    if any(evolution.breaking for evolution in evolutions):
        if not (may_set_aside and evolutions[0].is_of_a_new_major):
            raise _refused(evolutions, may_set_aside=may_set_aside)
        _set_aside(lake, evolutions)
        evolutions = [Evolution(main, None), Evolution(quarantine, None)]
    # The quarantine first: more columns of it than the table's own disturb nobody.
    held = _brought_up(lake, evolutions[1])
    return _brought_up(lake, evolutions[0]), held


def _evolution(definition: TableDefinition, table: Table | None, is_new: bool) -> Evolution:
    """What must be done; all that the table holds does not count where no load was published."""
    if table is None:
        return Evolution(definition, None)
    has_rows = not is_new and any(rows_of(snapshot) for snapshot in table.snapshots())
    state = TableState(
        table.schema(),
        json.loads(table.properties.get(PROPERTY_IDS, "{}")),
        has_rows=has_rows,
        rows_without=_RowsWithout(table) if has_rows else lambda _: 0,
    )
    steps = plan(definition.schema, definition.property_ids, state)
    if is_new:
        steps = made_anew(steps, definition.schema, table.schema())
    return Evolution(definition, table, steps)


@dataclass
class _RowsWithout:
    """Published rows without a value, by the files' own counts; all where these say nothing."""

    table: Table

    def __call__(self, field_id: int) -> int:
        return sum(
            (file.null_value_counts or {}).get(field_id, 0)
            if field_id in (file.value_counts or {})
            else file.record_count
            for file in self._files
        )

    @cached_property
    def _files(self) -> list[DataFile]:
        return [task.file for task in tasks_of(self.table)]


def _brought_up(lake: Lake, evolution: Evolution) -> Table:
    definition, table = evolution.definition, evolution.table
    if table is None:
        location = _location(lake, definition)
        table = lake.create_table(
            definition.identifier, definition.schema, definition.properties, location
        )
    with translated(lake), table.transaction() as transaction:
        if any(step.change is Change.REPLACE for step in evolution.steps):
            # Columns that go must not be those of a partition or of the sort order any more.
            apply_layout(transaction, NO_LAYOUT)
        apply_steps(transaction, evolution.steps)
        apply_layout(transaction, definition.layout)
        wanted = {**definition.properties, **_stored_ids(transaction, definition)}
        changed = {k: v for k, v in wanted.items() if table.properties.get(k) != v}
        if changed:
            transaction.set_properties(changed)
        if any(_needs_no_rows(step) for step in evolution.steps):
            # Compare-and-swap on main: no load that saw the old columns may be published any more.
            transaction.update_snapshot().fast_append().commit()
    return table


def _needs_no_rows(step: Step) -> bool:
    """Whether the step can only be done as long as there are no rows."""
    is_required = step.field is not None and step.field.required
    return step.change is Change.REPLACE or (step.change is Change.ADD and is_required)


def _stored_ids(transaction: Transaction, definition: TableDefinition) -> dict[str, str]:
    schema = transaction.table_metadata.schema()
    ids = {
        property_id: schema.find_field(column).field_id
        for column, property_id in sorted(definition.property_ids.items())
    }
    return {PROPERTY_IDS: json.dumps(ids, separators=(",", ":"))} if ids else {}


def _set_aside(lake: Lake, evolutions: Sequence[Evolution]) -> None:
    """Renames the quarantine, then the table; a death in between is made good by the next run."""
    main, quarantine = evolutions
    suffix = _suffix(main.old_version)
    there = [e.definition for e in (quarantine, main) if e.table is not None]
    for definition in there:
        if lake.find_table(definition.identifier + suffix) is not None:
            _require_unchanged(lake, main)
            raise TableSchemaError(
                f"{definition.identifier} cannot be set aside: there is a table of that name",
                location=definition.location,
                received=definition.identifier + suffix,
                action="rename or drop that table",
            )
    for definition in there:
        _rename(lake, definition.identifier, definition.identifier + suffix)


def _require_unchanged(lake: Lake, planned: Evolution) -> None:
    """Another run may have set the tables aside since this one looked at them."""
    now = lake.find_table(planned.definition.identifier)
    seen = planned.table.metadata.table_uuid if planned.table is not None else None
    if now is None or now.metadata.table_uuid != seen:
        raise _renamed_meanwhile(planned.definition.identifier)


def _settled(lake: Lake, main: str, quarantine: str) -> tuple[Table | None, Table | None]:
    """Both tables. Where a run died between two renames, the quarantine follows the table first.

    What is to be done is seen after that: the contract may have been restored meanwhile.
    """
    table, held = lake.find_table(main), lake.find_table(quarantine)
    if (table is None) == (held is None):
        return table, held
    only = table or held
    suffix = _suffix(only.properties.get(CONTRACT_VERSION, "")) if only is not None else ""
    table_is_aside = lake.find_table(main + suffix) is not None
    held_is_aside = lake.find_table(quarantine + suffix) is not None
    if not suffix or table_is_aside == held_is_aside:
        return table, held
    if held_is_aside:
        _rename(lake, quarantine + suffix, quarantine)
    else:
        _rename(lake, quarantine, quarantine + suffix)
    return lake.find_table(main), lake.find_table(quarantine)


def _suffix(version: str) -> str:
    """What is added to the name of a table that is set aside; "" for no version."""
    known = Version.of(version)
    return f"_v{known.major}" if known else ""


def _rename(lake: Lake, old: str, new: str) -> None:
    try:
        with translated(lake):
            lake.catalog.rename_table(old, new)
    except (NoSuchTableError, TableAlreadyExistsError) as error:
        raise _renamed_meanwhile(old) from error


def _renamed_meanwhile(identifier: str) -> ConcurrentLoadError:
    return ConcurrentLoadError(
        f"another run renamed {identifier} meanwhile",
        action="run it again: it starts from what is there now",
    )


def _location(lake: Lake, definition: TableDefinition) -> str | None:
    """A folder of its own where an older table of the name was set aside: it kept the folder."""
    namespace, _, name = definition.identifier.rpartition(".")
    with translated(lake):
        if not lake.catalog.namespace_exists(namespace):
            return None
        names = [identifier[-1] for identifier in lake.catalog.list_tables(namespace)]
    aside = [other for other in names if re.fullmatch(rf"{re.escape(name)}_v\d+", other)]
    version = Version.of(definition.version)
    if not aside or version is None:
        return None
    beside = lake.table(f"{namespace}.{aside[0]}").location().rpartition("/")[0]
    folder = lake.folders(namespace) or beside
    # No table has such a name, so that no table has such a folder.
    return f"{folder}/{name}-v{version.major}"


def _refused(evolutions: Sequence[Evolution], *, may_set_aside: bool) -> QualityPlatformError:
    main = evolutions[0]
    told = main if main.breaking else evolutions[1]
    return TableSchemaError.of(
        Problem(
            f"the table {told.definition.identifier} cannot follow its contract: {step}",
            location=told.definition.location_of(step),
            field=".".join(step.path),
            received=f"contract version {main.definition.version or 'unknown'}",
            allowed=f"the columns of version {main.old_version or 'unknown'}, and more "
            "(docs/evolution.md)",
            action=_action(main, may_set_aside=may_set_aside),
        )
        for step in told.breaking
    )


def _action(main: Evolution, *, may_set_aside: bool) -> str:
    old = Version.of(main.old_version)
    raised = main.is_of_a_new_major
    steps = (
        [] if raised or old is None else [f"raise the contract's version to {old.major + 1}.0.0"]
    )
    steps += [] if may_set_aside else ["set on_breaking: new_table in runner.yaml"]
    advice = " and ".join(steps)
    restore = "restore the column"
    return f"{restore}; or {advice}, which loads everything anew" if advice else restore
