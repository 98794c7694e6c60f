"""Declarations for several tenants: each becomes one entry for each of them.

This is done with the document as it is written, before `${VAR}` are replaced and models made: all
that comes after sees entries that are one tenant's each, and lines of the declaration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from quality_platform.config.base_models import NAME_PATTERN
from quality_platform.config.broken import HOOKS, Fault, Part, path_of
from quality_platform.config.tenant_files import SECTIONS_OF_TENANTS, TENANTS
from quality_platform.config.tenant_models import SEPARATOR, namespace_of_tenant
from quality_platform.documents.suggestions import did_you_mean
from quality_platform.documents.yaml_documents import (
    PathInDocument,
    RewrittenDocument,
    YamlDocument,
)
from quality_platform.errors import Problem

PLACEHOLDER = "{tenant}"
"""What stands for the tenant's name in the texts of a declaration."""

_TARGETS = ("tables", "feature_views", "training_sets")
"""The sections whose entries can be named by others: they share one list of names."""

_EACH, _KEYS = "*", "**"
_NAMES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "feature_views": (
        ("inputs", _EACH),
        ("lineage", _EACH, _EACH),
        ("incremental", "times", _KEYS),
    ),
    "training_sets": (("features", _EACH), ("entities", "table")),
    "schedules": (("targets", _EACH),),
    "sensors": (("table",), ("view",), ("tables", _EACH)),
}
"""Where the entries of a section name others: keys, `*` for each value, `**` for each key."""

_RUNNERS = {"schedules": "targets", "sensors": "tables"}
"""What names several others to run or to watch, and its list of them."""

Resolve = Callable[[str], str]


def of_each_tenant(document: YamlDocument) -> tuple[YamlDocument, list[Fault]]:
    """runner.yaml with an entry for each tenant in the place of those that say `tenants`.

    With it comes what is wrong with them. A declaration that cannot be understood stays as it is,
    and is broken.
    """
    data, faults = document.data, list[Fault]()
    sound: dict[Part, list[str]] = {}
    for part, entry in _declared(data):
        if found := list(_faults(part, entry, document)):
            faults += found
        else:
            sound[part] = entry[TENANTS]
    if not sound:
        return document, faults
    rewriting = _Rewriting(document, sound, faults)
    return RewrittenDocument.of(document, rewriting.data(), rewriting.moved), faults


def _declared(data: Any) -> Iterator[tuple[Part, dict[str, Any]]]:
    for section in SECTIONS_OF_TENANTS:
        for name, entry in _entries(data, section).items():
            if isinstance(entry, dict) and TENANTS in entry:
                yield (section, name), entry


def _entries(data: Any, section: str) -> Mapping[str, Any]:
    found: Any = data
    for key in path_of(section):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _faults(part: Part, entry: Mapping[str, Any], document: YamlDocument) -> Iterator[Fault]:
    """Why a declaration cannot be understood."""
    names, path = entry[TENANTS], (*part, TENANTS)
    if owner := document.owner(part):
        message = f"the file is that of the tenant {owner}, and speaks for no other"
        yield _fault(path, document, message, action="leave `tenants` out")
    elif not isinstance(names, list) or not names or not all(_is_word(name) for name in names):
        yield _fault(path, document, "must be a list of names of tenants", allowed="[acme, globex]")
    elif "tenant" in entry:
        yield _fault(path, document, "say either `tenant` or `tenants`", action="leave one out")
    else:
        for n, name in enumerate(names):
            if name in names[:n]:
                message = "the tenant is named twice"
                yield _fault((*path, n), document, message, name, action="leave one out")
    section, name = part
    for other in _TARGETS if section in _TARGETS else ():
        if other != section and name in _entries(document.data, other):
            place = document.location((other, name))
            message = f"{name!r} is also the name of what stands in {place}"
            yield _fault(part, document, message, action="rename one of them")


def _is_word(name: Any) -> bool:
    return isinstance(name, str) and re.fullmatch(NAME_PATTERN, name) is not None


