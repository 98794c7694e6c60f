"""YAML files as plain data plus the place of every key and value."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from quality_platform.errors import ConfigurationError, Location

PathInDocument = tuple[str | int, ...]

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
_KEPT_AS_TEXT = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
"""Dates and times, and a lone `=`, which YAML 1.1 has a type of its own for."""
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass(frozen=True)
class YamlDocument:
    """One YAML file: `data` as plain Python values, and where each of them stands.

    Dates and times stay text, as the JSON schemas of the standards expect them.
    """

    path: Path
    data: Any
    _places: dict[PathInDocument, tuple[int, int]] = field(repr=False, hash=False)

    def with_data(self, data: Any, moved: Mapping[PathInDocument, PathInDocument]) -> YamlDocument:
        """The document with other data; `moved` tells where values of new paths were written."""
        places = self._places | {
            new: self._places[old] for new, old in moved.items() if old in self._places
        }
        return YamlDocument(self.path, data, places)

    def location(self, path: Sequence[str | int] = ()) -> Location:
        """Where the value at `path` (keys and list indexes from the root) stands.

        A path that does not exist gives the place of the deepest part that does.
        """
        steps = tuple(path)
        while steps not in self._places and steps:
            steps = steps[:-1]
        line, column = self._places.get(steps, (0, 0))
        return Location(str(self.path), line, column)

    def owner(self, path: Sequence[str | int]) -> str:  # noqa: ARG002 - for merged documents
        """Who wrote the part at `path`, where it is somebody else than who wrote the whole."""
        return ""


@dataclass(frozen=True)
class MergedDocument(YamlDocument):
    """Several YAML files that are read as one, where each value knows its own file.

    Attributes:
        parts: The document that holds a part, by the path of the part, which is the same in both.
        owners: Who wrote a part, by its path, where it is somebody else than who wrote the root.
    """

    parts: Mapping[PathInDocument, YamlDocument] = field(default_factory=dict, repr=False)
    owners: Mapping[PathInDocument, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        root: YamlDocument,
        data: Any,
        parts: Mapping[PathInDocument, YamlDocument],
        owners: Mapping[PathInDocument, str],
    ) -> MergedDocument:
        """The root with the data of all; what is in none of the parts stands in the root."""
        return cls(root.path, data, root._places, parts, owners)

    def owner(self, path: Sequence[str | int]) -> str:
        """Who wrote the part at `path`; "" who wrote the root."""
        return self.owners.get(tuple(path), "")

    def location(self, path: Sequence[str | int] = ()) -> Location:
        """Where the value at `path` stands, in the file that holds it."""
        steps = tuple(path)
        for length in range(len(steps), 0, -1):
            if part := self.parts.get(steps[:length]):
                return part.location(steps)
        return super().location(steps)


@dataclass(frozen=True)
class RewrittenDocument(YamlDocument):
    """A document whose data were changed, where each value knows where it was written.

    Attributes:
        written: The document as it was written.
        moved: The places there of values that stand elsewhere now, with all below them, by the
            paths that they have now.
    """

    written: YamlDocument = field(kw_only=True, repr=False)
    moved: Mapping[PathInDocument, PathInDocument] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, written: YamlDocument, data: Any, moved: Mapping[PathInDocument, PathInDocument]
    ) -> RewrittenDocument:
        """The document with other data."""
        return cls(written.path, data, written._places, moved, written=written)

    def owner(self, path: Sequence[str | int]) -> str:
        """Who wrote the part at `path`; "" who wrote the root."""
        return self.written.owner(path)

    def location(self, path: Sequence[str | int] = ()) -> Location:
        """Where the value at `path` was written."""
        steps = tuple(path)
        for length in range(len(steps), 0, -1):
            if old := self.moved.get(steps[:length]):
                return self.written.location((*old, *steps[length:]))
        return self.written.location(steps)


def load_yaml(path: Path) -> YamlDocument:
    """Reads a YAML file.

    Raises:
        ConfigurationError: there is no such file, it is no YAML, a key is no text or stands twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"the file cannot be read: {error.strerror}",
            location=Location(str(path)),
            action="check the path, relative to the folder of the file that names it",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"the file is not UTF-8 (byte {error.start})", location=Location(str(path))
        ) from error
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> YamlDocument:
    """Parses YAML; `path` is what the locations name. Errors as `load_yaml`."""
    _refuse_control_characters(text, path)
    with no_garbage_collection():
        return _parsed(text, path)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """For what only grows: the collector would walk it again and again, and find nothing.

    It takes more than half of the time of a contract of a megabyte, and a fifth of that of a code
    location of a thousand tables.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _parsed(text: str, path: Path) -> YamlDocument:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise ConfigurationError(
            f"not valid YAML: {error.problem}",
            location=Location(str(path), mark.line + 1, mark.column + 1)
            if mark
            else Location(str(path)),
        ) from error
    finally:
        loader.dispose()
    places: dict[PathInDocument, tuple[int, int]] = {}
    data = None if node is None else _Builder(path, places).value(node, ())
    return YamlDocument(path, data, places)


def _refuse_control_characters(text: str, path: Path) -> None:
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if found:
        before = text[: found.start()]
        raise ConfigurationError(
            "not valid YAML: a control character",
            location=Location(
                str(path), before.count("\n") + 1, found.start() - before.rfind("\n")
            ),
            received=f"U+{ord(found[0]):04X}",
            action='write it as an escape within double quotes, such as "\\x00"',
        )


class _Builder:
    """Builds plain values from composed nodes and notes where each stands."""

    def __init__(self, path: Path, places: dict[PathInDocument, tuple[int, int]]) -> None:
        self._path = path
        self._places = places
        self._scalars = yaml.constructor.SafeConstructor()
        self._open: list[yaml.Node] = []
        self._flattened: set[yaml.Node] = set()

    def value(self, node: yaml.Node, path: PathInDocument) -> Any:
        if path not in self._places:
            mark = node.start_mark
            self._places[path] = (mark.line + 1, mark.column + 1)
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.tag == _TEXT else self._scalar(node)
        if node.tag not in _COLLECTIONS:
            raise self._not_plain(node)
        if node in self._open:
            raise ConfigurationError("the alias stands within itself", location=self._at(node))
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            return [self.value(child, (*path, n)) for n, child in enumerate(node.value)]
        finally:
            self._open.pop()

    def _scalar(self, node: yaml.Node) -> Any:
        if node.tag in _KEPT_AS_TEXT:
            return node.value
        try:
            return self._scalars.construct_object(node)
        except (yaml.constructor.ConstructorError, ValueError, KeyError) as error:
            raise self._not_plain(node) from error

    def _mapping(self, node: yaml.MappingNode, path: PathInDocument) -> dict[str, Any]:
        self._flatten(node)
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            # What a merge has brought may stand twice: the node's own wins.
            if key in result and node not in self._flattened:
                raise self._double(key_node, key)
            # The key's place, not the value's: a nested value may begin lines below.
            mark = key_node.start_mark
            self._places[(*path, key)] = (mark.line + 1, mark.column + 1)
            result[key] = self.value(value_node, (*path, key))
        return result

    def _key(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode) and node.tag == _TEXT:
            return str(node.value)
        key = self._scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            raise ConfigurationError(
                "a key must be text",
                location=self._at(node),
                received=node.value if isinstance(node, yaml.ScalarNode) else "a list or mapping",
                action="quote it: YAML reads words such as `on`, `no` and numbers otherwise",
            )
        return key

    def _flatten(self, node: yaml.MappingNode) -> None:
        """Brings in what `<<` merges, before the node's own keys, which so win."""
        # An alias leads to the same node again, which then has keys twice, and rightly so.
        if node in self._flattened or not any(key.tag == _MERGE for key, _ in node.value):
            return
        self._refuse_double_keys(node)
        try:
            self._scalars.flatten_mapping(node)
        except yaml.constructor.ConstructorError as error:
            raise ConfigurationError(
                f"not valid YAML: {error.problem}", location=self._at(node)
            ) from error
        self._flattened.add(node)

    def _refuse_double_keys(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self._key(key_node)
            if key in seen:
                raise self._double(key_node, key)
            seen.add(key)

    def _double(self, node: yaml.Node, key: str) -> ConfigurationError:
        return ConfigurationError(f"the key {key!r} stands twice", location=self._at(node))

    def _not_plain(self, node: yaml.Node) -> ConfigurationError:
        return ConfigurationError(f"not a plain YAML value: {node.tag}", location=self._at(node))

    def _at(self, node: yaml.Node) -> Location:
        return Location(str(self._path), node.start_mark.line + 1, node.start_mark.column + 1)
