"""Training sets as runner.yaml declares them, put together with the views that they read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from quality_platform.config.broken import Fault
from quality_platform.config.feature_service_models import FeatureChoiceConfig, OnDemandViewConfig
from quality_platform.config.loading import RunnerFile
from quality_platform.config.models import RunnerConfig
from quality_platform.config.tenant_models import namespace_of_tenant
from quality_platform.config.training_set_models import TrainingSetConfig
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import Location, Problem, RunnerFileError
from quality_platform.feature_store.definitions import FeatureViewDefinition
from quality_platform.feature_store.training_on_demand import ComputedFeatures
from quality_platform.flows.broken_tables import error_of
from quality_platform.flows.contracted_tables import ContractedTable, FeatureTable
from quality_platform.flows.tenant_rules import entity_file_problem

if TYPE_CHECKING:
    from quality_platform.feature_store.training_entities import EntityColumns
    from quality_platform.flows.platform import Platform

SECTION = "training_sets"
"""Where training sets stand in runner.yaml."""


@dataclass(frozen=True)
class ViewFeatures:
    """Features of one view, in their order."""

    view: FeatureViewDefinition
    features: tuple[str, ...]


@dataclass(frozen=True)
class TrainingSet:
    """A declared training set, with the views that it reads.

    `computed` are features of on-demand views; `hidden` are those that are read for these alone, by
    `view:feature`.
    """

    name: str
    config: TrainingSetConfig
    chosen: tuple[ViewFeatures, ...]
    location: Location
    computed: tuple[ComputedFeatures, ...] = ()
    hidden: frozenset[str] = frozenset()

    @property
    def identifier(self) -> str:
        """Its table in the lake."""
        return identifier_of(self.name, self.config)

    @property
    def features(self) -> list[str]:
        """The features, `view:feature`."""
        return list(self.outputs)

    @cached_property
    def outputs(self) -> dict[str, pa.Field[Any]]:
        """The columns of the features, by `view:feature`."""
        read = [
            pa.field(f"{one.view.name}:{name}", one.view.features.field(name).type)
            for one in self.chosen
            for name in one.features
        ]
        computed = [column for one in self.computed for column in one.columns]
        found = {}
        for column in (*(c for c in read if c.name not in self.hidden), *computed):
            view, _, name = column.name.partition(":")
            found[column.name] = pa.field(self.prefix(view) + name, column.type)
        return found

    @cached_property
    def join_keys(self) -> dict[str, pa.DataType]:
        """The join keys of all views with their types, in the order of the views."""
        return {e.join_key: e.type for one in self.chosen for e in one.view.entities}

    @property
    def columns(self) -> EntityColumns:
        """The columns of the entity rows."""
        from quality_platform.feature_store.training_entities import EVENT_TIMESTAMP, EntityColumns

        entities = self.config.entities
        named = entities.join_keys if entities else {}
        return EntityColumns(
            join_keys={key: named.get(key, key) for key in self.join_keys},
            key_types=self.join_keys,
            event_timestamp=entities.event_timestamp if entities else EVENT_TIMESTAMP,
            labels=entities.labels if entities else (),
        )

    @property
    def definitions(self) -> dict[str, Any]:
        """What decides the values of the features, of each view: plain data, for a manifest."""
        read = {one.view.name: _definition(one) for one in self.chosen}
        return {**read, **{one.view.name: one.definition for one in self.computed}}

    @property
    def registry_version(self) -> str:
        """SHA-256 of the definitions: descriptions, owners and labels are no part of them."""
        return digest_of_text(self.definitions)

    def prefix(self, view: str) -> str:
        """What the columns of a view's features begin with."""
        return f"{view}__" if self.config.full_feature_names else ""


def identifier_of(name: str, config: TrainingSetConfig) -> str:
    """The table of a training set in the lake; a tenant's is in a namespace of the tenant's."""
    return f"{namespace_of_tenant(config.tenant or '', config.namespace)}.{name}"


