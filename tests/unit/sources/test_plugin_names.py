"""What sources of other distributions rely on: a name that goes, or a field, breaks them."""

from __future__ import annotations

import dataclasses
import inspect

from quality_platform.sources import plugin


def test_every_name_that_plugins_may_import_is_there() -> None:
    assert sorted(plugin.__all__) == plugin.__all__
    assert [name for name in plugin.__all__ if not hasattr(plugin, name)] == []


def fields(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def test_the_values_that_plugins_make_keep_their_fields() -> None:
    # Further fields have defaults, and come behind.
    assert fields(plugin.Part)[:4] == ["name", "version", "batches", "whole"]
    assert fields(plugin.SourceBatch)[:5] == ["columns", "lines", "raw", "rejects", "text"]
    assert fields(plugin.RejectedRecord)[:3] == ["line", "raw", "reason"]
    for kind, needed in ((plugin.Part, 3), (plugin.SourceBatch, 2), (plugin.RejectedRecord, 3)):
        parameters = inspect.signature(kind).parameters.values()
        required = [p.name for p in parameters if p.default is inspect.Parameter.empty]
        assert required == fields(kind)[:needed]


def test_the_values_that_plugins_are_given_keep_their_fields() -> None:
    known = {"table", "columns", "load", "resolve", "location", "connection", "lake", "home"}
    assert known <= {*fields(plugin.SourceContext)}
    assert {"position", "backfill", "full_refresh"} <= {*fields(plugin.Wanted)}
    assert callable(plugin.SourceContext.request)
