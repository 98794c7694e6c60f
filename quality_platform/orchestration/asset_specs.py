"""A contract as Dagster's asset specs: what the UI shows of a table before it ever ran."""

import hashlib
import re
from collections.abc import Iterable, Sequence

import dagster as dg

from quality_platform.config.tenant_models import namespace_of_tenant
from quality_platform.contracts.models import Contract, Property
from quality_platform.flows.contracted_tables import ContractedTable, FeatureTable, SourceTable
from quality_platform.flows.platform import Platform
from quality_platform.orchestration.automation import condition_of
from quality_platform.orchestration.keys import (
    due_key,
    landing_key,
    online_key,
    quarantine_key,
    table_key,
)
from quality_platform.orchestration.markdown import bullets, markdown_table
from quality_platform.orchestration.partitions import Dependency, dependencies
from quality_platform.orchestration.run_queue import TENANT

_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def landing_spec(table: SourceTable) -> dg.AssetSpec:
    """What a table is loaded from, as an external asset."""
    source = table.config.source
    return dg.AssetSpec(
        landing_key(table.name),
        description=(
            f"Files that {table.identifier} is loaded from. They come from outside."
            if table.source_pattern
            else f"What {table.identifier} is loaded from. It comes from outside."
        ),
        group_name=namespace_of_tenant(table.tenant, "landing"),
        kinds={source.type},
        tags=tenant_tag(table),
        metadata=_settings(table),
    )


def _settings(table: SourceTable) -> dict[str, dg.MetadataValue]:
    """What runner.yaml says of the source, without what is secret or left out."""
    pattern = table.source_pattern
    path = {"path": dg.MetadataValue.path(pattern)} if pattern else {}
    settings = table.config.source.model_dump(mode="json", exclude={"type", "path", "catalog"})
    shown = {key: value for key, value in settings.items() if value not in (None, "", [], ())}
    return path | {
        key: dg.MetadataValue.text(_setting(value)) for key, value in sorted(shown.items())
    }


def _setting(value: object) -> str:
    return ", ".join(map(repr, value)) if isinstance(value, list) else str(value)


def source_table_specs(platform: Platform, table: SourceTable) -> list[dg.AssetSpec]:
    """A table and its quarantine."""
    return _specs(
        table,
        group=table.group,
        kinds={"iceberg", table.config.source.type},
        deps=[landing_key(table.name), *dependencies(platform, table, table.references)],
        code=table.contract.path.read_bytes(),
        automate=table.config.automate,
    )


def feature_table_specs(platform: Platform, view: FeatureTable) -> list[dg.AssetSpec]:
    """The table of a feature view and its quarantine."""
    inputs = tuple(dict.fromkeys((*view.config.inputs, *view.references)))
    main, quarantine = _specs(
        view,
        group=view.namespace,
        kinds={"iceberg", "duckdb" if view.function is None else "python"},
        deps=list(dependencies(platform, view, inputs)),
        code=view.contract.path.read_bytes() + _code(view).encode(),
        automate=view.config.automate,
    )
    return [main.replace_attributes(owners=_view_owners(view), tags=_view_tags(view)), quarantine]


def _view_owners(view: FeatureTable) -> list[str]:
    return owners_of((*view.contract.owners, *view.config.all_owners))


def _view_tags(view: FeatureTable) -> dict[str, str]:
    own = {_tag_text(k): _tag_text(v) if v else "" for k, v in view.config.tags.items()}
    return {**_contract_tags(view), **own, **tenant_tag(view)}


def _code(view: FeatureTable) -> str:
    """What computes the view, as far as it is known without running it."""
    function = view.function
    if function is None:
        return view.sql
    return "\0".join((function.name, function.version or function.text))


def online_spec(platform: Platform, view: FeatureTable) -> dg.AssetSpec:
    """A feature view in Feast's online store."""
    # In the run that makes what is due, it waits for that.
    due = [] if view.partitions is None else [due_key(view.name)]
    return dg.AssetSpec(
        online_key(view.name),
        deps=[table_key(view), *due],
        description=(
            f"The latest values of {view.identifier} for every entity, in Feast's online store: "
            "what `get_online_features` gives."
        ),
        group_name=view.namespace,
        kinds={"feast", platform.runner.config.feature_store.online_store.type},
        owners=_view_owners(view),
        tags=_view_tags(view),
        automation_condition=condition_of(view.config.automate),
    )


