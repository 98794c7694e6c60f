"""On-demand feature views: functions of the user's, as Feast stores and calls them.

Feast keeps the text of a function in the registry, and runs that text wherever features are read,
without the module that it comes from. What is kept here is therefore a function that imports the
user's and calls it: what that one uses of its module is there, and nobody needs the module who does
not ask for its features.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from quality_platform.errors import MaterializationError
from quality_platform.feature_store.definitions import FeatureChoice, OnDemandViewDefinition
from quality_platform.feature_store.feast_types import feast_type_of_word

if TYPE_CHECKING:
    from feast import FeatureView, OnDemandFeatureView

_STUB = """\
def transform(inputs):
    import importlib

    return getattr(importlib.import_module({module!r}), {function!r})(inputs)
"""


def on_demand_view(
    definition: OnDemandViewDefinition, views: Mapping[str, FeatureView]
) -> OnDemandFeatureView:
    """Feast's object, whose function has been called once with values of the types of its inputs.

    `views` are the feature views by name.

    Raises:
        MaterializationError: there is no such function, view or feature, the function fails, or it
            gives something else than it should.
    """
    from feast import Field, OnDemandFeatureView, RequestSource

    sources: list[Any] = [
        chosen(choice, views, definition.name).projection for choice in definition.inputs
    ]
    if definition.request:
        fields = [Field(name=n, dtype=feast_type_of_word(w)) for n, w in definition.request.items()]
        sources.append(RequestSource(name=request_source_name(definition.name), schema=fields))
    view = OnDemandFeatureView(
        name=definition.name,
        sources=sources,
        schema=[Field(name=n, dtype=feast_type_of_word(w)) for n, w in definition.features.items()],
        udf=_function(definition),
        udf_string=_text(definition),
        mode=definition.mode,
        description=definition.description,
        owner=definition.owner,
        tags=dict(definition.tags),
    )
    _try(view, definition)
    return view


def request_source_name(view: str) -> str:
    """What the source of a view's request is called in Feast."""
    return f"{view}_request"


def chosen(choice: FeatureChoice, views: Mapping[str, Any], field: str) -> Any:
    """One of the views with the chosen features only; `field` is what asks for them.

    Raises:
        MaterializationError: there is no such view or feature.
    """
    view = views.get(choice.view)
    if view is None:
        raise MaterializationError(
            f"there is no feature view {choice.view!r}", field=field, allowed=sorted(views)
        )
    known = [feature.name for feature in view.features]
    for feature in choice.features:
        if feature not in known:
            raise MaterializationError(
                f"the feature view {choice.view!r} has no feature {feature!r}",
                field=field,
                allowed=known,
            )
    return view[list(choice.features or known)]


def _text(definition: OnDemandViewDefinition) -> str:
    """The function as Feast keeps it, with the user's own text for people to read.

    That text is also what tells Feast that the function has changed.
    """
    module, _, function = definition.python.partition(":")
    source = source_of(definition)
    told = "".join(f"    # {line}".rstrip() + "\n" for line in source.splitlines())
    stub = _STUB.format(module=module, function=function)
    return f"{stub}    # {definition.python} when it was applied:\n{told}" if told else stub


def source_of(definition: OnDemandViewDefinition) -> str:
    """The text of the user's function; "" where it has none, such as one that is compiled.

    Raises:
        MaterializationError: there is no such function.
    """
    try:
        return inspect.getsource(imported(definition))
    except (OSError, TypeError):
        return ""


def imported(definition: OnDemandViewDefinition) -> Callable[..., object]:
    """The user's function.

    Raises:
        MaterializationError: there is no such function.
    """
    module, _, function = definition.python.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    # What a module of the user's raises when it is imported can be anything.
    except Exception as error:
        raise MaterializationError(
            f"the function cannot be imported: {type(error).__name__}: {error}",
            field=definition.name,
            received=definition.python,
            allowed="package.module:function; Feast calls it wherever features are read, so that "
            "the path of a file cannot stand here",
            action="correct its path, or install the distribution that has the module",
        ) from error
    if not callable(found):
        raise MaterializationError(
            "not a function", field=definition.name, received=definition.python
        )
    checked: Callable[..., object] = found
    return checked


def _function(definition: OnDemandViewDefinition) -> FunctionType:
    module, _, function = definition.python.partition(":")

    def transform(inputs: Any) -> Any:
        return getattr(importlib.import_module(module), function)(inputs)

    # Feast takes no other return type than a DataFrame, and keeps functions of this module by what
    # they are, and not by where they are.
    transform.__annotations__.clear()
    transform.__module__ = "__main__"
    return cast(FunctionType, transform)


def _try(view: OnDemandFeatureView, definition: OnDemandViewDefinition) -> None:
    """Calls the function as Feast does when it applies the view, and stops others if it fails."""
    from feast.errors import SpecifiedFeaturesNotPresentError

    try:
        view.infer_features()
    except SpecifiedFeaturesNotPresentError as error:
        raise MaterializationError(
            "the function does not give the features that are declared, by their names and types",
            field=definition.name,
            received=_told(view),
            allowed=", ".join(f"{name} ({word})" for name, word in definition.features.items()),
            action="correct its result or `features`; a whole number of Python's is int64, a "
            "fraction double",
        ) from error
    # What a function of the user's raises can be anything.
    except Exception as error:
        raise MaterializationError(
            f"the function fails with values of its inputs' types: {type(error).__name__}: {error}",
            field=definition.name,
            received=definition.python,
        ) from error


def _told(view: OnDemandFeatureView) -> str:
    """What the function gives, by name and type."""
    transformation: Any = view.feature_transformation
    sample = view._construct_random_input()
    given = transformation.infer_features(random_input=sample)
    known = {field.name for field in view.features}
    return ", ".join(
        f"{f.name} ({f.dtype})" for f in given if f.name in known or f.name not in sample
    )
