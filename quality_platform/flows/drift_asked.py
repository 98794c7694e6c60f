"""Drift tests that somebody asks for: the configured one, with other rows or columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from pydantic import TypeAdapter, ValidationError

from quality_platform.config.drift_models import (
    Current,
    CurrentName,
    DriftConfig,
    Reference,
    WindowName,
)
from quality_platform.config.drift_texts import side_of_text
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.errors import ConfigurationError, Location, Problem
from quality_platform.flows.contracted_tables import ContractedTable
from quality_platform.flows.drift_measuring import DriftTest
from quality_platform.flows.drift_profiles import Profiled, Profiler
from quality_platform.flows.drift_rules import drift_problems
from quality_platform.flows.platform import Platform

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PERIOD = "2013-01-01..2013-02-01"
_FORMS = {
    "--reference": (
        *(_PERIOD, "tag:NAME", "snapshot:ID", "profile:NAME", "days:28", "same_weekday:4"),
        *get_args(WindowName),
    ),
    "--current": (_PERIOD, *get_args(CurrentName)),
    "--rows": (_PERIOD, "tag:NAME", "snapshot:ID", *get_args(CurrentName)),
}
"""What the text of an option may be."""


@dataclass(frozen=True)
class Asked:
    """What is asked for in place of what is configured, as texts of options; "" for nothing."""

    reference: str = ""
    current: str = ""
    columns: Sequence[str] = ()


def asked_test(platform: Platform, name: str, asked: Asked) -> DriftTest:
    """The drift test of a table or feature view, with what is asked for.

    Raises:
        ConfigurationError: there is no such table, it has no drift test and no reference is asked
            for, or what is asked for cannot be.
    """
    table = platform.contracted(name)
    config = _config(table, asked)
    problems = list(drift_problems("drift", config, table.drift_tested, _locate(table)))
    if problems:
        raise ConfigurationError.of([_as_asked(problem, asked) for problem in problems])
    return DriftTest(platform, table, config, is_asked=bool(asked.reference or asked.current))


def freeze(
    platform: Platform, name: str, profile: str, rows: str, columns: Sequence[str]
) -> Profiled:
    """Keeps the profiles of rows of a table or feature view under a name.

    Args:
        platform: The platform.
        name: The table or feature view.
        profile: The name of what is kept.
        rows: Which rows, as the text of an option; `snapshot` for all.
        columns: The columns; () for those of the drift test, or all where there is none.

    Raises:
        ConfigurationError: there is no such table, or no such rows or columns can be.
        FeatureViewError: the name is taken, or there is nothing to keep.
        LakeError: the table, a tag or a snapshot is not there.
    """
    table = platform.contracted(name)
    own = table.drift
    wanted = columns or (own.columns if own else "all")
    time = {"event_timestamp": own.event_timestamp} if own else {}
    written = {"columns": wanted, "reference": {"profile": profile}, "current": "snapshot", **time}
    config = _validated(written, table)
    names = table.drift_tested.columns_of(config)
    if unknown := [column for column in names if column not in table.schema.names]:
        raise ConfigurationError(
            f"the contract has no column {unknown[0]!r}",
            field="--columns",
            received=", ".join(columns),
            allowed=table.schema.names,
            action=did_you_mean(unknown[0], table.schema.names),
        )
    side = _side(CurrentName | Reference, rows, "--rows")
    return DriftTest(platform, table, config, is_asked=True).freeze(side, profile)


def forget(platform: Platform, name: str, profile: str) -> int:
    """Removes the profiles that were frozen under a name; returns of how many columns.

    Raises:
        ConfigurationError: there is no such table.
        FeatureViewError: nothing was frozen under this name.
        LakeError: the lake cannot be used.
    """
    return Profiler(platform, platform.contracted(name), ()).forget(profile)


def _config(table: ContractedTable, asked: Asked) -> DriftConfig:
    own = table.drift
    written: dict[str, Any] = {"columns": "all"}
    if own is not None:
        written = own.model_dump(exclude_unset=True)
    if asked.reference:
        written["reference"] = _side(Reference, asked.reference, "--reference")
    if asked.current:
        written["current"] = _side(Current, asked.current, "--current")
    if asked.columns:
        written["columns"] = tuple(asked.columns)
        kept = {n: c for n, c in written.get("per_column", {}).items() if n in asked.columns}
        written["per_column"] = kept
    if "reference" not in written:
        raise ConfigurationError(
            f"{table.name} has no drift test",
            location=table.location,
            field="drift",
            action="say what to compare with: --reference previous_month",
        )
    return _validated(written, table)


def _as_asked(problem: Problem, asked: Asked) -> Problem:
    """A problem of what is asked for, told of the option and of no place in runner.yaml."""
    options = {
        "drift.columns": ("--columns", ", ".join(asked.columns)),
        "drift.reference": ("--reference", asked.reference),
        "drift.current": ("--current", asked.current),
    }
    option, text = options.get(problem.field, ("", ""))
    if not text:
        return problem
    return replace(problem, location=None, field=option, received=problem.received or text)


def _side(kind: Any, text: str, option: str) -> Any:
    """The rows that an option's text tells.

    Raises:
        ConfigurationError: it tells none.
    """
    try:
        return TypeAdapter(kind).validate_python(side_of_text(text))
    except ValidationError as error:
        raise ConfigurationError(
            f"this tells no rows: {_message(error.errors()[0])}",
            field=option,
            received=text,
            allowed=_FORMS[option],
        ) from None


def _validated(written: Mapping[str, Any], table: ContractedTable) -> DriftConfig:
    try:
        return DriftConfig.model_validate(written)
    except ValidationError as error:
        problems = [Problem(_message(entry), table.location, "drift") for entry in error.errors()]
        raise ConfigurationError.of(problems) from None


def _message(entry: ErrorDetails) -> str:
    return entry["msg"].removeprefix("Value error, ")


def _locate(table: ContractedTable) -> Any:
    def locate(*_: object) -> Location:
        return table.location

    return locate
