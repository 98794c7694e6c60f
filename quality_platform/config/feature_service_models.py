"""The models of feature services and on-demand feature views in runner.yaml."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from quality_platform.config.base_models import NAME_PATTERN, Model, Name

_NAME = NAME_PATTERN.strip("^$")
_CHOICE = rf"^{_NAME}(:{_NAME})?$"


class FeatureChoiceConfig(Model):
    """Features of one view: written `VIEW`, `VIEW:FEATURE` or `VIEW: [FEATURE, ...]`."""

    view: Name
    """The feature view."""
    features: tuple[Name, ...] = ()
    """Its features that are meant; all where left out."""


def _as_choice(value: Any) -> Any:
    if isinstance(value, str):
        if not re.fullmatch(_CHOICE, value):
            raise ValueError("write VIEW, VIEW:FEATURE or VIEW: [FEATURE, ...]")
        view, _, feature = value.partition(":")
        return {"view": view, "features": (feature,) if feature else ()}
    if isinstance(value, dict):
        if len(value) != 1 or not isinstance(next(iter(value.values())), list):
            raise ValueError("write VIEW, VIEW:FEATURE or VIEW: [FEATURE, ...]")
        [(view, features)] = value.items()
        return {"view": view, "features": features}
    return value


_WRITTEN_CHOICE = (
    Annotated[str, Field(pattern=_CHOICE)]
    | Annotated[dict[Name, tuple[Name, ...]], Field(min_length=1, max_length=1)]
)
FeatureChoice = Annotated[
    FeatureChoiceConfig, BeforeValidator(_as_choice, json_schema_input_type=_WRITTEN_CHOICE)
]

Tags = dict[str, str]

FeatureType = Annotated[
    str,
    Field(
        pattern=r"^(boolean|int32|int64|float|double|string|binary|timestamp)$"
        r"|^list<(boolean|int32|int64|float|double|string|binary|timestamp)>$"
    ),
]
"""A type of a value in Feast, in the words of runner.yaml."""


class FeatureServiceConfig(Model):
    """Features that a model asks for together, under one name."""

    features: Annotated[tuple[FeatureChoice, ...], Field(min_length=1)]
    """Feature views and on-demand feature views: `VIEW` for all features of one, `VIEW:FEATURE` or
    `VIEW: [FEATURE, ...]` for some."""
    description: str = ""
    """What it is for."""
    owner: str = ""
    """E-mail address or team of the owner."""
    tags: Tags = Field(default_factory=dict)
    """Labels, shown by Feast."""


class OnDemandViewConfig(Model):
    """Features that a Python function computes when they are asked for."""

    inputs: tuple[FeatureChoice, ...] = ()
    """Feature views that the function reads, written as in a feature service."""
    request: dict[Name, FeatureType] = Field(default_factory=dict)
    """Values that come with each request, by name, with their types."""
    python: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    """The function, `package.module:function`. Whoever reads the features must have the module."""
    mode: Literal["python", "pandas"] = "python"
    """What the function takes and gives: a dict of lists, or with `pandas` a DataFrame."""
    features: Annotated[dict[Name, FeatureType], Field(min_length=1)]
    """What it computes: names and types. The types are boolean, int32, int64, float, double,
    string, binary, timestamp, and `list<...>` of them."""
    description: str = ""
    """What the features mean."""
    owner: str = ""
    """E-mail address or team of the owner."""
    tags: Tags = Field(default_factory=dict)
    """Labels, shown by Feast."""

    @model_validator(mode="after")
    def _fits_together(self) -> OnDemandViewConfig:
        if not self.inputs and not self.request:
            raise ValueError("write `inputs`, `request`, or both")
        if twice := sorted(set(self.features) & set(self.request)):
            raise ValueError(f"a feature and a value of the request are both called {twice[0]}")
        return self
