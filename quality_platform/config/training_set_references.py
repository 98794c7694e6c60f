"""Names in the training sets of runner.yaml that refer to other parts of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from quality_platform.config.broken import Part
from quality_platform.config.feature_store_references import VIEW_OF_A_SERVICE
from quality_platform.config.models import RunnerConfig
from quality_platform.config.sensor_references import Reference
from quality_platform.documents.yaml_documents import PathInDocument, YamlDocument
from quality_platform.errors import Problem

SERVICE = "feature service"
"""What a training set can name in the place of features."""


def training_set_references(config: RunnerConfig) -> Iterator[Reference]:
    """The names in training sets: feature views, a feature service, the table of the rows."""
    views = sorted(config.feature_views)
    both = views + sorted(config.on_demand_feature_views)
    for name, found in config.training_sets.items():
        for n, choice in enumerate(found.features):
            yield ("training_sets", name, "features", n), choice.view, both, VIEW_OF_A_SERVICE
        if found.feature_service is not None:
            path = ("training_sets", name, "feature_service")
            yield path, found.feature_service, sorted(config.feature_services), SERVICE
        if found.entities is not None and found.entities.table is not None:
            tables = sorted(config.tables) + views
            table = ("training_sets", name, "entities", "table")
            yield table, found.entities.table, tables, "table or feature view"


def training_set_problems(
    config: RunnerConfig, document: YamlDocument, broken: Collection[Part | None] = ()
) -> Iterator[Problem]:
    """Training sets called as a table or view is, and schedules that could make none.

    `broken` are parts that the file has, but the models do not.
    """
    for name in config.training_sets:
        if name in config.tables or name in config.feature_views:
            yield Problem(
                f"{name!r} is the name of a training set, and of a table or feature view",
                document.location(("training_sets", name)),
                f"training_sets.{name}",
                action="rename one of them",
            )
    yield from _schedules_without_rows(config, document, broken)


def _schedules_without_rows(
    config: RunnerConfig, document: YamlDocument, broken: Collection[Part | None]
) -> Iterator[Problem]:
    """Schedules that would make training sets of which nothing says which rows they have."""
    made = [name for name, found in config.training_sets.items() if found.entities is not None]
    # What is wrong with these is told of them.
    others = [part for part in broken if part is not None and part[0] == "training_sets"]
    for name, schedule in config.schedules.items():
        if schedule.job != "training_sets":
            continue
        path: PathInDocument = ("schedules", name, "job")
        if not made and not others and not schedule.targets and not schedule.tenant:
            message = "there is no training set that it could make"
            yield Problem(message, document.location(path), f"schedules.{name}.job")
        for n, target in enumerate(schedule.targets):
            if target in config.training_sets and target not in made:
                yield Problem(
                    f"nothing says which rows the training set {target!r} has",
                    document.location(("schedules", name, "targets", n)),
                    f"schedules.{name}.targets.{n}",
                    action="write its `entities`",
                )