def digest_of_text(value: object) -> str:
    """SHA-256 of a value as JSON, keys sorted and without spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def training_set(platform: Platform, name: str) -> TrainingSet:
    """The declared training set of this name.

    Raises:
        RunnerFileError: there is none.
        ConfigurationError: there is one, but it is broken.
    """
    config = platform.runner.config.training_sets.get(name)
    if config is None:
        for part in platform.broken:
            if (part.section, part.name) == (SECTION, name):
                raise error_of(part)
        known = list(platform.runner.config.training_sets)
        raise RunnerFileError(
            f"there is no training set {name!r}",
            location=platform.runner.location(SECTION),
            allowed=", ".join(known),
            action=did_you_mean(name, known) or "declare it under `training_sets`",
        )
    location = platform.runner.location(SECTION, name)
    return _put_together(platform.runner.config, name, platform.feature_tables, location)


def training_set_faults(file: RunnerFile, tables: Mapping[str, ContractedTable]) -> Iterator[Fault]:
    """What is wrong with training sets beside the tables and views that could be built.

    What needs a view or table that is broken is told by the references of runner.yaml.
    """
    for name, config in file.config.training_sets.items():
        read, asked = _read_and_computed(file.config, config)
        inputs = [choice for view in asked for choice in _view(file.config, view).inputs]
        used = [config.entities.table] if config.entities and config.entities.table else []
        if any(other not in tables for other in (*used, *(c.view for c in (*read, *inputs)))):
            continue
        if problem := entity_file_problem(file, name):
            yield Fault((SECTION, name), problem)
        for path, message, received, allowed in _problems(file.config, name, tables):
            place = (SECTION, name, *path)
            problem = Problem(
                message,
                file.location(*place),
                ".".join(map(str, place)),
                received,
                ", ".join(allowed),
                did_you_mean(received, allowed),
            )
            yield Fault(place, problem)


_Found = tuple[tuple[str | int, ...], str, str, list[str]]


def _problems(
    runner: RunnerConfig, name: str, tables: Mapping[str, ContractedTable]
) -> Iterator[_Found]:
    """Where, what is wrong, what was received, and what is allowed."""
    config = runner.training_sets[name]
    views = {n: table for n, table in tables.items() if isinstance(table, FeatureTable)}
    where = "feature_service" if config.feature_service else "features"
    for n, choice in enumerate(_choices(runner, config)):
        known = _known(runner, views, choice.view)
        for feature in choice.features:
            if feature not in known:
                # A service of which this is so is broken, and what needs it is told that.
                if not config.feature_service:
                    message = f"the feature view {choice.view!r} has no such feature"
                    yield (where, n), message, feature, known
                return
    if not _has_inputs(runner, config, views):
        # An on-demand view is broken, and what needs it is told that.
        return
    found = _put_together(runner, name, views, Location(""))
    yield from _problems_of_names(found, where)
    yield from _problems_of_request(found, where)
    yield from _problems_of_rows(found, tables)


def _has_inputs(
    runner: RunnerConfig, config: TrainingSetConfig, views: Mapping[str, FeatureTable]
) -> bool:
    _, asked = _read_and_computed(runner, config)
    inputs = (choice for view in asked for choice in _view(runner, view).inputs)
    return all(
        f in _known(runner, views, choice.view) for choice in inputs for f in choice.features
    )


def _known(runner: RunnerConfig, views: Mapping[str, FeatureTable], view: str) -> list[str]:
    """The features of a view of either kind."""
    if view in runner.on_demand_feature_views:
        return list(_view(runner, view).features)
    return list(_definition_of(views[view]).features.names)


def _problems_of_names(found: TrainingSet, where: str) -> Iterator[_Found]:
    types: dict[str, pa.DataType] = {}
    for one in found.chosen:
        for entity in one.view.entities:
            if types.setdefault(entity.join_key, entity.type) != entity.type:
                message = f"the views have different types for the join key {entity.join_key!r}"
                yield (where,), message, f"{types[entity.join_key]} and {entity.type}", []
    from quality_platform.feature_store.training_entities import EVENT_TIMESTAMP

    columns = [*found.join_keys, EVENT_TIMESTAMP, *found.columns.labels]
    columns += [column.name for column in found.outputs.values()]
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        message = f"the training set would have two columns {twice[0]!r}"
        yield (where,), f"{message}; set full_feature_names, or leave one out", twice[0], []


def _problems_of_request(found: TrainingSet, where: str) -> Iterator[_Found]:
    """Values of requests that no column of the entity rows stands for."""
    for one in found.computed:
        for name in one.view.request:
            if name not in found.columns.labels:
                message = f"{one.view.name} is computed from {name!r}, which is none of the labels"
                yield (where,), message, name, list(found.columns.labels)


def _problems_of_rows(
    found: TrainingSet, tables: Mapping[str, ContractedTable]
) -> Iterator[_Found]:
    entities = found.config.entities
    if entities is None:
        return
    for key in entities.join_keys:
        if key not in found.join_keys:
            message = "no feature view of the training set has such a join key"
            yield ("entities", "join_keys"), message, key, list(found.join_keys)
    if entities.table is None:
        return
    schema = tables[entities.table].schema
    for column in found.columns.sources.values():
        if column not in schema.names:
            message = f"the table {entities.table!r} has no column {column!r}"
            yield ("entities", "table"), message, column, list(schema.names)
    moment = entities.event_timestamp
    if moment in schema.names and not pa.types.is_timestamp(schema.field(moment).type):
        kind = str(schema.field(moment).type)
        yield ("entities",), f"{moment!r} holds no moments", kind, ["timestamp"]


def _choices(config: RunnerConfig, wanted: TrainingSetConfig) -> Sequence[FeatureChoiceConfig]:
    if wanted.feature_service is None:
        return wanted.features
    return config.feature_services[wanted.feature_service].features


def _read_and_computed(
    runner: RunnerConfig, wanted: TrainingSetConfig
) -> tuple[list[FeatureChoiceConfig], dict[str, dict[str, None]]]:
    """What is chosen of feature views, and the features of on-demand views, by these."""
    read: list[FeatureChoiceConfig] = []
    computed: dict[str, dict[str, None]] = {}
    for choice in _choices(runner, wanted):
        if choice.view in runner.on_demand_feature_views:
            names = choice.features or tuple(_view(runner, choice.view).features)
            computed.setdefault(choice.view, {}).update(dict.fromkeys(names))
        else:
            read.append(choice)
    return read, computed


def _view(runner: RunnerConfig, name: str) -> OnDemandViewConfig:
    return runner.on_demand_feature_views[name]


def _put_together(
    runner: RunnerConfig, name: str, views: Mapping[str, FeatureTable], location: Location
) -> TrainingSet:
    from quality_platform.flows.feature_store_objects import on_demand_definition

    config = runner.training_sets[name]
    read, asked = _read_and_computed(runner, config)
    inputs = {view: _inputs(_view(runner, view), views) for view in asked}
    computed = tuple(
        ComputedFeatures(
            on_demand_definition(view, _view(runner, view)), tuple(names), inputs[view]
        )
        for view, names in asked.items()
    )
    more = [choice for view in asked for choice in _view(runner, view).inputs]
    chosen = _chosen([*read, *more], views)
    shown = {f"{one.view.name}:{f}" for one in _chosen(read, views) for f in one.features}
    all_read = {f"{one.view.name}:{f}" for one in chosen for f in one.features}
    return TrainingSet(name, config, chosen, location, computed, frozenset(all_read - shown))


def _inputs(view: OnDemandViewConfig, views: Mapping[str, FeatureTable]) -> dict[str, str]:
    """The column for each name that a function knows a value by: as Feast, by two of a feature."""
    found = {name: name for name in view.request}
    for one in _chosen(view.inputs, views):
        for feature in one.features:
            column = f"{one.view.name}:{feature}"
            found |= {feature: column, f"{one.view.name}__{feature}": column}
    return found


def _chosen(
    choices: Sequence[FeatureChoiceConfig], views: Mapping[str, FeatureTable]
) -> tuple[ViewFeatures, ...]:
    """Each view once, with its features once, in the order in which they are first named."""
    found: dict[str, dict[str, None]] = {}
    for choice in choices:
        names = choice.features or tuple(_definition_of(views[choice.view]).features.names)
        found.setdefault(choice.view, {}).update(dict.fromkeys(names))
    return tuple(
        ViewFeatures(_definition_of(views[view]), tuple(names)) for view, names in found.items()
    )


def _definition_of(view: FeatureTable) -> FeatureViewDefinition:
    # Not earlier: that module needs the platform, which is put together with this one.
    from quality_platform.flows.feature_store_objects import feature_view_definition

    return feature_view_definition(view)


def _definition(one: ViewFeatures) -> dict[str, Any]:
    # It brings Arrow's functions along, which a code location that is only looked at does not need.
    from quality_platform.feature_store.training_digest import columns_of, type_name

    view = one.view
    return {
        "table": view.table,
        "entities": [[e.name, e.join_key, type_name(e.type)] for e in view.entities],
        "event_timestamp": view.event_timestamp,
        "created_timestamp": view.created_timestamp,
        "ttl_seconds": view.ttl.total_seconds() if view.ttl else None,
        "features": columns_of(pa.schema([view.features.field(n) for n in one.features])),
    }
