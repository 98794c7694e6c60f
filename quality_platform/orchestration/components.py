"""The Dagster component of a contracted table: one table in a project of `dg`, by YAML.

    type: quality_platform.ContractedTable
    attributes:
      contract: orders.odcs.yaml
      namespace: shop
      source: {type: csv, path: /data/landing/orders/*.csv}

`attributes` are what stands under `tables.NAME` in runner.yaml. The lake, connections, retries and
everything else come from the project's runner.yaml.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel

from quality_platform.config.base_models import Name
from quality_platform.config.environment import RUNNER_VARIABLE, environment_variable
from quality_platform.config.models import TableConfig
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument, load_yaml
from quality_platform.errors import ConfigurationError, Location
from quality_platform.flows.platform import Platform, open_platform
from quality_platform.flows.tenant_names import meant
from quality_platform.orchestration.assets import due_assets, landing_assets, table_assets
from quality_platform.orchestration.broken_parts import broken_assets
from quality_platform.orchestration.keys import LANDING_OP, broken_key, maintenance_key
from quality_platform.orchestration.maintenance import upkeep_asset
from quality_platform.orchestration.scaffolding import ContractedTableScaffolder
from quality_platform.orchestration.steps import Nobody

TYPE_NAME = "quality_platform.ContractedTable"
"""What `type` of a defs.yaml says."""

_FILES = ("defs.yaml", "defs.yml")
_ATTRIBUTES, _TABLE = "attributes", "table"


@dataclass
class _Loaded:
    """The project that was loaded last: all its components share one platform."""

    tree: object = None
    platform: Platform | None = None

    def platform_of(self, context: dg.ComponentLoadContext) -> Platform:
        """The project's runner.yaml with the tables of all its components."""
        # A project that is loaded again is another tree: nothing old is kept.
        if self.platform is None or self.tree is not context.component_tree:
            documents = list(_documents(context.defs_module_path))
            self.platform = open_platform(_runner(context.project_root), more=documents)
            self.tree = context.component_tree
        return self.platform


_loaded = _Loaded()


class ContractedTableAttributes(TableConfig):
    """A table as in runner.yaml, and its name."""

    contract: Path
    """The table's data contract (ODCS v3), relative to the folder of this file."""
    table: Name | None = None
    """The table's name; that of the folder where left out."""


@dg.scaffold_with(ContractedTableScaffolder)
class ContractedTable(dg.Component):
    """A table that is loaded, checked against its data contract, and published or quarantined."""

    def __init__(self, name: str) -> None:
        """Of the table with this name."""
        self.name = name

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The model of `attributes`."""
        return ContractedTableAttributes

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """What the catalog of components shows."""
        return dg.ComponentTypeSpec(
            description=cls.__doc__, produces=["asset", "asset_check"], tags=["quality"]
        )

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """The component of a defs.yaml."""
        named = attributes.table if isinstance(attributes, ContractedTableAttributes) else None
        return cls(named or context.path.name)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The table's source, the table, its quarantine, its checks and its upkeep."""
        platform = _loaded.platform_of(context)
        names = meant(platform, self.name)
        return dg.Definitions(assets=[a for name in names for a in _assets_of(platform, name)])


def _assets_of(platform: Platform, name: str) -> list[dg.AssetsDefinition]:
    table, nobody = platform.tables.get(name), Nobody()
    if table is not None:
        due = [due_assets(platform, table, nobody)] if table.partitions else []
        return [
            landing_assets([table], f"{LANDING_OP}_of_{name}"),
            table_assets(platform, table, nobody),
            *due,
            upkeep_asset(platform, table, nobody),
        ]
    part = platform.broken_tables.get(name)
    if part is None:
        raise ConfigurationError(
            f"the table {name!r} stands in no defs.yaml",
            action=f"write it as {TYPE_NAME} in a defs.yaml of its own, and not in Python",
        )
    keys = {broken_key(part), maintenance_key(name)}
    return [asset for asset in broken_assets(platform, nobody) if asset.keys & keys]


def _runner(project: Path) -> Path:
    named = environment_variable(RUNNER_VARIABLE)
    path = Path(named).absolute() if named else project / "runner.yaml"
    if not path.is_file():
        raise ConfigurationError(
            "the project has no runner.yaml: it says where the lake is",
            location=Location(str(path)),
            action=f"write `version: 1` into it to begin with, or name one in {RUNNER_VARIABLE}",
        )
    return path


def _documents(defs: Path) -> Iterator[YamlDocument]:
    """The tables of a project's components, each as an included file of runner.yaml."""
    for path in sorted(found for name in _FILES for found in defs.rglob(name)):
        # Cheap, and files of other components need not be as ours: they may hold several documents.
        if TYPE_NAME not in path.read_text(encoding="utf-8"):
            continue
        document = load_yaml(path)
        if isinstance(document.data, dict) and document.data.get("type") == TYPE_NAME:
            yield as_table(document)


def as_table(document: YamlDocument) -> YamlDocument:
    """A defs.yaml of a ContractedTable in the shape of runner.yaml.

    Every value knows its line in the defs.yaml.
    """
    attributes = document.data.get(_ATTRIBUTES)
    config = dict(attributes) if isinstance(attributes, Mapping) else {}
    name = str(config.pop(_TABLE, None) or document.path.parent.name)
    moved = {("tables", name, *path): (_ATTRIBUTES, *path) for path in _paths(config, ())}
    return document.with_data({"tables": {name: config}}, moved)


def _paths(value: Any, path: PathInDocument) -> Iterator[PathInDocument]:
    yield path
    if isinstance(value, Mapping):
        children: Any = value.items()
    else:
        children = enumerate(value) if isinstance(value, list) else ()
    for step, child in children:
        yield from _paths(child, (*path, step))
