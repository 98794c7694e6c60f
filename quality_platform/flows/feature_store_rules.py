"""What of feature services and on-demand feature views can only be judged with the contracts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from quality_platform.config.broken import Fault
from quality_platform.config.feature_service_models import FeatureChoiceConfig
from quality_platform.config.loading import RunnerFile
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import PathInDocument
from quality_platform.errors import Problem
from quality_platform.flows.contracted_tables import ContractedTable, FeatureTable


def feature_store_faults(
    file: RunnerFile, tables: Mapping[str, ContractedTable]
) -> Iterator[Fault]:
    """Features that are named and that a view does not have, and names that stand for two things.

    Nothing is said of views that are not among `tables`: they are broken.
    """
    for name, service in file.config.feature_services.items():
        path: PathInDocument = ("feature_services", name, "features")
        yield from _unknown(file, tables, path, service.features)
    for name, view in file.config.on_demand_feature_views.items():
        path = ("on_demand_feature_views", name, "inputs")
        yield from _unknown(file, tables, path, view.inputs)
        for feature in _features_of(tables, view.inputs):
            for section, names in (("request", view.request), ("features", view.features)):
                if feature in names:
                    yield _fault(
                        file,
                        ("on_demand_feature_views", name, section, feature),
                        f"{feature!r} is a feature of an input already",
                        feature,
                    )


def _unknown(
    file: RunnerFile,
    tables: Mapping[str, ContractedTable],
    path: PathInDocument,
    choices: Sequence[FeatureChoiceConfig],
) -> Iterator[Fault]:
    for n, choice in enumerate(choices):
        view = tables.get(choice.view)
        known = feature_names(view) if isinstance(view, FeatureTable) else choice.features
        for feature in choice.features:
            if feature not in known:
                message = f"the feature view {choice.view!r} has no feature {feature!r}"
                yield _fault(file, (*path, n), message, feature, known)


def _features_of(
    tables: Mapping[str, ContractedTable], choices: Sequence[FeatureChoiceConfig]
) -> Iterator[str]:
    for choice in choices:
        view = tables.get(choice.view)
        if isinstance(view, FeatureTable):
            yield from choice.features or feature_names(view)


def feature_names(view: FeatureTable) -> tuple[str, ...]:
    """The columns of a view that are features: all but its keys and its times."""
    config = view.config
    keys = {entity.join_key for entity in config.entities}
    others = {config.event_timestamp, config.created_timestamp} | keys
    return tuple(name for name in view.schema.names if name not in others)


def _fault(
    file: RunnerFile,
    path: PathInDocument,
    message: str,
    received: str,
    allowed: Sequence[str] = (),
) -> Fault:
    problem = Problem(
        message,
        file.location(*path),
        ".".join(map(str, path)),
        received,
        ", ".join(allowed),
        did_you_mean(received, list(allowed)) if allowed else "",
    )
    return Fault(path, problem)