def _specs(
    table: ContractedTable,
    *,
    group: str,
    kinds: set[str],
    deps: Sequence[Dependency],
    code: bytes,
    automate: str | None,
) -> list[dg.AssetSpec]:
    contract = table.contract
    main = dg.AssetSpec(
        table_key(table),
        deps=deps,
        description=_description(table),
        metadata=_metadata(table),
        group_name=group,
        code_version=f"{contract.version}-{hashlib.sha256(code).hexdigest()[:12]}",
        owners=owners_of(contract.owners),
        tags={**_contract_tags(table), **tenant_tag(table)},
        kinds=kinds,
        automation_condition=condition_of(automate),
    )
    quarantine = dg.AssetSpec(
        quarantine_key(table),
        deps=[main],
        description=(
            f"Rows that {table.identifier} holds back, with their original values, the rules they "
            f"break, and where they come from.\n\n    quality-platform quarantine {table.name}"
        ),
        metadata={"dagster/table_name": table.quarantine_identifier},
        skippable=True,
        group_name=namespace_of_tenant(table.tenant, "quarantine"),
        owners=owners_of(contract.owners),
        tags=tenant_tag(table),
        kinds={"iceberg"},
    )
    return [main, quarantine]


def _description(table: ContractedTable) -> str:
    parts = [table.contract.purpose, table.object.description]
    if table.notes:
        notes = [note.description or note.name for note in table.notes]
        parts.append(f"Rules that no engine checks:\n\n{bullets(notes)}")
    return "\n\n".join(dict.fromkeys(part for part in parts if part))


def _metadata(table: ContractedTable) -> dict[str, dg.MetadataValue]:
    contract = table.contract
    metadata: dict[str, dg.MetadataValue] = {
        **_custom(contract),
        "dagster/table_name": dg.MetadataValue.text(table.identifier),
        "dagster/column_schema": dg.MetadataValue.table_schema(_column_schema(table)),
        "contract": dg.MetadataValue.text(f"{contract.id} {contract.version}"),
        "contract_status": dg.MetadataValue.text(contract.status),
        "contract_file": dg.MetadataValue.path(contract.path),
    }
    if contract.sla:
        metadata["sla"] = dg.MetadataValue.md(_sla(contract))
    return metadata


def _custom(contract: Contract) -> dict[str, dg.MetadataValue]:
    """The contract's custom properties; names that mean something to Dagster are left out."""
    return {
        name: dg.MetadataValue.text(_setting(value))
        for name, value in contract.custom.items()
        if not name.startswith("dagster/")
    }


def _sla(contract: Contract) -> str:
    rows = [
        (promise.property, f"{promise.value} {promise.unit}".strip(), promise.description)
        for promise in contract.sla
    ]
    return markdown_table(("property", "value", "description"), rows)


def _column_schema(table: ContractedTable) -> dg.TableSchema:
    return dg.TableSchema([_column(table, column) for column in table.object.properties])


def _column(table: ContractedTable, column: Property) -> dg.TableColumn:
    key = table.object.primary_key
    tags = {_tag_text(tag): "" for tag in column.tags}
    if column.classification:
        tags["classification"] = _tag_text(column.classification)
    return dg.TableColumn(
        name=column.name,
        type=str(table.schema.field(column.name).type),
        description=column.description or None,
        constraints=dg.TableColumnConstraints(
            nullable=not column.required,
            unique=column.unique or key == (column.name,),
            other=[_key_part(key)] if column.name in key else [],
        ),
        tags=tags,
    )


def _key_part(key: tuple[str, ...]) -> str:
    return "primary key" if len(key) == 1 else "part of the primary key"


def _contract_tags(table: ContractedTable) -> dict[str, str]:
    contract = table.contract
    tags = {_tag_text(tag): "" for tag in (*contract.tags, *table.object.tags)}
    if contract.domain:
        tags["domain"] = _tag_text(contract.domain)
    return tags


def tenant_tag(table: ContractedTable) -> dict[str, str]:
    """The tag of whose an asset is; none where it is nobody's."""
    return {TENANT: table.tenant} if table.tenant else {}


def _tag_text(text: str) -> str:
    """A text in the form that Dagster allows for the keys and values of tags."""
    return _NOT_IN_TAGS.sub("_", text.strip())[:63] or "_"


def owners_of(names: Iterable[str]) -> list[str]:
    """Owners as Dagster wants them: an e-mail address, or `team:` and a name."""
    return list(dict.fromkeys(_owner(name.strip()) for name in names if name.strip()))


def _owner(name: str) -> str:
    if _EMAIL.fullmatch(name):
        return name
    return f"team:{_tag_text(name.removeprefix('team:'))}"