def _fault(
    path: PathInDocument,
    document: YamlDocument,
    message: str,
    received: str = "",
    allowed: str = "",
    action: str = "",
) -> Fault:
    location, field_of = document.location(path), ".".join(map(str, path))
    shown = repr(received) if received else ""
    return Fault(path, Problem(message, location, field_of, shown, allowed, action))


@dataclass(frozen=True)
class _Rewriting:
    """A document on its way to one entry for each tenant.

    Attributes:
        document: The document as it is written.
        declared: The tenants of each declaration that can be understood.
        faults: What is wrong; more is added.
        moved: Where what stands elsewhere now was written; all is added.
    """

    document: YamlDocument
    declared: Mapping[Part, list[str]]
    faults: list[Fault]
    moved: dict[PathInDocument, PathInDocument] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """The data of the document, with what the declarations become."""
        data = dict(self.document.data)
        for section in SECTIONS_OF_TENANTS:
            if entries := _entries(data, section):
                data[section] = dict(self._rewritten(section, entries))
        if hooks := _entries(data, HOOKS):
            watching = {n: self._of_all((HOOKS, n), hook, "tables") for n, hook in hooks.items()}
            data["alerts"] = {**data["alerts"], "hooks": watching}
        return data

    def _rewritten(self, section: str, entries: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, entry in entries.items():
            part = (section, name)
            if part in self.declared:
                yield from self._made(part, entry, entries)
            elif section not in _RUNNERS or not isinstance(entry, dict):
                yield name, entry
            elif isinstance(tenant := entry.get("tenant"), str):
                yield name, _named(section, entry, self._own(tenant))
            else:
                yield name, self._of_all(part, entry, _RUNNERS[section])

    def _made(
        self, part: Part, entry: dict[str, Any], written: Mapping[str, Any]
    ) -> Iterator[tuple[str, Any]]:
        """What a declaration becomes; `written` are all entries of its section."""
        section, name = part
        tenants = self.declared[part]
        for n, tenant in enumerate(tenants):
            made = f"{tenant}{SEPARATOR}{name}"
            if made in written:
                self._told_twice((section, made), part)
                continue
            self.moved[section, made] = part
            self.moved[section, made, "tenant"] = (*part, TENANTS, n)
            self.moved[section, made, TENANTS, 0] = (*part, TENANTS, n)
            yield made, self._entry(section, made, entry, tenant)

    def _entry(self, section: str, name: str, entry: dict[str, Any], tenant: str) -> Any:
        """The entry of one tenant."""
        known = _entries(self.document.data, TENANTS)
        if tenant not in known:
            self._told_unknown((section, name, "tenant"), tenant, known)
        texts = {key: _filled(value, tenant) for key, value in entry.items() if key != TENANTS}
        own = _named(section, texts, self._own(tenant))
        source = own.get("source")
        if section == "tables" and isinstance(source, dict):
            own["source"] = self._source(source, tenant)
            if own["source"] == entry["source"] and len(entry[TENANTS]) > 1:
                self._told_same((section, name, "source"))
        # Of the others nothing is told: one more of them changes nothing of this one's.
        return {**own, "tenant": tenant, TENANTS: [tenant]}

    def _own(self, tenant: str) -> Resolve:
        """What a tenant means by the name of a declaration: what it became for the tenant."""

        def resolved(name: str) -> str:
            is_own = any(tenant in self.declared.get((section, name), ()) for section in _TARGETS)
            return f"{tenant}{SEPARATOR}{name}" if is_own else name

        return resolved

    def _of_all(self, part: PathInDocument, entry: Any, key: str) -> Any:
        """An entry of nobody's, whose list at `key` means what declarations became for all."""
        names = entry.get(key) if isinstance(entry, dict) else None
        if not isinstance(names, list):
            return entry
        section, *rest = part
        path = (*path_of(str(section)), *rest, key)
        found: list[Any] = []
        for n, name in enumerate(names):
            for one in self._all(name):
                if one not in found:
                    self.moved[*path, len(found)] = (*path, n)
                    found.append(one)
        return {**entry, key: found}

    def _all(self, name: Any) -> list[Any]:
        found = [(section, name) for section in _TARGETS if isinstance(name, str)]
        tenants = next((self.declared[part] for part in found if part in self.declared), None)
        return [f"{tenant}{SEPARATOR}{name}" for tenant in tenants] if tenants else [name]

    def _source(self, source: dict[str, Any], tenant: str) -> dict[str, Any]:
        """A source; of type `iceberg`, a table of the lake that is declared so is the tenant's."""
        table = source.get("table")
        if source.get("type") != "iceberg" or "catalog" in source or not isinstance(table, str):
            return source
        namespace, _, name = table.partition(".")
        for section, default in (("tables", "main"), ("feature_views", "features")):
            entry = _entries(self.document.data, section).get(name, {})
            is_own = tenant in self.declared.get((section, name), ())
            if is_own and entry.get("namespace", default) == namespace:
                place = namespace_of_tenant(tenant, namespace)
                return {**source, "table": f"{place}.{tenant}{SEPARATOR}{name}"}
        return source

    def _told_unknown(self, path: PathInDocument, tenant: str, known: Mapping[str, Any]) -> None:
        message, names = "there is no such tenant in this file", sorted(known)
        action = did_you_mean(tenant, names)
        self._told(path, message, tenant, ", ".join(names), action)

    def _told_twice(self, made: Part, part: Part) -> None:
        there = self.document.location((*part, TENANTS))
        message = f"{'.'.join(made)} is defined twice, here and by `tenants` in {there}"
        self._told(made, message, action="rename one of them, or take one out")

    def _told_same(self, path: PathInDocument) -> None:
        message = "each of the tenants would load the same rows"
        allowed = f"a path, table, query or connection with {PLACEHOLDER} in it"
        self._told(path, message, allowed=allowed, action=f"say with {PLACEHOLDER} which are whose")

    def _told(
        self,
        path: PathInDocument,
        message: str,
        received: str = "",
        allowed: str = "",
        action: str = "",
    ) -> None:
        here = RewrittenDocument.of(self.document, None, self.moved)
        self.faults.append(_fault(path, here, message, received, allowed, action))


def _filled(value: Any, tenant: str) -> Any:
    """A value with the tenant's name in the texts that have a place for it."""
    if isinstance(value, dict):
        return {key: _filled(child, tenant) for key, child in value.items()}
    if isinstance(value, list):
        return [_filled(child, tenant) for child in value]
    return value.replace(PLACEHOLDER, tenant) if isinstance(value, str) else value


def _named(section: str, entry: dict[str, Any], resolve: Resolve) -> dict[str, Any]:
    """An entry with other names of what it refers to."""
    for path in _NAMES.get(section, ()):
        entry = _changed(entry, path, resolve)
    return entry


def _changed(value: Any, path: tuple[str, ...], resolve: Resolve) -> Any:
    if not path:
        return _resolved(value, resolve)
    step, *rest = path
    if step == _EACH and isinstance(value, list):
        return [_changed(child, tuple(rest), resolve) for child in value]
    if not isinstance(value, dict):
        return value
    if step == _KEYS:
        return {resolve(key): child for key, child in value.items()}
    wanted = value if step == _EACH else value.keys() & {step}
    return {
        key: _changed(child, tuple(rest), resolve) if key in wanted else child
        for key, child in value.items()
    }


def _resolved(value: Any, resolve: Resolve) -> Any:
    """A name, one with a column (`orders.amount`) or feature (`totals:total`), or a choice."""
    if isinstance(value, dict):
        return {resolve(key): features for key, features in value.items()}
    if not isinstance(value, str):
        return value
    for mark in (".", ":"):
        name, found, rest = value.partition(mark)
        if found:
            return f"{resolve(name)}{mark}{rest}"
    return resolve(value)
