"""The models of training sets in runner.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from quality_platform.config.base_models import (
    NAME_PATTERN,
    RESERVED_NAMESPACES,
    Duration,
    Model,
    Name,
    seconds,
)
from quality_platform.config.feature_service_models import FeatureChoice
from quality_platform.config.tenant_models import Tenants

TRAINING_SETS = "training_sets"
"""The namespace of training sets that name none."""


def _usable(namespace: str) -> str:
    others = [name for name in RESERVED_NAMESPACES if name != TRAINING_SETS]
    if namespace in others:
        raise ValueError(f"the namespaces {', '.join(others)} belong to the platform")
    return namespace


def _some_time(keep: str) -> str:
    if not seconds(keep):
        raise ValueError("write how long, such as 365d")
    return keep


class EntityRowsConfig(Model):
    """The rows of a training set: which entities, at which moments, with which labels."""

    table: Name | None = None
    """A table or feature view whose rows they are. Either this or `file`."""
    file: Path | None = None
    """A Parquet or CSV file with the rows, relative to the folder of this file."""
    event_timestamp: str = "event_timestamp"
    """The column with the moments: features are as they were known then. Without a time zone they
    are taken as UTC."""
    join_keys: dict[Name, str] = Field(default_factory=dict)
    """The columns of those join keys that are called otherwise, by join key."""
    labels: tuple[str, ...] = ()
    """Further columns that come along as they are."""

    @model_validator(mode="after")
    def _from_one_place(self) -> EntityRowsConfig:
        if (self.table is None) == (self.file is None):
            raise ValueError("write either `table` or `file`")
        return self


class TrainingSetConfig(Model):
    """A training set: entity rows with features as they were known at each row's moment."""

    tenant: Name | None = None
    """The tenant that the training set is of, by its name in this file; nobody's where left out."""
    tenants: Tenants = ()
    """In place of `tenant`, several of which each has such a training set, as in a table."""
    features: tuple[FeatureChoice, ...] = ()
    """The features: `VIEW` for all features of a view, `VIEW:FEATURE` or `VIEW: [FEATURE, ...]` for
    some; of on-demand feature views alike. Either this or `feature_service`."""
    feature_service: Name | None = None
    """The feature service whose features they are."""
    entities: EntityRowsConfig | None = None
    """The rows; the command line can name others of the same columns. Without it there is no asset,
    and the command line has to say which they are."""
    full_feature_names: bool = False
    """Whether the features' columns are called `VIEW__FEATURE`: for views with features of one
    name."""
    namespace: Annotated[str, Field(pattern=NAME_PATTERN), AfterValidator(_usable)] = TRAINING_SETS
    """The Iceberg namespace of its table, which is called as the training set is; a tenant's is
    `TENANT__NAMESPACE`."""
    owner: str = ""
    """E-mail address or team of the owner."""
    description: str = ""
    """What it is for."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Labels, kept with every version."""
    keep: Annotated[Duration, AfterValidator(_some_time)] | None = None
    """How long a version is kept, such as `365d`; upkeep removes it after that, with what it pins.
    For ever where left out."""
    mlflow: str | None = None
    """The MLflow experiment to which every new version is logged; none where left out."""

    @model_validator(mode="after")
    def _says_what(self) -> TrainingSetConfig:
        if bool(self.features) == (self.feature_service is not None):
            raise ValueError("write either `features` or `feature_service`")
        return self
